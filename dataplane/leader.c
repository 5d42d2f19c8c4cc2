/* The leader stage's turn: what clients and acceptors say, in; proposals, out. */
#include "dataplane/turn.h"

uint32_t leader_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	struct crossing *c = &r->crossings[POSITION_LEADER];
	struct turn turn;
	uint32_t work = 0;

	leader_stage_tune(r->leader, turn_settings(r));
	for (uint32_t i = 0; i < c->inputs_count; i++) {
		turn_begin(&turn, c, i);
		while (turn_next(&turn)) {
			leader_stage_on_message(r->leader, &turn.frame->m, turn.frame->body,
				now_ns);
			turn_done(&turn, false);
		}
		work += turn.count;
	}
	if (now_ns - r->leader_tick_ns >= TICK_NS) {
		r->leader_tick_ns = now_ns;
		leader_stage_on_tick(r->leader, now_ns);
	}
	leader_stage_flush(r->leader, now_ns);
	return work;
}
