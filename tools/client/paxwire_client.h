/*
 * paxwire_client.h - a client of a paxwire cluster, over the kernel's UDP sockets.
 *
 * Owns:    a socket, sessions at the cluster from the first command on, and one thread that sends,
 *          hears and retries.
 * Never:   needs DPDK or root; gives up on a command that was sent, or sends it under another
 *          sequence: it runs at most once, whatever is lost or repeated on the way.
 * Upholds: each command that was taken is reported once: by its callback, or to its future.
 * Proofs:  tests/unit/test_client_library.c, test_client_library_reads.c, test_client_losses.c,
 *          test_client_room.c, also under TSan; tests/unit/test_client_open.c.
 *
 * Threads: every function may be called from any thread, and several threads may share a client,
 *          but for paxwire_close: it is the last call, and not from a callback. A future is waited
 *          for and released by one thread at a time. Callbacks run on the client's own thread, one
 *          after the other: they may submit, and must not wait, block or close.
 * Order:   commands that are outstanding together may run in any order. Who needs an order waits for
 *          the answer before submitting the next.
 * Memory:  all is taken by paxwire_open. A command's bytes are copied when it is submitted.
 * Numbers: bytes, milliseconds and microseconds as the names say; key and version are 64 bits.
 *
 * Link with -lpaxwire_client -lcyaml -lisal -lpthread, or by pkg-config's paxwire_client.
 */
#ifndef PAXWIRE_CLIENT_H
#define PAXWIRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PAXWIRE_ERROR_MAX = 512,    /* Bytes that hold every sentence. */
	PAXWIRE_REPLICAS_MAX = 9,   /* Members of a cluster. */
	PAXWIRE_VALUE_MAX = 4095,   /* Bytes of an answer's value. */
	PAXWIRE_KV_HEAD_BYTES = 24, /* What a key-value command takes beside its value, at most. */
	PAXWIRE_OUTSTANDING_MAX = 16384,
};

/* How a command ended. What stands in brackets is what it says of its effect. */
enum paxwire_status {
	PAXWIRE_OK,        /* [It ran once.] */
	PAXWIRE_NOT_FOUND, /* [It ran.] The key is absent. */
	PAXWIRE_MISMATCH, /* [It ran, and changed nothing.] Compare-and-swap: result: the version. */
	PAXWIRE_FULL,     /* [It ran, and changed nothing.] The machine holds no more keys. */
	PAXWIRE_BAD_COMMAND, /* [It changed nothing.] The machine does not know such a command. */
	PAXWIRE_TOO_LARGE,   /* [It did not run.] Longer than paxwire_command_max. */
	PAXWIRE_BUSY,    /* [It did not run, and will not.] Too many are outstanding here; or it was
	                        not sent before its time was over; or it was a read, which has no
	                        effect, and got no answer in its time. */
	PAXWIRE_STALE,   /* [Unknown.] The cluster has counted past its sequence. */
	PAXWIRE_EXPIRED, /* [Unknown.] The cluster forgot our session while it was outstanding. */
	PAXWIRE_UNKNOWN, /* [Unknown.] It was sent and got no answer in its time: it may have run,
	                        and may still run later, but once at most. */
	PAXWIRE_CLOSED,  /* [Unknown.] paxwire_close came before the answer. */
};

/* A short text, such as "not found". Never NULL. */
const char *paxwire_status_text(enum paxwire_status status);

/* The protocol's `busy`, `redirect` and `unknown` speak of one copy of a command: the client hears
 * them, counts them, and sends the command again, to whom a redirect names. */
struct paxwire_counters {
	uint64_t submitted; /* Commands taken. */
	uint64_t reported;
	uint64_t frames;    /* Sent. */
	uint64_t commands;  /* In those, without those sent again. */
	uint64_t retries;   /* Commands sent again. */
	uint64_t busy;      /* Copies that the cluster did not take. */
	uint64_t redirects; /* Copies that came to another than the leader. */
	uint64_t expired;   /* Sessions that the cluster forgot. */
	uint64_t late;      /* Answers to what was answered before. */
	uint64_t strange;   /* Datagrams that were none of this cluster's, or broken. */
	uint64_t unsent;    /* Frames that the kernel did not take. */
	uint32_t leader;    /* Member that is asked now. */
	uint32_t sessions;  /* Open. */
};

struct paxwire_options {
	/* The cluster: its file; or, if that is NULL, the fields below it. */
	const char *config;
	const char *const *replicas; /* IPv4 addresses, in the order of the members' ids. */
	uint32_t replicas_count;     /* 1 to PAXWIRE_REPLICAS_MAX. */
	uint32_t cluster_id;
	uint32_t mtu;      /* Bytes of an IP packet; 576 to 9000. (1500) */
	uint16_t udp_port; /* Of every replica. (7400) */

