/*
 * durability.h - what must have reached the disk before this node says that it voted or promised.
 */
#ifndef CONSENSUS_DURABILITY_H
#define CONSENSUS_DURABILITY_H

enum durability {
	DURABILITY_NONE,  /* Nothing is written. */
	DURABILITY_ASYNC, /* Everything is written, nothing waits; only an orderly stop keeps it. */
	DURABILITY_SYNC,  /* A promise or a vote leaves only when its record is durable. */
};

#endif
