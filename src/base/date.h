/* SPDX-License-Identifier: MIT */
/*
 * Dates as text: RFC 3339, to and from milliseconds since 1970 UTC. No clock is asked: clock.h has
 * those, and this with them.
 */
#ifndef BC_BASE_DATE_H
#define BC_BASE_DATE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { BC_TIME_TEXT_BYTES = 25 };
/* RFC 3339 UTC with milliseconds, "2026-11-22T00:54:31.000Z". Returns text (BC_TIME_TEXT_BYTES). */
char *bc_time_format(uint64_t wall_ms, char *text);
/* RFC 3339 with any offset, with or without fraction. 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_time_parse(struct bc_str text, uint64_t *ret_wall_ms);

#endif
