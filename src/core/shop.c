/* SPDX-License-Identifier: MIT */
/* See shop.h. */
#include "core/shop.h"

#include <string.h>

#include "base/err.h"

const uint32_t bc_duration_bound_ms[BC_DURATION_BUCKETS] = { 5,	  10,	25,   50,   100,   250,
							     500, 1000, 2500, 5000, 10000, 30000 };

const char *const bc_landing_name[BC_LANDINGS] = { [BC_LANDING_STORED] = "stored",
						   [BC_LANDING_COOKIE] = "cookie",
						   [BC_LANDING_NOTHING] = "nothing",
						   [BC_LANDING_FOREIGN] = "foreign",
						   [BC_LANDING_LIMITED] = "limited" };

const char *const bc_events_result_name[BC_EVENTS_RESULTS] = {
	[BC_EVENTS_ACCEPTED] = "accepted",
	[BC_EVENTS_BAD_SIGNATURE] = "bad-signature",
	[BC_EVENTS_UNKNOWN_KEY_PATH] = "unknown-key-path",
	[BC_EVENTS_KEY_UNAVAILABLE] = "key-unavailable",
	[BC_EVENTS_OTHER_CLIENT] = "other-client",
	[BC_EVENTS_MALFORMED] = "malformed",
	[BC_EVENTS_STORE_REFUSED] = "store-refused",
};

const char *const bc_webhook_name[BC_WEBHOOKS] = {
	[BC_WEBHOOK_BOUND] = "bound",
	[BC_WEBHOOK_NOTHING] = "nothing",
	[BC_WEBHOOK_BAD_SIGNATURE] = "bad-signature",
	[BC_WEBHOOK_DROPPED] = "dropped",
	[BC_WEBHOOK_STORE_REFUSED] = "store-refused",
};

const char *const bc_input_drop_name[BC_INPUT_DROPS] = {
	[BC_INPUT_MALFORMED] = "malformed", [BC_INPUT_BUSY] = "busy", [BC_INPUT_KERNEL] = "kernel"
};

const char *const bc_order_result_name[BC_ORDER_RESULTS] = {
	[BC_ORDERS_ACCEPTED] = "accepted", [BC_ORDERS_ADOPTED] = "adopted",
	[BC_ORDERS_REPEATED] = "repeated", [BC_ORDERS_UNATTRIBUTED] = "unattributed",
	[BC_ORDERS_CONFLICT] = "conflict",
};

struct bc_shop_config *bc_shop_config_ref(struct bc_shop_config *config)
{
	atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
	return config;
}

void bc_shop_config_unref(struct bc_shop_config *config)
{
	if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
		return;
	if (config->release)
		config->release(config);
}

const struct bc_product *bc_config_product(const struct bc_shop_config *c, struct bc_str label)
{
	for (size_t i = 0; i < c->product_count; i++)
		if (bc_str_eq(label, c->products[i].label))
			return &c->products[i];
	return NULL;
}

const struct bc_product *bc_config_product_of(const struct bc_shop_config *c, struct bc_str path,
					      const struct bc_partner *partner)
{
	const struct bc_product *best = NULL;
	size_t best_len = 0;
	for (size_t i = 0; i < c->product_count; i++) {
		const struct bc_product *p = &c->products[i];
		size_t len = p->landing ? strlen(p->landing) : 0;
		if (partner && p->partner != partner)
			continue;
		best = best ? best : p;
		if (len > best_len && bc_str_starts(path, p->landing)) {
			best = p;
			best_len = len;
		}
	}
	return best;
}

const struct bc_product *bc_config_product_for_path(const struct bc_shop_config *c,
						    struct bc_str path)
{
	return bc_config_product_of(c, path, NULL);
}

static void hand_over(struct bc_task *task)
{
	struct bc_desk *d = BC_CONTAINER(task, struct bc_desk, turn_end);
	struct bc_store_op *ops = d->submitted;
	d->submitted = NULL;
	bc_store_submit_all(d->shop->store, &d->origin.base, ops);
}

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
	d->config = bc_shop_config_ref(shop->config);
	d->turn_end.run = hand_over;
	bc_origin_init(&d->origin, loop);
	return 0;
}

void bc_desk_finish(struct bc_desk *d)
{
	if (!d->hasher)
		return;
	BC_ASSERT(!d->submitted);
	bc_origin_finish(&d->origin);
	bc_hasher_destroy(d->hasher);
	bc_hasher_destroy(d->previous);
	d->hasher = NULL;
	bc_shop_config_unref(d->config);
}

void bc_desk_reconfigure(struct bc_desk *d, struct bc_shop_config *config)
{
	struct bc_shop_config *former = d->config;
	d->config = bc_shop_config_ref(config);
	bc_shop_config_unref(former);
}

void bc_desk_submit(struct bc_desk *d, struct bc_store_op *op)
{
	if (!d->submitted) {
		d->last = &d->submitted;
		bc_loop_at_turn_end(d->origin.loop, &d->turn_end);
	}
	op->next = NULL;
	*d->last = op;
	d->last = &op->next;
}
