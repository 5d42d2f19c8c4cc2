#include "consensus/journal_segments.h"

#include "consensus/check.h"

static struct journal_segment *segment_at(struct journal_segments *s, uint64_t segment)
{
	return &s->of[segment % JOURNAL_SEGMENTS_MAX];
}

/* What was written last stands before it. */
static void open_segment(struct journal_segments *s, uint64_t segment)
{
	CHECK(segment - s->first < JOURNAL_SEGMENTS_MAX);
	*segment_at(s, segment) = (struct journal_segment){
		.number = s->number,
		.chain = s->chain,
	};
}

void journal_segments_init(struct journal_segments *s, const struct superblock *superblock)
{
	s->blocks = superblock->segment_blocks;
	s->number = superblock->anchor_number;
	s->chain = superblock->anchor_chain;
	s->first = superblock->anchor_place / s->blocks;
	s->last = s->first;
	open_segment(s, s->first);
}

void journal_segments_add(struct journal_segments *s, uint64_t place, uint64_t number,
	uint32_t chain, uint64_t end)
{
	struct journal_segment *segment;

	/* More than one step only where all writes of a segment were lost. */
	while (s->last < place / s->blocks)
		open_segment(s, ++s->last);
	segment = segment_at(s, s->last);
	segment->end = end > segment->end ? end : segment->end;
	s->number = number;
	s->chain = chain;
}

uint64_t journal_segments_needed(const struct journal_segments *s, uint64_t instance,
	uint64_t limit)
{
	uint64_t segment = s->first;

	while (segment < limit && s->of[segment % JOURNAL_SEGMENTS_MAX].end <= instance)
		segment++;
	return segment;
}

void journal_segments_anchor(struct journal_segments *s, uint64_t segment,
	struct superblock *superblock)
{
	const struct journal_segment *to = segment_at(s, segment);

	CHECK(segment >= s->first && segment <= s->last);
	s->first = segment;
	superblock->anchor_place = segment * s->blocks;
	superblock->anchor_number = to->number;
	superblock->anchor_chain = to->chain;
}
