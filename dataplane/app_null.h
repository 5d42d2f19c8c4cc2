/*
 * app_null.h - the state machine that does nothing: what the protocol alone costs.
 */
#ifndef DATAPLANE_APP_NULL_H
#define DATAPLANE_APP_NULL_H

#include "consensus/machine.h"

/* Answers every command and every read with REPLY_OK and 0. */
struct machine app_null(void);

#endif
