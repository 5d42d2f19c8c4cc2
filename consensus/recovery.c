#include "consensus/recovery.h"

#include <string.h>

void recovery_begin(struct recovery *r, uint64_t from, uint64_t to)
{
	r->from = from;
	r->to = to;
	r->next = from;
	/*@ loop invariant 0 <= i <= BLOCK;
	    loop invariant \forall integer k; 0 <= k < i ==>
	      r->cells[k].state == CELL_EMPTY && r->cells[k].bytes == 0;
	    loop assigns i, r->cells[0 .. BLOCK - 1];
	    loop variant BLOCK - i; */
	for (uint32_t i = 0; i < BLOCK; i++) {
		r->cells[i].ballot = 0;
		r->cells[i].bytes = 0;
		r->cells[i].state = CELL_EMPTY;
	}
}

/* Ballot 0: reported as chosen. */
/*@ // Coq: Protocol.better.
    requires \valid_read(c);
    assigns \nothing;
    ensures R1: \result <==> c->state != CELL_CHOSEN &&
      (ballot == 0 || c->state == CELL_EMPTY || ballot > c->ballot); */
static bool outranks(uint64_t ballot, const struct cell *c)
{
	if (c->state == CELL_CHOSEN)
		return false;
	return ballot == 0 || c->state == CELL_EMPTY || ballot > c->ballot;
}

/* For the provers, who do not see through memcpy. */
/*@ requires \valid(to + (0 .. bytes - 1)) && \valid_read(from + (0 .. bytes - 1));
    requires \separated(to + (0 .. bytes - 1), from + (0 .. bytes - 1));
    assigns to[0 .. bytes - 1]; */
static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
	memcpy(to, from, bytes);
}

/* One report of one instance. */
/*@ requires \valid(r) && recovery_ok(r) && bytes <= RECOVERY_ENTRY_MAX;
    requires \valid_read(entry + (0 .. bytes - 1)) && \separated(r, entry + (0 .. bytes - 1));
    assigns r->cells[instance % BLOCK], r->entries[instance % BLOCK][0 .. RECOVERY_ENTRY_MAX - 1];
    ensures ok: recovery_ok(r);
    ensures R1: \old(r->cells[instance % BLOCK].state) == CELL_CHOSEN ==>
      cell_same{Pre,Post}(r, instance % BLOCK);
    ensures R1: \old(r->cells[instance % BLOCK].state) == CELL_VOTED &&
      r->cells[instance % BLOCK].state == CELL_VOTED ==>
        r->cells[instance % BLOCK].ballot >= \old(r->cells[instance % BLOCK].ballot);
    ensures taken: r->from <= instance < r->to ==> r->cells[instance % BLOCK].state != CELL_EMPTY;
    ensures R1: r->from <= instance < r->to && ballot == 0 ==>
      r->cells[instance % BLOCK].state == CELL_CHOSEN;
    ensures R1: r->from <= instance < r->to && ballot != 0 &&
      r->cells[instance % BLOCK].state == CELL_VOTED ==>
        r->cells[instance % BLOCK].ballot >= ballot;
    ensures one: cell_same{Pre,Post}(r, instance % BLOCK) ||
      (r->cells[instance % BLOCK].ballot == ballot && r->cells[instance % BLOCK].bytes == bytes);
    ensures R3: \forall integer k; 0 <= k < BLOCK && k != instance % BLOCK ==>
      cell_same{Pre,Post}(r, k);
    ensures stride: !(r->from <= instance < r->to) ==> cell_same{Pre,Post}(r, instance % BLOCK);
    ensures outlives: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,Post}(r, k);
    ensures heard: heard(r, instance, ballot);
    ensures fit: \forall integer k; 0 <= k < BLOCK ==>
      r->cells[k].bytes == \old(r->cells[k].bytes) || r->cells[k].bytes == bytes; */
static void fill(struct recovery *r, uint64_t instance, uint64_t ballot, const uint8_t *entry,
	uint32_t bytes)
{
	if (instance < r->from || instance >= r->to)
		return;
	struct cell *c = &r->cells[instance % BLOCK];

	if (!outranks(ballot, c))
		return;
	c->state = ballot == 0 ? CELL_CHOSEN : CELL_VOTED;
	c->ballot = ballot;
	c->bytes = bytes;
	copy(r->entries[instance % BLOCK], entry, bytes);
	/*@ assert \forall integer k; 0 <= k < BLOCK && k != instance % BLOCK ==>
	      cell_ok{Pre}(r, k) && cell_same{Pre,Here}(r, k) && cell_ok(r, k); */
	/*@ assert cell_ok(r, instance % BLOCK); */
}

/* One record's reports: `bytes` of entries, none of a no-op. */
/*@ requires \valid(r) && recovery_ok(r) && bytes <= BODY_MAX;
    requires first < INSTANCE_TOP && count <= RUN_COUNT_MAX;
    requires \valid_read(entries + (0 .. bytes - 1)) && \separated(r, entries + (0 .. bytes - 1));
    requires form: bytes > 0 ==> entries_in(entries, count, bytes);
    assigns r->cells[0 .. BLOCK - 1], r->entries[0][0 .. RECOVERY_BYTES - 1];
    ensures ok: recovery_ok(r);
    ensures fit: \forall integer k; 0 <= k < BLOCK ==>
      r->cells[k].bytes == \old(r->cells[k].bytes) || r->cells[k].bytes <= bytes;
    ensures R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,Post}(r, k);
    ensures heard: \forall integer i; first <= i < first + count ==> heard(r, i, ballot); */
