#include "dataplane/lcore.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include <jemalloc/jemalloc.h>
#include <urcu/urcu-qsbr.h>

#include "consensus/check.h"

enum {
	/* Of so many idle turns in a row one ends with a nap, not a yield. Thousands of yields a second
	 * starved whom they are for: on Linux 6.18 the kernel's threads that end a disk's write stood
	 * runnable for seconds. */
	YIELDS = 256,
	YIELDS_NAP_US = 20,
	ADAPTIVE_SPINS = 64,    /* Idle turns before yielding. */
	ADAPTIVE_YIELDS = 4096, /* Idle turns before sleeping. */
	/* The first naps are short; after so many each doubles, twice: an idle replica then takes a
	 * tenth of its CPU, and a frame waits for 200 us at most. */
	ADAPTIVE_SLEEP_US = 50,
	ADAPTIVE_NAPS = 64,
	ADAPTIVE_DOUBLINGS = 2,
};

void lcore_init(struct lcore *l, uint32_t id, enum idle_policy idle)
{
	*l = (struct lcore){.id = id, .idle = idle};
}

void lcore_add(struct lcore *l, struct stage *stage)
{
	CHECK(l->stages_count < LCORE_STAGES_MAX);
	l->stages[l->stages_count++] = stage;
}

void lcore_watch_disk(struct lcore *l, const uint32_t *outstanding)
{
	l->disks[l->disks_count++] = outstanding;
}

static bool disk_writes(const struct lcore *l)
{
	for (uint32_t i = 0; i < l->disks_count; i++)
		if (__atomic_load_n(l->disks[i], __ATOMIC_RELAXED) > 0)
			return true;
	return false;
}

/* ns = tsc * mult >> 32: no division in a turn. Set once, before any lcore starts. */
static uint64_t clock_mult;
static uint64_t clock_base;

