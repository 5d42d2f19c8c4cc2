/*
 * schema.h - the keys of a cluster file and where struct document keeps what they say.
 *
 * Owns:    the schema that libcyaml loads and frees by.
 * Never:   gives a scalar a type: every scalar is text and is read by config/field.c, which is
 *          stricter than libcyaml ("8x" is no number).
 * Upholds: every key may be absent; what must be there is asked for where values are read, so that
 *          the complaint can say what to give.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <cyaml/cyaml.h>

extern const struct cyaml_schema_value schema_document;

#endif
