/*
 * election.pml - turn after turn of the nodes in election.c, with any lots and few faults.
 */
#define EVENT(n) :: d_step { c_expr { model_enabled (n) } -> c_code { model_fire(n); }; \
	c_code [model_holds()] { ; } ; \
	c_code { now.good = model_good(); now.led = model_led(); } }
#define EVENTS_4(n) EVENT(n) EVENT(n + 1) EVENT(n + 2) EVENT(n + 3)
#define EVENTS_16(n) EVENTS_4(n) EVENTS_4(n + 4) EVENTS_4(n + 8) EVENTS_4(n + 12)

c_decl {
\#include "consensus/model/election.h"
}
c_track "&world" "sizeof(struct world)" "UnMatched"
c_track "model_key" "KEY_BYTES"

bool good; /* It is calm, and some node is connected to a majority. */
bool led;  /* There is a leader whom a majority follows. */

active proctype rounds()
{
end:	do
	EVENTS_16(0)
	EVENTS_16(16)
	od
}

#ifdef PROGRESS
ltl progress { (<> [] good) -> (<> [] led) }
#endif
