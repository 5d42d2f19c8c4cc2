/*
 * telemetry.h - a process's replicas as DPDK's telemetry socket shows them.
 *
 * /paxwire/status,ID    who leads, how far it is, what it waits for
 * /paxwire/stages,ID    per stage: busy and idle cycles and turns, frames a turn, ring occupancy
 * /paxwire/drops,ID     frames that came to nothing, by reason
 * /paxwire/tunables,ID  all of them; /paxwire/tunables,ID,NAME,VALUE sets one
 * /paxwire/routes,ID    where the members are; /paxwire/routes,ID,MEMBER,ADDRESS,MAC moves one
 * /paxwire/digests,ID   the hash of what was executed, at the last checkpoints
 * /paxwire/heap,ID      jemalloc's figures, and what the lcores took from it while polling
 *
 * Owns:    the one list of replicas of this process. It runs in DPDK's telemetry thread, which is
 *          control: it reads what stages count (relaxed), and changes only what live.h publishes.
 */
#ifndef DATAPLANE_TELEMETRY_H
#define DATAPLANE_TELEMETRY_H

#include "dataplane/lcore.h"
#include "dataplane/replica.h"

struct telemetry_subject {
	struct replica *replicas;
	uint32_t replicas_count;
	struct lcore *lcores; /* All that poll stages of these replicas. */
	uint32_t lcores_count;
	const struct config *config;
};

/* Once a process; the subject stays until its end. */
void telemetry_serve(const struct telemetry_subject *subject);

#endif