uint64_t lcore_now_ns(void)
{
	if (unlikely(clock_mult == 0)) {
		clock_base = rte_rdtsc();
		clock_mult = (uint64_t)(1e9 / (double)rte_get_tsc_hz() * 4294967296.0);
	}
	return (uint64_t)((unsigned __int128)(rte_rdtsc() - clock_base) * clock_mult >> 32) + 1;
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Where jemalloc counts the bytes that this thread was given; NULL: another heap is in use. */
static const uint64_t *allocated_counter(void)
{
	uint64_t *counter = NULL;
	size_t size = sizeof(counter);

	return mallctl("thread.allocatedp", &counter, &size, NULL, 0) == 0 ? counter : NULL;
}

struct own {
	const uint64_t *allocated;
	uint64_t allocated_before;
};

static void answer_cpu(struct lcore *l, const struct own *own)
{
	uint64_t asked = __atomic_load_n(&l->cpu_asked, __ATOMIC_ACQUIRE);

	if (likely(asked == l->cpu_answered))
		return;
	__atomic_store_n(&l->cpu_ns, thread_cpu_ns(), __ATOMIC_RELAXED);
	if (own->allocated != NULL)
		__atomic_store_n(&l->allocated_bytes, *own->allocated - own->allocated_before,
			__ATOMIC_RELAXED);
	__atomic_store_n(&l->cpu_answered, asked, __ATOMIC_RELEASE); /* Pairs with lcore_cpu_ns. */
}

static void nap(uint32_t us)
{
	const struct timespec t = {.tv_nsec = us * 1000L};

	nanosleep(&t, NULL);
}

static void yield(uint32_t idle_turns)
{
	if (idle_turns % YIELDS == YIELDS - 1)
		nap(YIELDS_NAP_US);
	else
		sched_yield();
}

static void idle_adaptive(uint32_t idle_turns)
{
	uint32_t doublings;

	if (idle_turns < ADAPTIVE_SPINS) {
		rte_pause();
		return;
	}
	if (idle_turns < ADAPTIVE_YIELDS) {
		yield(idle_turns);
		return;
	}
	doublings = (idle_turns - ADAPTIVE_YIELDS) / ADAPTIVE_NAPS;
	nap((uint32_t)ADAPTIVE_SLEEP_US
		<< (doublings < ADAPTIVE_DOUBLINGS ? doublings : ADAPTIVE_DOUBLINGS));
}

/* After a turn; `idle_turns` is 0 if it had work. lcore.h: why a write under way outranks the policy. */
static void rest(const struct lcore *l, uint32_t idle_turns)
{
	enum idle_policy policy = __atomic_load_n(&l->idle, __ATOMIC_RELAXED);

	if (disk_writes(l)) {
		yield(idle_turns);
		return;
	}
	if (idle_turns == 0)
		return;
	switch (policy) {
	case IDLE_BUSY:
		rte_pause();
		break;
	case IDLE_YIELD:
		yield(idle_turns);
		break;
	case IDLE_ADAPTIVE:
		idle_adaptive(idle_turns);
		break;
	}
}

static uint32_t poll(const struct stage *s, uint64_t now_ns)
{
	if (unlikely(__atomic_load_n(&s->stopped, __ATOMIC_RELAXED)))
		return 0;
	return s->poll(s->self, now_ns);
}

/* One turn that measures each stage. */
static uint32_t turn_accounted(struct lcore *l, uint64_t now_ns)
{
	uint32_t all = 0;
	uint64_t before = rte_rdtsc();

	for (uint32_t i = 0; i < l->stages_count; i++) {
		struct stage *s = l->stages[i];
		uint32_t work = poll(s, now_ns);
		uint64_t after = rte_rdtsc();

		if (work > 0) {
			s->busy_cycles += after - before;
			s->busy_turns++;
			s->work += work;
		} else {
			s->idle_cycles += after - before;
			s->idle_turns++;
		}
		before = after;
		all += work;
	}
	return all;
}

static uint32_t turn(struct lcore *l, uint64_t now_ns)
{
	uint32_t all = 0;

	for (uint32_t i = 0; i < l->stages_count; i++)
		all += poll(l->stages[i], now_ns);
	return all;
}

static int lcore_main(void *argument)
{
	struct lcore *l = argument;
	struct own own;
	uint32_t idle_turns = 0;

	prctl(PR_SET_TIMERSLACK, 1000ul); /* Else a nap of 50 us is one of 100. */
	urcu_qsbr_register_thread();
	own.allocated = allocated_counter();
	own.allocated_before = own.allocated != NULL ? *own.allocated : 0;
	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		uint64_t now_ns = lcore_now_ns();
		uint32_t work = __atomic_load_n(&l->accounts, __ATOMIC_RELAXED)
			? turn_accounted(l, now_ns)
			: turn(l, now_ns);

		urcu_qsbr_quiescent_state();
		l->turns++;
		answer_cpu(l, &own);
		idle_turns = work > 0 ? 0 : idle_turns + 1;
		rest(l, idle_turns);
	}
	answer_cpu(l, &own);
	urcu_qsbr_unregister_thread();
	return 0;
}

bool lcore_start(struct lcore *l)
{
	lcore_now_ns();
	__atomic_store_n(&l->stop, false, __ATOMIC_RELAXED);
	l->running = rte_eal_remote_launch(lcore_main, l, l->id) == 0;
	return l->running;
}

void lcore_stop(struct lcore *l)
{
	if (!l->running)
		return;
	__atomic_store_n(&l->stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(l->id);
	__atomic_store_n(&l->running, false, __ATOMIC_RELAXED);
}

uint64_t lcore_cpu_ns(struct lcore *l)
{
	uint64_t asked = l->cpu_asked + 1;

	if (!l->running)
		return l->cpu_ns;
	__atomic_store_n(&l->cpu_asked, asked, __ATOMIC_RELEASE);
	while (__atomic_load_n(&l->cpu_answered, __ATOMIC_ACQUIRE) != asked &&
		__atomic_load_n(&l->running, __ATOMIC_RELAXED))
		sched_yield();
	return __atomic_load_n(&l->cpu_ns, __ATOMIC_RELAXED);
}
