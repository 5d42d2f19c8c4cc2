/*
 * client.h - the client half: sessions, windows, retries, and who leads.
 *
 * Owns:    the sessions of one endpoint, in memory given by the caller.
 * Never:   has sequences s and t >= s + SESSION_WINDOW of a session outstanding; gives up on a
 *          command, or sends it under another sequence.
 * Upholds: K1  a command is reported done once, with the reply to its own sequence.
 *          K2  no member that is silent, or only refuses, is asked for ever: the others are too.
 *          K3  who only reads opens no session: its ids are made up, and no instance's.
 *          K4  each opening of a session has a nonce of its own: an answer to an earlier one, whose
 *              session was used, opens nothing.
 * Proofs:  tests/unit/test_client.c, test_client_retries.c, test_client_reads.c; tests/sim.
 *
 * A value is made by the caller when the command is first sent and made again, the same, for each
 * retry: (session index, sequence) name it.
 */
#ifndef CONSENSUS_CLIENT_H
#define CONSENSUS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/limits.h"
#include "consensus/message.h"

/* How a command that changes nothing may go. */
enum read_mode {
	READ_LOG,    /* As any command. */
	READ_LEADER, /* Linearizable, by the leader's round. */
	READ_ANY,    /* Linearizable, by any member's round. */
	READ_STALE,  /* What any member has applied: `reflects` tells how far that is. */
};

static inline const char *read_mode_text(enum read_mode mode)
{
	static const char *const texts[] = {"log", "leader", "any", "stale"};

	return texts[mode];
}

/* Flags of a request whose commands are read so. */
static inline uint8_t read_flags(enum read_mode mode)
{
	return mode == READ_LEADER   ? FLAG_READ
		: mode == READ_ANY   ? FLAG_READ_ANY
		: mode == READ_STALE ? FLAG_READ_STALE
				     : 0;
}

struct client_settings {
	uint32_t members;
	uint32_t window;   /* Commands outstanding of a session: 1..SESSION_WINDOW. */
	uint32_t body_max; /* Bytes of a request's body. */
	uint32_t batch;    /* Commands of one request frame at most. */
	uint64_t retry_ns; /* First timeout; doubles up to 16 times, with jitter. */
	uint64_t seed;
	enum read_mode
		reads;      /* READ_LOG: commands, and what `value` calls a read. Else all are reads
				 of this kind, go to client_reader, and open no session. */
	uint32_t value_max; /* Bytes of a value at most. */
	/* Writes a command's value (value_max bytes of room); returns its length, plus CLIENT_READ for
	 * what is to go as a read: see client_split. */
	uint32_t (*value)(void *context, uint32_t session, uint64_t sequence, uint8_t *value);
	/* Bytes that `value` will write; NULL: value_max at most. A short command may then share a
	 * body with others though a long one would not. */
	uint32_t (*length)(void *context, uint32_t session, uint64_t sequence);
	/* A command is done. */
	void (*done)(void *context, uint32_t session, uint64_t id, uint64_t sequence,
		const struct reply *reply, uint64_t sent_ns);
	/* The service forgot the session, and what became of this command nobody will say. NULL: as
	 * many others are wanted instead. */
	void (*expired)(void *context, uint32_t session, uint64_t sequence);
	void *context;
};

struct client_command {
	uint64_t sent_ns;  /* First sent (or intended). */
	uint64_t retry_ns; /* When to send again. */
};

struct client_session {
	uint64_t id;   /* Given by the service; closed: CLIENT_CLOSED and its opening's number. */
	uint64_t next; /* Sequence of the next command. */
	uint64_t base; /* Oldest outstanding sequence (== next: none). */
	uint32_t allowed;    /* Commands that the load still wants of it now. */
	uint8_t outstanding; /* Bit k: base + k is not answered. */
	uint8_t tries;
	bool queued;                                    /* In the ready ring. */
	struct client_command commands[SESSION_WINDOW]; /* By sequence % SESSION_WINDOW. */
};

