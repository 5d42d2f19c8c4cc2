/*
 * message.h - every frame that replicas and clients exchange, and its codec.
 *
 * Owns:    the wire layout: one header, four kinds of body (entries, records, ranges, replies).
 * Never:   looks into a value; trusts a length before it is checked against the frame.
 * Upholds: W1  what decodes was sealed by message_encode: the tag covers the header, the header
 *              covers the body's checksum, the checksum covers the body.
 *          W2  every truncation and every single-bit flip is refused.
 *          W3  what decodes has the form of its type, and nothing beyond its length is read.
 *          W4  message_read reads each field from its own bytes: where message_encode wrote it.
 * Proofs:  contracts below, by Frama-C/WP (tools/run prove): W3, W4; tests/unit/test_message.c.
 *
 * Little-endian throughout. The body begins HEADER_BYTES after the header's first byte.
 */
#ifndef CONSENSUS_MESSAGE_H
#define CONSENSUS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "consensus/limits.h"

enum message_type {
	/* Between a client and a replica. */
	MESSAGE_REQUEST = 1, /* body: entries. echo: the client's own time stamp. One of FLAGS_READ:
	                        they are reads: of no session, not in the log; a reply repeats
	                        session and sequence. */
	MESSAGE_REPLY, /* body: replies. FLAG_READ_STALE: of stale reads, which reflect all below
	                  `watermark`, and nothing else. FLAG_READ_ANY: the sender does not lead. */

	/* Phase 1, leader <-> each acceptor shard. shard is set in all of them. */
	MESSAGE_PREPARE, /* ballot */
	MESSAGE_PROMISE, /* ballot; first: lo; watermark: high (one past the highest voted). */
	MESSAGE_PULL,    /* ballot; first: from; watermark: to, the stride's end. */
	MESSAGE_VOTES, /* ballot; first: from; watermark: to: covered [from, to). body: records, `count`
	                  of them. */

	/* Phase 2. */
	MESSAGE_ACCEPT,   /* ballot, first, count; watermark: all below at this ballot is chosen. */
	MESSAGE_ACCEPTED, /* ballot; body: ranges; watermark: the acceptor's delivered index. */
	MESSAGE_REFUSED,  /* ballot: the promised one; first, count: of what was refused;
	                     watermark: lo; flags: enum refusal. */

	/* Election. ballot: the sender's view of the leader's ballot. */
	MESSAGE_HEARTBEAT, /* first: known chosen index (delivered); echo: bitmask of members heard;
	                      flags: HEARTBEAT_LEADS. Of a leader, watermark: chosen without a hole
	                      at ballot; of another: what it has delivered and a crash leaves it. */
	MESSAGE_PREVOTE,   /* ballot: the one it would take. */
	MESSAGE_PREVOTED,  /* ballot: of the question; first: delivered index. flags: 1 granted. */

	/* Catch-up. */
	MESSAGE_FETCH,  /* first: from. To the acceptor shard of `first` at the member asked. */
	MESSAGE_CHOSEN, /* first: from; watermark: one past the last instance in it; body: records,
			   `count` of them. count 0: the value of `first` is gone; watermark: the
			   oldest instance held. */

	/* Identity. */
	MESSAGE_HELLO, /* ballot: the uuid that the sender holds for the receiver (0: none); first: the
			  hash of its configuration; echo: the receiver's life that this answers; body:
			  struct identity_disk of the sender. */

	/* Linearizable reads (leader's rule): round ballot, nonce in first. */
	MESSAGE_READ_ROUND,
	MESSAGE_READ_CONFIRM,
	/* At any member (quorum's rule): ballot: what the asker drew at its start, nonce in first. */
	MESSAGE_READ_PROBE,   /* To each acceptor shard. */
	MESSAGE_READ_REPORT,  /* watermark: one past the highest instance voted for, at least lo. */
	MESSAGE_READ_INDEX,   /* To the leader: a round of yours for what waits here. */
	MESSAGE_READ_INDEXED, /* watermark: what was chosen when it was asked. */

