#include "consensus/replica_replies.h"

#include <string.h>

static void flush_replies(struct learner_stage *s, struct reply_buffer *b)
{
	if (b->count == 0)
		return;
	const struct target to = {.client = b->client};
	const uint8_t not_led = s->leader == s->settings->self ? 0 : FLAG_READ_ANY;
	const struct message m = {
		.type = MESSAGE_REPLY,
		.flags = b->flags | not_led,
		.watermark = b->watermark,
		.count = (uint16_t)b->count,
		.payload_len = (uint16_t)b->bytes,
	};

	learner_send(s, &to, &m, b->body);
	b->count = 0;
	b->bytes = 0;
}

static struct reply_buffer *buffer_of(struct learner_stage *s, uint16_t client)
{
	for (uint32_t i = 0; i < REPLY_BUFFERS; i++)
		if (s->replies[i].client == client)
			return &s->replies[i];
	struct reply_buffer *b = &s->replies[s->reply_next];

	s->reply_next = (s->reply_next + 1) % REPLY_BUFFERS;
	flush_replies(s, b);
	b->client = client;
	return b;
}

static void append(struct learner_stage *s, struct reply_buffer *b, uint64_t session,
	uint64_t sequence, const struct result *result)
{
	uint32_t padded = (result->length + 7) / 8 * 8;
	const struct reply r = {
		.session = session,
		.sequence_status = reply_pack(sequence, result->status, result->length),
		.result = result->result,
	};

	if (b->bytes + sizeof(r) + padded > s->settings->body_max)
		flush_replies(s, b);
	memcpy(b->body + b->bytes, &r, sizeof(r));
	if (padded > 0) {
		memset(b->body + b->bytes + sizeof(r) + padded - 8, 0, 8);
		memcpy(b->body + b->bytes + sizeof(r), result->value, result->length);
	}
	b->bytes += (uint32_t)sizeof(r) + padded;
	b->count++;
	s->counters.replies++;
}

void learner_reply_as(struct learner_stage *s, uint16_t client, uint64_t session, uint64_t sequence,
	const struct result *result)
{
	struct reply_buffer *b = s->reply_last;

	if (b->client != client)
		b = s->reply_last = buffer_of(s, client);
	append(s, b, session, sequence, result);
}

void learner_reply_stale(struct learner_stage *s, uint16_t client, uint32_t count)
{
	struct reply_buffer *b = &s->stale;

	b->client = client;
	b->watermark = s->learner.delivered;
	for (uint32_t i = 0; i < count; i++)
		append(s, b, s->commands[i].session, s->commands[i].sequence, &s->results[i]);
	flush_replies(s, b);
}

void learner_reply(struct learner_stage *s, uint16_t client, uint64_t session, uint64_t sequence,
	const struct result *result)
{
	if (client != 0 && s->leader == s->settings->self)
		learner_reply_as(s, client, session, sequence, result);
}

void learner_reply_all(struct learner_stage *s, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct command *c = &s->commands[i];
		const struct result *r = &s->results[i];
		uint16_t client = s->command_sessions[i]->client;
		struct reply_buffer *b = s->reply_last;

		if (r->length > 0 || b->client != client || client == 0 ||
			b->bytes + sizeof(struct reply) > s->settings->body_max) {
			learner_reply(s, client, c->session, c->sequence, r);
			continue;
		}
		struct reply *at = (struct reply *)(void *)(b->body + b->bytes);

		at->session = c->session;
		at->sequence_status = reply_pack(c->sequence, r->status, 0);
		at->result = r->result;
		b->bytes += (uint32_t)sizeof(*at);
		b->count++;
		s->counters.replies++;
	}
}

void learner_flush_replies(struct learner_stage *s)
{
	for (uint32_t i = 0; i < REPLY_BUFFERS; i++)
		flush_replies(s, &s->replies[i]);
}
