/* SPDX-License-Identifier: MIT */
/*
 * Watches what may go wrong without anybody asking: the store, how fast it is, the disk it is on,
 * orders that wait for long, the journal, the access token that nobody can renew. Each watch is in
 * one of two states; each turn is told once, in the log (watch.state) and to alert.url. A state has
 * to be contradicted clearly, or for a while, before it turns (the bounds below), so that what goes
 * to and fro near a bound is told once and not all night. Lanes, return rates and the credential's
 * refusal are told by those who know of them.
 *
 * Loses its memory at a restart: what is still wrong is told again then. Delivery loop's thread.
 */
#ifndef BC_CORE_WATCH_H
#define BC_CORE_WATCH_H

#include "core/journal.h"
#include "core/shop.h"
#include "core/tokens.h"

/* The bounds, by watch: when it turns bad, and when it turns good again. */
enum {
	/* The store takes no writes for so long; it takes them again for so long. */
	BC_WATCH_STORE_BAD_MS = 10 * 1000,
	BC_WATCH_STORE_GOOD_MS = 60 * 1000,
	/* One commit in a hundred of the last minutes takes so long, of at least so many commits,
	 * for so long. */
	BC_WATCH_SPEED_BAD_US = 250 * 1000,
	BC_WATCH_SPEED_GOOD_US = 100 * 1000,
	BC_WATCH_SPEED_COMMITS = 30,
	BC_WATCH_SPEED_MS = 15 * 60 * 1000,
	/* So much is free where the store is. */
	BC_WATCH_DISK_BAD_MIB = 256,
	BC_WATCH_DISK_GOOD_MIB = 512,
	/* The oldest order of a lane waits so long. */
	BC_WATCH_PENDING_BAD_MS = 60 * 60 * 1000,
	BC_WATCH_PENDING_GOOD_MS = 30 * 60 * 1000,
	/* How old what was not read of the journal may be. */
	BC_WATCH_JOURNAL_BAD_MS = 60 * 60 * 1000,
	BC_WATCH_JOURNAL_GOOD_MS = 10 * 60 * 1000,
	/* There is a token, and the next one was not to be had for so long. */
	BC_WATCH_TOKEN_BAD_MS = 10 * 60 * 1000,
};

struct bc_watch;
BC_MUST_CHECK struct bc_watch *bc_watch_create(struct bc_shop *shop); /* or NULL; borrows shop */
void bc_watch_destroy(struct bc_watch *w);			      /* NULL is fine */

/* Each looks at what is the case now; now_ms: elapsed clock. */

/* What it takes, and what is free where it is. */
void bc_watch_store(struct bc_watch *w, const struct bc_store_stats *stats, uint64_t now_ms);
/* What BC_STORE_LANES answered. A lane that is parked or paused was told of, and loses nothing: its
 * orders count only once it goes on. */
void bc_watch_lanes(struct bc_watch *w, const struct bc_lane_count *lanes, uint32_t count,
		    uint64_t now_ms);
void bc_watch_journal(struct bc_watch *w, const struct bc_journal_view *view, uint64_t now_ms);
void bc_watch_token(struct bc_watch *w, const struct bc_tokens_view *view, uint64_t now_ms);

#endif
