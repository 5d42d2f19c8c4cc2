/*
 * scalars.h - the table of the cluster's own scalars: keys, ranges and defaults.
 *
 * Owns:    every default that config/tunables.c does not own.
 * Never:   knows of lists, members or rules between keys.
 * Upholds: one row for each enum scalar, under the key at which config/schema.c has it.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_SCALARS_H
#define CONFIG_SCALARS_H

#include "config/field.h"

/* SCALAR_COUNT rows in the order of enum scalar; the struct is struct config. */
const struct field *scalars_fields(void);

#endif
