/*
 * complaint.h - the one sentence with which a configuration is refused.
 *
 * Owns:    the caller's buffer for that sentence.
 * Never:   prints, exits, or writes a second sentence over the first.
 * Upholds: the sentence is one line: "file: key: what is wrong, what would be right".
 * Proofs:  tests/unit/test_config.c.
 */
#ifndef CONFIG_COMPLAINT_H
#define CONFIG_COMPLAINT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	COMPLAINT_KEY_MAX = 160, /* Bytes of a key path such as replicas[1].stages.acceptors[3]. */
};

/* `file` may be NULL: a tunable set while running comes from no file. `text` may be NULL too. */
struct complaint {
	const char *file;
	char *text;
	size_t size;
	bool made;
};

void complaint_init(struct complaint *c, const char *file, char *text, size_t size);

/* Writes the sentence about `key` (NULL or "": about the file as a whole). Always false, so that a
 * check can end with `return complain(...)`. Whatever is unprintable becomes '?'. */
__attribute__((format(printf, 3, 4))) bool complain(struct complaint *c, const char *key,
	const char *format, ...);

/* The key path `parent`.`name`; `parent` may be "". */
void key_join(char key[COMPLAINT_KEY_MAX], const char *parent, const char *name);

/* The key path `parent`[`index`]. */
void key_index(char key[COMPLAINT_KEY_MAX], const char *parent, size_t index);

#endif
