#include "config/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/schema.h"

enum {
	DEPTH_MAX = 8, /* The schema is six deep. */
	LINE_MAX_BYTES = 256,
	NAME_MAX_BYTES = 64,
};

/* One step from the top of the file down to where libcyaml stopped. */
struct step {
	bool entry; /* An entry of a list, or a key of a mapping. */
	size_t index;
	char key[NAME_MAX_BYTES];
};

/* What libcyaml logged: what is wrong, then where, from the inside out. */
struct trace {
	const char *text; /* The file. */
	size_t bytes;
	char what[LINE_MAX_BYTES];
	struct step steps[DEPTH_MAX];
	size_t depth;
	size_t line;
};

static void trace_where(struct trace *t, const char *text)
{
	struct step *s = &t->steps[t->depth];
	size_t line = 0;

	*s = (struct step){0};
	if (sscanf(text, " in mapping field '%63[^']' (line: %zu", s->key, &line) >= 1) {
		t->depth++;
	} else if (sscanf(text, " in sequence entry '%zu' (line: %zu", &s->index, &line) >= 1) {
		/* libcyaml counts entries from one. */
		s->entry = true;
		s->index -= s->index > 0;
		t->depth++;
	} else if (sscanf(text, " in mapping (line: %zu", &line) < 1) {
		return;
	}
	if (t->line == 0)
		t->line = line;
}

__attribute__((format(printf, 3, 0))) static void trace_log(cyaml_log_t level, void *context,
	const char *format, va_list arguments)
{
	struct trace *t = context;
	char text[LINE_MAX_BYTES];
	static const char prefix[] = "Load: ";

	(void)level;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, "  in ", 5) == 0) {
		if (t->depth < DEPTH_MAX)
			trace_where(t, text);
	} else if (t->what[0] == '\0' && strstr(text, "Backtrace") == NULL) {
		const char *what = text;

		if (strncmp(what, prefix, sizeof(prefix) - 1) == 0)
			what += sizeof(prefix) - 1;
		snprintf(t->what, sizeof(t->what), "%s", what);
	}
}

/* The key path of the trace, as replicas[1].stages. */
static void trace_path(const struct trace *t, char key[COMPLAINT_KEY_MAX])
{
	char before[COMPLAINT_KEY_MAX];

	key[0] = '\0';
	for (size_t i = t->depth; i-- > 0;) {
		memcpy(before, key, sizeof(before));
		if (t->steps[i].entry)
			key_index(key, before, t->steps[i].index);
		else
			key_join(key, before, t->steps[i].key);
	}
}

/* The mapping of the schema that the trace ends in; NULL when it does not end in one. */
static const struct cyaml_schema_field *trace_mapping(const struct trace *t)
{
	const struct cyaml_schema_value *at = &schema_document;

	for (size_t i = t->depth; i-- > 0;) {
		if (t->steps[i].entry) {
			if (at->type != CYAML_SEQUENCE)
				return NULL;
			at = at->sequence.entry;
			continue;
		}
		if (at->type != CYAML_MAPPING)
			return NULL;

		const struct cyaml_schema_field *f = at->mapping.fields;

		while (f->key != NULL && strcmp(f->key, t->steps[i].key) != 0)
			f++;
		if (f->key == NULL)
			return NULL;
		at = &f->value;
	}
	return at->type == CYAML_MAPPING ? at->mapping.fields : NULL;
}

/* libcyaml names the line of the last value it knew: the first from there on that has the key. */
static size_t find_line(const char *text, size_t bytes, size_t from, const char *name)
{
	size_t length = strlen(name);
	size_t line = 1;

	for (size_t i = 0; i + length < bytes; i++) {
		if (text[i] == '\n')
			line++;
		else if (line >= from && memcmp(text + i, name, length) == 0 &&
			text[i + length] == ':')
			return line;
	}
	return from;
}