	/* Leadership transfer. ballot: the leader's; first: all below is chosen. To a member that is
	 * to stand at once, without a pre-vote. */
	MESSAGE_TIMEOUT_NOW,

	/* State transfer, to who lags beyond the logs. first: the image's instance. */
	MESSAGE_SNAPSHOT_ASK,   /* watermark: a chunk's number; ballot: mask of the 64 from there on
				   that are wanted. first 0: any image of at least `watermark`; its
				   first chunk. */
	MESSAGE_SNAPSHOT_CHUNK, /* watermark: the chunk's number; ballot: bytes of the whole image, 0:
				   not known yet; body: snapshot_chunk_bytes of it, the last less. */
	MESSAGE_INSTALLING,     /* To leaders: count me as one that is there. first: where I shall
				   stand. */
	MESSAGE_WIRE_END,

	/* Between stages of one node only; never decoded from a wire. */
	MESSAGE_DELIVERED = 64, /* learner -> acceptors, leader. first: delivered index; ballot,
				   watermark: the last ballot by whose watermark something was
				   delivered, and up to where. FLAG_INSTALLED: by a snapshot. */
	MESSAGE_RESEND,    /* leader -> acceptor: send the run {ballot, first, count} again from
	                           the log to the members in `echo` (bitmask). */
	MESSAGE_VOTED,     /* acceptor -> learner: we voted for, or hold as chosen (flag), this run;
	                      body: its entries. Otherwise as ACCEPT. */
	MESSAGE_WATERMARK, /* leader -> learner. ballot, watermark; first: known chosen index;
	                      sender: the member that leads. */
	MESSAGE_RECALL,    /* learner -> acceptor: hand me the run at `first` again from the log. */
	MESSAGE_RETRY,     /* leader -> learner: `count` bare entries: answer what was applied;
	                      from: client handle, which replaces the old one. */
	MESSAGE_LOST,      /* leader -> learner: `count` entries of admission_list that a lost
	                      leadership took: who was not answered hears `unknown`. */
	MESSAGE_READ,      /* leader -> learner: `count` reads, to be run once all below `first` is
	                      applied; body: entries, then a u16 client handle of each.
	                      FLAG_READ_STALE: to be run at once; body: entries, all of client
	                      `from`. */
	MESSAGE_CATCH_UP,  /* leader -> learner: fetch below `first` from member `sender`. */
	MESSAGE_ENROLLED,  /* leader -> acceptors: all members' uuids are pinned; body: MEMBER_MAX
			     u64. Nothing is voted before. */
	MESSAGE_GONE,      /* acceptor -> learner: member `sender` no longer holds the value of
			     `first`; watermark: the oldest instance that it holds. */
	MESSAGE_SNAPSHOT_ASKED, /* acceptor -> learner: SNAPSHOT_ASK of member `sender`, which is one. */
	MESSAGE_SNAPSHOT_PART, /* acceptor -> learner: SNAPSHOT_CHUNK, likewise. */
	MESSAGE_DURABLE, /* journal -> acceptor: its records up to position `first` are; watermark:
			     what every shard's durable records say is delivered. */
	MESSAGE_PINNED,  /* journal -> leader: its records up to position `first` are durable;
			     watermark: as MESSAGE_DURABLE's. */
	MESSAGE_DISK_FAILED, /* journal -> acceptors, leader: for good. */
};

enum {
	MESSAGE_MAGIC = 0x50,
	MESSAGE_VERSION = 1,
	MESSAGE_SENDER_CLIENT = 255,
	ENDPOINT_CLIENT_FIRST = 256, /* message.from: members below, client handles from here. */

