/* SPDX-License-Identifier: MIT */
/*
 * Adobe's Journaling API, read by ourselves: the truth about orders, for it keeps seven days and
 * forgets nothing that a webhook could not take. The position is stored in the transaction of the
 * orders before it, so a daemon that dies goes on where it was, without a gap.
 *
 * States: IDLE (nothing new; asks again after the journal's Retry-After, or when woken), READING
 * (pages one after the other), WAITING (a failure: backs off with jitter, at most a minute; or no
 * access token), EXPIRED for as long as one call takes (410: the position is older than what the
 * journal keeps; goes on from the oldest, and says so).
 *
 * Create, reconfigure, stop, destroy: the loop's thread. wake and look: any.
 */
#ifndef BC_CORE_JOURNAL_H
#define BC_CORE_JOURNAL_H

#include "core/shop.h"
#include "core/tokens.h"

/* Borrowed; whoever takes it copies. */
struct bc_journal_config {
	const char *url;	     /* of the registration */
	const char *client_id;	     /* x-api-key, and whose events count */
	const char *org_id;	     /* x-ims-org-id; NULL: not sent */
	const char *proxy, *ca_file; /* NULL: none; the system's */
	uint64_t timeout_ms;
};

enum bc_journal_state { BC_JOURNAL_IDLE, BC_JOURNAL_READING, BC_JOURNAL_WAITING };
enum { BC_JOURNAL_STATES = 3 };
extern const char *const bc_journal_state_name[BC_JOURNAL_STATES];

struct bc_journal_view {
	enum bc_journal_state state;
	uint64_t events, orders, pages, failures, expired; /* since the start */
	uint64_t events_per_minute;			   /* of the last minute that it read */
	uint64_t last_event_ms; /* wall clock: when the newest event that was read came to be */
	uint64_t next_try_ms;	/* from now */
	uint64_t lag_ms;	/* how old what is not read yet may be; 0: read to its end */
	struct bc_err last;	/* code 0: none since the last success */
};

struct bc_journal;

BC_MUST_CHECK int bc_journal_create(struct bc_loop *loop, struct bc_shop *shop,
				    struct bc_tokens *tokens,
				    const struct bc_journal_config *config,
				    struct bc_journal **ret_journal, struct bc_err *err);
/* The rules of the shop, and how the journal is asked, from the next page on; its URL must be the
 * one of the start. 0 or BC_ENOMEM: then nothing changed. */
BC_MUST_CHECK int bc_journal_reconfigure(struct bc_journal *j, struct bc_shop_config *rules,
					 const struct bc_journal_config *config,
					 struct bc_err *err);
/* There is news (a webhook came): reads now, unless it is backing off. */
void bc_journal_wake(struct bc_journal *j);
void bc_journal_look(struct bc_journal *j, struct bc_journal_view *ret_view);
/* What is under way ends; done(ctx) once, later. */
void bc_journal_stop(struct bc_journal *j, void (*done)(void *ctx), void *ctx);
void bc_journal_destroy(struct bc_journal *j); /* stopped; NULL is fine */

#endif
