/*
 * quorums.h - the quorum system as a cluster file gives it, read and checked.
 *
 * Owns:    the rules about which keys go with which kind.
 * Never:   decides what intersects: consensus/quorum.h does, exhaustively.
 * Upholds: config_quorum of what was accepted answers QUORUM_OK.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_QUORUMS_H
#define CONFIG_QUORUMS_H

#include "config/config.h"
#include "config/document.h"

/* Needs the scalars and the replicas in `config`. False: a complaint was made. */
bool quorums_read(const struct document *d, struct config *config, struct complaint *c);

#endif
