/* SPDX-License-Identifier: MIT */
/*
 * Two clocks (design rule 8). Durations within a process: elapsed_ms, CLOCK_BOOTTIME, never jumps
 * and counts suspend. What is stored or shown: wall_ms, milliseconds since 1970 UTC, may jump.
 * Whatever decides by time gets a struct bc_clock, so unit tests hand in one they turn themselves;
 * no clock switch ships.
 */
#ifndef BC_BASE_CLOCK_H
#define BC_BASE_CLOCK_H

#include <stdint.h>

#include "base/date.h"

struct bc_clock {
	uint64_t (*wall_ms)(const struct bc_clock *c);
	uint64_t (*elapsed_ms)(const struct bc_clock *c);
};

extern const struct bc_clock bc_clock_system;

static inline uint64_t bc_wall_ms(const struct bc_clock *c)
{
	return c->wall_ms(c);
}
static inline uint64_t bc_elapsed_ms(const struct bc_clock *c)
{
	return c->elapsed_ms(c);
}

#endif
