/*
 * flaws.h - rules of reads that a node breaks on purpose: the oracle must see each.
 */
#ifndef SIM_FLAWS_H
#define SIM_FLAWS_H

enum flaw {
	FLAW_NONE,
	FLAW_LEADER_ALONE, /* LR1: a leader reads without a round. */
	FLAW_NO_PROBE,     /* LR4: any member reads what it has, without a round. */
	FLAW_OWN_REPORT,   /* LR4: the maximum is that of the own node. */
	FLAW_ROUND_REUSED, /* LR2: a round serves reads that arrived after it began. */
};

struct node;

/* After a burst of the leader stage. */
void flaw_strike(struct node *n);

#endif
