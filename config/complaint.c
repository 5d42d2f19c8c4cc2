#include "config/complaint.h"

#include <stdarg.h>
#include <stdio.h>

void complaint_init(struct complaint *c, const char *file, char *text, size_t size)
{
	c->file = file;
	c->text = text;
	c->size = text != NULL ? size : 0;
	c->made = false;
	if (c->size > 0)
		text[0] = '\0';
}

/* What snprintf says it would have written, as what it did write. */
static size_t written(int would, size_t room)
{
	if (would < 0 || room == 0)
		return 0;
	return (size_t)would < room ? (size_t)would : room - 1;
}

bool complain(struct complaint *c, const char *key, const char *format, ...)
{
	if (c->made)
		return false;
	c->made = true;

	bool of_file = c->file != NULL;
	bool of_key = key != NULL && key[0] != '\0';
	size_t at = written(snprintf(c->text, c->size, "%s%s%s%s", of_file ? c->file : "",
				    of_file ? ": " : "", of_key ? key : "", of_key ? ": " : ""),
		c->size);
	va_list arguments;

	va_start(arguments, format);
	at += written(vsnprintf(c->size > 0 ? c->text + at : NULL, c->size - at, format, arguments),
		c->size - at);
	va_end(arguments);

	/* The file's own text is quoted in it: no line break, no terminal control. */
	for (size_t i = 0; i < at; i++) {
		if ((unsigned char)c->text[i] < ' ' || c->text[i] == 0x7f)
			c->text[i] = '?';
	}
	return false;
}

void key_join(char key[COMPLAINT_KEY_MAX], const char *parent, const char *name)
{
	snprintf(key, COMPLAINT_KEY_MAX, "%s%s%s", parent, parent[0] != '\0' ? "." : "", name);
}

void key_index(char key[COMPLAINT_KEY_MAX], const char *parent, size_t index)
{
	snprintf(key, COMPLAINT_KEY_MAX, "%s[%zu]", parent, index);
}
