/*
 * field.h - one scalar of the configuration: its key, type, range, default and meaning, as a row
 * of a table from which it is read, checked and shown.
 *
 * Owns:    nothing; a row says where in the caller's struct the value lives.
 * Never:   takes a number with something behind it. libcyaml reads "8x" as 8, "010" as 8 and
 *          "maybe" as true; therefore the schema hands scalars over as text and they are read here.
 * Upholds: after field_set the value is inside the row's range.
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_FIELD_H
#define CONFIG_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/complaint.h"

enum field_kind {
	FIELD_UINT,   /* uint32_t in [min, max] */
	FIELD_BOOL,   /* bool */
	FIELD_CHOICE, /* an enum whose values are the indices of `choices` */
	FIELD_TEXT,   /* char[max + 1] of min to max printable bytes */
};

enum {
	FIELD_TEXT_MAX = 128, /* Bytes that field_show may write. */
};

struct field {
	const char *key;
	enum field_kind kind;
	bool required;              /* Has no default: the file must say it. */
	size_t offset;              /* Of the value in its struct. */
	uint32_t min, max;          /* Inclusive. */
	const char *preset;         /* The default as a file would say it; NULL: zero. */
	const char *const *choices; /* Ends with NULL. */
	const char *about;          /* What it sets and its unit, for people. */
};

#define FIELD_ROW(key_, kind_, struct_, member_, ...)                                         \
	{                                                                                     \
		.key = key_, .kind = kind_, .offset = offsetof(struct_, member_), __VA_ARGS__ \
	}

/* Reads `text` into `base` + offset. `text` NULL means that the file does not say it: the default,
 * or a complaint when there is none. `parent` is the path in front of the row's key. False: a
 * complaint was made and nothing was written. */
bool field_set(const struct field *f, void *base, const char *parent, const char *text,
	struct complaint *c);

/* Writes the value as a file would say it. */
void field_show(const struct field *f, const void *base, char text[FIELD_TEXT_MAX]);

/* The value of a FIELD_UINT. */
uint32_t field_uint(const struct field *f, const void *base);

/* A whole number of digits only, in [min, max]; false when it is anything else. */
bool field_parse_uint(const char *text, uint32_t min, uint32_t max, uint32_t *value);

/* "busy, yield or adaptive" */
void field_list_choices(const char *const *choices, char *text, size_t size);

#endif
