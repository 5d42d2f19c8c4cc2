/*
 * session.pml - one command after the other of the log in session.c, whatever comes next.
 */
#define EVENT(n) :: d_step { c_expr { model_enabled (n) } -> c_code { model_fire(n); }; \
	c_code [model_holds()] { ; } }
#define EVENTS_4(n) EVENT(n) EVENT(n + 1) EVENT(n + 2) EVENT(n + 3)
#define EVENTS_16(n) EVENTS_4(n) EVENTS_4(n + 4) EVENTS_4(n + 8) EVENTS_4(n + 12)

c_decl {
\#include "consensus/model/session.h"
}
c_track "&world" "sizeof(struct world)" "UnMatched"
c_track "model_key" "KEY_BYTES"

active proctype clients()
{
end:	do
	EVENTS_16(0)
	EVENTS_16(16)
	EVENTS_16(32)
	EVENTS_16(48)
	od
}
