/* SPDX-License-Identifier: MIT */
/* See history.h. Steps are laid on the clock, so a step that is over never changes its buckets. */
#include "store/history.h"

#include <string.h>

#include "base/err.h"

#define BUCKET_MS ((uint64_t)BC_RETURNS_STEP_MS)
#define KEPT_MS	  (7 * 24 * UINT64_C(3600000))
_Static_assert((int)BC_RETURNS_STEP_MS == (int)BC_TALLY_STEP_MS, "their buckets are the same");

/* Where buckets go. */
struct steps {
	uint64_t from_ms, until_ms; /* until: later ones were of a wrong clock */
	uint64_t step_ms;
	uint32_t count;
};

int bc_history_check(const struct bc_store_op *op, struct bc_err *err)
{
	uint64_t step_ms = op->in.history.step_ms, steps = op->in.history.steps;
	if (step_ms && step_ms % BUCKET_MS == 0 && step_ms <= KEPT_MS && steps &&
	    steps * step_ms <= KEPT_MS)
		return 0;
	bc_err_set(err, BC_EINVAL, "a history of %llu steps of %llu ms is not kept",
		   (unsigned long long)steps, (unsigned long long)step_ms);
	bc_err_hint(err, "ask for steps of whole five minutes, seven days at most");
	return BC_EINVAL;
}

static struct steps steps_of(const struct bc_store_op *op)
{
	uint64_t now_ms = op->in.history.now_ms, step_ms = op->in.history.step_ms;
	uint64_t last_ms = now_ms - now_ms % step_ms,
		 back_ms = (op->in.history.steps - 1) * step_ms;
	return (struct steps){ .from_ms = last_ms > back_ms ? last_ms - back_ms : 0,
			       .until_ms = now_ms + op->in.history.steps * step_ms,
			       .step_ms = step_ms,
			       .count = op->in.history.steps };
}

/* False: it is in none. */
static bool find_step(const struct steps *s, uint64_t number, uint32_t *ret_step)
{
	uint64_t at_ms = number * BUCKET_MS;
	if (at_ms < s->from_ms || at_ms > s->until_ms)
		return false;
	uint64_t step = (at_ms - s->from_ms) / s->step_ms;
	*ret_step = step < s->count ? (uint32_t)step : s->count - 1;
	return true;
}

static uint32_t *zeros(const struct steps *s, struct bc_arena *arena)
{
	uint32_t *list = bc_arena_alloc(arena, s->count * sizeof(*list));
	if (list)
		memset(list, 0, s->count * sizeof(*list));
	return list;
}

static void add_tally(const struct bc_tally *tally, const struct steps *s, struct bc_history *out)
{
	uint32_t step;
	for (uint32_t k = 0; k < tally->count; k++) {
		const struct bc_tally_bucket *b = &tally->buckets[k];
		if (!find_step(s, b->number, &step))
			continue;
		out->clicks[step] += b->now[BC_TALLY_PRODUCTION] + b->now[BC_TALLY_TEST];
		out->test_clicks[step] += b->now[BC_TALLY_TEST];
		out->orders[step] += b->now[BC_TALLY_ORDERS];
	}
}

static void add_bucket(const struct bc_returns_bucket *b, uint32_t step,
		       struct bc_history_product *product, struct bc_history *out)
{
	uint32_t all = 0;
	for (int state = 0; state < BC_RETURNS_STATES; state++)
		all += b->now[state];
	uint32_t delivered = b->now[BC_ORDER_DELIVERED - BC_ORDER_PENDING];
	out->conversions[step] += all;
	out->delivered[step] += delivered;
	product->orders[step] += all - b->now[BC_ORDER_CANCELLED - BC_ORDER_PENDING];
	product->delivered[step] += delivered;
}

static bool any_within(const struct bc_returns_product *p, const struct steps *s)
{
	uint32_t step;
	for (uint32_t k = p->count; k-- > 0;)
		if (find_step(s, p->buckets[k].number, &step))
			return true;
	return false;
}

static int add_product(const struct bc_returns_product *p, const struct steps *s,
		       struct bc_arena *arena, struct bc_history *out)
{
	struct bc_history_product *product = &out->products[out->product_count];
	uint32_t step;
	product->partner = bc_str_of(bc_arena_dup(arena, p->partner, strlen(p->partner)));
	product->product = bc_str_of(bc_arena_dup(arena, p->product, strlen(p->product)));
	product->orders = zeros(s, arena);
	product->delivered = zeros(s, arena);
	if (!product->partner.ptr || !product->product.ptr || !product->orders ||
	    !product->delivered)
		return BC_ENOMEM;
	out->product_count++;
	for (uint32_t k = 0; k < p->count; k++)
		if (find_step(s, p->buckets[k].number, &step))
			add_bucket(&p->buckets[k], step, product, out);
	return 0;
}

int bc_history_tell(const struct bc_returns *returns, const struct bc_tally *tally,
		    struct bc_store_op *op)
{
	const struct steps s = steps_of(op);
	struct bc_arena *arena = op->arena;
	struct bc_history *out = &op->out.history;
	*out = (struct bc_history){
		.from_ms = s.from_ms,
		.clicks = zeros(&s, arena),
		.test_clicks = zeros(&s, arena),
		.orders = zeros(&s, arena),
		.conversions = zeros(&s, arena),
		.delivered = zeros(&s, arena),
		.products = bc_arena_alloc(arena, (returns->count + 1) * sizeof(*out->products)),
	};
	if (!out->clicks || !out->test_clicks || !out->orders || !out->conversions ||
	    !out->delivered || !out->products)
		return BC_ENOMEM;
	add_tally(tally, &s, out);
	for (uint32_t i = 0; i < returns->count; i++)
		if (any_within(&returns->products[i], &s) &&
		    add_product(&returns->products[i], &s, arena, out))
			return BC_ENOMEM;
	return 0;
}