	FLAG_NOOP = 1,        /* ACCEPT, VOTED: a no-op run: no entries, payload_len 0. */
	FLAG_CHOSEN = 2,      /* VOTED: known chosen, not only voted. */
	FLAG_READ = 4,        /* REQUEST: the entries are reads, for the leader, */
	FLAG_READ_ANY = 8,    /* for any member, */
	FLAG_READ_STALE = 16, /* for any member, of what it has applied by then. */
	FLAGS_READ = FLAG_READ | FLAG_READ_ANY | FLAG_READ_STALE,
	FLAG_INSTALLED = 32, /* DELIVERED */
	HEARTBEAT_LEADS = 1, /* The sender leads at `ballot`, whose no-op is chosen. */
	PREVOTED_GRANTED = 1,
};

enum refusal {
	REFUSAL_BALLOT = 1, /* promised is higher */
	REFUSAL_TRIMMED,    /* below lo */
	REFUSAL_BEHIND,     /* beyond the window, or the log is full */
	REFUSAL_CONFLICT,   /* same ballot, other run: alarmed */
	REFUSAL_UNKNOWN, /* what was promised or voted below `watermark` is lost to a damaged disk */
};

/* A decoded header in host order. Which fields mean what is with each type above. */
struct message {
	uint64_t ballot;
	uint64_t first;
	uint64_t watermark;
	uint64_t counter;
	uint64_t uuid;
	uint32_t cluster;
	uint32_t epoch;
	uint32_t checksum; /* crc32c of the body; 0 of an empty one. */
	uint32_t echo;
	uint32_t life;
	uint16_t count;
	uint16_t payload_len; /* Bytes of the body. */
	uint16_t shard;
	uint16_t from; /* Endpoint: set by io, not on the wire. */
	uint8_t type;
	uint8_t flags;
	bool checksum_known; /* On its way out: checksum is that of the body. Not on the wire. */
	uint8_t sender;      /* Member id, or MESSAGE_SENDER_CLIENT. */
};

/* The wire's header. Unaligned on purpose: it starts at byte 42 of an Ethernet frame. */
struct message_wire {
	uint8_t magic_version;
	uint8_t type;
	uint8_t flags;
	uint8_t sender;
	uint16_t count;
	uint64_t ballot;
	uint64_t first;
	uint64_t watermark;
	uint64_t counter;
	uint64_t uuid;
	uint32_t cluster;
	uint32_t epoch;
	uint16_t payload_len;
	uint16_t shard;
	uint32_t checksum;
	uint32_t echo;
	uint32_t life;
	uint8_t tag[16]; /* crc32c of the 70 bytes before, zero-extended; later a keyed MAC. */
} __attribute__((packed));

static_assert(offsetof(struct message_wire, count) == 4, "wire");
static_assert(offsetof(struct message_wire, ballot) == 6, "wire");
static_assert(offsetof(struct message_wire, first) == 14, "wire");
static_assert(offsetof(struct message_wire, watermark) == 22, "wire");
static_assert(offsetof(struct message_wire, counter) == 30, "wire");
static_assert(offsetof(struct message_wire, uuid) == 38, "wire");
static_assert(offsetof(struct message_wire, cluster) == 46, "wire");
static_assert(offsetof(struct message_wire, epoch) == 50, "wire");
static_assert(offsetof(struct message_wire, payload_len) == 54, "wire");
static_assert(offsetof(struct message_wire, shard) == 56, "wire");
static_assert(offsetof(struct message_wire, checksum) == 58, "wire");
static_assert(offsetof(struct message_wire, echo) == 62, "wire");
static_assert(offsetof(struct message_wire, life) == 66, "wire");
static_assert(offsetof(struct message_wire, tag) == 70, "wire");
static_assert(sizeof(struct message_wire) == HEADER_BYTES, "wire");

enum entry_kind {
	ENTRY_COMMAND,
	ENTRY_OPEN,
	ENTRY_NOOP,
	ENTRY_STOP
};

/* One command: its value follows, padded to 8 bytes. */
struct entry {
	uint64_t session;         /* ENTRY_OPEN: the client's nonce. */
	uint64_t sequence_length; /* sequence + (kind * 16384 + length) * 2^48. ENTRY_OPEN: the
	                             leader writes node * 65536 + client handle as the sequence. */
};
static_assert(sizeof(struct entry) == ENTRY_BYTES, "wire");

