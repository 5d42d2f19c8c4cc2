/*
 * network.h - the virtual network: packets of bytes with loss, duplication, delay, reordering,
 * replays, forgeries and cut links, all drawn from the seed.
 *
 * Owns:    the packets in flight, in a heap by arrival time (ties by order of sending); some old
 *          ones, for replays.
 * Never:   delivers a packet whose link is cut at arrival.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "tests/sim/coverage.h"
#include "tests/sim/random.h"

enum {
	PACKET_BYTES_MAX = 768,
	PACKETS_MAX = 8192,
	PORTS_MAX = MEMBER_MAX + 1, /* Members, and the clients' one port after them. */
	OLD_PACKETS = 128,
};

/* What the receiver may do with it. */
enum packet_kind {
	PACKET_REAL,
	PACKET_BROKEN,   /* Its codec must refuse it. */
	PACKET_STRANGER, /* Well-formed, of no member. */
	PACKET_NUMBERS,  /* Well-formed or not, its numbers are from nowhere. */
};

struct packet {
	uint64_t at_ns;
	uint64_t order;
	uint16_t length;
	uint8_t from;
	uint8_t to;
	uint8_t kind;     /* enum packet_kind */
	uint8_t align[5]; /* So that the body, 86 bytes on, stands at a multiple of 8. */
	uint8_t bytes[PACKET_BYTES_MAX];
};

struct network {
	struct random *random;
	struct coverage *coverage;
	uint32_t percent[FAULT_PACKET_END]; /* Of packets that are hit; REPLAY: that are kept. */
	uint32_t burst;                     /* Packets that are still flipped together. */
	uint64_t delay_min_ns;
	uint64_t delay_max_ns;
	uint64_t late_max_ns;      /* Of those that DELAY hits. */
	bool pinned;               /* Every member knows every other: strangers can be told. */
	uint16_t cut[PORTS_MAX];   /* cut[from]: bitmask of ports that do not hear it. */
	uint16_t lags;             /* Bitmask of ports that miss what is proposed, mostly. */
	uint8_t states[PORTS_MAX]; /* enum state, kept by the world. */
	uint8_t cut_by[PORTS_MAX][PORTS_MAX]; /* enum fault that cut it. */
	uint64_t orders;
	uint64_t faults_count;
	uint32_t count;
	uint32_t old_count;
	uint32_t heap[PACKETS_MAX];
	uint32_t free_count;
	uint32_t free[PACKETS_MAX];
	struct packet packets[PACKETS_MAX];
	struct packet old[OLD_PACKETS];
};

void network_init(struct network *n, struct random *random, struct coverage *coverage);

/* No faults from now on; packets in flight stay. */
void network_calm(struct network *n);

/* Sends `length` bytes; what the faults make of it is decided here. */
void network_send(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length);

/* Sends some of the old packets again, to whom they were for. */
void network_replay(struct network *n, uint64_t now_ns, uint32_t packets);

/* Arrival time of the next packet, or UINT64_MAX. */
static inline uint64_t network_next_ns(const struct network *n)
{
	return n->count == 0 ? UINT64_MAX : n->packets[n->heap[0]].at_ns;
}

/* Takes the next packet; NULL if its link is cut (it is lost). Give it back after use. */
struct packet *network_take(struct network *n);
void network_give_back(struct network *n, struct packet *packet);

#endif
