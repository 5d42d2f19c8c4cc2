#include "tests/sim/network.h"

#include <stddef.h>
#include <string.h>

#include "consensus/message.h"
#include "tests/sim/forge.h"

static_assert((offsetof(struct packet, bytes) + HEADER_BYTES) % 8 == 0, "bodies are aligned");

enum {
	BURST_MAX = 8,    /* Packets that are flipped together. */
	LAG_PERCENT = 90, /* Of proposals that a lagging member misses. */
};

static const uint64_t delay_shortest_ns = 2000;
static const uint64_t delay_longest_ns = 20000;

void network_calm(struct network *n)
{
	memset(n->percent, 0, sizeof(n->percent));
	memset(n->cut, 0, sizeof(n->cut));
	n->lags = 0;
	n->burst = 0;
	n->delay_min_ns = delay_shortest_ns;
	n->delay_max_ns = delay_longest_ns;
}

void network_init(struct network *n, struct random *random, struct coverage *coverage)
{
	n->random = random;
	n->coverage = coverage;
	network_calm(n);
	memset(n->states, 0, sizeof(n->states));
	n->late_max_ns = 0;
	n->pinned = false;
	n->orders = 0;
	n->faults_count = 0;
	n->count = 0;
	n->old_count = 0;
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

static void hit(struct network *n, enum fault fault, uint16_t port)
{
	n->faults_count++;
	coverage_hit(n->coverage, fault, n->states[port]);
}

/* Does the fault hit a packet to this port? */
static bool strikes(struct network *n, enum fault fault, uint16_t port)
{
	if (n->percent[fault] == 0 || !random_percent(n->random, n->percent[fault]))
		return false;
	hit(n, fault, port);
	return true;
}

static struct packet *new_packet(struct network *n, uint64_t at_ns)
{
	if (n->free_count == 0)
		return NULL; /* A full switch drops. */
	struct packet *p = &n->packets[n->free[--n->free_count]];

	p->at_ns = at_ns;
	p->order = n->orders++;
	p->kind = PACKET_REAL;
	return p;
}

/* A copy of the packet with something wrong, besides the packet itself. */
static void forge(struct network *n, const struct packet *p, enum fault fault,
	enum packet_kind kind)
{
	bool done = true;
	struct packet *f = new_packet(n, p->at_ns);

	if (f == NULL)
		return;
	f->from = p->from;
	f->to = p->to;
	f->length = p->length;
	f->kind = (uint8_t)kind;
	memcpy(f->bytes, p->bytes, p->length);
	if (fault == FAULT_NUMBERS)
		done = forge_numbers(f->bytes, n->random);
	else if (kind == PACKET_STRANGER)
		done = forge_stranger(f->bytes, n->random);
	else
		forge_foreign(f->bytes, f->length, n->random);
	if (!done) {
		network_give_back(n, f);
		return;
	}
	hit(n, fault, p->to);
	push(n, (uint32_t)(f - n->packets));
}

static void forge_others(struct network *n, const struct packet *p)
{
	if (n->percent[FAULT_FOREIGN] > 0 && random_percent(n->random, n->percent[FAULT_FOREIGN])) {
		bool stranger = n->pinned && random_percent(n->random, 50);

		forge(n, p, FAULT_FOREIGN, stranger ? PACKET_STRANGER : PACKET_BROKEN);
	}
	if (n->percent[FAULT_NUMBERS] > 0 && random_percent(n->random, n->percent[FAULT_NUMBERS]))
		forge(n, p, FAULT_NUMBERS, PACKET_NUMBERS);
}

/* Damage on the way. */
static void damage(struct network *n, struct packet *p)
{
	if (n->burst > 0) {
		n->burst--;
		hit(n, FAULT_FLIP, p->to);
		forge_flip(p->bytes, p->length, n->random);
		p->kind = PACKET_BROKEN;
	} else if (strikes(n, FAULT_FLIP, p->to)) {
		n->burst = (uint32_t)random_below(n->random, BURST_MAX);
		forge_flip(p->bytes, p->length, n->random);
		p->kind = PACKET_BROKEN;
	} else if (strikes(n, FAULT_FLIP_PAIR, p->to)) {
		if (forge_flip_pair(p->bytes, p->length, n->random))
			p->kind = PACKET_BROKEN;
	} else if (strikes(n, FAULT_TRUNCATE, p->to)) {
		p->length = forge_truncate(p->length, n->random);
		p->kind = PACKET_BROKEN;
	}
}

static void send_once(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length)
{
	uint64_t delay = n->delay_max_ns - n->delay_min_ns + 1;
	struct packet *p = new_packet(n, now_ns + n->delay_min_ns + random_below(n->random, delay));

	if (p == NULL)
		return;
	if (strikes(n, FAULT_DELAY, to))
		p->at_ns += random_below(n->random, n->late_max_ns + 1);
	p->from = (uint8_t)from;
	p->to = (uint8_t)to;
	p->length = length;
	memcpy(p->bytes, bytes, length);
	if (n->percent[FAULT_REPLAY] > 0 && random_percent(n->random, n->percent[FAULT_REPLAY])) {
		uint64_t at = n->old_count < OLD_PACKETS ? n->old_count++
							 : random_below(n->random, OLD_PACKETS);

		memcpy(&n->old[at], p, offsetof(struct packet, bytes) + length);
	}
	forge_others(n, p);
	damage(n, p);
	push(n, (uint32_t)(p - n->packets));
}

void network_send(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length)
{
	if (strikes(n, FAULT_LOSS, to))
		return;
	if ((n->lags >> to & 1) != 0 &&
		(bytes[1] == MESSAGE_ACCEPT || bytes[1] == MESSAGE_CHOSEN) &&
		random_percent(n->random, LAG_PERCENT)) {
		hit(n, FAULT_LAG, to);
		return;
	}
	send_once(n, now_ns, from, to, bytes, length);
	if (strikes(n, FAULT_DUPLICATE, to))
		send_once(n, now_ns, from, to, bytes, length);
}

void network_replay(struct network *n, uint64_t now_ns, uint32_t packets)
{
	for (uint32_t i = 0; i < packets && n->old_count > 0; i++) {
		const struct packet *old = &n->old[random_below(n->random, n->old_count)];
		struct packet *p = new_packet(n, now_ns);

		if (p == NULL)
			return;
		p->at_ns += random_below(n->random, 1 + n->delay_max_ns * i);
		p->from = old->from;
		p->to = old->to;
		p->length = old->length;
		memcpy(p->bytes, old->bytes, old->length);
		hit(n, FAULT_REPLAY, p->to);
		push(n, (uint32_t)(p - n->packets));
	}
}

struct packet *network_take(struct network *n)
{
	struct packet *p = &n->packets[pop(n)];

	if (n->cut[p->from] & (1u << p->to)) {
		hit(n, (enum fault)n->cut_by[p->from][p->to], p->to);
		network_give_back(n, p);
		return NULL;
	}
	return p;
}

void network_give_back(struct network *n, struct packet *packet)
{
	n->free[n->free_count++] = (uint32_t)(packet - n->packets);
}
