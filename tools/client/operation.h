/*
 * operation.h - what callers have submitted: a fixed set of operations, each with its command's
 * bytes and its answer.
 *
 * Owns:    the memory of all operations. The lock guards the lists of free and of submitted ones,
 *          and what a future's owner sees; everything else belongs to the engine's thread.
 * Upholds: an operation is reported once; it is free again when the engine is through with it and
 *          its owner has released it.
 * Proofs:  tests/client/test_client_library.c, under TSan as well.
 */
#ifndef TOOLS_CLIENT_OPERATION_H
#define TOOLS_CLIENT_OPERATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/client/paxwire_client.h"

struct operations;

struct operation {
	struct operations *owner;
	struct operation *next; /* In the one list that it stands in. */
	uint8_t *command;
	uint32_t bytes;
	enum paxwire_kind kind;
	void (*done)(void *context, const struct paxwire_answer *answer); /* NULL: a future. */
	void *context;

	/* The engine's. */
	struct operation *older, *younger; /* Of those not reported. */
	uint64_t due_ns;                   /* Reported then, answered or not. */
	bool bound;                        /* To a session, which sends it. */
	bool reported;

	/* Guarded. */
	bool finished; /* The engine is through with it. */
	bool released; /* So is its owner; from the start with a callback. */
	bool answered; /* A future's answer is there. */
	struct paxwire_answer answer;
	uint8_t *value;
};

/* First in, first out. */
struct operation_list {
	struct operation *first, *last;
};

static inline void operation_list_add(struct operation_list *l, struct operation *op)
{
	op->next = NULL;
	if (l->last == NULL)
		l->first = op;
	else
		l->last->next = op;
	l->last = op;
}

static inline struct operation *operation_list_take(struct operation_list *l)
{
	struct operation *op = l->first;

	if (op == NULL)
		return NULL;
	l->first = op->next;
	if (l->first == NULL)
		l->last = NULL;
	return op;
}

struct operations {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	uint32_t count;
	uint32_t command_max;
	bool closed; /* Nothing more is taken. */
	bool asleep; /* The engine waits: who submits wakes it. */
	int wake;    /* An eventfd. */
	uint64_t submitted;
	struct operation_list free;
	struct operation_list fresh; /* Submitted, not seen by the engine. */
	struct operation *all;
	uint8_t *commands;
	uint8_t *values;
};

/* False: the memory, or an eventfd, can not be had. */
bool operations_create(struct operations *o, uint32_t count, uint32_t command_max);
void operations_destroy(struct operations *o);

/* A caller's: takes a free one, fills it, hands it to the engine. NULL: *status says why. */
struct operation *operation_submit(struct operations *o, enum paxwire_kind kind,
	const void *command, uint32_t bytes,
	void (*done)(void *context, const struct paxwire_answer *answer), void *context,
	enum paxwire_status *status);

bool operation_wait(struct operation *op, uint32_t timeout_ms, struct paxwire_answer *answer);
void operation_release(struct operation *op);

/* The engine's: to its caller. It stays the engine's until operation_finish. */
void operation_report(struct operation *op, const struct paxwire_answer *answer);
void operation_finish(struct operation *op);

/* The engine's: all that were submitted since. */
struct operation_list operations_take(struct operations *o);

#endif
