/* SPDX-License-Identifier: MIT */
/* What the parts of `backchannel orders` share: one does one of its forms. */
#ifndef BC_CLI_ORDERS_H
#define BC_CLI_ORDERS_H

#include "cli/remote.h"
#include "cli/selector.h"

struct bc_orders_options {
	struct bc_selector selector;
	const char *format; /* --export */
	bool count, summary, revoked, with_tokens;
};

/* GET /v1/orders with what is selected, and more as of bc_selector_path. path: initialised. 0,
 * BC_ENOMEM or BC_ETOOBIG. */
BC_MUST_CHECK int bc_orders_path(struct bc_buf *path, const struct bc_orders_options *options,
				 const char *more);

/* All that the selector names, page by page, to stdout. */
enum bc_exit bc_orders_export(const struct bc_invocation *in);
/* Return rates, orders by state, lanes that stand. */
enum bc_exit bc_orders_summary(const struct bc_invocation *in);

#endif
