/* SPDX-License-Identifier: MIT */
/*
 * What must happen though nobody asks: expired clicks and old tokens are deleted, conversions past
 * their deadline expire, a store that refused a write is tried until it takes one again, and
 * somebody is told when the return rate falls, and of what watch.h watches. On the delivery's loop.
 */
#ifndef BC_CORE_UPKEEP_H
#define BC_CORE_UPKEEP_H

#include "core/delivery.h"
#include "core/journal.h"
#include "core/tokens.h"

struct bc_upkeep;
BC_MUST_CHECK int bc_upkeep_create(struct bc_loop *loop, struct bc_shop *shop,
				   struct bc_delivery *delivery, struct bc_upkeep **ret_upkeep,
				   struct bc_err *err);
/* What else is watched from now on; each may be NULL, and is borrowed until it is stopped. Before
 * loop runs. */
void bc_upkeep_watch(struct bc_upkeep *u, struct bc_tokens *tokens, struct bc_journal *journal);
/* Starts nothing more; calls done(ctx) on the loop's thread, now or later, when nothing is under
 * way. Destroy once the loop no longer runs. */
void bc_upkeep_stop(struct bc_upkeep *u, void (*done)(void *ctx), void *ctx);
/* Works by these rules from now on. Takes a reference. */
void bc_upkeep_reconfigure(struct bc_upkeep *u, struct bc_shop_config *config);
void bc_upkeep_destroy(struct bc_upkeep *u); /* NULL is fine */

#endif
