/* SPDX-License-Identifier: MIT */
/*
 * Watches the return rate of each product: delivered conversions of the last 24 hours against all
 * that were not cancelled. A rate below alert.return_rate, with at least alert.return_rate_orders
 * of them, is told once, and once more when it is over: log event `return_rate.state`, alert.url.
 * Loses its memory at a restart, so a low rate is told again then. Delivery loop's thread.
 */
#ifndef BC_CORE_RETURN_RATE_H
#define BC_CORE_RETURN_RATE_H

#include "core/shop.h"

struct bc_return_rate;
BC_MUST_CHECK struct bc_return_rate *bc_return_rate_create(struct bc_shop *shop); /* or NULL */
/* Looks at what BC_STORE_RETURNS answered. */
void bc_return_rate_look(struct bc_return_rate *r, const struct bc_shop_config *config,
			 const struct bc_return_count *products, uint32_t count);
void bc_return_rate_destroy(struct bc_return_rate *r); /* NULL is fine */

/* Conversions of a window that count: all but the cancelled. */
uint64_t bc_return_orders(const struct bc_return_count *count, int window);

#endif
