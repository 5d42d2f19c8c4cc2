/* A frame sealed and opened: the message alone, and with the network's headers around it. */
#include <string.h>

#include <rte_malloc.h>

#include "bench/micro/cases.h"
#include "bench/micro/sample.h"
#include "dataplane/frame.h"
#include "dataplane/heap.h"

enum {
	BATCH = 64,
	POOL_MBUFS = 63,
};

struct codec {
	struct message m;
	struct rte_mempool *pool;
	struct rte_mbuf *mbuf; /* A whole frame, as it stands in a port's queue. */
	uint8_t *wire;         /* The message in it, header and body. */
	uint32_t wire_bytes;
	struct endpoint self;
	struct frame_template template;
};

static void teardown(void *state)
{
	struct codec *c = state;

	rte_pktmbuf_free(c->mbuf);
	rte_mempool_free(c->pool);
	rte_free(c);
}

static void fill(struct codec *c, uint32_t commands)
{
	uint8_t *bytes = rte_pktmbuf_mtod(c->mbuf, uint8_t *);
	uint8_t *body = bytes + FRAME_BODY_OFFSET;

	sample_body(body, commands);
	c->m = sample_accept(body, commands);
	c->wire = bytes + FRAME_NET_BYTES;
	c->wire_bytes = HEADER_BYTES + c->m.payload_len;
	c->self = (struct endpoint){
		.ip = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1)),
		.port = rte_cpu_to_be_16(7000),
	};
	frame_template_init(&c->template, &c->self, &c->self);
	frame_seal(c->mbuf, &c->m);
	frame_address(c->mbuf, &c->template, 0);
}

static void *setup(struct harness *h)
{
	struct codec *c = heap_zalloc("codec", sizeof(*c));

	if (c == NULL)
		return NULL;
	c->pool = rte_pktmbuf_pool_create("micro", POOL_MBUFS, 0, FRAME_PRIVATE_BYTES,
		RTE_PKTMBUF_HEADROOM + FRAME_BODY_OFFSET + SAMPLE_BODY_MAX, heap_socket());
	c->mbuf = c->pool == NULL ? NULL : rte_pktmbuf_alloc(c->pool);
	if (c->mbuf == NULL) {
		teardown(c);
		return NULL;
	}
	fill(c, harness_argument(h));
	return c;
}

/* Is what stands in the mbuf the message again, as it was last numbered? */
static bool reads_back(struct codec *c, uint64_t counter)
{
	const struct frame *f = frame_of(c->mbuf);

	return frame_validate(c->mbuf, &c->self) == DROP_NONE && f->m.counter == counter &&
		f->m.count == c->m.count && f->m.checksum == c->m.checksum &&
		f->body == c->wire + HEADER_BYTES;
}

static void conclude(struct harness *h, const struct codec *c, bool ok, const char *otherwise)
{
	if (!ok) {
		harness_fail(h, otherwise);
		return;
	}
	harness_items(h, harness_iterations(h) * c->m.count);
	harness_counter(h, "frame_bytes", FRAME_NET_BYTES + c->wire_bytes);
}

/* The body's checksum included: it is computed where a body is made. */
static void encode(void *state, struct harness *h)
{
	struct codec *c = state;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			c->m.counter++;
			c->m.checksum = message_crc(c->wire + HEADER_BYTES, c->m.payload_len);
			message_encode(&c->m, c->wire);
		}
	conclude(h, c, reads_back(c, harness_iterations(h)), "what was encoded does not decode");
}

static void decode(void *state, struct harness *h)
{
	struct codec *c = state;
	struct message m;
	uint64_t commands = 0;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++)
			if (message_decode(c->wire, c->wire_bytes, &m) == DROP_NONE)
				commands += m.count;
	conclude(h, c, commands == harness_iterations(h) * c->m.count, "a message was refused");
}

/* With the body's checksum known, as for every copy of a run but the first. */
static void write_frame(void *state, struct harness *h)
{
	struct codec *c = state;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++) {
			c->m.counter++;
			frame_seal(c->mbuf, &c->m);
			frame_address(c->mbuf, &c->template, 0);
		}
	conclude(h, c, reads_back(c, harness_iterations(h)), "what was written is refused");
}

static void validate_frame(void *state, struct harness *h)
{
	struct codec *c = state;
	uint64_t commands = 0;

	while (harness_batch(h, BATCH))
		for (uint32_t i = 0; i < BATCH; i++)
			if (frame_validate(c->mbuf, &c->self) == DROP_NONE)
				commands += frame_of(c->mbuf)->m.count;
	conclude(h, c, commands == harness_iterations(h) * c->m.count, "a frame was refused");
}

const struct harness_case case_encode = {
	.name = "message_encode",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = encode,
	.teardown = teardown,
};

const struct harness_case case_decode = {
	.name = "message_decode",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = decode,
	.teardown = teardown,
};

const struct harness_case case_frame_write = {
	.name = "frame_write",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = write_frame,
	.teardown = teardown,
};

const struct harness_case case_frame_validate = {
	.name = "frame_validate",
	.argument = "commands",
	.arguments = {1, 16},
	.setup = setup,
	.run = validate_frame,
	.teardown = teardown,
};
