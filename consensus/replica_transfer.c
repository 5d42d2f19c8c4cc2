#include "consensus/replica_transfer.h"

#include "consensus/replica_requests.h"

bool leader_stage_transfer(struct leader_stage *s, uint32_t member, uint64_t now_ns)
{
	if (!s->leads || s->transfer.state != TRANSFER_NONE || member >= s->settings->members ||
		member == s->settings->self ||
		(election_heard(&s->election, now_ns) & 1u << member) == 0)
		return false;

	/* Nothing below can fail. */
	s->counters.transfers++;
	s->transfer = (struct transfer){
		.state = TRANSFER_DRAINING,
		.target = member,
		.until_ns = now_ns + s->settings->election_timeout_ns,
	};
	outlet_watch(s->outlet, TRANSITION_TRANSFERRING, s->proposer.ballot, member, 0);
	return true;
}

/* All is chosen, the others were told so, and the target can soon have it. */
static bool drained(const struct leader_stage *s)
{
	const struct window *w = &s->proposer.window;

	return s->batch_count == 0 && window_span(w) == 0 && s->watermark_sent == w->chosen &&
		w->chosen <= s->peers[s->transfer.target].delivered + s->settings->window;
}

static void tell_target(struct leader_stage *s, uint64_t now_ns)
{
	const struct message m = {
		.type = MESSAGE_TIMEOUT_NOW,
		.ballot = s->proposer.ballot,
		.first = s->proposer.window.chosen,
	};

	s->transfer.state = TRANSFER_TOLD;
	s->transfer.sent_ns = now_ns;
	leader_send_members(s, 1u << s->transfer.target, &m, NULL);
}

/* Who is nearest; ELECTION_NOBODY: nobody who is heard keeps up. */
static uint32_t nearest(const struct leader_stage *s, uint64_t now_ns)
{
	uint32_t heard = election_heard(&s->election, now_ns) & leader_others(s);
	uint32_t best = ELECTION_NOBODY;

	for (uint32_t i = 0; i < s->settings->members; i++)
		if ((heard & 1u << i) != 0 && !s->peers[i].out &&
			(best == ELECTION_NOBODY ||
				s->peers[i].delivered > s->peers[best].delivered))
			best = i;
	return best;
}

void leader_handover_tick(struct leader_stage *s, uint64_t now_ns)
{
	if (s->leads &&
		handover_on_tick(&s->handover, s->settings->handover_ns, &s->proposer.window,
			now_ns) &&
		leader_stage_transfer(s, nearest(s, now_ns), now_ns))
		s->counters.handovers++;
}

void leader_transfer_tick(struct leader_stage *s, uint64_t now_ns)
{
	struct transfer *t = &s->transfer;

	if (t->state == TRANSFER_NONE)
		return;
	/* Who is slow drains slowly; whether it goes on at all is the progress timeout's to watch. */
	if (t->state == TRANSFER_DRAINING && window_span(&s->proposer.window) > 0)
		t->until_ns = now_ns + s->settings->election_timeout_ns;
	if (now_ns >= t->until_ns) {
		/* The target did not take it: we go on. */
		t->state = TRANSFER_NONE;
		s->counters.transfers_failed++;
		handover_begin(&s->handover, now_ns);
	} else if (t->state == TRANSFER_DRAINING
			? drained(s)
			: now_ns >= t->sent_ns + s->settings->retransmit_ns) {
		tell_target(s, now_ns);
	}
}
