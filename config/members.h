/*
 * members.h - the replicas and the known clients of a cluster file: who, where, on which cores.
 *
 * Owns:    the rules about identities, addresses, ports and placement.
 * Never:   looks at this machine: whether a port or an lcore exists is asked where it is opened.
 * Upholds: ids are 0 to n-1, each once; no address, MAC or name stands for two nodes.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_MEMBERS_H
#define CONFIG_MEMBERS_H

#include "config/config.h"
#include "config/document.h"

/* Needs the scalars in `config`. False: a complaint was made. */
bool members_read(const struct document *d, struct config *config, struct complaint *c);

#endif