static bool complain_key(struct complaint *c, const struct trace *t, const char *name)
{
	const struct cyaml_schema_field *fields = trace_mapping(t);
	const char *known[32] = {NULL};
	char list[LINE_MAX_BYTES] = "only keys that config/README.md lists";
	char parent[COMPLAINT_KEY_MAX];
	char key[COMPLAINT_KEY_MAX];
	size_t n = 0;

	for (; fields != NULL && fields[n].key != NULL && n < 31; n++)
		known[n] = fields[n].key;
	if (n > 0)
		field_list_choices(known, list, sizeof(list));
	trace_path(t, parent);
	key_join(key, parent, name);
	return complain(c, key, "is an unknown key (line %zu), give %s",
		find_line(t->text, t->bytes, t->line, name), list);
}

static const char *form_wanted(const char *type)
{
	if (strcmp(type, "MAPPING") == 0)
		return "an indented group of keys";
	if (strcmp(type, "SEQUENCE") == 0)
		return "a list such as [a, b]";
	if (strcmp(type, "FLAGS") == 0)
		return "a list of member ids such as [0, 1]";
	return "one value";
}

static const char *form_found(const char *event)
{
	if (strcmp(event, "MAPPING_START") == 0)
		return "a group of keys";
	if (strcmp(event, "SEQUENCE_START") == 0)
		return "a list";
	return "one value or nothing";
}

static bool complain_value(struct complaint *c, const struct trace *t, enum cyaml_err err)
{
	char name[NAME_MAX_BYTES];
	char event[NAME_MAX_BYTES];
	char key[COMPLAINT_KEY_MAX];

	trace_path(t, key);
	if (sscanf(t->what, "Unexpected key: %63[^\n]", name) == 1)
		return complain_key(c, t, name);
	if (sscanf(t->what, "Mapping field already seen: %63[^\n]", name) == 1)
		return complain(c, key, "stands twice (again after line %zu), keep one", t->line);
	if (sscanf(t->what, "Unknown flag: %63[^\n]", name) == 1)
		return complain(c, key,
			"'%s' is no member id (line %zu), give ids from 0 to the number of replicas - 1",
			name, t->line);
	if (sscanf(t->what, "Expecting %63[A-Z_], got event: %63s", name, event) == 2)
		return complain(c, key, "is %s (near line %zu), give %s", form_found(event),
			t->line, form_wanted(name));
	if (strncmp(t->what, "libyaml: ", 9) == 0)
		return complain(c, key, "is not YAML: %s (after line %zu), correct the form",
			t->what + 9, t->line);
	if (err == CYAML_ERR_ALIAS)
		return complain(c, key,
			"is an alias (after line %zu), write the value out instead of *name",
			t->line);
	if (err == CYAML_ERR_OOM)
		return complain(c, NULL, "does not fit the memory, free some");
	return complain(c, key, "has a form that no key takes (near line %zu), give a plain value",
		t->line);
}

static struct cyaml_config settings(struct trace *t)
{
	return (struct cyaml_config){
		.log_fn = trace_log,
		.log_ctx = t,
		.log_level = CYAML_LOG_WARNING,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

struct document *document_load(const char *text, size_t bytes, struct complaint *c)
{
	struct trace t = {.text = text, .bytes = bytes};
	struct cyaml_config how = settings(&t);
	cyaml_data_t *d = NULL;
	enum cyaml_err err =
		cyaml_load_data((const uint8_t *)text, bytes, &how, &schema_document, &d, NULL);

	if (err != CYAML_OK) {
		complain_value(c, &t, err);
		return NULL;
	}
	if (d == NULL) {
		complain(c, NULL, "says nothing, begin with one of config/profiles");
		return NULL;
	}
	/* The one warning there is: libcyaml would drop all that follows. */
	if (t.what[0] != '\0') {
		complain(c, NULL, "has a second document after '---', keep one");
		document_free(d);
		return NULL;
	}
	return d;
}

void document_free(struct document *d)
{
	struct trace t = {0};
	struct cyaml_config how = settings(&t);

	cyaml_free(&how, &schema_document, d, 0);
}
