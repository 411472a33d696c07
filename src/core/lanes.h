/* SPDX-License-Identifier: MIT */
/*
 * A lane is the queue of one product at its partner, named `partner.label`. Its state decides
 * whether conversions leave. A lane that does not send keeps accepting: what arrives waits.
 *
 * state      conversions leave   in: who moves it here            out: who moves it on
 * open       yes                 the start; see the others' outs  see the others' ins
 * throttled  no                  an answer with Retry-After       its time is over: open
 * suspect    no; one is held     an answer that may be about us   the test token's answer. Taken:
 *                                                                 open, the held one is rejected.
 *                                                                 The same: parked. Else: open, the
 *                                                                 held one is tried again later
 * broken     one, now and then   half of the last conversions     that one is answered: open. The
 *                                failed at their first attempt    wait doubles while it is not
 * parked     one, after a test   the test token's answer, from    the test token is taken and then
 *            token was taken     suspect; a trial refused         a conversion, if one is due: open
 * paused     no                  the operator                     the operator's resume: open
 *
 * Where the partner has no test token a lane is never suspect: what other conversions meet tells
 * whether one is at fault or the lane is (lane_doubt.c), and a parked lane lets one conversion out
 * instead of the test token.
 *
 * Parked and paused time counts towards no deadline (they "stand"); broken and throttled time does.
 * Throttled, broken, parked and paused are kept over a restart. Entering broken, parked or paused
 * and coming back to open from one of them is told once: log, metric, alert.url. A parked lane
 * sends its test token every lane.probe, at a start, when its credential changes, and when the
 * operator asks.
 *
 * Lanes belong to the delivery thread; others read snapshots.
 */
#ifndef BC_CORE_LANES_H
#define BC_CORE_LANES_H

#include "core/shop.h"

enum bc_lane_state {
	BC_LANE_OPEN,
	BC_LANE_THROTTLED,
	BC_LANE_SUSPECT,
	BC_LANE_BROKEN,
	BC_LANE_PARKED,
	BC_LANE_PAUSED
};
enum { BC_LANE_STATES = 6, BC_LANE_NAME_BYTES = 2 * BC_LABEL_MAX + 2, BC_LANE_REASON_BYTES = 320 };
extern const char *const bc_lane_state_name[BC_LANE_STATES];

/* What others may know of a lane; a copy. */
struct bc_lane_status {
	char name[BC_LANE_NAME_BYTES];
	enum bc_lane_state state;
	char reason[BC_LANE_REASON_BYTES]; /* why it is not open; "" when it is */
	uint64_t since_ms;		   /* wall clock, when it entered the state */
	/* Wall clock, when it tries by itself: parked, the test token; broken, one conversion;
	 * throttled, all. 0 = never, or now. */
	uint64_t next_probe_ms;
	uint32_t in_flight;
	uint64_t attempts[BC_OUTCOMES];
	uint64_t entered[BC_LANE_STATES]; /* times, since the start of the process */
};

/* "partner.label". name: BC_LANE_NAME_BYTES. Returns name. */
char *bc_lane_name(struct bc_str partner, struct bc_str product, char *name);

#endif
