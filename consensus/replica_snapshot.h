/*
 * replica_snapshot.h - the learner stage's snapshots: cut and written while commits go on, served to
 * members that lag beyond the logs, received from others, installed. Inside the learner stage; what
 * control calls is at the end.
 *
 * Owns:    one image in memory: of the own state, or one that is received.
 * Never:   stops delivery to write one; changes the state before all of a received image is checked.
 * Upholds: SN2 an image is exact at one instance: whatever was saved stood so at the cut.
 *          SN3 an image is used for something else only when it is not needed: with a journal, when
 *              it is on the disk; and when nobody has asked for a chunk of it lately.
 *          SN4 with a journal, a received image is on the disk before the state is changed, so that a
 *              restart comes to there again.
 *          SN5 a member that finds itself beyond the logs again right after an image was installed
 *              asks the leader to wait, so that the next one is enough.
 *          SN6 of members that are all beyond the log of one that is down, the one that is ahead
 *              serves the others: who asked in vain takes any image ahead of it, and gives its own.
 * Proofs:  tests/unit/test_replica_snapshot.c, test_replica_snapshot_install.c; tests/sim. (Ongaro,
 *          Consensus, 5; the image is copied on write like a live migration's, not forked.)
 *
 *     none --cut--> cutting --all saved--> whole --> (served, kept)
 *       \--beyond the logs--> receiving --all there--> checking --> keeping --> clearing --> loading --> whole
 */
#ifndef CONSENSUS_REPLICA_SNAPSHOT_H
#define CONSENSUS_REPLICA_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/replica.h"
#include "consensus/snapshot.h"

enum {
	SNAPSHOT_CHUNKS_ASKED = 64, /* Chunks that one question asks for. */
	SNAPSHOT_ASKS_MAX = 16,     /* Questions without an answer, then another member is asked. */
	SNAPSHOT_LOADS_A_STEP = 64, /* Records. */
};

#define SNAPSHOT_LEASE_NS 1000000000ull /* An image that was asked for stays so long. */

enum snapshot_state {
	SNAPSHOT_NONE,
	SNAPSHOT_WHOLE,
	SNAPSHOT_CUTTING, /* From here on something is going on. */
	SNAPSHOT_RECEIVING,
	SNAPSHOT_CHECKING,
	SNAPSHOT_KEEPING,
	SNAPSHOT_CLEARING,
	SNAPSHOT_LOADING,
};

/* What is received. */
struct snapshot_receipt {
	uint32_t source;
	uint32_t asks; /* Without an answer. */
	uint64_t asked_ns;
	uint64_t least;    /* Instance that will do. */
	uint64_t instance; /* Of the image; 0: none is offered yet. */
	uint64_t chunk;    /* The first one of the stride that is asked for, */
	uint64_t have;     /* and a mask of which of its chunks are there. */
	uint64_t total;    /* Bytes of the image; 0: not known yet. */
};

struct snapshot_counters {
	uint64_t cut;       /* Begun, */
	uint64_t whole;     /* and ended. */
	uint64_t installed; /* Of others, */
	uint64_t restored;  /* and the own one, at the start. */
	uint64_t chunks_sent;
	uint64_t chunks_received;
	uint64_t damaged; /* Received, and refused by the check. */
	uint64_t silent;  /* Members that were asked in vain. */
};

struct learner_snapshots {
	enum snapshot_state state;
	struct snapshot image;
	struct snapshot_check check;
	uint64_t loaded;   /* Bytes of the image. */
	uint64_t lease_ns; /* Until then it may be asked for. */
	uint64_t begun;    /* Of `wanted`: as many were cut. */
	uint32_t attempts; /* Images installed since this member last had caught up. */
	uint64_t told_ns;  /* When leaders were last told (SN5). */
	struct snapshot_receipt receipt;
	struct snapshot_counters counters;

	/* Between this stage and control. */
	uint64_t wanted; /* Control's: how often one was asked for. */
	uint64_t
		whole; /* The stage's: the instance of a whole image that is to be kept; 0: none. */
	uint64_t kept; /* Control's: of the last one on the disk. */
};

struct learner_stage;

/* What is going on, for the operator. */
const char *learner_snapshot_text(enum snapshot_state state);

/* ---- The learner stage's own ---- */

void learner_snapshots_init(struct learner_snapshots *p);

/* Is the state being replaced? Then nothing is looked up in it. */
static inline bool learner_snapshot_replaces(const struct learner_snapshots *p)
{
	return p->state >= SNAPSHOT_CLEARING;
}

/* SNAPSHOT_ASKED, SNAPSHOT_PART. */
void learner_snapshot_on_asked(struct learner_stage *s, const struct message *m, uint64_t now_ns);
void learner_snapshot_on_part(struct learner_stage *s, const struct message *m, const uint8_t *body,
	uint64_t now_ns);

static inline bool learner_snapshot_busy(const struct learner_snapshots *p)
{
	return p->state >= SNAPSHOT_CUTTING;
}

/* A piece of what is going on. */
void learner_snapshot_step(struct learner_stage *s);

/* Timers; and what begins: an image that control wants, or one of others if the stage is beyond their
 * logs. */
void learner_snapshot_on_tick(struct learner_stage *s, uint64_t now_ns);

/* ---- Before the first message ---- */

/* Memory for an image: snapshot_bytes of it, aligned to 8. Without it there are no snapshots, and who
 * lags beyond the logs stands. */
void learner_stage_give_image(struct learner_stage *s, uint8_t *bytes, uint64_t size);

/* An image that was kept, `length` bytes in that memory: checked, and loaded. OK: the stage stands at
 * its instance. Else nothing has changed. */
enum snapshot_result learner_stage_load(struct learner_stage *s, uint64_t length);

/* ---- Control, on any thread ---- */

struct snapshot_view {
	uint64_t instance;
	const uint8_t *bytes;
	uint64_t length;
};

/* A whole image that is not kept yet; it stays as it is until learner_stage_kept. False: none. */
bool learner_stage_image(const struct learner_stage *s, struct snapshot_view *view);

/* That image is on the disk. */
void learner_stage_kept(struct learner_stage *s, uint64_t instance);

/* One is to be cut soon. */
void learner_stage_want_snapshot(struct learner_stage *s);

#endif