#define CLIENT_CLOSED (1ull << 63) /* No instance comes so far; up to INSTANCE_TOP. */
#define CLIENT_READERS_MAX 16384u
#define CLIENT_SWEEP_SESSIONS 256u /* Looked at for a timeout in one call. */
#define CLIENT_READ 0x80000000u

struct client_counters {
	uint64_t sent;
	uint64_t done;
	uint64_t retries;
	uint64_t busy;
	uint64_t redirects;
	uint64_t late;    /* Replies to what was answered before, or that no honest member sends. */
	uint64_t expired; /* Sessions that the service no longer knew: opened again. */
};

struct client {
	struct client_settings settings;
	uint32_t count;    /* Sessions. */
	uint32_t leader;   /* Member to send to. */
	uint32_t doubt;    /* Rounds of retries since a command was done, silent ones weigh more. */
	uint32_t asked;    /* Member whose turn it was, while the leader is in doubt. */
	bool moved;        /* The leader is another one, and has done no command yet. */
	bool refused;      /* In this round the leader answered, though with a refusal. */
	bool named;        /* While in doubt: a redirect named `leader`, which is asked next; */
	bool followed;     /* so it was with the one asked last. */
	uint64_t round_ns; /* When the last round began; in doubt: when the next may. */
	uint32_t reader;   /* Member that the last read for any member went to. */
	uint64_t asked_ns[MEMBER_MAX]; /* First read to it since it last answered; 0: none. */
	uint64_t reflects; /* While `done` is told of a stale read: all below is in it; else 0. */
	uint64_t nonce;    /* Of the client, in each opening's: another one's are not ours. */
	uint64_t openings; /* The number of the last one. */
	uint64_t random;
	uint32_t outstanding; /* Commands and opens, all sessions together. */
	uint32_t opened;

	uint32_t ready_head, ready_count; /* Ring of session indices that may send. */
	uint32_t *ready;
	uint32_t sweep;                     /* Next session looked at for a timeout. */
	uint64_t reads[RUN_COUNT_MAX / 64]; /* Of the body last filled: which entries are reads. */

	uint32_t *index; /* Session index + 1 by id, open addressing; 2^index_bits slots. */
	uint32_t index_bits;
	struct client_session *sessions;
	struct client_counters counters;
};

static inline bool client_closed(const struct client_session *s)
{
	return s->id >= CLIENT_CLOSED && s->id < INSTANCE_TOP;
}

/* Bytes of memory that client_init needs for `sessions` sessions. */
uint64_t client_bytes(uint32_t sessions);

/* `memory`: aligned to 64. Every session starts closed, and opens by itself, but those of a client that
 * only reads, which has CLIENT_READERS_MAX at most. */
void client_init(struct client *c, const struct client_settings *settings, uint32_t sessions,
	void *memory);

/* The load wants `commands` more of this session (closed loop: one for each done). */
void client_want(struct client *c, uint32_t session, uint32_t commands);

/* Fills one request body: up to `batch` commands that are ready. Returns their count (0: nothing
 * to send); *bytes is the body's length. Send it to member c->leader. */
uint32_t client_fill(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns);

/* Fills one body with what stood too long without an answer; one command at a time while nobody
 * knows who leads, to each member in turn. Count and receiver as above. */
uint32_t client_fill_retries(struct client *c, uint8_t *body, uint32_t *bytes, uint64_t now_ns);

/* Where a request of reads of this kind goes: the leader, or each member in its turn. Who was asked
 * and does not answer within a timeout is passed over, but for one read in a timeout. */
uint32_t client_reader(struct client *c, enum read_mode mode, uint64_t now_ns);

/* Moves the reads of the body just filled with `count` entries to another one, which goes in a frame
 * of its own with FLAG_READ. Returns how many went; what stays moves up. */
uint32_t client_split(const struct client *c, uint8_t *body, uint32_t count, uint32_t *bytes,
	uint8_t *reads, uint32_t *reads_bytes);

/* A REPLY that message_decode accepted. */
void client_on_reply(struct client *c, const struct message *m, const uint8_t *body,
	uint64_t now_ns);

#endif
