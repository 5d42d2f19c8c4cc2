/* A read of the key-value store, stopped after any instruction while nodes move.
 * (How values are written beside a reader: test_app_kv.c.) */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <urcu/urcu-qsbr.h>

#include "dataplane/app_kv.h"

enum {
	KEYS = 64, /* As many as fit: a node serves another key as soon as it is free. */
	STEPS_MAX = 5000,
	TRAP_FLAG = 0x100, /* Of the flags register: a SIGTRAP after each instruction. */
};

static struct kv *kv;
static struct machine machine;
static uint64_t instance;

static void (*meanwhile)(void);    /* What happens during the read. */
static bool kept;                  /* The node of the key being read stays. */
static bool absent;                /* The key is absent for a moment. */
static bool busy;                  /* Nobody may say what a key is. */
static const uint64_t reading = 2; /* The key: another one's node stands before it in its chain. */
static uint32_t steps_left;        /* Instructions until the nodes move. */
static volatile bool read_begun;   /* Both: by the thread whose signals look at it. */
static volatile bool read_ended;

static void apply(enum kv_operation operation, uint64_t key)
{
	uint8_t bytes[sizeof(struct kv_command) + sizeof(key)];
	const struct kv_command head = {.operation = (uint8_t)operation, .key = key};
	const struct command c = {.instance = ++instance, .value = bytes, .length = sizeof(bytes)};
	struct result r;

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), &key, sizeof(key)); /* A key's value is the key. */
	machine.apply(machine.state, &c, 1, &r);
	if (r.status != REPLY_OK)
		abort(); /* cmocka's assertions do not leave a signal handler. */
}

/* Each node goes to another key, by a multiplier without a common factor with KEYS. */
static void move_nodes(void)
{
	for (uint64_t i = 0; i < KEYS; i++)
		if (!kept || i != reading)
			apply(KV_DELETE, i);
	for (uint64_t i = 0; i < KEYS; i++)
		if (!kept || i * 29 % KEYS != reading)
			apply(KV_PUT, i * 29 % KEYS);
}

static void clear_all(void)
{
	while (machine.snapshot->clear(machine.state))
		;
}

/* Of the same keys: none of them is ever absent, for whoever sees no part of it. */
static void restore_all(void)
{
	clear_all();
	instance++;
	for (uint64_t i = 0; i < KEYS; i++) {
		const uint64_t key = i * 29 % KEYS;
		const uint64_t entry[] = {key, instance, key};

		machine.snapshot->restore(machine.state, (const uint8_t *)entry, sizeof(entry));
	}
	machine.snapshot->restored(machine.state);
}

static void begin_steps(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	if (!read_begun)
		return;
	if (!read_ended && --steps_left > 0)
		return;
	if (!read_ended)
		meanwhile();
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

static void nothing(void)
{
}

/* True: the read was long enough to be stopped after `steps` instructions. */
static bool read_stopped_after(uint32_t steps)
{
	uint64_t version, value = ~reading;
	uint32_t length = 0;

	steps_left = steps;
	read_begun = false;
	read_ended = false;
	raise(SIGUSR1);
	read_begun = true;
	enum kv_found found = kv_read(kv, reading, &version, (uint8_t *)&value, &length);
	read_ended = true;

	if ((found == KV_ABSENT && absent) || (found == KV_BUSY && busy))
		return steps_left == 0;
	if (found != KV_PRESENT || length != sizeof(value) || value != reading)
		fail_msg("Key %lu, after %u instructions: %s", reading, steps,
			found == KV_PRESENT ? "another value" : "not found");
	return steps_left == 0;
}

static void read_stopped_anywhere(void (*prepare)(void))
{
	uint32_t steps = 1;

	for (; steps < STEPS_MAX && read_stopped_after(steps); steps++)
		prepare();
	assert_in_range(steps, 20, STEPS_MAX - 1); /* It was stopped, and it ended. */
}

static void a_key_is_found_though_all_other_nodes_move(void **state)
{
	(void)state;
	kept = true;
	absent = busy = false;
	meanwhile = move_nodes;
	read_stopped_anywhere(nothing);
}

static void a_value_is_the_keys_own_though_its_node_becomes_another_keys(void **state)
{
	(void)state;
	kept = busy = false;
	absent = true;
	meanwhile = move_nodes;
	read_stopped_anywhere(nothing);
}

static void no_key_is_absent_while_a_state_is_emptied(void **state)
{
	(void)state;
	absent = false;
	busy = true;
	meanwhile = clear_all;
	read_stopped_anywhere(restore_all);
	restore_all();
}

static void no_key_is_absent_though_a_whole_state_is_restored_meanwhile(void **state)
{
	(void)state;
	absent = false;
	busy = true;
	meanwhile = restore_all;
	read_stopped_anywhere(nothing);
}

static int setup(void **state)
{
	static char words[][16] = {"test_walk", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "-m", "64", "--lcores", "0"};
	static char *arguments[RTE_DIM(words) + 1];
	const struct sigaction begin = {.sa_sigaction = begin_steps, .sa_flags = SA_SIGINFO};
	const struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	char error[128];

	(void)state;
	for (uint32_t i = 0; i < RTE_DIM(words); i++)
		arguments[i] = words[i];
	if (rte_eal_init(RTE_DIM(words), arguments) < 0)
		return -1;
	kv = kv_create(KEYS, sizeof(uint64_t), error, sizeof(error));
	if (kv == NULL)
		return -1;
	machine = app_kv(kv);
	for (uint64_t key = 0; key < KEYS; key++)
		apply(KV_PUT, key);
	urcu_qsbr_register_thread();
	sigaction(SIGUSR1, &begin, NULL);
	return sigaction(SIGTRAP, &step, NULL);
}

static int teardown(void **state)
{
	(void)state;
	urcu_qsbr_unregister_thread();
	kv_destroy(kv);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_though_all_other_nodes_move),
		cmocka_unit_test(a_value_is_the_keys_own_though_its_node_becomes_another_keys),
		cmocka_unit_test(no_key_is_absent_while_a_state_is_emptied),
		cmocka_unit_test(no_key_is_absent_though_a_whole_state_is_restored_meanwhile),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