static void fill_run(struct recovery *r, uint64_t first, uint32_t count, uint64_t ballot,
	const uint8_t *entries, uint32_t bytes)
{
	const uint8_t *entry = entries;

	/*@ loop invariant 0 <= i <= count;
	    loop invariant entry: entry == (bytes == 0 ? entries :
	      entries + entries_end{Pre}(entries, i));
	    loop invariant ok: recovery_ok(r);
	    loop invariant fit: \forall integer k; 0 <= k < BLOCK ==>
	      r->cells[k].bytes == \at(r->cells[k].bytes, Pre) || r->cells[k].bytes <= bytes;
	    loop invariant R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,Here}(r, k);
	    loop invariant heard: \forall integer j; first <= j < first + i ==> heard(r, j, ballot);
	    loop assigns i, entry, r->cells[0 .. BLOCK - 1],
	      r->entries[0][0 .. RECOVERY_BYTES - 1];
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		uint32_t step = 0;

		if (bytes > 0) {
			/*@ assert entry: entry == entries + entries_end{Pre}(entries, i); */
			step = entry_step(entry);
			/*@ assert step: step == step_of{Pre}(entries + entries_end{Pre}(entries, i)) &&
			      step <= bytes; */
		}
		fill(r, first + i, ballot, entry, step);
		entry += step;
		/*@ assert R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,LoopCurrent}(r, k) &&
		      outlives{LoopCurrent,Here}(r, k) && outlives{Pre,Here}(r, k); */
		/*@ assert heard: \forall integer j; first <= j < first + i ==>
		      \at(heard(r, j, ballot), LoopCurrent) &&
		      outlives{LoopCurrent,Here}(r, j % BLOCK) && heard(r, j, ballot); */
	}
}

void recovery_add(struct recovery *r, const uint8_t *body, uint32_t bytes)
{
	uint32_t offset = 0;
	const struct record *record;

	/*@ ghost uint32_t records = 0; */
	/*@ loop invariant place: offset == chunk_end(body, records) && records <= offset <= bytes;
	    loop invariant chunk: \exists integer count; 0 <= records <= count &&
	      chunk_in(body, count, bytes);
	    loop invariant next: offset < bytes ==> record_in(body, offset, bytes);
	    loop invariant ok: recovery_ok(r);
	    loop invariant fit: \forall integer k; 0 <= k < BLOCK ==>
	      r->cells[k].bytes == \at(r->cells[k].bytes, Pre) ||
	      r->cells[k].bytes + RECORD_BYTES <= bytes;
	    loop invariant R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,Here}(r, k);
	    loop assigns record, offset, records, r->cells[0 .. BLOCK - 1],
	      r->entries[0][0 .. RECOVERY_BYTES - 1];
	    loop variant bytes - offset; */
	while ((record = record_next(body, bytes, &offset)) != NULL) {
		const uint32_t length = record->bytes;
		const uint8_t *entries = body + offset - length;

		/*@ assert form: length > 0 ==> entries_in(entries, record->count, length); */
		/*@ assert place: offset == chunk_end(body, records + 1); */
		/*@ assert chunk: \exists integer count; records + 1 <= count &&
		      chunk_in(body, count, bytes); */
		/*@ ghost Before: ; */
		fill_run(r, record->first, record->count, record->ballot, entries, length);
		/*@ assert R1: \forall integer k; 0 <= k < BLOCK ==> outlives{Pre,LoopCurrent}(r, k) &&
		      outlives{LoopCurrent,Here}(r, k) && outlives{Pre,Here}(r, k); */
		/* The body is apart from what is written, so it says what it said. */
		/*@ admit body: \forall integer count; \at(chunk_in(body, count, bytes), Before) ==>
		      chunk_in(body, count, bytes) && \forall integer k; 0 <= k <= count ==>
		        chunk_end(body, k) == \at(chunk_end(body, k), Before); */
		/*@ assert chunk: \exists integer count; records + 1 <= count &&
		      chunk_in(body, count, bytes) &&
		      chunk_end(body, records + 1) == chunk_end{Before}(body, records + 1) &&
		      chunk_end(body, count) == bytes && (records + 1 < count ==>
		        record_in(body, chunk_end(body, records + 1), bytes)); */
		/*@ assert place: offset == chunk_end(body, records + 1); */
		/*@ assert next: offset < bytes ==>
		      record_in(body, chunk_end(body, records + 1), bytes); */
		/*@ ghost records++; */
	}
}

uint32_t recovery_next(struct recovery *r, uint8_t *body, uint32_t limit, uint32_t count_max,
	uint32_t *bytes)
{
	uint32_t count = 0;

	*bytes = 0;
	/*@ loop invariant recovery_ok(r) && count <= count_max && *bytes <= limit;
	    loop invariant r->next == \at(r->next, Pre) + count && (count == 0 ==> *bytes == 0);
	    loop invariant R2: \forall integer i; \at(r->next, Pre) <= i < r->next ==>
	      (r->cells[i % BLOCK].bytes == 0 <==> *bytes == 0);
	    loop assigns r->next, count, *bytes, body[0 .. limit - 1];
	    loop variant r->to - r->next; */
	while (r->next < r->to && count < count_max) {
		const struct cell *c = &r->cells[r->next % BLOCK];

		/*@ assert cell_ok(r, r->next % BLOCK); */
		/* No-ops and entries never share a run; a run of no-ops has no bytes. */
		if (count > 0 && (c->bytes == 0) != (*bytes == 0))
			break;
		if (*bytes + c->bytes > limit)
			break;
		copy(body + *bytes, r->entries[r->next % BLOCK], c->bytes);
		*bytes += c->bytes;
		count++;
		r->next++;
	}
	return count;
}
