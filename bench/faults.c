#include "bench/faults.h"

#include <string.h>

enum {
	BURST = 32
};

static bool happens(struct faults *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)(f->random >> 32) < f->threshold;
}

static void deliver(struct rte_ring *to, struct rte_mbuf *mbuf)
{
	if (rte_ring_sp_enqueue(to, mbuf) != 0)
		rte_pktmbuf_free(mbuf);
}

static void double_it(struct faults *f, struct rte_ring *to, const struct rte_mbuf *mbuf)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(mbuf, f->cluster->client_pool, 0, UINT32_MAX);

	if (copy == NULL)
		return;
	f->doubled++;
	deliver(to, copy);
}

static void carry_one(struct faults *f, struct faults_wire *w, struct rte_ring *to,
	struct rte_mbuf *mbuf)
{
	if (happens(f)) {
		f->lost++;
		rte_pktmbuf_free(mbuf);
		return;
	}
	if (happens(f))
		double_it(f, to, mbuf);
	if (happens(f) && w->late_count < FAULTS_LATE_MAX) {
		f->late++;
		w->late[w->late_count++] = mbuf;
		return;
	}
	deliver(to, mbuf);
}

/* One of the late frames now and then, any of them. */
static void let_late_go(struct faults *f, struct faults_wire *w, struct rte_ring *to)
{
	if (w->late_count == 0 || !happens(f))
		return;
	uint32_t i = (uint32_t)(f->random % w->late_count);

	deliver(to, w->late[i]);
	w->late[i] = w->late[--w->late_count];
}

static uint32_t faults_poll(void *self, uint64_t now_ns)
{
	struct faults *f = self;
	uint32_t nodes = f->cluster->replicas_count + 1;
	uint32_t work = 0;

	(void)now_ns;
	for (uint32_t from = 0; from < nodes; from++)
		for (uint32_t to = 0; to < nodes; to++) {
			struct faults_wire *w = &f->wires[from][to];
			struct rte_ring *arrivals = f->cluster->arrivals[from][to];
			void *mbufs[BURST];
			uint32_t count;

			if (from == to)
				continue;
			count = rte_ring_sc_dequeue_burst(f->cluster->wires[from][to], mbufs, BURST,
				NULL);
			for (uint32_t i = 0; i < count; i++)
				carry_one(f, w, arrivals, mbufs[i]);
			let_late_go(f, w, arrivals);
			work += count;
		}
	return work;
}

void faults_init(struct faults *f, struct embedded *cluster, double percent, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->cluster = cluster;
	f->threshold = (uint32_t)(percent / 100 * 4294967295.0);
	f->random = seed | 1;
	f->stage = (struct stage){.name = "faults", .poll = faults_poll, .self = f};
}
