/* SPDX-License-Identifier: MIT */
/*
 * How many clicks and orders came, by five minutes of the last days: what a chart is drawn from.
 * What came is never taken back: a click that expires, or an order that is cleaned up, has come all
 * the same. Engines count within their transactions; one that has some keeps what was settled
 * beside what is now.
 *
 * A capture is what a store does most, so it does not pay for its own count: an engine that keeps
 * its rows need not write a bucket with each of them, if it can tell after a crash which rows no
 * bucket on disk has yet (sqlite_tally.c). Whether a bucket is as it stands on disk is noted here.
 *
 * A bucket is known by its time alone, as those of the returns are (returns.h), and goes with
 * theirs: what lies more than eight days from now, either way, is dropped by a purge. Not
 * thread-safe.
 */
#ifndef BC_STORE_TALLY_H
#define BC_STORE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum bc_tally_what { BC_TALLY_PRODUCTION, BC_TALLY_TEST, BC_TALLY_ORDERS };
enum { BC_TALLIES = 3, BC_TALLY_STEP_MS = 5 * 60 * 1000 };

struct bc_tally_bucket {
	uint64_t number; /* of the step since 1970 */
	uint32_t now[BC_TALLIES], settled[BC_TALLIES];
	bool unwritten; /* it is not on disk as it is now */
};

/* Zeroed is empty. */
struct bc_tally {
	struct bc_tally_bucket *buckets; /* owned; by number */
	uint32_t count, room;
	uint32_t first_changed;	  /* those before it are settled; count: all are */
	uint32_t first_unwritten; /* those before it are on disk; count: all are */
	bool writing;		  /* they are written by the transaction under way */
};

void bc_tally_finish(struct bc_tally *t);

/* The bucket of a time, made if there is none; NULL without memory. Valid until the next call that
 * may make or drop one. One that stays empty is dropped by the next settle or restore. */
BC_MUST_CHECK struct bc_tally_bucket *bc_tally_bucket(struct bc_tally *t, uint64_t at_ms);
/* Counts so many more in a bucket of t's. */
void bc_tally_count(struct bc_tally *t, struct bc_tally_bucket *bucket, enum bc_tally_what what,
		    uint32_t n);
/* Puts a bucket as it is on disk. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_tally_load(struct bc_tally *t, uint64_t number,
				const uint32_t counts[static BC_TALLIES]);
/* Empties buckets that are out of reach, at most limit; returns how many. They go when that is
 * written and settled. */
uint32_t bc_tally_expire(struct bc_tally *t, uint64_t now_ms, uint32_t limit);
bool bc_tally_is_empty(const struct bc_tally_bucket *bucket);

/* Calls write for each bucket that is not on disk as it is now, until one returns not 0, and
 * returns that. One that is empty is to be removed. If all are written, the next settle notes it.
 */
BC_MUST_CHECK int bc_tally_write(struct bc_tally *t,
				 int (*write)(void *ctx, const struct bc_tally_bucket *bucket),
				 void *ctx);
void bc_tally_settle(struct bc_tally *t);  /* what is now stays */
void bc_tally_restore(struct bc_tally *t); /* what was settled is now */

#endif
