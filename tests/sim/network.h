/*
 * network.h - the virtual network: packets of bytes with loss, duplication, delay, reordering,
 * replays, bit flips and cut links, all drawn from the seed.
 *
 * Owns:    the packets in flight, in a heap by arrival time (ties by order of sending).
 * Never:   delivers a packet whose link is cut at arrival.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "tests/sim/random.h"

enum {
	PACKET_BYTES_MAX = 768,
	PACKETS_MAX = 8192,
	PORTS_MAX = MEMBER_MAX + 1, /* Members, and the clients' one port after them. */
};

struct packet {
	uint64_t at_ns;
	uint64_t order;
	uint16_t from;
	uint16_t to;
	uint16_t length;
	uint8_t align[4]; /* So that the body, 86 bytes on, stands at a multiple of 8. */
	uint8_t bytes[PACKET_BYTES_MAX];
};

struct network_faults {
	uint32_t loss_percent;
	uint32_t duplicate_percent;
	uint32_t flip_percent;
	uint32_t replay_percent; /* Delivered again much later. */
	uint64_t delay_min_ns;
	uint64_t delay_max_ns;
	uint64_t replay_max_ns;
};

struct network {
	struct random *random;
	struct network_faults faults;
	uint16_t cut[PORTS_MAX]; /* cut[from]: bitmask of ports that do not hear it. */
	uint64_t orders;
	uint64_t faults_count;
	uint32_t count;
	uint32_t heap[PACKETS_MAX];
	uint32_t free_count;
	uint32_t free[PACKETS_MAX];
	struct packet packets[PACKETS_MAX];
};

void network_init(struct network *n, struct random *random);

/* Sends `length` bytes; what the faults make of it is decided here. */
void network_send(struct network *n, uint64_t now_ns, uint16_t from, uint16_t to,
	const uint8_t *bytes, uint16_t length);

/* Arrival time of the next packet, or UINT64_MAX. */
uint64_t network_next_ns(const struct network *n);

/* Takes the next packet; NULL if its link is cut (it is lost). Give it back after use. */
struct packet *network_take(struct network *n);
void network_give_back(struct network *n, struct packet *packet);

#endif
