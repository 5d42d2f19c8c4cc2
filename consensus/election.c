#include "consensus/election.h"

void election_init(struct election *e, const struct replica_settings *settings)
{
	*e = (struct election){
		.settings = settings,
		.state = ELECTION_FOLLOWER,
		.random = settings->seed * 2 + 1,
		.leader = ELECTION_NOBODY,
	};
}

static uint64_t random_below(struct election *e, uint64_t below)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 7;
	e->random ^= e->random << 17;
	return e->random % below;
}

static void back_off(struct election *e, uint64_t now_ns)
{
	uint64_t timeout = e->settings->election_timeout_ns;

	e->state = ELECTION_FOLLOWER;
	e->consented = false;
	e->stand_ns = now_ns + timeout / 4 + random_below(e, timeout / 2 + 1);
}

uint32_t election_heard(const struct election *e, uint64_t now_ns)
{
	uint32_t members = 1u << e->settings->self;

	for (uint32_t i = 0; i < e->settings->members; i++)
		if (e->heard_ns[i] != 0 &&
			now_ns < e->heard_ns[i] + e->settings->election_timeout_ns)
			members |= 1u << i;
	return members;
}

/* Heard, and they say that they hear us. */
static uint32_t connected(const struct election *e, uint64_t now_ns)
{
	uint32_t members = election_heard(e, now_ns);

	for (uint32_t i = 0; i < e->settings->members; i++)
		if (i != e->settings->self && (e->echoes[i] & 1u << e->settings->self) == 0)
			members &= ~(1u << i);
	return members;
}

static bool leader_alive(const struct election *e, uint64_t now_ns)
{
	return e->leader != ELECTION_NOBODY &&
		now_ns < e->leader_heard_ns + e->settings->election_timeout_ns;
}

/* A gap in our own turns is our stall: what could not be heard in it does not count as silence. It
 * is noticed before anything new is dated: what is heard right after it was not heard later. */
static void discount_stall(struct election *e, uint64_t now_ns)
{
	uint64_t gap = e->awake_ns == 0 ? 0 : now_ns - e->awake_ns;

	e->awake_ns = now_ns;
	if (gap <= 2 * e->settings->heartbeat_ns)
		return;
	for (uint32_t i = 0; i < e->settings->members; i++)
		if (e->heard_ns[i] != 0)
			e->heard_ns[i] += gap;
	e->leader_heard_ns += gap;
	e->promised_ns += e->promised_ns == 0 ? 0 : gap;
	e->stand_ns += gap;
	e->phase_ns += gap;
	e->progress_ns += gap;
}

static bool may_stand(const struct election *e, uint64_t now_ns)
{
	uint32_t members = connected(e, now_ns);

	return quorum_phase1(e->settings->quorum, members) &&
		quorum_phase2(e->settings->quorum, members);
}

static void tick_follower(struct election *e, uint64_t now_ns, struct election_output *out)
{
	uint64_t timeout = e->settings->election_timeout_ns;

	if (e->leader != ELECTION_NOBODY && !leader_alive(e, now_ns)) {
		e->leader = ELECTION_NOBODY;
		e->stand_ns = now_ns + random_below(e, timeout / 4 + 1);
	}
	if (e->leader != ELECTION_NOBODY || now_ns < e->stand_ns)
		return;
	if (e->stand_ns == 0) { /* The first time: by id, so that a fresh cluster does not duel. */
		uint64_t heartbeat = e->settings->heartbeat_ns;

		e->stand_ns = now_ns + 1 + (1 + 2 * e->settings->self) * heartbeat +
			random_below(e, heartbeat + 1);
		return;
	}
	if (!may_stand(e, now_ns))
		return;
	e->state = ELECTION_PREVOTING;
	e->ballot = ballot_make(ballot_round(e->highest) + 1, e->settings->self);
	e->grants = 1u << e->settings->self;
	e->grants_delivered = 0;
	e->grants_from = e->settings->self;
	e->phase_ns = now_ns + timeout / 2;
	out->prevote = true;
}

static void tick_prevoting(struct election *e, uint64_t now_ns, uint64_t delivered,
	struct election_output *out)
{
	if ((leader_alive(e, now_ns) && !e->consented) || now_ns >= e->phase_ns) {
		back_off(e, now_ns);
		return;
	}
	if (!quorum_phase1(e->settings->quorum, e->grants))
		return;
	if (delivered < e->grants_delivered) {
		out->catch_up = true;
		return;
	}
	e->state = ELECTION_CANDIDATE;
	e->consented = false;
	e->highest = e->ballot;
	e->phase_ns = now_ns + e->settings->election_timeout_ns;
	out->stand = true;
}

