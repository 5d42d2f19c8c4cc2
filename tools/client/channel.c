#include "tools/client/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	RECEIVE_BUFFER_BYTES = 4 << 20, /* For a burst of answers while we do not run. */
};

/* What does not fit a link on the way becomes fragments, which a replica drops. */
static bool path_fits(const struct channel *c, uint32_t member, char *error, size_t size)
{
	const struct sockaddr *to = (const struct sockaddr *)&c->members[member];
	char text[INET_ADDRSTRLEN];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int mtu = (int)c->settings.mtu;
	socklen_t length = sizeof(mtu);
	bool reached = s >= 0 && connect(s, to, sizeof(c->members[member])) == 0;
	int why = errno;
	bool known = reached && getsockopt(s, IPPROTO_IP, IP_MTU, &mtu, &length) == 0;

	if (s >= 0)
		close(s);
	inet_ntop(AF_INET, &c->members[member].sin_addr, text, sizeof(text));
	if (!reached) {
		snprintf(error, size,
			"replica %u at %s can not be reached: %s; give this host an address and a "
			"route to the replicas' network.",
			member, text, strerror(why));
		return false;
	}
	if (known && (uint32_t)mtu < c->settings.mtu) {
		snprintf(error, size,
			"the way to replica %u at %s carries %d bytes, the cluster's mtu is %u: raise "
			"the interface's, or lower mtu in every host's file.",
			member, text, mtu, c->settings.mtu);
		return false;
	}
	return true;
}

static bool socket_open(struct channel *c, char *error, size_t size)
{
	const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = c->settings.own};
	const int never = IP_PMTUDISC_DO;
	const int bytes = RECEIVE_BUFFER_BYTES;
	char text[INET_ADDRSTRLEN];

	c->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->socket < 0) {
		snprintf(error, size, "no UDP socket can be had: %s.", strerror(errno));
		return false;
	}
	/* Both only help: without them it works, if not under load. */
	setsockopt(c->socket, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never));
	setsockopt(c->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(c->socket, (const struct sockaddr *)&own, sizeof(own)) == 0)
		return true;
	inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text));
	snprintf(error, size,
		"the own address %s can not be had: %s; `ip address` lists this host's.", text,
		strerror(errno));
	return false;
}

bool channel_open(struct channel *c, const struct channel_settings *settings, char *error,
	size_t size)
{
	memset(c, 0, sizeof(*c));
	c->settings = *settings;
	for (uint32_t i = 0; i < settings->members; i++) {
		c->members[i] = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(settings->udp_port),
			.sin_addr = settings->addresses[i],
		};
		if (!path_fits(c, i, error, size))
			return false;
	}
	for (uint32_t i = 0; i < CHANNEL_BURST; i++) {
		c->tx_pieces[i].iov_base = c->tx_bytes[i] + CHANNEL_ALIGN;
		c->tx[i].msg_hdr.msg_iov = &c->tx_pieces[i];
		c->tx[i].msg_hdr.msg_iovlen = 1;
		c->tx[i].msg_hdr.msg_namelen = sizeof(c->members[0]);
		c->rx_pieces[i].iov_base = c->rx_bytes[i] + CHANNEL_ALIGN;
		c->rx_pieces[i].iov_len = MTU_MAX;
		c->rx[i].msg_hdr.msg_iov = &c->rx_pieces[i];
		c->rx[i].msg_hdr.msg_iovlen = 1;
		c->rx[i].msg_hdr.msg_name = &c->from[i];
	}
	if (socket_open(c, error, size))
		return true;
	channel_close(c);
	return false;
}

void channel_close(struct channel *c)
{
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
}

uint32_t channel_body_max(const struct channel *c)
{
	return c->settings.mtu - IP_UDP_BYTES - HEADER_BYTES;
}

uint8_t *channel_body(struct channel *c)
{
	return c->tx_bytes[c->pending] + CHANNEL_ALIGN + HEADER_BYTES;
}

void channel_put(struct channel *c, uint32_t member, uint8_t flags, uint32_t count, uint32_t bytes)
{
	struct iovec *piece = &c->tx_pieces[c->pending];
	const struct message m = {
		.type = MESSAGE_REQUEST,
		.flags = flags,
		.count = (uint16_t)count,
		.cluster = c->settings.cluster,
		.counter = c->frames++,
		.sender = MESSAGE_SENDER_CLIENT,
		.payload_len = (uint16_t)bytes,
		.checksum = message_crc(channel_body(c), bytes),
	};

	message_encode(&m, piece->iov_base);
	piece->iov_len = HEADER_BYTES + bytes;
	c->tx[c->pending].msg_hdr.msg_name = &c->members[member];
	if (++c->pending == CHANNEL_BURST)
		channel_flush(c);
}

void channel_flush(struct channel *c)
{
	uint32_t at = 0;

	while (at < c->pending) {
		int sent = sendmmsg(c->socket, c->tx + at, c->pending - at, 0);

		/* What the kernel does not take is lost like any frame, and sent again as such. */
		c->unsent += sent <= 0 ? 1 : 0;
		at += sent <= 0 ? 1 : (uint32_t)sent;
	}
	c->pending = 0;
}

static bool is_reply(const struct channel *c, const struct mmsghdr *got,
	const struct sockaddr_in *from, struct message *m)
{
	const uint8_t *bytes = got->msg_hdr.msg_iov->iov_base;

	if (message_decode(bytes, got->msg_len, m) != DROP_NONE || m->type != MESSAGE_REPLY ||
		m->cluster != c->settings.cluster || m->sender >= c->settings.members)
		return false;
	const struct sockaddr_in *member = &c->members[m->sender];

	return from->sin_addr.s_addr == member->sin_addr.s_addr &&
		from->sin_port == member->sin_port;
}

uint32_t channel_receive(struct channel *c,
	void (*heard)(void *context, const struct message *m, const uint8_t *body), void *context)
{
	for (uint32_t i = 0; i < CHANNEL_BURST; i++)
		c->rx[i].msg_hdr.msg_namelen = sizeof(c->from[i]);
	int count = recvmmsg(c->socket, c->rx, CHANNEL_BURST, MSG_DONTWAIT, NULL);

	for (int i = 0; i < count; i++) {
		struct message m;

		if (is_reply(c, &c->rx[i], &c->from[i], &m))
			heard(context, &m, c->rx_bytes[i] + CHANNEL_ALIGN + HEADER_BYTES);
		else
			c->strange++;
	}
	return count < 0 ? 0 : (uint32_t)count;
}
