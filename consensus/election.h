/*
 * election.h - who leads: heartbeats, pre-votes, and the only timer that outbids.
 *
 * Owns:    what this node hears of the others, its own standing, its timers.
 * Never:   decides safety: any two candidates at once are safe, only slow.
 * Upholds: E1  a leader's heartbeat counts only once its ballot's no-op is chosen.
 *          E2  who is not connected, in both directions, to a phase-1 and a phase-2 quorum does
 *              not stand; a leader that is not steps down.
 *          E3  a voter that hears a leader, or promised within the timeout, supports nobody.
 *          E4  silence while this node itself was stalled is not held against anyone.
 *          E5  who stands without a pre-vote was told so by the leader that it hears, at that one's
 *              ballot, and has delivered all that was chosen there.
 * Proofs:  tests/unit/test_election.c, test_election_transfer.c; tests/sim.
 *          (Ongaro, Consensus, 9.6: pre-vote.)
 */
#ifndef CONSENSUS_ELECTION_H
#define CONSENSUS_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/message.h"
#include "consensus/replica.h"

enum election_state {
	ELECTION_FOLLOWER,
	ELECTION_PREVOTING,
	ELECTION_CANDIDATE, /* The proposer is in phase 1, or its no-op is not chosen yet. */
	ELECTION_LEADER,
};

enum {
	ELECTION_NOBODY = 0xff
};

struct election {
	const struct replica_settings *settings;
	enum election_state state;
	uint64_t random;
	uint64_t highest; /* Highest ballot seen anywhere. */
	uint64_t leader_ballot;
	uint64_t leader_heard_ns;
	uint32_t leader;               /* Member id, or ELECTION_NOBODY. */
	uint64_t heard_ns[MEMBER_MAX]; /* 0: never. */
	uint32_t echoes[MEMBER_MAX];   /* Whom each one hears. */
	uint64_t promised_ns;          /* When this node last promised to another; 0: never. */
	uint64_t awake_ns;             /* When this node last had a turn; 0: never. */
	uint64_t heartbeat_ns;         /* Next one due. */
	uint64_t stand_ns;             /* Not standing before this. */
	uint64_t phase_ns;             /* The pre-vote or the candidacy ends without success. */
	uint64_t progress_ns; /* Leader: when a run was last chosen, or none was in flight. */
	uint64_t ballot;      /* The one asked for, or held. */
	bool consented;       /* The leader itself wants us to stand. */
	uint32_t grants;
	uint64_t grants_delivered; /* Highest delivered index among the grants. */
	uint32_t grants_from;      /* Who has it. */
};

/* What the caller must do after a tick. */
struct election_output {
	bool heartbeat; /* Send one to all others. */
	bool prevote;   /* Ask all others, for `ballot`. */
	bool catch_up;  /* First deliver up to grants_delivered, from grants_from. */
	bool stand;     /* Start phase 1 at `ballot`. */
	bool step_down;
};

void election_init(struct election *e, const struct replica_settings *settings);

/* now_ns > 0. `delivered`: this node's; `in_flight`: runs proposed and not chosen. */
struct election_output election_on_tick(struct election *e, uint64_t now_ns, uint64_t delivered,
	bool in_flight);

/* No honest node is that far ahead: one wrong number would use up the rounds for everybody. */
bool election_nowhere(const struct election *e, uint64_t ballot);

/* True: this node must step down, for a higher ballot leads. */
bool election_on_heartbeat(struct election *e, const struct message *m, uint64_t now_ns);

/* Is the pre-vote supported? */
bool election_on_prevote(struct election *e, const struct message *m, uint64_t now_ns);
void election_on_prevoted(struct election *e, const struct message *m);

/* The leader wants this node to lead: it stands as if all had granted its pre-vote. */
void election_on_timeout_now(struct election *e, const struct message *m, uint64_t now_ns);

/* This node's acceptor promised another's ballot. True: step down. */
bool election_on_promised(struct election *e, uint64_t ballot, uint64_t now_ns);

/* Any evidence of a ballot. True: it is above the one we hold: step down. */
bool election_saw(struct election *e, uint64_t ballot);

/* The candidate's no-op is chosen. */
void election_won(struct election *e, uint64_t now_ns);

/* Stepped down: sits out one backoff. */
void election_lost(struct election *e, uint64_t now_ns);

/* A run was chosen. */
void election_progress(struct election *e, uint64_t now_ns);

/* Bitmask of the members heard within the timeout, with ourselves. */
uint32_t election_heard(const struct election *e, uint64_t now_ns);

#endif
