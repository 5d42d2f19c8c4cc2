#include "consensus/model/election.h"

#include <stdio.h>
#include <string.h>

struct world world;
uint8_t model_key[KEY_BYTES];

static struct replica_settings settings[NODES];
static struct quorum quorum;
static uint64_t lots[LOTS];
static const char *broken;

static void check_that(bool holds, const char *name)
{
	if (!holds && broken == NULL)
		broken = name;
}

/* ---- Lots ---- */

/* As election.c draws: a state after which the next draw is `wanted`, of any number up to three. */
static uint64_t lot_state(uint64_t wanted)
{
	for (uint64_t seed = 1;; seed++) {
		uint64_t r = seed;

		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		if (r % 6 == wanted)
			return seed;
	}
}

/* ---- Links ---- */

enum {
	GRAPH_ALL,
	GRAPH_WITHOUT, /* Node n neither hears nor is heard. */
	GRAPH_CHAIN =
		GRAPH_WITHOUT + NODES,    /* All others hear node n, and it them; not each other. */
	GRAPH_MUTE = GRAPH_CHAIN + NODES, /* Node n is not heard. */
	GRAPH_DEAF = GRAPH_MUTE + NODES,  /* Node n hears nobody. */
	GRAPH_NONE = GRAPH_DEAF + NODES,
	GRAPHS,
};

static bool linked(uint32_t from, uint32_t to)
{
	uint32_t kind = world.graph;

	if (kind == GRAPH_ALL || from == to)
		return true;
	if (kind < GRAPH_CHAIN)
		return from != kind - GRAPH_WITHOUT && to != kind - GRAPH_WITHOUT;
	if (kind < GRAPH_MUTE)
		return from == kind - GRAPH_CHAIN || to == kind - GRAPH_CHAIN;
	if (kind < GRAPH_DEAF)
		return from != kind - GRAPH_MUTE;
	if (kind < GRAPH_NONE)
		return to != kind - GRAPH_DEAF;
	return false;
}

/* Both ways. */
static uint32_t connected(uint32_t node)
{
	uint32_t members = 0;

	for (uint32_t i = 0; i < NODES; i++)
		members |= linked(i, node) && linked(node, i) ? 1u << i : 0;
	return members;
}

/* The first that is connected to a majority, or NODES. */
static uint32_t eligible(void)
{
	uint32_t node = 0;

	while (node < NODES && !quorum_phase2(&quorum, connected(node)))
		node++;
	return node;
}

/* ---- What a node hears, by the model's own count ---- */

static uint8_t aged(uint8_t age)
{
	return age < 2 * TIMEOUT ? (uint8_t)(age + 1) : age;
}

/* A round without this node's turn does not count. */
static void age(struct node *n)
{
	for (uint32_t i = 0; i < NODES; i++)
		n->silent[i] = aged(n->silent[i]);
	n->leader_silent = aged(n->leader_silent);
	n->promise_age = aged(n->promise_age);
}

/* Who was heard within so many rounds, and said that it hears us. */
static uint32_t heard_within(uint32_t node, uint32_t rounds)
{
	const struct node *n = &world.nodes[node];
	uint32_t members = 1u << node;

	for (uint32_t i = 0; i < NODES; i++)
		members |= n->silent[i] < rounds && n->echoed[i] ? 1u << i : 0;
	return members;
}

/* A stall is discounted with the round in which it ends: one more may be taken for heard. */
static uint32_t heard_both_ways(uint32_t node)
{
	return heard_within(node, TIMEOUT + 1);
}

/* ---- What the leader stage does around the election ---- */

static void step_down(uint32_t node)
{
	struct node *n = &world.nodes[node];

	if (n->leads)
		n->leader_silent = 2 * TIMEOUT; /* It was the leader that it heard. */
	n->leads = false;
	if (n->election.state >= ELECTION_CANDIDATE)
		election_lost(&n->election, world.now);
}

static void send_heartbeat(uint32_t from)
{
	const struct node *n = &world.nodes[from];
	const struct message m = {
		.type = MESSAGE_HEARTBEAT,
		.flags = n->leads ? HEARTBEAT_LEADS : 0,
		.ballot = n->leads ? n->election.ballot : n->election.leader_ballot,
		.echo = election_heard(&n->election, world.now),
		.sender = (uint8_t)from,
	};

	for (uint32_t i = 0; i < NODES; i++) {
		struct node *to = &world.nodes[i];
		uint32_t leader = to->election.leader;

		if (i == from || !linked(from, i) || to->stalled > 0)
			continue;
		to->silent[from] = 0;
		to->echoed[from] = m.echo >> i & 1;
		if (election_on_heartbeat(&to->election, &m, world.now))
			step_down(i);
		check_that(n->leads || to->election.leader == leader ||
				to->election.leader == ELECTION_NOBODY,
			"E1");
		if (n->leads && to->election.leader == from)
			to->leader_silent = 0;
	}
}