static inline uint64_t entry_sequence(const struct entry *e)
{
	return e->sequence_length % SEQUENCE_TOP;
}

static inline uint32_t entry_length(const struct entry *e)
{
	return (uint32_t)(e->sequence_length / SEQUENCE_TOP % 16384);
}

static inline enum entry_kind entry_kind(const struct entry *e)
{
	return (enum entry_kind)(e->sequence_length / SEQUENCE_TOP / 16384);
}

/*@ requires 0 <= kind < 4 && sequence < SEQUENCE_TOP && length < 16384;
    assigns \nothing; */
static inline uint64_t entry_pack(enum entry_kind kind, uint64_t sequence, uint32_t length)
{
	return sequence + ((uint64_t)kind * 16384 + length) * SEQUENCE_TOP;
}

/* Bytes that a value of this length takes in a body, with its entry. */
/*@ requires length < 16384;
    assigns \nothing;
    ensures \result == ENTRY_BYTES + (length + 7) / 8 * 8; */
static inline uint32_t entry_bytes(uint32_t length)
{
	return ENTRY_BYTES + (length + 7) / 8 * 8;
}

/*@ // Where the entries of a body end, as their lengths say.
  @ logic integer step_of{L}(uint8_t *entry) =
  @   ENTRY_BYTES + ((entry[14] + 256 * entry[15]) % 16384 + 7) / 8 * 8;
  @ logic integer entries_end{L}(uint8_t *body, integer count) =
  @   count <= 0 ? 0 :
  @     entries_end(body, count - 1) + step_of(body + entries_end(body, count - 1));
  @ predicate entries_in{L}(uint8_t *body, integer count, integer bytes) =
  @   \forall integer i; 0 <= i < count ==>
  @     0 <= entries_end(body, i) && entries_end(body, i) + ENTRY_BYTES <= bytes &&
  @     entries_end(body, i) + step_of(body + entries_end(body, i)) <= bytes;
  @ // Numbers as they stand on the wire.
  @ logic integer quarter_of{L}(uint8_t *at) = at[0] + 0x100 * at[1];
  @ logic integer half_of{L}(uint8_t *at) = quarter_of(at) + 0x10000 * quarter_of(at + 2);
  @ logic integer word_of{L}(uint8_t *at) = half_of(at) + 0x100000000 * half_of(at + 4);
  @*/

/* Bytes of the entry that begins here, which may be anywhere, with its value. */
/*@ requires \valid_read(entry + (0 .. ENTRY_BYTES - 1));
    assigns \nothing;
    ensures \result == step_of(entry) && ENTRY_BYTES <= \result <= ENTRY_BYTES + 16384; */
static inline uint32_t entry_step(const uint8_t *entry)
{
	struct entry e;

	memcpy(&e, entry, sizeof(e));
	return entry_bytes(entry_length(&e));
}

/* A piece of a log as VOTES, CHOSEN and the log itself carry it; entries follow. */
struct record {
	uint64_t ballot; /* 0: known chosen (decided), outranks any vote. */
	uint64_t first;
	uint32_t checksum; /* crc32c of the entries. */
	uint16_t count;
	uint16_t bytes; /* Of the entries that follow. */
	uint8_t flags;  /* FLAG_NOOP: no entries. */
	uint8_t reserved[7];
};
static_assert(offsetof(struct record, first) == 8, "wire");
static_assert(offsetof(struct record, checksum) == 16, "wire");
static_assert(offsetof(struct record, count) == 20, "wire");
static_assert(offsetof(struct record, bytes) == 22, "wire");
static_assert(offsetof(struct record, flags) == 24, "wire");
static_assert(sizeof(struct record) == RECORD_BYTES, "wire");

