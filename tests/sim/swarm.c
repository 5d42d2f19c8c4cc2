#include "tests/sim/swarm.h"

#include <string.h>

static const char *const names[FAULT_KINDS] = {
	[FAULT_LOSS] = "loss",
	[FAULT_DUPLICATE] = "duplicate",
	[FAULT_DELAY] = "delay",
	[FAULT_REPLAY] = "replay",
	[FAULT_FLIP] = "flip",
	[FAULT_FLIP_PAIR] = "flip-pair",
	[FAULT_TRUNCATE] = "truncate",
	[FAULT_FOREIGN] = "foreign",
	[FAULT_NUMBERS] = "numbers",
	[FAULT_ONE_WAY] = "one-way",
	[FAULT_PARTITION] = "partition",
	[FAULT_ISOLATE] = "isolate",
	[FAULT_PAUSE] = "pause",
	[FAULT_SLEEP] = "sleep",
	[FAULT_STARVE] = "starve",
	[FAULT_TRANSFER] = "transfer",
	[FAULT_CRASH] = "crash",
	[FAULT_RETURN_EMPTY] = "return-empty",
	[FAULT_RESTART] = "restart",
	[FAULT_DISK_FULL] = "disk-full",
	[FAULT_CLOCK_JUMP] = "clock-jump",
	[FAULT_CLOCK_RATE] = "clock-rate",
	[FAULT_OVERLOAD] = "overload",
	[FAULT_LAG] = "lag",
	[FAULT_TRIM] = "trim",
	[FAULT_EVICT] = "evict",
};

const char *fault_name(enum fault fault)
{
	return names[fault];
}

enum fault fault_named(const char *name, uint32_t length)
{
	enum fault fault = 0;

	while (fault < FAULT_KINDS &&
		(strlen(names[fault]) != length || strncmp(names[fault], name, length) != 0))
		fault++;
	return fault;
}

void swarm_draw(struct swarm *s, struct random *r, uint32_t without)
{
	s->kinds = 0;
	for (uint32_t i = 0; i < FAULT_KINDS; i++) {
		s->kinds |= random_percent(r, 50) ? 1u << i : 0;
		s->force[i] = (uint8_t)(10 + random_below(r, 91));
	}
	s->kinds &= ~without;
}
