/*
 * format.h - the explicit making of a replica's data directory: a new identity, and an empty journal.
 *
 * Never:   done by a replica itself: an empty directory under a known identity would have forgotten
 *          what the old one promised.
 * Proofs:  tests/unit/test_format.c.
 */
#ifndef DATAPLANE_FORMAT_H
#define DATAPLANE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* Draws the uuid and makes the directory. False: a sentence. */
bool format_replica(const struct config *config, uint32_t replica, char *error, size_t size);

#endif
