/* SPDX-License-Identifier: MIT */
/*
 * When Commerce asks to be left alone (429, or 503 with Retry-After), everybody who calls it waits,
 * and comes back without a burst: no more than half of the waiters in the first 50 ms, all within
 * 500. The sleep is shared by all loops; who waits, waits at the door of his own loop.
 */
#ifndef BC_CORE_UPSTREAM_H
#define BC_CORE_UPSTREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "net/loop.h"

struct bc_upstream {
	const struct bc_clock *clock;	      /* borrowed */
	atomic_uint_fast64_t asleep_until_ms; /* elapsed clock; 0, or over: awake */
	/* Answers that the callers counted here; how often it fell asleep. */
	atomic_uint_fast64_t refused_401, refused_429, sleeps;
};
void bc_upstream_init(struct bc_upstream *u, const struct bc_clock *clock);
/* From now on, for so long, never less; a sleep under way is only ever made longer. 0 is none. Any
 * thread; the caller has cut what an answer asks for. */
void bc_upstream_sleep(struct bc_upstream *u, uint64_t wait_ms);
/* How long it still sleeps; 0: awake. Any thread. */
uint64_t bc_upstream_asleep_ms(const struct bc_upstream *u);

/* One loop's; its own calls are for the loop's thread only. */
struct bc_upstream_door;
BC_MUST_CHECK int bc_upstream_door_create(struct bc_loop *loop, struct bc_upstream *u,
					  struct bc_upstream_door **ret_door, struct bc_err *err);
/* Nobody may wait any more. NULL is fine; safe inside a done. */
void bc_upstream_door_destroy(struct bc_upstream_door *door);

/* Embedded in whoever waits; all zero before the first enter. */
struct bc_upstream_wait {
	uint64_t deadline_ms; /* elapsed clock */
	/* open: go on. Else the deadline comes first: told at once, when that is known (also when
	 * the sleep ends before it, but his turn to wake does not). May do anything: enter again,
	 * cancel others, free wait. */
	void (*done)(struct bc_upstream_wait *wait, bool open);
	/* The door's: */
	struct bc_upstream_wait *prev, *next;
	struct bc_upstream_door *door; /* NULL: does not wait */
	uint64_t wake_ms;
};
/* True: awake, go on; done is not called. False: done is called once, later, unless cancelled. */
bool bc_upstream_enter(struct bc_upstream_door *door, struct bc_upstream_wait *wait);
void bc_upstream_cancel(struct bc_upstream_wait *wait); /* one that does not wait is fine */

#endif