static void ask_prevotes(uint32_t from)
{
	struct node *n = &world.nodes[from];
	const struct message m = {
		.type = MESSAGE_PREVOTE,
		.ballot = n->election.ballot,
		.sender = (uint8_t)from,
	};

	check_that(quorum_phase1(&quorum, heard_both_ways(from)) &&
			quorum_phase2(&quorum, heard_both_ways(from)),
		"E2");
	for (uint32_t i = 0; i < NODES; i++) {
		struct node *to = &world.nodes[i];
		struct message answer = {
			.type = MESSAGE_PREVOTED,
			.ballot = m.ballot,
			.sender = (uint8_t)i,
		};

		if (i == from || !linked(from, i) || to->stalled > 0)
			continue;
		answer.flags =
			election_on_prevote(&to->election, &m, world.now) ? PREVOTED_GRANTED : 0;
		check_that(answer.flags == 0 ||
				(to->leader_silent >= TIMEOUT && to->promise_age >= TIMEOUT),
			"E3");
		if (linked(i, from))
			election_on_prevoted(&n->election, &answer);
	}
}

/* Phase 1 and the no-op of phase 2, with those who can be asked and answer now. */
static void run_phases(uint32_t from)
{
	struct node *n = &world.nodes[from];
	const uint64_t ballot = n->election.ballot;
	uint32_t votes = 0;

	for (uint32_t k = 0; k < NODES && n->election.state == ELECTION_CANDIDATE; k++) {
		uint32_t i = (from + k) % NODES; /* Its own acceptor first. */
		struct node *to = &world.nodes[i];

		if (!linked(from, i) || to->stalled > 0)
			continue;
		if (ballot >= to->promised) {
			to->promised = ballot;
			if (linked(i, from))
				votes |= 1u << i;
			if (i == from)
				continue;
			to->promise_age = 0;
			if (election_on_promised(&to->election, ballot, world.now))
				step_down(i);
		} else if (linked(i, from) && election_saw(&n->election, to->promised)) {
			step_down(from);
		}
	}
	if (n->election.state != ELECTION_CANDIDATE || !quorum_phase1(&quorum, votes) ||
		!quorum_phase2(&quorum, votes))
		return;
	check_that(ballot > n->won, "E: one leader a ballot");
	n->won = ballot;
	n->leads = true;
	election_won(&n->election, world.now);
}

static void tick(uint32_t node)
{
	struct node *n = &world.nodes[node];
	bool quorum_there = quorum_phase2(&quorum, connected(node));
	bool knew_leader = n->election.leader != ELECTION_NOBODY && n->leader_silent < TIMEOUT;

	bool led_quorum =
		n->leads && quorum_there && quorum_phase2(&quorum, heard_within(node, TIMEOUT));

	struct election_output out = election_on_tick(&n->election, world.now, 0, !quorum_there);

	check_that(!knew_leader || n->election.leader != ELECTION_NOBODY, "E4");
	check_that(!led_quorum || !out.step_down, "E4");
	check_that(out.step_down || n->election.state != ELECTION_LEADER ||
			quorum_phase2(&quorum, heard_both_ways(node)),
		"E2");
	if (out.step_down)
		step_down(node);
	if (out.heartbeat)
		send_heartbeat(node);
	if (out.prevote)
		ask_prevotes(node);
	if (out.stand) {
		check_that(n->election.ballot > n->stood && ballot_node(n->election.ballot) == node,
			"E: a ballot is taken once");
		n->stood = n->election.ballot;
	}
	if (n->election.state == ELECTION_CANDIDATE)
		run_phases(node);
	if (n->leads && quorum_there)
		election_progress(&n->election, world.now);
	/* We hear ourselves lead. */
	if (n->leads)
		n->leader_silent = 0;
}

/* ---- Events ---- */

enum {
	EVENT_TURN,                     /* With each lot. */
	EVENT_CALM = EVENT_TURN + LOTS, /* With the links as they are; then: with all links. */
	EVENT_GRAPH = EVENT_CALM + 2,
	EVENT_RESTART = EVENT_GRAPH + GRAPHS,
	EVENT_STALL = EVENT_RESTART + NODES,
	EVENT_TRANSFER = EVENT_STALL + NODES, /* The leader tells node n to stand. */
	EVENTS = EVENT_TRANSFER + NODES,
};
static_assert((int)EVENTS <= (int)MODEL_EVENTS, "the Promela offers so many");

