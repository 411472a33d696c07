/* SPDX-License-Identifier: MIT */
/*
 * A lane is the queue of one product at its partner, named `partner.label`. Its state decides
 *whether conversions leave:
 *
 *	open	   they do. In: start, throttle over, a test token accepted. Out: see below.
 *	throttled  the partner asked for a pause (Retry-After). In: such an answer. Out: to open
 *when the time is over. suspect	   an answer may be about us: one test token is under way,
 *the conversion that met the answer is held. In: outcome suspect. Out: to open (test accepted: the
 *held one is rejected; anything else but the same: it is tried again later), to parked (same
 *again). parked	   the key, the product or the URL is wrong. Conversions stay pending; the
 *test token is sent every lane.probe. In: from suspect. Out: to open when the test is accepted.
 *
 * A parked lane stays parked over a restart, where the test token is tried at once. Time it stood
 *does not count towards any deadline. A lane that does not send keeps accepting. Lanes belong to
 *the delivery thread; others read snapshots.
 */
#ifndef BC_CORE_LANES_H
#define BC_CORE_LANES_H

#include "core/shop.h"

enum bc_lane_state { BC_LANE_OPEN, BC_LANE_THROTTLED, BC_LANE_SUSPECT, BC_LANE_PARKED };
enum { BC_LANE_STATES = 4, BC_LANE_NAME_BYTES = 2 * BC_LABEL_MAX + 2, BC_LANE_REASON_BYTES = 320 };
extern const char *const bc_lane_state_name[BC_LANE_STATES];

/* What others may know of a lane; a copy. */
struct bc_lane_status {
	char name[BC_LANE_NAME_BYTES];
	enum bc_lane_state state;
	char reason[BC_LANE_REASON_BYTES]; /* why it is not open; "" when it is */
	uint64_t since_ms;		   /* wall clock, when it entered the state */
	uint64_t next_probe_ms;		   /* wall clock, parked only; 0 = none */
	uint32_t in_flight;
	uint64_t attempts[BC_OUTCOMES];
};

/* "partner.label". name: BC_LANE_NAME_BYTES. Returns name. */
char *bc_lane_name(struct bc_str partner, struct bc_str product, char *name);

#endif
