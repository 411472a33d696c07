/* SPDX-License-Identifier: MIT */
/* See shop.h. */
#include "core/shop.h"

#include <string.h>

#include "base/err.h"

const uint32_t bc_duration_bound_ms[BC_DURATION_BUCKETS] = { 5,	  10,	25,   50,   100,   250,
							     500, 1000, 2500, 5000, 10000, 30000 };

const char *const bc_order_result_name[BC_ORDER_RESULTS] = {
	[BC_ORDERS_ACCEPTED] = "accepted", [BC_ORDERS_ADOPTED] = "adopted",
	[BC_ORDERS_REPEATED] = "repeated", [BC_ORDERS_UNATTRIBUTED] = "unattributed",
	[BC_ORDERS_CONFLICT] = "conflict",
};

int bc_desk_init(struct bc_desk *d, struct bc_shop *shop, struct bc_loop *loop, struct bc_err *err)
{
	*d = (struct bc_desk){ .shop = shop, .hasher = bc_hasher_create(shop->hash_key) };
	if (d->hasher && shop->hash_key_previous)
		d->previous = bc_hasher_create(shop->hash_key_previous);
	if (!d->hasher || (shop->hash_key_previous && !d->previous)) {
		bc_hasher_destroy(d->hasher);
		d->hasher = NULL;
		return bc_err_nomem(err);
	}
	bc_origin_init(&d->origin, loop);
	return 0;
}

void bc_desk_finish(struct bc_desk *d)
{
	if (!d->hasher)
		return;
	bc_origin_finish(&d->origin);
	bc_hasher_destroy(d->hasher);
	bc_hasher_destroy(d->previous);
	d->hasher = NULL;
}

void bc_desk_submit(struct bc_desk *d, struct bc_store_op *op)
{
	bc_store_submit(d->shop->store, &d->origin.base, op);
}

const struct bc_product *bc_shop_product(const struct bc_shop *s, struct bc_str label)
{
	for (size_t i = 0; i < s->config->product_count; i++)
		if (bc_str_eq(label, s->config->products[i].label))
			return &s->config->products[i];
	return NULL;
}

const struct bc_product *bc_shop_product_for_path(const struct bc_shop *s, struct bc_str path)
{
	const struct bc_product *best = s->config->product_count ? &s->config->products[0] : NULL;
	size_t best_len = 0;
	for (size_t i = 0; i < s->config->product_count; i++) {
		const struct bc_product *p = &s->config->products[i];
		size_t len = p->landing ? strlen(p->landing) : 0;
		if (len > best_len && bc_str_starts(path, p->landing)) {
			best = p;
			best_len = len;
		}
	}
	return best;
}
