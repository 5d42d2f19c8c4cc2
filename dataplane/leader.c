/* The leader stage's turn: what clients and acceptors say, in; proposals, out. */
#include "dataplane/turn.h"

static uint32_t take(struct replica *r, struct handoff *h, uint64_t now_ns)
{
	struct turn turn;

	turn_begin(&turn, &r->crossings[POSITION_LEADER], h);
	while (turn_next(&turn)) {
		leader_stage_on_message(r->leader, &turn.frame->m, turn.frame->body, now_ns);
		turn_done(&turn, false);
	}
	return turn.count;
}

/* What control has asked for since. */
static void take_transfer(struct replica *r, uint64_t now_ns)
{
	const struct live *live = live_read(&r->live);

	if (likely(live->transfers == r->transfers_seen))
		return;
	r->transfers_seen = live->transfers;
	leader_stage_transfer(r->leader, live->transfer_to, now_ns);
}

uint32_t leader_poll(void *self, uint64_t now_ns)
{
	struct replica *r = self;
	struct crossing *c = &r->crossings[POSITION_LEADER];
	uint32_t work = 0;

	leader_stage_tune(r->leader, turn_settings(r));
	for (uint32_t i = 0; i < c->inputs_count; i++)
		work += take(r, c->inputs[i], now_ns);
	/* Commands last: what the others say makes room for them. Too many are answered. */
	if (leader_stage_eager(r->leader, now_ns) ||
		handoff_room(&r->requests) < REQUESTS_SIZE - REQUESTS_WAITING)
		work += take(r, &r->requests, now_ns);
	if (now_ns - r->leader_tick_ns >= TICK_NS) {
		r->leader_tick_ns = now_ns;
		take_transfer(r, now_ns);
		leader_stage_on_tick(r->leader, now_ns);
	}
	leader_stage_flush(r->leader, now_ns);
	spent_free(&c->spent);
	return work;
}
