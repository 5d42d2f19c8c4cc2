#include "consensus/admission.h"

#include <stddef.h>

void admission_clear(struct admission *a)
{
	a->generation++;
}

/* The session's slot; else one that is free, or whatever stands at its home. */
static struct admission_slot *slot_of(struct admission *a, uint64_t session)
{
	struct admission_slot *home = admission_home(a, session);
	uint64_t at = (uint64_t)(home - a->slots);
	struct admission_slot *open = NULL;

	for (uint32_t i = 0; i < ADMISSION_PROBES; i++) {
		struct admission_slot *s = &a->slots[(at + i) % ADMISSION_SLOTS];

		if (s->generation == a->generation && s->session == session)
			return s;
		if (open == NULL && s->generation != a->generation)
			open = s;
	}
	return open != NULL ? open : home;
}

enum admission_answer admission_take(struct admission *a, uint64_t session, uint64_t sequence,
	uint16_t client, bool *moved)
{
	struct admission_slot *s = admission_home(a, session);

	if (s->session != session || s->generation != a->generation)
		s = slot_of(a, session);
	if (s->session != session || s->generation != a->generation) {
		s->session = session;
		s->generation = a->generation;
		s->base = sequence < SESSION_WINDOW ? 0 : sequence + 1 - SESSION_WINDOW;
		s->taken = 0;
		s->client = 0;
	}
	*moved = s->client != client;
	s->client = client;
	if (sequence < s->base)
		return ADMISSION_REPEATED;
	uint64_t ahead = sequence - s->base;

	if (ahead >= SESSION_WINDOW) {
		uint64_t slide = ahead + 1 - SESSION_WINDOW;

		s->taken = slide < SESSION_WINDOW ? s->taken >> slide : 0;
		s->base += slide;
		ahead = SESSION_WINDOW - 1;
	}
	if ((s->taken & 1u << ahead) != 0)
		return ADMISSION_REPEATED;
	s->taken |= 1u << ahead;
	return ADMISSION_NEW;
}

uint32_t admission_list(const struct admission *a, uint32_t *at, struct entry *entries,
	uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t looks = ADMISSION_STRIDE; looks > 0 && *at < ADMISSION_SLOTS; looks--) {
		const struct admission_slot *s = &a->slots[*at];

		if (s->generation == a->generation && count + SESSION_WINDOW > max)
			break;
		++*at;
		for (uint32_t k = 0; s->generation == a->generation && k < SESSION_WINDOW; k++)
			if ((s->taken & 1u << k) != 0)
				entries[count++] = (struct entry){
					.session = s->session,
					.sequence_length = s->base + k + s->client * SEQUENCE_TOP,
				};
	}
	return count;
}
