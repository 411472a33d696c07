/* SPDX-License-Identifier: MIT */
/* The system's two clocks. Dates as text are in date.c; whoever decides by time takes a bc_clock.
 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_clock_ms(clockid_t id)
{
	struct timespec now;

	BC_ASSERT(clock_gettime(id, &now) == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_wall_ms(const struct bc_clock *c BC_UNUSED)
{
	return read_clock_ms(CLOCK_REALTIME);
}

static uint64_t system_elapsed_ms(const struct bc_clock *c BC_UNUSED)
{
	return read_clock_ms(CLOCK_BOOTTIME);
}

const struct bc_clock bc_clock_system = {
	.wall_ms = system_wall_ms,
	.elapsed_ms = system_elapsed_ms,
};
