/* SPDX-License-Identifier: MIT */
/*
 * Orders: taken from the shop, joined with their click, kept as conversions. Everything here ends
 * in one store operation; what the store guarantees in one transaction stands in store.h at struct
 * bc_accept.
 */
#ifndef BC_CORE_ORDERS_H
#define BC_CORE_ORDERS_H

#include "core/identity.h"

/* What was reported; absent = not given. Slices live until done. */
struct bc_report {
	struct bc_str order;
	struct bc_str token, click, session; /* resolved in this order */
	struct bc_str product, amount, currency;
};

struct bc_accepted {
	enum bc_accept_result how;
	const struct bc_order *order; /* as it stands now; valid during done */
};

typedef void bc_accept_done(void *ctx, int result, const struct bc_err *err,
			    const struct bc_accepted *accepted);

/*
 * Takes an order; done is called once, later, when it is on disk.
 * result 0: done will be called; BC_EINVAL with *ret_field naming the wrong field; BC_ENOMEM.
 */
BC_MUST_CHECK int bc_orders_accept(struct bc_desk *desk, struct bc_arena *arena,
				   const struct bc_report *report, bc_accept_done *done, void *ctx,
				   const char **ret_field, struct bc_err *err);

/* --- for whoever brings orders by another way (intake.h) ------------------------------------- */

/*
 * Reads a report into what the store takes, by the rules of the desk. ret is filled whole; it
 * borrows from the report and from desk->config, of which the caller keeps a reference until the
 * store is done. 0, or BC_EINVAL with *ret_field naming the wrong field.
 */
BC_MUST_CHECK int bc_orders_read(struct bc_desk *desk, const struct bc_report *report,
				 struct bc_accept *ret, const char **ret_field, struct bc_err *err);
/* How it came out, as it is counted. order: as it stands then. */
enum bc_order_result bc_orders_result(enum bc_accept_result how, const struct bc_order *order);
/* Did a conversion become due by it? */
bool bc_orders_became_due(enum bc_order_result result);
/* The one line that an order leaves in the log when it arrives. source NULL: the shop itself. */
void bc_orders_log(const struct bc_order *order, const char *result, const char *source);

#endif