/*@ axiomatic Checksums {
  @   // Of these bytes crc32c, of which the provers know nothing else.
  @   logic integer crc_of{L}(uint8_t *bytes, integer length) reads bytes[0 .. length - 1];
  @ }
  @ // The record that begins at `at`, as it stands in a body.
  @ logic integer record_ballot{L}(uint8_t *body, integer at) = word_of(body + at);
  @ logic integer record_first{L}(uint8_t *body, integer at) = word_of(body + (at + 8));
  @ logic integer record_checksum{L}(uint8_t *body, integer at) = half_of(body + (at + 16));
  @ logic integer record_count{L}(uint8_t *body, integer at) = quarter_of(body + (at + 20));
  @ logic integer record_entries{L}(uint8_t *body, integer at) = quarter_of(body + (at + 22));
  @ // Has it the form of a run, and does it end at `bytes` or before?
  @ predicate record_in{L}(uint8_t *body, integer at, integer bytes) =
  @   at + RECORD_BYTES + record_entries(body, at) <= bytes &&
  @   1 <= record_count(body, at) <= RUN_COUNT_MAX && record_first(body, at) < INSTANCE_TOP &&
  @   record_first(body, at) / BLOCK ==
  @     (record_first(body, at) + record_count(body, at) - 1) / BLOCK &&
  @   ((body[at + 24] == FLAG_NOOP && record_entries(body, at) == 0) || (body[at + 24] == 0 &&
  @     entries_in(body + (at + RECORD_BYTES), record_count(body, at), record_entries(body, at))));
  @ // Is it of [first, end), and are its entries what its checksum says?
  @ predicate record_right{L}(uint8_t *body, integer at, integer first, integer end) =
  @   first <= record_first(body, at) &&
  @   record_first(body, at) + record_count(body, at) <= end &&
  @   record_checksum(body, at) == (body[at + 24] == FLAG_NOOP ? 0 :
  @     crc_of(body + (at + RECORD_BYTES), record_entries(body, at)));
  @ // Where the records of a body end, one after the other.
  @ logic integer chunk_end{L}(uint8_t *body, integer count) =
  @   count <= 0 ? 0 : chunk_end(body, count - 1) + RECORD_BYTES +
  @     record_entries(body, chunk_end(body, count - 1));
  @ predicate chunk_in{L}(uint8_t *body, integer count, integer bytes) =
  @   chunk_end(body, count) == bytes && \forall integer k; 0 <= k < count ==>
  @     0 <= chunk_end(body, k) && record_in(body, chunk_end(body, k), bytes);
  @ predicate chunk_right{L}(uint8_t *body, integer count, integer first, integer end) =
  @   \forall integer k; 0 <= k < count ==> record_right(body, chunk_end(body, k), first, end);
  @*/

/* ACCEPTED: votes for [first, first + count). */
struct range {
	uint64_t first;
	uint64_t count;
};
static_assert(sizeof(struct range) == RANGE_BYTES, "wire");

/*@ logic integer range_first{L}(uint8_t *body, integer i) = word_of(body + i * RANGE_BYTES);
  @ logic integer range_count{L}(uint8_t *body, integer i) = word_of(body + i * RANGE_BYTES + 8);
  @ predicate ranges_in{L}(uint8_t *body, integer count) = \forall integer i; 0 <= i < count ==>
  @   range_first(body, i) < INSTANCE_TOP && 1 <= range_count(body, i) <= ACCEPTOR_WINDOW;
  @*/

enum reply_status {
	REPLY_OK = 0,
	REPLY_OPENED, /* result: the session's id; session: the client's nonce. */
	REPLY_NOT_FOUND,
	REPLY_MISMATCH, /* cas: the old value was another; result: version */
	REPLY_FULL,     /* the state machine has no room */
	REPLY_STALE,
	REPLY_EXPIRED,
	REPLY_BUSY,
	REPLY_REDIRECT, /* result: the leader's member id */
	REPLY_TOO_LARGE,
	REPLY_UNKNOWN,
	REPLY_BAD_COMMAND,
};

