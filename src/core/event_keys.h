/* SPDX-License-Identifier: MIT */
/*
 * The public keys that Adobe signs events with: fetched from the one host that settings name, kept
 * for a day at most. A delivery names its keys by a path, and who sends it is not known yet, so a
 * stranger can ask for any path of the right form. What he can cause by that is bounded: one fetch
 * a path at a time, a few at once, a number of them a minute; and what is not there is not asked
 * for again for a while. Keys that are known are never pushed out by paths that are not, and are
 * fetched anew half a day before they end.
 *
 * Whether a path may be fetched at all is asked before (bc_event_key_path_ok). One loop's thread.
 */
#ifndef BC_CORE_EVENT_KEYS_H
#define BC_CORE_EVENT_KEYS_H

#include "base/clock.h"
#include "core/fetcher.h"
#include "protocol/events.h"

struct bc_event_keys;

enum {
	BC_EVENT_KEYS_MAX = 64,		   /* paths that are known, or known not to be there */
	BC_EVENT_KEYS_FETCHES_MAX = 8,	   /* at once */
	BC_EVENT_KEYS_FETCHES_MINUTE = 60, /* in one minute, those that failed included */
	BC_EVENT_KEYS_WAITERS_MAX = 2048,
	BC_EVENT_KEYS_TIMEOUT_MS = 3000 /* of a fetch: Adobe waits ten seconds for all of it */
};

/* Somebody who waits; his until done. */
struct bc_event_key_wait {
	/* key NULL: it cannot be had now, and problem says why. Else borrowed, during the call. */
	void (*done)(struct bc_event_key_wait *wait, const struct bc_public_key *key,
		     const char *problem);
	struct bc_event_key_wait *next; /* the cache's */
};

/* fetcher: borrowed. base_url without a slash at its end; copied, like what comes by reconfigure.
 */
BC_MUST_CHECK int bc_event_keys_create(struct bc_fetcher *fetcher, const struct bc_clock *clock,
				       const char *base_url, struct bc_event_keys **ret_keys,
				       struct bc_err *err);
/* Another host: what is known of the former one is forgotten. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_event_keys_reconfigure(struct bc_event_keys *k, const char *base_url);
/* The key, if it is known; NULL: it is not. Borrowed until the loop's turn ends. */
const struct bc_public_key *bc_event_keys_look(struct bc_event_keys *k, struct bc_str path);
/* Fetches it: done is called once, later, also when it is known. 0; BC_EBUSY: too many are asked
 * for; BC_EUNREACH: it could not be had a moment ago; BC_ENOMEM; BC_ESTATE: the fetcher is stopped.
 */
BC_MUST_CHECK int bc_event_keys_fetch(struct bc_event_keys *k, struct bc_str path,
				      struct bc_event_key_wait *wait);
/* Nobody may wait, and nothing be under way (the fetcher is stopped). NULL is fine. */
void bc_event_keys_destroy(struct bc_event_keys *k);

#endif