static void begin(void)
{
	quorum_init_majority(&quorum, NODES);
	for (uint32_t i = 0; i < LOTS; i++)
		lots[i] = lot_state(i);
	for (uint32_t i = 0; i < NODES; i++) {
		struct node *n = &world.nodes[i];

		settings[i] = (struct replica_settings){
			.self = i,
			.members = NODES,
			.heartbeat_ns = 1,
			.election_timeout_ns = TIMEOUT,
			.progress_timeout_ns = TIMEOUT,
			.quorum = &quorum,
		};
		election_init(&n->election, &settings[i]);
		memset(n->silent, 2 * TIMEOUT, sizeof(n->silent));
		n->leader_silent = 2 * TIMEOUT;
		n->promise_age = 2 * TIMEOUT;
	}
	world.now = 1;
}

/* In the calm who can lead draws the shortest, the others the longest. */
static int lucky_lot(uint32_t node)
{
	return node == eligible() ? 0 : LOTS - 1;
}

static int leader_now(void)
{
	for (int i = 0; i < NODES; i++)
		if (world.nodes[i].leads)
			return i;
	return -1;
}

int model_enabled(int event)
{
	if (world.now == 0)
		begin();
	if (event >= EVENTS)
		return 0;
	if (event < EVENT_CALM)
		return world.calm == 0 || event - EVENT_TURN == lucky_lot(world.turn);
	if (world.calm != 0)
		return 0;
	if (event < EVENT_GRAPH)
		return 1;
	if (event >= EVENT_TRANSFER && (leader_now() < 0 || leader_now() == event - EVENT_TRANSFER))
		return 0;
	return world.faults < FAULTS;
}

static void end_round(void)
{
	world.now++;
	for (uint32_t i = 0; i < NODES; i++)
		if (world.nodes[i].stalled > 0)
			world.nodes[i].stalled--;
		else
			age(&world.nodes[i]);
}

static void take_turn(int lot)
{
	struct node *n = &world.nodes[world.turn];

	if (n->stalled == 0) {
		n->election.random = lots[lot];
		tick(world.turn);
	}
	world.turn = (uint8_t)((world.turn + 1) % NODES);
	if (world.turn == 0)
		end_round();
}

static void restart(uint32_t node)
{
	struct node *n = &world.nodes[node];

	n->leads = false;
	election_init(&n->election, &settings[node]);
	n->election.highest = n->promised;
	memset(n->silent, 2 * TIMEOUT, sizeof(n->silent));
	n->leader_silent = 2 * TIMEOUT;
	n->promise_age = 2 * TIMEOUT;
}

/* Nothing is in flight. (Who then leads is for the ballots to say.) */
static void transfer(uint32_t node)
{
	uint32_t leader = (uint32_t)leader_now();
	const struct message m = {
		.type = MESSAGE_TIMEOUT_NOW,
		.ballot = world.nodes[leader].election.ballot,
		.sender = (uint8_t)leader,
	};

	if (linked(leader, node) && world.nodes[node].stalled == 0)
		election_on_timeout_now(&world.nodes[node].election, &m, world.now);
}

static void fire(int event)
{
	if (event < EVENT_CALM) {
		take_turn(event - EVENT_TURN);
		return;
	}
	if (event < EVENT_GRAPH) {
		world.calm = 1;
		world.graph = event == EVENT_CALM ? world.graph : GRAPH_ALL;
		return;
	}
	world.faults++;
	if (event < EVENT_RESTART)
		world.graph = (uint8_t)(event - EVENT_GRAPH);
	else if (event < EVENT_STALL)
		restart((uint32_t)(event - EVENT_RESTART));
	else if (event < EVENT_TRANSFER)
		world.nodes[event - EVENT_STALL].stalled = TIMEOUT + 2;
	else
		transfer((uint32_t)(event - EVENT_TRANSFER));
}

/* ---- After each event ---- */

static void check_leaders(void)
{
	for (uint32_t a = 0; a < NODES; a++)
		for (uint32_t b = 0; b < a; b++)
			check_that(!world.nodes[a].leads || !world.nodes[b].leads ||
					world.nodes[a].election.ballot !=
						world.nodes[b].election.ballot,
				"E: one leader a ballot");
	for (uint32_t a = 0; a < NODES; a++)
		check_that(!world.nodes[a].leads ||
				(world.nodes[a].election.state == ELECTION_LEADER &&
					world.nodes[a].election.ballot == world.nodes[a].won),
			"E: one leader a ballot");
}

int model_good(void)
{
	return world.calm != 0 && eligible() < NODES;
}

int model_led(void)
{
	for (uint32_t a = 0; a < NODES; a++) {
		uint32_t followers = 1u << a;

		if (!world.nodes[a].leads || !quorum_phase2(&quorum, connected(a)))
			continue;
		for (uint32_t b = 0; b < NODES; b++)
			followers |= world.nodes[b].election.leader == a &&
					world.nodes[b].election.leader_ballot ==
						world.nodes[a].election.ballot
				? 1u << b
				: 0;
		if (quorum_phase2(&quorum, followers))
			return 1;
	}
	return 0;
}

