/* SPDX-License-Identifier: MIT */
/*
 * Comments on orders in Commerce, which say what became of the hand-back: so the shop's staff sees
 * it where they look anyway. Which ones are due stands in the store, so none is lost by a restart;
 * before one is posted its order is asked whether it stands there already, so none is doubled
 * either. Delivery never waits for it.
 *
 * Due -> done; or given up: Commerce refuses it (4xx), or does not know the order. What fails
 * otherwise is tried again, a minute later at most. One at a time.
 *
 * The loop's thread, but for wake and counts.
 */
#ifndef BC_CORE_COMMENTS_H
#define BC_CORE_COMMENTS_H

#include <backchannel/client.h>

#include "core/shop.h"

struct bc_comments;

enum bc_comment_result { BC_COMMENTS_WRITTEN, BC_COMMENTS_FAILED, BC_COMMENTS_GIVEN_UP };
enum { BC_COMMENT_RESULTS = 3 };
extern const char *const bc_comment_result_name[BC_COMMENT_RESULTS];

/* client: borrowed. */
BC_MUST_CHECK int bc_comments_create(struct bc_loop *loop, struct bc_shop *shop,
				     struct bc_client *client, struct bc_comments **ret_comments,
				     struct bc_err *err);
void bc_comments_reconfigure(struct bc_comments *c, struct bc_shop_config *config);
/* One may be due. Any thread; NULL is fine. */
void bc_comments_wake(struct bc_comments *c);
void bc_comments_counts(struct bc_comments *c, uint64_t ret_counts[BC_COMMENT_RESULTS]);
/* After bc_client_end: done(ctx) once nothing of it is under way. */
void bc_comments_stop(struct bc_comments *c, void (*done)(void *ctx), void *ctx);
void bc_comments_destroy(struct bc_comments *c); /* stopped; NULL is fine */

#endif
