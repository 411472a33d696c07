/* SPDX-License-Identifier: MIT */
/*
 * Orders fetched from Commerce's REST API: those changed since the last time, page by page, taken
 * as events are (intake.h), each page with its position in one transaction. Then reconciled: orders
 * that were reported here and that Commerce never told us of are looked up by their number; what it
 * does not know is named.
 *
 * Pages are found by key, not by number: (updated_at, entity_id) greater than the last one seen.
 * So an order that changes meanwhile can move to a later page, and none can slip between two.
 *
 * One pull at a time. The loop's thread, but for look.
 */
#ifndef BC_CORE_PULL_H
#define BC_CORE_PULL_H

#include <backchannel/client.h>

#include "core/intake.h"

enum { BC_PULL_UNKNOWN_MAX = 100 };

enum bc_pull_state { BC_PULL_NEVER, BC_PULL_RUNNING, BC_PULL_DONE, BC_PULL_FAILED };
enum { BC_PULL_STATES = 4 };
extern const char *const bc_pull_state_name[BC_PULL_STATES];

/* How far the one under way, or the last one, came. */
struct bc_pull_view {
	enum bc_pull_state state;
	uint64_t since_ms;		  /* orders changed since then */
	uint64_t started_ms, finished_ms; /* wall clock; finished 0: runs */
	uint64_t total;			  /* orders that Commerce named at the beginning */
	uint64_t seen, pages;
	uint64_t counts[BC_INTAKE_RESULTS];
	uint64_t checked; /* reported here, not told by Commerce: looked up */
	uint64_t unknown; /* of these, what Commerce does not know */
	/* The first of them; NUL-terminated. */
	char unknown_orders[BC_PULL_UNKNOWN_MAX][BC_ORDER_ID_MAX + 1];
	struct bc_err err; /* why it failed */
};

struct bc_pull;

/* every_ms: pulls by itself that often, from the start on; 0: only when asked. client: borrowed. */
BC_MUST_CHECK int bc_pull_create(struct bc_loop *loop, struct bc_shop *shop,
				 struct bc_client *client, uint64_t every_ms,
				 struct bc_pull **ret_pull, struct bc_err *err);
void bc_pull_reconfigure(struct bc_pull *p, struct bc_shop_config *config, uint64_t every_ms);
/* Any thread: begins one on the loop, unless one runs. since_ms 0: from where the last one ended,
 * or seven days ago. */
void bc_pull_begin(struct bc_pull *p, uint64_t since_ms);
void bc_pull_look(struct bc_pull *p, struct bc_pull_view *ret_view); /* any thread */
/* After bc_client_end: done(ctx) once nothing of it is under way. */
void bc_pull_stop(struct bc_pull *p, void (*done)(void *ctx), void *ctx);
void bc_pull_destroy(struct bc_pull *p); /* stopped, or never ran; NULL is fine */

#endif
