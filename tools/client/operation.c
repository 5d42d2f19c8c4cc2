#include "tools/client/operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static bool take_memory(struct operations *o)
{
	o->all = calloc(o->count, sizeof(o->all[0]));
	o->commands = calloc(o->count, o->command_max);
	o->values = calloc(o->count, PAXWIRE_VALUE_MAX);
	return o->all != NULL && o->commands != NULL && o->values != NULL;
}

bool operations_create(struct operations *o, uint32_t count, uint32_t command_max)
{
	pthread_condattr_t monotonic;

	memset(o, 0, sizeof(*o));
	o->count = count;
	o->command_max = command_max;
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&o->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	o->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (o->wake < 0 || !take_memory(o)) {
		operations_destroy(o);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		o->all[i].owner = o;
		o->all[i].command = o->commands + (size_t)i * command_max;
		o->all[i].value = o->values + (size_t)i * PAXWIRE_VALUE_MAX;
		operation_list_add(&o->free, &o->all[i]);
	}
	return true;
}

void operations_destroy(struct operations *o)
{
	if (o->wake >= 0)
		close(o->wake);
	pthread_cond_destroy(&o->answered);
	pthread_mutex_destroy(&o->lock);
	free(o->values);
	free(o->commands);
	free(o->all);
}

/* ---- The caller's side ---- */

/* Under the lock: the engine hears of it when it looks next, or is woken. */
static void hand_over(struct operations *o, struct operation *op)
{
	const uint64_t one = 1;

	o->submitted++;
	operation_list_add(&o->fresh, op);
	if (!o->asleep)
		return;
	o->asleep = false;
	/* It can fail only if 2^64 - 2 wakings are unread. */
	if (write(o->wake, &one, sizeof(one)) < 0)
		return;
}

struct operation *operation_submit(struct operations *o, enum paxwire_kind kind,
	const void *command, uint32_t bytes,
	void (*done)(void *context, const struct paxwire_answer *answer), void *context,
	enum paxwire_status *status)
{
	struct operation *op = NULL;

	if (bytes > o->command_max) {
		*status = PAXWIRE_TOO_LARGE;
		return NULL;
	}
	pthread_mutex_lock(&o->lock);
	if (o->closed)
		*status = PAXWIRE_CLOSED;
	else if ((op = operation_list_take(&o->free)) == NULL)
		*status = PAXWIRE_BUSY;
	if (op != NULL) {
		*status = PAXWIRE_OK;
		op->kind = kind;
		op->bytes = bytes;
		op->done = done;
		op->context = context;
		op->bound = false;
		op->reported = false;
		op->finished = false;
		op->released = done != NULL;
		op->answered = false;
		memcpy(op->command, command, bytes);
		hand_over(o, op);
	}
	pthread_mutex_unlock(&o->lock);
	return op;
}

static struct timespec time_after(uint32_t timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

bool operation_wait(struct operation *op, uint32_t timeout_ms, struct paxwire_answer *answer)
{
	const struct timespec until = time_after(timeout_ms);
	struct operations *o = op->owner;
	int failed = 0;

	pthread_mutex_lock(&o->lock);
	while (!op->answered && failed != ETIMEDOUT)
		failed = timeout_ms == UINT32_MAX
			? pthread_cond_wait(&o->answered, &o->lock)
			: pthread_cond_timedwait(&o->answered, &o->lock, &until);
	bool answered = op->answered;

	if (answered)
		*answer = op->answer;
	pthread_mutex_unlock(&o->lock);
	return answered;
}

/* Under the lock: free again if both are through with it. */
static void recycle(struct operation *op)
{
	if (op->finished && op->released)
		operation_list_add(&op->owner->free, op);
}

void operation_release(struct operation *op)
{
	pthread_mutex_lock(&op->owner->lock);
	op->released = true;
	recycle(op);
	pthread_mutex_unlock(&op->owner->lock);
}

/* ---- The engine's side ---- */

void operation_report(struct operation *op, const struct paxwire_answer *answer)
{
	struct operations *o = op->owner;

	op->reported = true;
	if (op->done != NULL) {
		op->done(op->context, answer);
		return;
	}
	pthread_mutex_lock(&o->lock);
	op->answer = *answer;
	op->answer.value = op->value;
	if (answer->bytes > 0)
		memcpy(op->value, answer->value, answer->bytes);
	op->answered = true;
	pthread_cond_broadcast(&o->answered);
	pthread_mutex_unlock(&o->lock);
}

void operation_finish(struct operation *op)
{
	pthread_mutex_lock(&op->owner->lock);
	op->finished = true;
	recycle(op);
	pthread_mutex_unlock(&op->owner->lock);
}

struct operation_list operations_take(struct operations *o)
{
	pthread_mutex_lock(&o->lock);
	struct operation_list fresh = o->fresh;

	o->fresh = (struct operation_list){NULL, NULL};
	pthread_mutex_unlock(&o->lock);
	return fresh;
}
