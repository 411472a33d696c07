/* SPDX-License-Identifier: MIT */
/*
 * Delivery: leases due conversions lane by lane, hands each back with one HTTP request, and settles
 * what came of it in the store. Runs on a loop of its own. An attempt is on disk, as unknown,
 * before its request leaves; what it came to is on disk before anybody is told. A crash in between
 * sends again (at least once on the wire).
 */
#ifndef BC_CORE_DELIVERY_H
#define BC_CORE_DELIVERY_H

#include "core/lanes.h"

struct bc_delivery;

/* On loop's thread or before it runs. Releases the leases of a dead process first; begins at once.
 */
BC_MUST_CHECK int bc_delivery_create(struct bc_loop *loop, struct bc_shop *shop,
				     struct bc_delivery **ret_delivery, struct bc_err *err);

/* There may be conversions due now. Any thread; cheap; collapses. */
void bc_delivery_wake(struct bc_delivery *d);

/*
 * Works by these rules from now on; loop's thread. Calls under way end by the former ones. Lanes
 * keep how they stand; a new product opens a lane, one that left keeps what waits, unsent, until
 * it comes back. A parked lane whose credential changed (key, id or base URL) tries at once.
 * 0, or BC_ENOMEM: the former rules stay in force.
 */
BC_MUST_CHECK int bc_delivery_reconfigure(struct bc_delivery *d, struct bc_shop_config *config,
					  struct bc_err *err);

/* Leases no more and calls done(ctx) on the loop's thread when the calls under way are settled, or
 * cut after grace_ms (they go out again at the next start). Loop's thread. d is destroyed later,
 * once the loop no longer runs: not inside done. */
void bc_delivery_stop(struct bc_delivery *d, uint64_t grace_ms, void (*done)(void *ctx), void *ctx);
void bc_delivery_destroy(struct bc_delivery *d); /* NULL is fine; after stop's done only */

/* Copies the lanes' status; any thread. Returns how many there are (at most max are written). */
size_t bc_delivery_lanes(struct bc_delivery *d, struct bc_lane_status *ret, size_t max);

/* --- the operator -------------------------------------------------------------------------- */

enum bc_lane_action {
	BC_LANE_PAUSE,	/* nothing leaves until it is resumed, also after a restart */
	BC_LANE_RESUME, /* of a paused lane: open */
	BC_LANE_PROBE	/* the test token now; a parked or broken lane goes on when it is taken */
};

/* One order of the operator's. The caller's, and delivery's from submit until done. */
struct bc_lane_command {
	enum bc_lane_action action;
	char lane[BC_LANE_NAME_BYTES];
	struct bc_loop *loop;			       /* done's */
	void (*done)(struct bc_lane_command *command); /* once, on that loop, never inline */
	void *ctx;

	/* 0, and the state is on disk; BC_ENOENT no such lane; BC_ESTATE not from the state it is
	 * in; BC_ESTORE in force but not on disk yet; BC_EUNREACH stopping. err says it in words,
	 * with what to do. */
	int result;
	struct bc_err err;
	struct bc_lane_status status; /* after it, with result 0 */
	/* Probe: what the partner said to the test token. */
	enum bc_outcome outcome;
	int http_status; /* 0 = no answer */
	uint64_t duration_ms;
	char meaning[160], hint[240];

	struct bc_task task; /* delivery's own, from here */
	struct bc_delivery *delivery;
	struct bc_lane_command *next;
};

/* Any thread. Answers even while delivery stops. */
void bc_delivery_command(struct bc_delivery *d, struct bc_lane_command *command);

#endif
