#include "config/field.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A choice is written through a uint32_t. */
static_assert(sizeof(enum field_kind) == sizeof(uint32_t), "enums take four bytes");

bool field_parse_uint(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	/* Ten digits hold every uint32_t, and no ten digits overflow a uint64_t. */
	for (; text[i] != '\0'; i++) {
		if (text[i] < '0' || text[i] > '9' || i >= 10)
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	/* A leading zero is octal to some and decimal to others. */
	if (i == 0 || (i > 1 && text[0] == '0') || v < min || v > max)
		return false;
	*value = (uint32_t)v;
	return true;
}

void field_list_choices(const char *const *choices, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; choices[i] != NULL && at < size; i++) {
		const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
		int n = snprintf(text + at, size - at, "%s%s", between, choices[i]);

		at += n > 0 ? (size_t)n : 0;
	}
}

static bool is_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool set_uint(const struct field *f, char *at, const char *key, const char *text,
	struct complaint *c)
{
	uint32_t value;

	if (!field_parse_uint(text, f->min, f->max, &value)) {
		const char *wrong = !is_digits(text)        ? "is not a whole number"
			: text[0] == '0' && text[1] != '\0' ? "has a leading zero"
							    : "is out of range";

		return complain(c, key, "'%.40s' %s, give a number from %" PRIu32 " to %" PRIu32,
			text, wrong, f->min, f->max);
	}
	memcpy(at, &value, sizeof(value));
	return true;
}

static bool set_bool(char *at, const char *key, const char *text, struct complaint *c)
{
	bool value = strcmp(text, "true") == 0;

	if (!value && strcmp(text, "false") != 0)
		return complain(c, key, "'%.40s' is not a yes or no, give true or false", text);
	memcpy(at, &value, sizeof(value));
	return true;
}

static bool set_choice(const struct field *f, char *at, const char *key, const char *text,
	struct complaint *c)
{
	for (uint32_t i = 0; f->choices[i] != NULL; i++) {
		if (strcmp(text, f->choices[i]) == 0) {
			memcpy(at, &i, sizeof(i));
			return true;
		}
	}

	char list[FIELD_TEXT_MAX];

	field_list_choices(f->choices, list, sizeof(list));
	return complain(c, key, "'%.40s' is unknown, give %s", text, list);
}

static bool set_text(const struct field *f, char *at, const char *key, const char *text,
	struct complaint *c)
{
	size_t length = strlen(text);

	if (length < f->min || length > f->max)
		return complain(c, key,
			"'%.40s' has %zu characters, give from %" PRIu32 " to %" PRIu32, text,
			length, f->min, f->max);
	for (size_t i = 0; i < length; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return complain(c, key,
				"'%.40s' has a space or an unprintable character, give a plain word",
				text);
	}
	memcpy(at, text, length + 1);
	return true;
}

bool field_set(const struct field *f, void *base, const char *parent, const char *text,
	struct complaint *c)
{
	char key[COMPLAINT_KEY_MAX];
	char *at = (char *)base + f->offset;

	key_join(key, parent, f->key);
	if (text == NULL) {
		if (f->required)
			return complain(c, key, "is missing, give %s", f->about);
		if (f->preset == NULL)
			return true;
		text = f->preset;
	}
	switch (f->kind) {
	case FIELD_UINT:
		return set_uint(f, at, key, text, c);
	case FIELD_BOOL:
		return set_bool(at, key, text, c);
	case FIELD_CHOICE:
		return set_choice(f, at, key, text, c);
	case FIELD_TEXT:
		return set_text(f, at, key, text, c);
	}
	return false;
}

uint32_t field_uint(const struct field *f, const void *base)
{
	uint32_t value;

	memcpy(&value, (const char *)base + f->offset, sizeof(value));
	return value;
}

void field_show(const struct field *f, const void *base, char text[FIELD_TEXT_MAX])
{
	bool yes;

	switch (f->kind) {
	case FIELD_UINT:
		snprintf(text, FIELD_TEXT_MAX, "%" PRIu32, field_uint(f, base));
		break;
	case FIELD_BOOL:
		memcpy(&yes, (const char *)base + f->offset, sizeof(yes));
		snprintf(text, FIELD_TEXT_MAX, "%s", yes ? "true" : "false");
		break;
	case FIELD_CHOICE:
		snprintf(text, FIELD_TEXT_MAX, "%s", f->choices[field_uint(f, base)]);
		break;
	case FIELD_TEXT:
		snprintf(text, FIELD_TEXT_MAX, "%s", (const char *)base + f->offset);
		break;
	}
}