/* One answer; a value (get) may follow, padded to 8. */
struct reply {
	uint64_t session;
	uint64_t sequence_status; /* sequence + (status * 4096 + value length) * 2^48. */
	uint64_t result;
};
static_assert(offsetof(struct reply, sequence_status) == 8, "wire");
static_assert(sizeof(struct reply) == 24, "wire");

/*@ requires 0 <= status < 16 && sequence < SEQUENCE_TOP && length < 4096;
    assigns \nothing; */
static inline uint64_t reply_pack(uint64_t sequence, enum reply_status status, uint32_t length)
{
	return sequence + ((uint64_t)status * 4096 + length) * SEQUENCE_TOP;
}

static inline uint64_t reply_sequence(const struct reply *r)
{
	return r->sequence_status % SEQUENCE_TOP;
}

/*@ requires \valid_read(r);
    assigns \nothing;
    ensures \result == r->sequence_status / SEQUENCE_TOP % 4096; */
static inline uint32_t reply_length(const struct reply *r)
{
	return (uint32_t)(r->sequence_status / SEQUENCE_TOP % 4096);
}

static inline enum reply_status reply_status(const struct reply *r)
{
	return (enum reply_status)(r->sequence_status / SEQUENCE_TOP / 4096);
}

/*@ // Where the replies of a body end, as their lengths say.
  @ logic integer replies_end{L}(uint8_t *body, integer count) =
  @   count <= 0 ? 0 : replies_end(body, count - 1) + 24 +
  @     (word_of(body + replies_end(body, count - 1) + 8) / SEQUENCE_TOP % 4096 + 7) / 8 * 8;
  @ predicate replies_in{L}(uint8_t *body, integer count, integer bytes) =
  @   replies_end(body, count) == bytes && \forall integer i; 0 <= i < count ==>
  @     0 <= replies_end(body, i) && replies_end(body, i) + 24 <= bytes;
  @*/

/* Why a frame was dropped; each has a counter. */
enum drop {
	DROP_NONE = 0,
	DROP_SHORT,     /* shorter than a header */
	DROP_MAGIC,     /* not ours, or another version */
	DROP_TYPE,      /* unknown, or a local one */
	DROP_TAG,       /* header tag wrong */
	DROP_LENGTH,    /* payload_len differs from the frame */
	DROP_CHECKSUM,  /* body checksum wrong */
	DROP_CLUSTER,   /* another cluster or epoch */
	DROP_MALFORMED, /* count, block, entries, ranges that do not add up */
	DROP_SENDER,    /* not a member; ballot's node is not the sender; not the pinned uuid */
	DROP_REASONS,
};

