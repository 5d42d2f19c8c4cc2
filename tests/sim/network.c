#include "tests/sim/network.h"

#include <stddef.h>
#include <string.h>

static_assert((offsetof(struct packet, bytes) + HEADER_BYTES) % 8 == 0, "bodies are aligned");

void network_init(struct network *n, struct random *random)
{
	n->random = random;
	n->faults = (struct network_faults){.delay_min_ns = 2000, .delay_max_ns = 20000};
	memset(n->cut, 0, sizeof(n->cut));
	n->orders = 0;
	n->faults_count = 0;
	n->count = 0;
	n->free_count = PACKETS_MAX;
	for (uint32_t i = 0; i < PACKETS_MAX; i++)
		n->free[i] = PACKETS_MAX - 1 - i;
}

static bool before(const struct network *n, uint32_t a, uint32_t b)
{
	const struct packet *x = &n->packets[n->heap[a]];
	const struct packet *y = &n->packets[n->heap[b]];

	return x->at_ns < y->at_ns || (x->at_ns == y->at_ns && x->order < y->order);
}

static void swap(struct network *n, uint32_t a, uint32_t b)
{
	uint32_t kept = n->heap[a];

	n->heap[a] = n->heap[b];
	n->heap[b] = kept;
}

static void push(struct network *n, uint32_t index)
{
	uint32_t at = n->count++;

	n->heap[at] = index;
	while (at > 0 && before(n, at, (at - 1) / 2)) {
		swap(n, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static uint32_t pop(struct network *n)
{
	uint32_t top = n->heap[0];
	uint32_t at = 0;

	n->heap[0] = n->heap[--n->count];
	for (;;) {
		uint32_t least = at;
		uint32_t child = 2 * at + 1;

		if (child < n->count && before(n, child, least))
			least = child;
		if (child + 1 < n->count && before(n, child + 1, least))
			least = child + 1;
		if (least == at)
			return top;
		swap(n, at, least);
		at = least;
	}
}

static void send_once(struct network *n, uint64_t at_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length)
{
	if (n->free_count == 0) {
		n->faults_count++; /* A full switch drops. */
		return;
	}
	uint32_t index = n->free[--n->free_count];
	struct packet *p = &n->packets[index];

	p->at_ns = at_ns;
	p->order = n->orders++;
	p->from = from;
	p->to = to;
	p->length = length;
	memcpy(p->bytes, bytes, length);
	if (random_percent(n->random, n->faults.flip_percent)) {
		uint64_t bit = random_below(n->random, (uint64_t)length * 8);

		p->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		n->faults_count++;
	}
	push(n, index);
}

static uint64_t delay_ns(struct network *n)
{
	const struct network_faults *f = &n->faults;

	return f->delay_min_ns + random_below(n->random, f->delay_max_ns - f->delay_min_ns + 1);
}

void network_send(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length)
{
	const struct network_faults *f = &n->faults;

	if (random_percent(n->random, f->loss_percent)) {
		n->faults_count++;
		return;
	}
	send_once(n, now_ns + delay_ns(n), from, to, bytes, length);
	if (random_percent(n->random, f->duplicate_percent)) {
		n->faults_count++;
		send_once(n, now_ns + delay_ns(n), from, to, bytes, length);
	}
	if (random_percent(n->random, f->replay_percent)) {
		n->faults_count++;
		send_once(n, now_ns + random_below(n->random, f->replay_max_ns + 1), from, to,
			bytes, length);
	}
}

uint64_t network_next_ns(const struct network *n)
{
	return n->count == 0 ? UINT64_MAX : n->packets[n->heap[0]].at_ns;
}

struct packet *network_take(struct network *n)
{
	struct packet *p = &n->packets[pop(n)];

	if (n->cut[p->from] & (1u << p->to)) {
		n->faults_count++;
		network_give_back(n, p);
		return NULL;
	}
	return p;
}

void network_give_back(struct network *n, struct packet *packet)
{
	n->free[n->free_count++] = (uint32_t)(packet - n->packets);
}
