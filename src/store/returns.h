/* SPDX-License-Identifier: MIT */
/*
 * How the conversions of the last days stand, told without looking at one: per (partner, product) a
 * count by state of those whose order was created in the same five minutes. Both engines move the
 * counts with the rows; one that has transactions keeps what stands on disk beside what is now.
 *
 * A bucket is known by its time alone, so a wall clock that jumps makes buckets elsewhere and harms
 * none: those ahead of the clock count as of now, up to the length of the longest window ahead of
 * it; beyond, a clock was wrong, and they count for nothing. What lies more than eight days from
 * now either way is dropped by a purge; a conversion whose bucket was dropped is never counted
 * again, whatever it does. Not thread-safe.
 */
#ifndef BC_STORE_RETURNS_H
#define BC_STORE_RETURNS_H

#include "base/arena.h"
#include "store/rows.h"

enum {
	BC_RETURNS_STEP_MS = 5 * 60 * 1000,
	BC_RETURNS_STATES = BC_ORDER_STATES - 1 /* from pending on */
};

struct bc_returns_bucket {
	uint64_t number; /* of the step since 1970 */
	/* By state less BC_ORDER_PENDING. durable: as they were at the last settle. */
	uint32_t now[BC_RETURNS_STATES], durable[BC_RETURNS_STATES];
};

struct bc_returns_product {
	char *partner, *product;	   /* owned */
	struct bc_returns_bucket *buckets; /* owned; by number; none that is empty and durable */
	uint32_t count, room;
	uint32_t first_changed; /* those before it are durable; count: all are */
};

/* Zeroed is empty. */
struct bc_returns {
	struct bc_returns_product *products; /* owned; only ever grows */
	uint32_t count, room;
};

void bc_returns_finish(struct bc_returns *r);

/* Moves an order from a state to another; -1 = from or to nowhere. 0, or BC_ENOMEM and nothing is
 * changed. */
BC_MUST_CHECK int bc_returns_move(struct bc_returns *r, int from, int to,
				  const struct bc_order *order);
/* Puts a bucket as it was stored; its numbers are durable. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_returns_load(struct bc_returns *r, struct bc_str partner,
				  struct bc_str product, const struct bc_returns_bucket *bucket);
/* Empties buckets that no window reaches any more, at most limit; returns how many. They go when
 * that is settled. */
uint32_t bc_returns_expire(struct bc_returns *r, uint64_t now_ms, uint32_t limit);

/* Calls write for each bucket that changed since the last settle, until one returns not 0, and
 * returns that. One that is all 0 is to be removed. */
BC_MUST_CHECK int bc_returns_changes(const struct bc_returns *r,
				     int (*write)(void *ctx, const struct bc_returns_product *of,
						  const struct bc_returns_bucket *bucket),
				     void *ctx);
void bc_returns_settle(struct bc_returns *r);  /* what is now is durable */
void bc_returns_restore(struct bc_returns *r); /* what is durable is now */

/* The answer: products with a conversion in the longest window. In arena; 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_returns_tell(const struct bc_returns *r, uint64_t now_ms,
				  struct bc_arena *arena, struct bc_return_count **ret_products,
				  uint32_t *ret_count);

#endif
