/* SPDX-License-Identifier: MIT */
/*
 * Orders as Adobe Commerce tells of them, by whatever way (event, journal, webhook, REST), become
 * orders of the shop: one row an increment id, whichever way came first, however often, in whatever
 * order. Completed ones are accepted, cancelled ones revoked, others left alone; all of one page,
 * with the page's position, in one transaction.
 */
#ifndef BC_CORE_INTAKE_H
#define BC_CORE_INTAKE_H

#include "core/identity.h"
#include "protocol/commerce_order.h"

enum bc_intake_source {
	BC_INTAKE_EVENT,   /* I/O Events, sent to us */
	BC_INTAKE_JOURNAL, /* I/O Events, fetched */
	BC_INTAKE_WEBHOOK, /* Commerce's webhook: binds clicks only */
	BC_INTAKE_PULL	   /* the REST API */
};
enum { BC_INTAKE_SOURCES = 4 };
extern const char *const bc_intake_source_name[BC_INTAKE_SOURCES];

enum bc_intake_result {
	BC_INTAKE_ACCEPTED,	/* a new conversion */
	BC_INTAKE_ADOPTED,	/* a known order that now has its click, or is back */
	BC_INTAKE_REPEATED,	/* known already */
	BC_INTAKE_UNATTRIBUTED, /* new, without a click */
	BC_INTAKE_CONFLICT,	/* known with another click */
	BC_INTAKE_WITHDRAWN,	/* taken back before it was handed back */
	BC_INTAKE_REVOKED,	/* taken back after that: listed by `orders --revoked` */
	BC_INTAKE_OPEN,		/* not completed yet: nothing is kept */
	BC_INTAKE_REFUSED	/* no order could be made of it: the log says why */
};
enum { BC_INTAKE_RESULTS = 9 };
extern const char *const bc_intake_result_name[BC_INTAKE_RESULTS];

/* Why an order is cancelled that Commerce took back. Exact words: they reach the shop. */
#define BC_INTAKE_CANCELED "canceled in Commerce"
#define BC_INTAKE_CLOSED   "closed in Commerce"

/* How a page came out. Valid during done. */
struct bc_intake_taken {
	size_t count; /* of the orders */
	size_t counts[BC_INTAKE_RESULTS];
	const enum bc_intake_result *results; /* one for each order, in their order */
};
typedef void bc_intake_done(void *ctx, int result, const struct bc_err *err,
			    const struct bc_intake_taken *taken);

/*
 * Takes a page. orders and position must live until done; position_key absent: none is kept. A page
 * of no orders is fine: its position is. done is called once, later; result is the store's.
 * 0, or BC_ENOMEM (then done is not called). The desk's thread.
 */
BC_MUST_CHECK int bc_intake_take(struct bc_desk *desk, struct bc_arena *arena,
				 enum bc_intake_source source,
				 const struct bc_commerce_order *orders, size_t count,
				 struct bc_str position_key, struct bc_str position,
				 bc_intake_done *done, void *ctx, struct bc_err *err);

/*
 * An order is about to be placed: that proves nothing yet, so nothing but its click is kept, under
 * the sessions of its cart and its number. done as above, with taken NULL; an order without a click
 * is done at once (1 is returned, done is not called).
 */
BC_MUST_CHECK int bc_intake_bind(struct bc_desk *desk, struct bc_arena *arena,
				 const struct bc_commerce_order *order, bc_intake_done *done,
				 void *ctx, struct bc_err *err);

#endif
