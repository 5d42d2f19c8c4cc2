#include "consensus/model/agreement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all namings of a state the one with the smallest key stands for it. */
enum {
	NAMINGS_MAX = 2 * 6, /* Both orders of the commands, those of up to three nodes. */
	PLACES_MAX = 1 << 18,
	PLACE_KEY_BYTES = 48 + 16 * INSTANCES + 8 * NODES + 8 * BLOCK,
};
static_assert(NODES - PROPOSERS <= 3, "their orders are all looked at");

struct naming {
	uint8_t names[NODES]; /* Node n is called so. */
	uint8_t nodes[NODES]; /* Which node is called n. */
	bool swapped;
	uint16_t mails[MAILS_MAX]; /* What a message is called, plus one; 0: not known yet. */
	uint32_t *places;          /* Where a node stands, likewise. */
};

static struct naming namings[NAMINGS_MAX];
static uint32_t namings_count;

static void stop(const char *what)
{
	printf("model: %s\n", what);
	exit(1);
}

/* ---- Messages ---- */

static struct mail mails[MAILS_MAX];
static uint32_t mails_count;

const struct mail *mail_at(uint32_t number)
{
	return &mails[number];
}

uint32_t mail_number(const struct mail *mail)
{
	for (uint32_t i = 0; i < mails_count; i++)
		if (memcmp(&mails[i], mail, sizeof(*mail)) == 0)
			return i;
	if (mails_count == MAILS_MAX)
		stop("more messages than there are numbers for");
	mails[mails_count] = *mail;
	return mails_count++;
}

static void swap_values(uint8_t *entries, uint32_t bytes)
{
	for (uint32_t at = 0; at < bytes; at += ENTRY_BYTES) {
		struct entry *e = (struct entry *)(void *)(entries + at);

		e->session = VALUE_ONE + VALUE_TWO - e->session;
	}
}

static void swap_records(uint8_t *body, uint32_t bytes)
{
	for (uint32_t at = 0; at < bytes;) {
		struct record *r = (struct record *)(void *)(body + at);

		swap_values((uint8_t *)(r + 1), r->bytes);
		r->checksum = message_crc(r + 1, r->bytes);
		at += RECORD_BYTES + r->bytes;
	}
}

static uint32_t renamed_mail(struct naming *n, uint32_t number)
{
	if (n->mails[number] == 0) {
		struct mail mail = mails[number];
		struct message *m = &mail.m;

		m->sender = n->names[m->sender];
		mail.to = n->names[mail.to];
		if (n->swapped && m->type == MESSAGE_ACCEPT) {
			swap_values(mail.body, m->payload_len);
			m->checksum = message_crc(mail.body, m->payload_len);
		}
		if (n->swapped && m->type == MESSAGE_VOTES)
			swap_records(mail.body, m->payload_len);
		n->mails[number] = (uint16_t)(1 + mail_number(&mail));
	}
	return n->mails[number] - 1u;
}

/* ---- Places: all of a node that can make a difference ---- */

static uint8_t place_key[PLACE_KEY_BYTES];
static uint32_t place_bytes;

static void put(uint64_t number)
{
	if (place_bytes == PLACE_KEY_BYTES || number > 0xff)
		stop("a place's key has no room");
	place_key[place_bytes++] = (uint8_t)number;
}

static void put_ballot(uint64_t ballot)
{
	put(ballot == 0 ? 0 : 1 + ballot_rank(ballot));
}

static void put_value(const struct naming *n, uint32_t value)
{
	bool command = value == VALUE_ONE || value == VALUE_TWO;

	put(n->swapped && command ? VALUE_ONE + VALUE_TWO - value : value);
}

static void put_acceptor(const struct naming *n, const struct node *node)
{
	const struct acceptor *a = &node->acceptor.acceptor;

	put_ballot(a->promised);
	put(a->lo);
	put(a->delivered);
	put(a->tail);
	put(a->high);
	for (uint32_t i = 0; i < INSTANCES; i++) {
		const struct vote *v = acceptor_vote(a, i);

		put(v == NULL ? 0 : v->state * 64u + v->count * 8u + v->index);
		put_ballot(v == NULL ? 0 : v->ballot);
		put_value(n, acceptor_value(node, i));
	}
}

static void put_learner(const struct naming *n, const struct node *node)
{
	const struct learner *l = &node->learner;

	put(l->delivered);
	put_ballot(l->ballot);
	put(l->watermark);
	for (uint32_t i = 0; i < INSTANCES; i++) {
		const struct learner_run *r = &l->runs[i];
		uint64_t values = (uintptr_t)r->frame;

		put(r->count == 0 ? 0 : (r->chosen ? 8u : 0u) + r->count);
		put_ballot(r->count == 0 ? 0 : r->ballot);
		for (uint64_t k = r->first; k < r->first + RUN_COUNT_MAX; k++)
			put_value(n, k < r->first + r->count ? (uint32_t)(values >> 2 * k) & 3 : 0);
		put_value(n, node->delivered[i]);
	}
}

static void put_views(const struct naming *n, const struct proposer *p)
{
	const struct window *w = &p->window;

	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t member = n->nodes[i];
		const struct proposer_promise *promise = &p->promises[member];
		uint32_t votes = 0;

		for (uint32_t k = 0; k < WINDOW_INSTANCES; k++)
			votes |= k < w->next ? (w->flights[k].votes >> member & 1) << k : 0;
		put((p->quorum >> member & 1) * 2 + promise->shards);
		put(promise->lo * 64 + promise->high * 8 + promise->covered);
		put(w->hint[member] * 16 + votes);
	}
}

