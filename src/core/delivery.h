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

/* Leases no more and calls done(ctx) on the loop's thread when the calls under way are settled, or
 * cut after grace_ms (they go out again at the next start). Loop's thread. d is destroyed later,
 * once the loop no longer runs: not inside done. */
void bc_delivery_stop(struct bc_delivery *d, uint64_t grace_ms, void (*done)(void *ctx), void *ctx);
void bc_delivery_destroy(struct bc_delivery *d); /* NULL is fine; after stop's done only */

/* Copies the lanes' status; any thread. Returns how many there are (at most max are written). */
size_t bc_delivery_lanes(struct bc_delivery *d, struct bc_lane_status *ret, size_t max);

#endif
