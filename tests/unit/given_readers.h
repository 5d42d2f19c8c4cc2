/* Threads that read a store while the test writes it. */
#ifndef TESTS_UNIT_GIVEN_READERS_H
#define TESTS_UNIT_GIVEN_READERS_H

#include "tests/unit/given_kv.h"

enum {
	READERS = 2
};

static bool stop;
static uint32_t reads; /* Of all readers together; they count them. */

/* `read` goes on until `stop`, and returns what it saw wrong, a string, or NULL. */
static inline void when_read_meanwhile(void *(*read)(void *), uint32_t count, void (*write)(void))
{
	pthread_t readers[READERS];
	const char *wrong = NULL;
	void *said;

	stop = false;
	for (uint32_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read, NULL), 0);
	while (__atomic_load_n(&reads, __ATOMIC_RELAXED) < count)
		write();
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < READERS; i++) {
		pthread_join(readers[i], &said);
		if (said != NULL)
			wrong = said;
	}
	if (wrong != NULL)
		fail_msg("%s", wrong);
}

#endif