static void put_proposer(const struct naming *n, const struct proposer *p)
{
	const struct window *w = &p->window;
	const struct recovery *r = &p->recovery;

	put((uint64_t)p->state * 2 + p->due);
	put_ballot(p->ballot);
	put(p->delivered * 64 + p->end * 8 + w->oldest);
	put(w->next * 64 + w->chosen * 8 + w->end);
	for (uint32_t i = 0; i < WINDOW_INSTANCES; i++)
		put(i < w->next ? w->flights[i].first * 8 + w->flights[i].count : 0);
	put(r->from * 64 + r->to * 8 + r->next);
	for (uint32_t i = 0; i < BLOCK; i++) {
		const struct cell *c = &r->cells[i];

		put(c->state);
		put_ballot(c->ballot);
		put_value(n,
			c->state == CELL_EMPTY ? 0 : entries_value(r->entries[i], c->bytes, 0));
	}
	put_views(n, p);
}

static void write_place(const struct naming *n, const struct node *node, uint32_t self)
{
	place_bytes = 0;
	memset(place_key, 0, sizeof(place_key));
	put(self);
	put_acceptor(n, node);
	put_learner(n, node);
	if (self < PROPOSERS)
		put_proposer(n, &node->proposer);
}

static struct place {
	uint32_t next; /* With the same hash, plus one. */
	uint32_t self;
	uint8_t key[PLACE_KEY_BYTES];
	struct node *node; /* NULL: so far only some naming's name of another one. */
} * places;
static uint32_t *buckets;
static uint32_t places_count;

/* The number of place_key. */
static uint32_t find_place(uint32_t self)
{
	uint64_t hash = 14695981039346656037ull;

	for (uint32_t i = 0; i < place_bytes; i++)
		hash = (hash ^ place_key[i]) * 1099511628211ull;
	uint32_t *bucket = &buckets[(hash ^ hash >> 29) % PLACES_MAX];

	for (uint32_t i = *bucket; i != 0; i = places[i - 1].next)
		if (memcmp(places[i - 1].key, place_key, PLACE_KEY_BYTES) == 0)
			return i - 1;
	if (places_count == PLACES_MAX)
		stop("more places than there are numbers for");
	struct place *p = &places[places_count];

	memcpy(p->key, place_key, PLACE_KEY_BYTES);
	p->self = self;
	p->next = *bucket;
	*bucket = ++places_count;
	return places_count - 1;
}

/* ---- Namings ---- */

static void add_naming(const uint8_t *names, bool swapped)
{
	struct naming *n = &namings[namings_count++];

	n->swapped = swapped;
	n->places = calloc(PLACES_MAX, sizeof(*n->places));
	for (uint32_t i = 0; i < NODES; i++) {
		n->names[i] = names[i];
		n->nodes[names[i]] = (uint8_t)i;
	}
}

/* Three nodes have six orders: each of three rotations, straight or with the last two exchanged. */
static void make_namings(void)
{
	enum {
		ALIKE = NODES - PROPOSERS
	};
	uint8_t names[NODES];

	for (uint32_t turn = 0; turn < ALIKE; turn++)
		for (uint32_t exchange = 0; exchange < (ALIKE == 3 ? 2 : 1); exchange++) {
			for (uint32_t i = 0; i < NODES; i++)
				names[i] = (uint8_t)(i < PROPOSERS
						? i
						: PROPOSERS + (i - PROPOSERS + turn) % ALIKE);
			if (exchange != 0) {
				uint8_t last = names[NODES - 1];

				names[NODES - 1] = names[NODES - 2];
				names[NODES - 2] = last;
			}
			add_naming(names, false);
			add_naming(names, true);
		}
	places = calloc(PLACES_MAX, sizeof(*places));
	buckets = calloc(PLACES_MAX, sizeof(*buckets));
}

uint32_t place_number(const struct node *node, uint32_t self)
{
	if (namings_count == 0)
		make_namings();
	write_place(&namings[0], node, self);
	uint32_t number = find_place(self);

	if (places[number].node == NULL) {
		places[number].node = aligned_alloc(64, sizeof(*node));
		*places[number].node = *node;
	}
	return number;
}

const struct node *place_at(uint32_t place)
{
	return places[place].node;
}

static uint32_t renamed_place(struct naming *n, uint32_t place)
{
	if (n->places[place] == 0) {
		const struct place *p = &places[place];
		uint32_t self = n->names[p->self];

		write_place(n, p->node, self);
		n->places[place] = 1 + find_place(self);
	}
	return n->places[place] - 1;
}

/* ---- Keys ---- */

static void write_key(uint8_t *key, struct naming *n, const uint32_t *at, const uint16_t *sent,
	uint32_t sent_count)
{
	uint8_t *bits = key + sizeof(uint32_t) * NODES;

	memset(bits, 0, MAILS_MAX / 8);
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t place = renamed_place(n, at[n->nodes[i]]);

		memcpy(key + i * sizeof(place), &place, sizeof(place));
	}
	for (uint32_t i = 0; i < sent_count; i++) {
		uint32_t mail = renamed_mail(n, sent[i]);

		bits[mail / 8] |= (uint8_t)(1u << mail % 8);
	}
}

void names_key(uint8_t *key, const uint32_t *at, const uint16_t *sent, uint32_t sent_count)
{
	static uint8_t keys[2][KEY_BYTES];
	uint32_t best = 0;

	write_key(keys[best], &namings[0], at, sent, sent_count);
	for (uint32_t i = 1; i < namings_count; i++) {
		write_key(keys[1 - best], &namings[i], at, sent, sent_count);
		if (memcmp(keys[1 - best], keys[best], KEY_BYTES) < 0)
			best = 1 - best;
	}
	memcpy(key, keys[best], KEY_BYTES);
}