/* ---- Key ---- */

static uint8_t *at;

/* A time from now on; what is long past, or never was, is alike. */
static void put_time(uint64_t t)
{
	const int64_t bound = 3 * TIMEOUT;
	int64_t ahead = (int64_t)(t - world.now);

	*at++ = (uint8_t)(t == 0         ? 255
			: ahead < -bound ? 0
			: ahead > bound  ? 2 * bound
					 : bound + ahead);
}

/* A ballot, from the highest one down: only how far they are apart matters, and only if it is
 * little. */
static void put_ballot(uint64_t ballot, uint64_t highest)
{
	uint64_t lag = ballot_round(highest) - ballot_round(ballot);

	*at++ = (uint8_t)(ballot == 0 ? 255 : (lag < 15 ? lag : 15) * 16 + ballot_node(ballot));
}

static void put_node(const struct node *n, uint64_t highest)
{
	const struct election *e = &n->election;

	*at++ = (uint8_t)(e->state * 4 + e->consented * 2 + n->leads);
	*at++ = (uint8_t)e->leader;
	*at++ = (uint8_t)(e->state == ELECTION_PREVOTING ? e->grants : 0);
	*at++ = n->stalled;
	put_ballot(e->highest, highest);
	put_ballot(e->leader_ballot, highest);
	put_ballot(e->ballot, highest);
	put_ballot(n->promised, highest);
	put_time(e->leader_heard_ns);
	put_time(e->promised_ns);
	put_time(e->awake_ns);
	put_time(e->heartbeat_ns);
	put_time(e->stand_ns);
	put_time(e->phase_ns);
	for (uint32_t i = 0; i < NODES; i++) {
		put_time(e->heard_ns[i]);
		*at++ = (uint8_t)e->echoes[i];
		*at++ = (uint8_t)(n->silent[i] * 2 + n->echoed[i]);
	}
	put_time(e->progress_ns);
	put_ballot(n->stood, highest);
	put_ballot(n->won, highest);
	*at++ = n->leader_silent;
	*at++ = n->promise_age;
}

static void make_key(void)
{
	uint64_t highest = 0;

	for (uint32_t i = 0; i < NODES; i++)
		highest = world.nodes[i].election.highest > highest
			? world.nodes[i].election.highest
			: highest;
	memset(model_key, 0, KEY_BYTES);
	at = model_key;
	*at++ = world.turn;
	*at++ = world.faults;
	*at++ = world.graph;
	*at++ = world.calm;
	for (uint32_t i = 0; i < NODES; i++)
		put_node(&world.nodes[i], highest);
}

/* ---- For a trail ---- */

static void tell_event(int event)
{
	static const char *const faults[] = {"links", "restart", "stall", "transfer"};
	static const int firsts[] = {EVENT_GRAPH, EVENT_RESTART, EVENT_STALL, EVENT_TRANSFER,
		EVENTS};
	uint32_t kind = 0;

	if (event < EVENT_CALM) {
		printf("round %llu: node %u, lot %d\n", (unsigned long long)world.now, world.turn,
			event);
		return;
	}
	if (event < EVENT_GRAPH) {
		printf(event == EVENT_CALM ? "calm\n" : "calm, with all links\n");
		return;
	}
	while (event >= firsts[kind + 1])
		kind++;
	printf("%s %d\n", faults[kind], event - firsts[kind]);
}

static void tell_nodes(void)
{
	static const char *const states[] = {"follower", "prevoting", "candidate", "leader"};

	for (uint32_t i = 0; i < NODES; i++) {
		const struct node *n = &world.nodes[i];
		const struct election *e = &n->election;

		printf("    node %u %-9s ballot %llu.%llu follows %d promised %llu.%llu grants %x\n",
			i, states[e->state], (unsigned long long)ballot_round(e->ballot),
			(unsigned long long)ballot_node(e->ballot),
			e->leader == ELECTION_NOBODY ? -1 : (int)e->leader,
			(unsigned long long)ballot_round(n->promised),
			(unsigned long long)ballot_node(n->promised), e->grants);
	}
}

void model_fire(int event)
{
	broken = NULL;
	if (TELL)
		tell_event(event);
	fire(event);
	check_leaders();
	make_key();
	if (TELL)
		tell_nodes();
	/* The lead has passed on. */
	if (WITNESS != 0)
		check_that(leader_now() < 0 ||
				ballot_round(world.nodes[leader_now()].election.ballot) < 2,
			"witness");
}

int model_holds(void)
{
	if (broken != NULL)
		printf("model: violated: %s\n", broken);
	return broken == NULL;
}
