/* The learner stage's turn: runs voted for and watermarks, in; replies, out. */
#include "dataplane/turn.h"

uint32_t learner_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	struct crossing *c = &r->crossings[POSITION_LEARNER];
	struct turn turn;
	uint32_t work = 0;

	learner_stage_tune(r->learner, turn_settings(r));
	for (uint32_t i = 0; i < c->inputs_count; i++) {
		turn_begin(&turn, c, c->inputs[i]);
		while (turn_next(&turn)) {
			bool retained = learner_stage_on_message(r->learner, &turn.frame->m,
				turn.frame->body, turn.mbuf, now_ns);

			turn_done(&turn, retained);
		}
		work += turn.count;
	}
	learner_stage_flush(r->learner, now_ns);
	if (now_ns - r->learner_tick_ns >= TICK_NS) {
		r->learner_tick_ns = now_ns;
		learner_stage_on_tick(r->learner, now_ns);
	}
	spent_free(&c->spent);
	return work;
}
