/*
 * agreement.pml - one step after the other of the world in agreement.c, in every order.
 *
 * The C has the events, numbered; here each of them is offered in each state. After each one every
 * invariant must hold.
 */
#define EVENT(n) :: d_step { c_expr { model_enabled (n) } -> c_code { model_fire(n); }; \
	c_code [model_holds()] { ; } }
#define EVENTS_4(n) EVENT(n) EVENT(n + 1) EVENT(n + 2) EVENT(n + 3)
#define EVENTS_16(n) EVENTS_4(n) EVENTS_4(n + 4) EVENTS_4(n + 8) EVENTS_4(n + 12)
#define EVENTS_64(n) EVENTS_16(n) EVENTS_16(n + 16) EVENTS_16(n + 32) EVENTS_16(n + 48)

c_decl {
\#include "consensus/model/agreement.h"
}
c_track "&world" "sizeof(struct world)" "UnMatched"
c_track "model_key" "KEY_BYTES"

active proctype network()
{
end:	do
	EVENTS_64(0)
	EVENTS_64(64)
	EVENTS_64(128)
	od
}