static void tick_leader(struct election *e, uint64_t now_ns, bool in_flight,
	struct election_output *out)
{
	if (!in_flight)
		e->progress_ns = now_ns;
	if (!quorum_phase2(e->settings->quorum, connected(e, now_ns)) ||
		now_ns > e->progress_ns + e->settings->progress_timeout_ns)
		out->step_down = true;
}

struct election_output election_on_tick(struct election *e, uint64_t now_ns, uint64_t delivered,
	bool in_flight)
{
	struct election_output out = {0};

	discount_stall(e, now_ns);
	if (now_ns >= e->heartbeat_ns) {
		e->heartbeat_ns = now_ns + e->settings->heartbeat_ns;
		out.heartbeat = true;
	}
	switch (e->state) {
	case ELECTION_FOLLOWER:
		tick_follower(e, now_ns, &out);
		break;
	case ELECTION_PREVOTING:
		tick_prevoting(e, now_ns, delivered, &out);
		break;
	case ELECTION_CANDIDATE:
		out.step_down = now_ns >= e->phase_ns;
		break;
	case ELECTION_LEADER:
		tick_leader(e, now_ns, in_flight, &out);
		break;
	}
	return out;
}

/* No honest node is that far ahead: one wrong number would use up the rounds for everybody. */
static bool from_nowhere(const struct election *e, uint64_t ballot)
{
	return ballot_round(ballot) > ballot_round(e->highest) + BALLOT_ROUND_JUMP;
}

bool election_saw(struct election *e, uint64_t ballot)
{
	if (from_nowhere(e, ballot))
		return false;
	if (ballot > e->highest)
		e->highest = ballot;
	return e->state >= ELECTION_CANDIDATE && ballot > e->ballot;
}

bool election_on_heartbeat(struct election *e, const struct message *m, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	e->heard_ns[m->sender] = now_ns;
	e->echoes[m->sender] = m->echo;
	bool nowhere = from_nowhere(e, m->ballot);
	bool lost = election_saw(e, m->ballot);

	if (nowhere || (m->flags & HEARTBEAT_LEADS) == 0 || m->ballot < e->leader_ballot)
		return lost;
	e->leader = m->sender;
	e->leader_ballot = m->ballot;
	e->leader_heard_ns = now_ns;
	return lost;
}

bool election_on_prevote(struct election *e, const struct message *m, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	bool promised =
		e->promised_ns != 0 && now_ns < e->promised_ns + e->settings->election_timeout_ns;

	return e->state <= ELECTION_PREVOTING && !leader_alive(e, now_ns) && !promised &&
		m->ballot > e->highest && !from_nowhere(e, m->ballot);
}

void election_on_prevoted(struct election *e, const struct message *m)
{
	if (e->state != ELECTION_PREVOTING || m->ballot != e->ballot ||
		m->flags != PREVOTED_GRANTED)
		return;
	e->grants |= 1u << m->sender;
	if (m->first > e->grants_delivered) {
		e->grants_delivered = m->first;
		e->grants_from = m->sender;
	}
}

void election_on_timeout_now(struct election *e, const struct message *m, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	if (e->state != ELECTION_FOLLOWER || m->sender != e->leader ||
		m->ballot != e->leader_ballot || !may_stand(e, now_ns))
		return;

	/* Nothing below can fail. */
	e->state = ELECTION_PREVOTING;
	e->consented = true;
	e->ballot = ballot_make(ballot_round(e->highest) + 1, e->settings->self);
	e->grants = (1u << e->settings->members) - 1;
	e->grants_delivered = m->first;
	e->grants_from = m->sender;
	e->phase_ns = now_ns + e->settings->election_timeout_ns / 2;
}

bool election_on_promised(struct election *e, uint64_t ballot, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	e->promised_ns = now_ns;
	return election_saw(e, ballot);
}

void election_won(struct election *e, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	e->state = ELECTION_LEADER;
	e->leader = e->settings->self;
	e->leader_ballot = e->ballot;
	e->leader_heard_ns = now_ns;
	e->progress_ns = now_ns;
	e->heartbeat_ns = now_ns;
}

void election_lost(struct election *e, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	if (e->leader == e->settings->self)
		e->leader = ELECTION_NOBODY;
	back_off(e, now_ns);
}

void election_progress(struct election *e, uint64_t now_ns)
{
	discount_stall(e, now_ns);
	e->progress_ns = now_ns;
}
