#include "consensus/watch.h"

#include "consensus/digest.h"

enum {
	VALUES_A_STEP = 3 /* As struct transition has room for. */
};

uint64_t watch_value(const struct entry *e, const uint8_t *payload)
{
	uint64_t digest = digest_value(payload, entry_bytes(entry_length(e)) - ENTRY_BYTES);

	return digest_add(digest, 0, e->session, e->sequence_length, 0, 0) >> 2 | 1;
}

static void tell(const struct outlet *o, const uint64_t *values, uint32_t count)
{
	watch_detail(o, TRANSITION_VALUES, values[0], values[1], count, values[2]);
}

void watch_run(const struct outlet *o, const uint8_t *body, uint32_t bytes)
{
	uint64_t values[VALUES_A_STEP] = {0};
	uint32_t count = 0;

	for (uint32_t at = 0; at < bytes;) {
		const struct entry *e = (const struct entry *)(const void *)(body + at);

		values[count++] = watch_value(e, (const uint8_t *)(e + 1));
		at += entry_bytes(entry_length(e));
		if (count < VALUES_A_STEP && at < bytes)
			continue;
		tell(o, values, count);
		count = 0;
	}
}