/*@ // What a role may rely on in a message that was decoded.
  @ predicate numbers_ok{L}(struct message *m) = m->type == MESSAGE_HELLO ||
  @   (m->first < INSTANCE_TOP && m->watermark < INSTANCE_TOP && m->shard < SHARD_MAX);
  @ predicate body_ok{L}(struct message *m, uint8_t *body) =
  @   (m->type == MESSAGE_REQUEST ==>
  @     1 <= m->count <= RUN_COUNT_MAX && entries_in(body, m->count, m->payload_len)) &&
  @   (m->type == MESSAGE_REPLY ==>
  @     1 <= m->count && replies_in(body, m->count, m->payload_len)) &&
  @   (m->type == MESSAGE_ACCEPT ==>
  @     1 <= m->count <= RUN_COUNT_MAX && m->first < INSTANCE_TOP &&
  @     m->first / BLOCK == (m->first + m->count - 1) / BLOCK) &&
  @   (m->type == MESSAGE_ACCEPT && m->flags != FLAG_NOOP ==>
  @     entries_in(body, m->count, m->payload_len)) &&
  @   (m->type == MESSAGE_ACCEPT && m->flags == FLAG_NOOP ==> m->payload_len == 0) &&
  @   (m->type == MESSAGE_ACCEPTED ==>
  @     m->payload_len == m->count * RANGE_BYTES && ranges_in(body, m->count)) &&
  @   (m->type == MESSAGE_VOTES || m->type == MESSAGE_CHOSEN ==>
  @     chunk_in(body, m->count, m->payload_len) &&
  @     chunk_right(body, m->count, m->first, m->watermark)) &&
  @   (m->type == MESSAGE_SNAPSHOT_CHUNK ==>
  @     m->payload_len > 0 && m->payload_len % 8 == 0 && m->count == 0) &&
  @   (m->type == MESSAGE_HELLO ==> m->payload_len == HELLO_BYTES) &&
  @   (m->type != MESSAGE_REQUEST && m->type != MESSAGE_REPLY && m->type != MESSAGE_ACCEPT &&
  @     m->type != MESSAGE_ACCEPTED && m->type != MESSAGE_VOTES && m->type != MESSAGE_CHOSEN &&
  @     m->type != MESSAGE_SNAPSHOT_CHUNK && m->type != MESSAGE_HELLO ==> m->payload_len == 0);
  @ predicate flags_ok{L}(struct message *m) =
  @   (m->type == MESSAGE_REQUEST ==> m->flags == 0 || m->flags == FLAG_READ ||
  @     m->flags == FLAG_READ_ANY || m->flags == FLAG_READ_STALE) &&
  @   (m->type == MESSAGE_REPLY ==> m->flags == 0 || m->flags == FLAG_READ_ANY ||
  @     m->flags == FLAG_READ_STALE || m->flags == FLAG_READ_ANY + FLAG_READ_STALE) &&
  @   (m->type == MESSAGE_ACCEPT ==> m->flags == 0 || m->flags == FLAG_NOOP);
  @ // The tag covers the header's bytes before it.
  @ predicate sealed{L}(uint8_t *header) =
  @   word_of(header + 70) == crc_of(header, 70) && word_of(header + 78) == 0;
  @*/

/*@ assigns \nothing;
    ensures \valid_read(\result); */
const char *drop_text(enum drop reason);

/* crc32c (Castagnoli), as iSCSI: initial and final inversion. */
uint32_t message_crc(const void *bytes, size_t length);

/* Of what was summed up to `crc` (0: nothing), and these. */
uint32_t message_crc_more(uint32_t crc, const void *bytes, size_t length);

/* Writes m as a header of HEADER_BYTES and seals it with the tag. m->payload_len and m->checksum must
 * be those of the body that follows. */
/*@ requires \valid_read(m) && \valid(wire + (0 .. HEADER_BYTES - 1));
    requires \separated(m, wire + (0 .. HEADER_BYTES - 1));
    assigns wire[0 .. HEADER_BYTES - 1]; */
void message_encode(const struct message *m, uint8_t *wire);

/* Decodes `length` bytes (header and body; trailing Ethernet padding is cut by the caller).
 * DROP_NONE: *m is filled (but `from`), and the body's form is right for its type: every count
 * fits, every run lies in one block, every entry in the body, and every record's checksum is that of
 * its entries. Reads nothing beyond `length`. */
/*@ requires \valid_read(bytes + (0 .. length - 1)) && \valid(m);
    requires length <= 0xffffffff && \separated(m, bytes + (0 .. length - 1));
    assigns *m;
    ensures W1: \result == DROP_NONE ==> \old(sealed(bytes));
    ensures W1: \result == DROP_NONE ==> m->checksum ==
      (m->payload_len == 0 ? 0 : crc_of(bytes + HEADER_BYTES, m->payload_len));
    ensures magic: \result == DROP_NONE ==>
      \old(bytes[0]) == MESSAGE_MAGIC + MESSAGE_VERSION;
    ensures whole: \result == DROP_NONE ==> length == HEADER_BYTES + m->payload_len;
    ensures type: \result == DROP_NONE ==> 1 <= m->type < MESSAGE_WIRE_END;
    ensures sender: \result == DROP_NONE ==>
      (m->sender < MEMBER_MAX || m->sender == MESSAGE_SENDER_CLIENT) &&
      (m->type == MESSAGE_PREPARE || m->type == MESSAGE_ACCEPT ==>
        m->ballot % BALLOT_NODES == m->sender) &&
      (m->type == MESSAGE_REQUEST <==> m->sender == MESSAGE_SENDER_CLIENT);
    ensures W3: \result == DROP_NONE ==>
      numbers_ok(m) && flags_ok(m) && body_ok(m, bytes + HEADER_BYTES); */
