/*
 * given_config.h - a small cluster file to break in one place, for the tests of config/.
 */
#ifndef TESTS_UNIT_GIVEN_CONFIG_H
#define TESTS_UNIT_GIVEN_CONFIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

enum {
	TEXT_MAX = 16384,
};

/* The smallest file that is accepted. */
static const char small[] = "cluster:\n"
			    "  name: test\n"
			    "  id: 7\n"
			    "replicas:\n"
			    "  - id: 0\n"
			    "    address: 10.0.0.1\n"
			    "    ports: [ring]\n"
			    "    stages: {io: 1, leader: 2, acceptors: [3], learner: 4}\n"
			    "  - id: 1\n"
			    "    address: 10.0.0.2\n"
			    "    ports: [ring]\n"
			    "    stages: {io: 1, leader: 2, acceptors: [3], learner: 4}\n"
			    "  - id: 2\n"
			    "    address: 10.0.0.3\n"
			    "    ports: [ring]\n"
			    "    stages: {io: 1, leader: 2, acceptors: [3], learner: 4}\n"
			    "durability: none\n";

static char text[TEXT_MAX];
static char error[CONFIG_ERROR_MAX];
static struct config config;

static inline void given(const char *file)
{
	assert_true(strlen(file) < sizeof(text));
	strcpy(text, file);
}

/* The first `from` in the file becomes `to`. */
static inline void given_changed(const char *from, const char *to)
{
	char after[TEXT_MAX];
	char *at = strstr(text, from);

	assert_non_null(at);
	snprintf(after, sizeof(after), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	strcpy(text, after);
}

static inline void given_small_with(const char *more)
{
	given(small);
	strcat(text, more);
}

static inline bool when_loaded(void)
{
	return config_load_text("test.yaml", text, strlen(text), &config, error, sizeof(error));
}

static inline void then_accepted(void)
{
	if (!when_loaded())
		fail_msg("refused: %s", error);
}

/* Exactly this sentence, behind the name of the file. */
static inline void then_refused(const char *sentence)
{
	char whole[CONFIG_ERROR_MAX];

	assert_false(when_loaded());
	snprintf(whole, sizeof(whole), "test.yaml: %s", sentence);
	assert_string_equal(error, whole);
}

static inline void refuses_change(const char *from, const char *to, const char *sentence)
{
	given(small);
	given_changed(from, to);
	then_refused(sentence);
}

static inline void refuses_addition(const char *more, const char *sentence)
{
	given_small_with(more);
	then_refused(sentence);
}

#endif
