/*
 * replica_transfer.h - the leader stage hands its lead to a member that it names: by command, or
 * because it commits too slowly. Inside the leader stage only; both files belong to one struct.
 *
 * First nothing new is taken, until all in flight is chosen and the target is near it; then the target
 * is told to stand at once, by our consent without a pre-vote (Ongaro, Consensus, 3.10). Its ballot
 * deposes us like any other: whatever goes wrong is a race of ballots, which is safe.
 *
 * Upholds: T1  from its begin on a transfer takes no command, until the lead is lost or, an election
 *              timeout after all in flight was chosen, taken up again.
 *          T2  the target is told to stand only when nothing is in flight here.
 * Proofs:  tests/unit/test_replica_transfer.c; tests/sim.
 */
#ifndef CONSENSUS_REPLICA_TRANSFER_H
#define CONSENSUS_REPLICA_TRANSFER_H

#include "consensus/replica_leader.h"

/* Begins a transfer if this leader is too slow. Before anything is sent again: what is looked at is
 * when a run was proposed. */
void leader_handover_tick(struct leader_stage *s, uint64_t now_ns);

/* The next step of a transfer. After the heartbeat, which tells the target what is chosen. */
void leader_transfer_tick(struct leader_stage *s, uint64_t now_ns);

#endif