enum drop message_decode(const uint8_t *bytes, size_t length, struct message *m);

/* Reads a header that message_decode has accepted before, without checking it again. */
/*@ requires \valid_read(bytes + (0 .. HEADER_BYTES - 1)) && \valid(m);
    requires \separated(m, bytes + (0 .. HEADER_BYTES - 1));
    assigns *m;
    ensures W4: m->type == bytes[1] && m->flags == bytes[2] && m->sender == bytes[3];
    ensures W4: m->count == quarter_of(bytes + 4) && m->payload_len == quarter_of(bytes + 54) &&
      m->shard == quarter_of(bytes + 56);
    ensures W4: m->ballot == word_of(bytes + 6) && m->first == word_of(bytes + 14) &&
      m->watermark == word_of(bytes + 22) && m->counter == word_of(bytes + 30) &&
      m->uuid == word_of(bytes + 38);
    ensures W4: m->cluster == half_of(bytes + 46) && m->epoch == half_of(bytes + 50) &&
      m->checksum == half_of(bytes + 58) && m->echo == half_of(bytes + 62) &&
      m->life == half_of(bytes + 66); */
void message_read(const uint8_t *bytes, struct message *m);

/* Is the body a well-formed sequence of exactly `count` entries? */
/*@ requires \valid_read(body + (0 .. bytes - 1));
    assigns \nothing;
    ensures \result ==> entries_in(body, count, bytes) && entries_end(body, count) == bytes; */
bool entries_valid(const uint8_t *body, uint32_t bytes, uint32_t count);

/* The record at *offset of a body; advances *offset past its entries. NULL at the end. Only for
 * bodies that message_decode accepted, standing at a multiple of 8 as every body in an mbuf does. */
/*@ requires \valid_read(body + (0 .. bytes - 1)) && \valid(offset);
    requires \separated(offset, body + (0 .. bytes - 1));
    requires checked: *offset < bytes ==>
      *offset + RECORD_BYTES + record_entries(body, *offset) <= bytes;
    assigns *offset;
    ensures end: \old(*offset) >= bytes ==> \result == \null && *offset == \old(*offset);
    ensures next: \old(*offset) < bytes ==> \result != \null && *offset <= bytes &&
      *offset == \old(*offset) + RECORD_BYTES + \old(record_entries(body, *offset));
    ensures fields: \result != \null ==> \valid_read(\result) &&
      \result->ballot == \old(record_ballot(body, *offset)) &&
      \result->first == \old(record_first(body, *offset)) &&
      \result->count == \old(record_count(body, *offset)) &&
      \result->bytes == \old(record_entries(body, *offset)) &&
      \result->flags == \old(body[*offset + 24]); */
const struct record *record_next(const uint8_t *body, uint32_t bytes, uint32_t *offset);

/* Round and node of a ballot. */
/*@ requires round < 0x1000000000000 && node < BALLOT_NODES;
    assigns \nothing;
    ensures \result == round * BALLOT_NODES + node; */
static inline uint64_t ballot_make(uint64_t round, uint32_t node)
{
	return round * BALLOT_NODES + node;
}

static inline uint64_t ballot_round(uint64_t ballot)
{
	return ballot / BALLOT_NODES;
}

/*@ assigns \nothing;
    ensures \result == ballot % BALLOT_NODES; */
static inline uint32_t ballot_node(uint64_t ballot)
{
	return (uint32_t)(ballot % BALLOT_NODES);
}

#endif
