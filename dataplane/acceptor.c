/* An acceptor shard's turn: prepares and accepts, in; promises and votes, out. */
#include "dataplane/turn.h"

uint32_t acceptor_poll(void *self, uint64_t now_ns)
{
	struct crossing *c = self;
	struct acceptor_stage *s = c->replica->acceptors[c->position - POSITION_ACCEPTOR];
	struct turn turn;
	uint32_t work = 0;

	acceptor_stage_tune(s, turn_settings(c->replica));
	for (uint32_t i = 0; i < c->inputs_count; i++) {
		turn_begin(&turn, c, c->inputs[i]);
		while (turn_next(&turn)) {
			acceptor_stage_on_message(s, &turn.frame->m, turn.frame->body, now_ns);
			turn_done(&turn, false);
		}
		work += turn.count;
	}
	acceptor_stage_flush(s, now_ns);
	spent_free(&c->spent);
	return work;
}
