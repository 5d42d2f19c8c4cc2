/*
 * channel.h - request frames out to members and replies in from them, over one UDP socket.
 *
 * Owns:    the socket, and the buffers of frames on their way.
 * Never:   blocks; hands on what is not a whole reply of a member of this cluster, from its address.
 * Proofs:  tests/unit/test_client_losses.c.
 */
#ifndef TOOLS_CLIENT_CHANNEL_H
#define TOOLS_CLIENT_CHANNEL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "consensus/limits.h"
#include "consensus/message.h"

enum {
	CHANNEL_BURST = 16,
	CHANNEL_ALIGN =
		8 - HEADER_BYTES % 8, /* In front of a header: bodies stand at multiples of 8. */
	CHANNEL_FRAME_BYTES = (CHANNEL_ALIGN + MTU_MAX + 7) / 8 * 8,
};

/* Whom to speak to. */
struct channel_settings {
	uint32_t cluster;
	uint32_t members;
	uint32_t mtu;
	uint16_t udp_port;
	struct in_addr addresses[MEMBER_MAX];
	struct in_addr own; /* INADDR_ANY: the kernel chooses. */
};

struct channel {
	struct channel_settings settings;
	int socket;
	uint32_t pending; /* Frames in tx, not sent yet. */
	uint64_t frames;
	uint64_t strange;
	uint64_t unsent;
	struct sockaddr_in members[MEMBER_MAX];
	struct sockaddr_in from[CHANNEL_BURST];
	struct iovec tx_pieces[CHANNEL_BURST], rx_pieces[CHANNEL_BURST];
	struct mmsghdr tx[CHANNEL_BURST], rx[CHANNEL_BURST];
	_Alignas(8) uint8_t tx_bytes[CHANNEL_BURST][CHANNEL_FRAME_BYTES];
	_Alignas(8) uint8_t rx_bytes[CHANNEL_BURST][CHANNEL_FRAME_BYTES];
};

/* False: `error` is one sentence. */
bool channel_open(struct channel *c, const struct channel_settings *settings, char *error,
	size_t size);
void channel_close(struct channel *c);

/* Bytes of a request's body at most. */
uint32_t channel_body_max(const struct channel *c);

/* Where the body of the next frame is to be written. */
uint8_t *channel_body(struct channel *c);

/* That body becomes a request to a member; it leaves with others at channel_flush at the latest. */
void channel_put(struct channel *c, uint32_t member, uint8_t flags, uint32_t count, uint32_t bytes);
void channel_flush(struct channel *c);

/* Replies that have come, at most CHANNEL_BURST datagrams: `heard` for each. Returns the datagrams. */
uint32_t channel_receive(struct channel *c,
	void (*heard)(void *context, const struct message *m, const uint8_t *body), void *context);

#endif