	const char *address;      /* Our own IPv4 address; NULL: the kernel chooses. */
	uint32_t outstanding_max; /* Commands submitted and not reported. (64) */
	uint32_t batch_max;       /* Commands in a frame; 0: what fits. (0) */
	uint32_t retry_us;        /* Without an answer: send again; later after longer. (20000) */
	uint32_t timeout_ms;      /* Of a command, until it is reported; 0: none. (10000) */
};

/* The defaults, as above; no cluster. */
void paxwire_options_init(struct paxwire_options *options);

struct paxwire_client;
struct paxwire_future;

/* A client whose sessions open by themselves with the first command: whether the cluster answers shows
 * with what is submitted first. NULL: `error` holds one sentence that says what is wrong and what would be right. */
struct paxwire_client *paxwire_open(const struct paxwire_options *options, char *error,
	size_t size);

/* Reports what is outstanding as PAXWIRE_CLOSED and takes all down. Futures end with it. */
void paxwire_close(struct paxwire_client *client);

/* Bytes of a command at most: what a frame of the cluster's MTU carries. */
uint32_t paxwire_command_max(const struct paxwire_client *client);

/* A command goes through the log, in a session, and its answer is `result` alone: the session keeps no
 * value, so a command that only asks is better a read. A read changes nothing, does not go through
 * the log, and needs no session. Sent again, it may run again, and answers with the later state. */
enum paxwire_kind {
	PAXWIRE_COMMAND,
	PAXWIRE_READ,     /* Linearizable: by the leader, once a quorum confirmed that it leads. */
	PAXWIRE_READ_ANY, /* Linearizable: by one member after the other, once it has applied what a
			       quorum has voted for. Spreads reads, at the cost of a longer wait. */
	PAXWIRE_READ_STALE, /* Not linearizable: what one member has applied, at once. Later reads may
			       answer with an earlier state: `reflects` tells which. */
};

struct paxwire_answer {
	enum paxwire_status status;
	uint64_t result; /* What the machine says: of the key-value machine, a version. */
	const void
		*value; /* A read's; valid during the callback, or until the future is released. */
	uint32_t bytes; /* Of the value. */
	uint64_t reflects; /* PAXWIRE_READ_STALE: every command at an instance below this one is in
			      it, and none from there on. Else 0. */
};

/* Submits a command; what is submitted together shares frames. PAXWIRE_OK: it is taken, and `done` will be called once.
 * Else it is not, and nothing will be called: PAXWIRE_BUSY, PAXWIRE_TOO_LARGE or
 * PAXWIRE_CLOSED. */
enum paxwire_status paxwire_submit(struct paxwire_client *client, enum paxwire_kind kind,
	const void *command, uint32_t bytes,
	void (*done)(void *context, const struct paxwire_answer *answer), void *context);

/* The same with a future, which counts as outstanding until it is released. NULL: as above, *status
 * says why. */
struct paxwire_future *paxwire_submit_future(struct paxwire_client *client, enum paxwire_kind kind,
	const void *command, uint32_t bytes, enum paxwire_status *status);

/* Waits for the answer; timeout_ms 0 only looks, UINT32_MAX waits without end. False: none yet. */
bool paxwire_wait(struct paxwire_future *future, uint32_t timeout_ms,
	struct paxwire_answer *answer);

/* The future is the caller's no more. Its command, if it is still outstanding, goes on. */
void paxwire_release(struct paxwire_future *future);

void paxwire_count(struct paxwire_client *client, struct paxwire_counters *counters);

/* Commands of the key-value machine (`state_machine: kv`). Each writes a command of
 * PAXWIRE_KV_HEAD_BYTES and the value's bytes at most, and returns its length. Their answers:
 * get     OK: result: the version, and the value; NOT_FOUND.   Submit it as a read.
 * put     OK: result: the new version; FULL.
 * delete  OK; NOT_FOUND.
 * cas     as put if the key's version is `expected` (0: the key is absent); else MISMATCH. */
uint32_t paxwire_kv_get(void *command, uint64_t key);
uint32_t paxwire_kv_put(void *command, uint64_t key, const void *value, uint32_t bytes);
uint32_t paxwire_kv_delete(void *command, uint64_t key);
uint32_t paxwire_kv_cas(void *command, uint64_t key, uint64_t expected, const void *value,
	uint32_t bytes);

#ifdef __cplusplus
}
#endif

#endif
