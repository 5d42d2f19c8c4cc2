/*
 * model.h - what a Promela model sees of its C: events, the state as it is compared, and what must
 * hold.
 *
 * A model's state is the structs of the shipped roles. SPIN saves and restores them on its stack
 * (c_track UnMatched), and tells states apart by `model_key`, which the C fills after each event:
 * all of the state that can make a difference, without timers, counters and positions.
 */
#ifndef CONSENSUS_MODEL_MODEL_H
#define CONSENSUS_MODEL_MODEL_H

#include <stdint.h>

enum {
	MODEL_EVENTS = 192, /* What a Promela offers at most: they are numbered from 0. */
};

/* Can this one happen now? */
int model_enabled(int event);
void model_fire(int event);

/* After an event: is every invariant kept? Tells the name of the first that is not. */
int model_holds(void);

/* Which state must be reached in this build: a run that finds it fails there. 0: none. */
#ifndef WITNESS
#define WITNESS 0
#endif

/* Does each event say what it is? For a trail. */
#ifndef TELL
#define TELL 0
#endif

#endif
