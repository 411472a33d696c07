/* SPDX-License-Identifier: MIT */
/* See returns.h. A product's buckets are an array in order of time, sparse; nearly every look-up
 * ends at its last one. */
#include "store/returns.h"

#include <stdlib.h>
#include <string.h>

#include <backchannel/error.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS	(24 * HOUR_MS)

const uint64_t bc_window_ms[BC_WINDOWS] = { HOUR_MS, DAY_MS, 7 * DAY_MS };
const char *const bc_window_name[BC_WINDOWS] = { "1h", "24h", "7d" };

#define LONGEST_MS (7 * DAY_MS)
/* Buckets are kept a day longer than they count, so that a clock which is set forward by a day and
 * back again has cost nothing. */
#define KEEP_MS (LONGEST_MS + DAY_MS)

/* A conversion. What was cancelled without ever having had a click is none. */
static bool is_counted(int state, const struct bc_order *order)
{
	return state >= BC_ORDER_PENDING && order->has_token_hash;
}

static uint64_t number_of(uint64_t ms)
{
	return ms / BC_RETURNS_STEP_MS;
}

/* The first bucket of which a part is within span_ms before now. */
static uint64_t first_within(uint64_t now_ms, uint64_t span_ms)
{
	return now_ms > span_ms ? number_of(now_ms - span_ms) : 0;
}

static bool is_empty(const struct bc_returns_bucket *b)
{
	static const uint32_t nothing[BC_RETURNS_STATES];
	return memcmp(b->now, nothing, sizeof(nothing)) == 0;
}

/* --- finding ------------------------------------------------------------------------------- */

static struct bc_returns_product *find_product(struct bc_returns *r, struct bc_str partner,
					       struct bc_str product)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct bc_returns_product *p = &r->products[i];
		if (bc_str_eq(product, p->product) && bc_str_eq(partner, p->partner))
			return p;
	}
	return NULL;
}

static char *dup_label(struct bc_str label)
{
	return bc_str_dup(label.ptr ? label : BC_STR(""));
}

static struct bc_returns_product *add_product(struct bc_returns *r, struct bc_str partner,
					      struct bc_str product)
{
	if (r->count == r->room) {
		uint32_t room = r->room ? 2 * r->room : 8;
		struct bc_returns_product *more = realloc(r->products, room * sizeof(*more));
		if (!more)
			return NULL;
		r->products = more;
		r->room = room;
	}
	struct bc_returns_product *p = &r->products[r->count];
	*p = (struct bc_returns_product){ .partner = dup_label(partner),
					  .product = dup_label(product) };
	if (!p->partner || !p->product) {
		free(p->partner);
		free(p->product);
		return NULL;
	}
	r->count++;
	return p;
}

/* Where the bucket is, or would be. */
static uint32_t place_of(const struct bc_returns_product *p, uint64_t number)
{
	uint32_t low = 0, high = p->count;
	if (high && p->buckets[high - 1].number < number)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (p->buckets[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct bc_returns_bucket *find_bucket(struct bc_returns_product *p, uint64_t number)
{
	uint32_t at = place_of(p, number);
	return at < p->count && p->buckets[at].number == number ? &p->buckets[at] : NULL;
}

static void mark_changed(struct bc_returns_product *p, const struct bc_returns_bucket *b)
{
	uint32_t at = (uint32_t)(b - p->buckets);
	if (at < p->first_changed)
		p->first_changed = at;
}

/* Finds or makes it; NULL without memory. */
static struct bc_returns_bucket *take_bucket(struct bc_returns_product *p, uint64_t number)
{
	uint32_t at = place_of(p, number);
	if (at < p->count && p->buckets[at].number == number)
		return &p->buckets[at];
	if (p->count == p->room) {
		uint32_t room = p->room ? 2 * p->room : 16;
		struct bc_returns_bucket *more = realloc(p->buckets, room * sizeof(*more));
		if (!more)
			return NULL;
		p->buckets = more;
		p->room = room;
	}
	struct bc_returns_bucket *b = &p->buckets[at];
	memmove(b + 1, b, (p->count - at) * sizeof(*b));
	*b = (struct bc_returns_bucket){ .number = number };
	p->count++;
	mark_changed(p, b);
	return b;
}

/* --- changing ------------------------------------------------------------------------------ */

/* A conversion that comes: a new order with a click, or one that was adopted. */
static int count_in(struct bc_returns *r, int state, const struct bc_order *order)
{
	struct bc_returns_product *p = find_product(r, order->partner, order->product);
	if (!p)
		p = add_product(r, order->partner, order->product);
	struct bc_returns_bucket *b = p ? take_bucket(p, number_of(order->created_ms)) : NULL;
	if (!b)
		return BC_ENOMEM;
	b->now[state - BC_ORDER_PENDING]++;
	mark_changed(p, b);
	return 0;
}

int bc_returns_move(struct bc_returns *r, int from, int to, const struct bc_order *order)
{
	bool counted = is_counted(from, order), counts = is_counted(to, order);
	if (from == to || (!counted && !counts))
		return 0;
	if (!counted)
		return count_in(r, to, order);
	struct bc_returns_product *p = find_product(r, order->partner, order->product);
	struct bc_returns_bucket *b = p ? find_bucket(p, number_of(order->created_ms)) : NULL;
	if (!b || b->now[from - BC_ORDER_PENDING] == 0)
		return 0; /* its bucket was dropped */
	b->now[from - BC_ORDER_PENDING]--;
	if (counts)
		b->now[to - BC_ORDER_PENDING]++;
	mark_changed(p, b);
	return 0;
}

int bc_returns_load(struct bc_returns *r, struct bc_str partner, struct bc_str product,
		    const struct bc_returns_bucket *bucket)
{
	struct bc_returns_product *p = find_product(r, partner, product);
	if (!p)
		p = add_product(r, partner, product);
	struct bc_returns_bucket *b = p ? take_bucket(p, bucket->number) : NULL;
	if (!b)
		return BC_ENOMEM;
	memcpy(b->now, bucket->now, sizeof(b->now));
	memcpy(b->durable, bucket->now, sizeof(b->durable));
	return 0;
}

uint32_t bc_returns_expire(struct bc_returns *r, uint64_t now_ms, uint32_t limit)
{
	const uint64_t first = first_within(now_ms, KEEP_MS), last = number_of(now_ms + KEEP_MS);
	uint32_t emptied = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		struct bc_returns_product *p = &r->products[i];
		for (uint32_t k = 0; k < p->count && emptied < limit; k++) {
			struct bc_returns_bucket *b = &p->buckets[k];
			if ((b->number >= first && b->number <= last) || is_empty(b))
				continue;
			memset(b->now, 0, sizeof(b->now));
			mark_changed(p, b);
			emptied++;
		}
	}
	return emptied;
}

/* --- transactions -------------------------------------------------------------------------- */

int bc_returns_changes(const struct bc_returns *r,
		       int (*write)(void *ctx, const struct bc_returns_product *of,
				    const struct bc_returns_bucket *bucket),
		       void *ctx)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const struct bc_returns_product *p = &r->products[i];
		for (uint32_t k = p->first_changed; k < p->count; k++) {
			const struct bc_returns_bucket *b = &p->buckets[k];
			if (memcmp(b->now, b->durable, sizeof(b->now)) == 0)
				continue;
			int result = write(ctx, p, b);
			if (result)
				return result;
		}
	}
	return 0;
}

/* Makes both numbers of each bucket that changed the same, and drops those that are empty then. */
static void end_change(struct bc_returns *r, void (*end)(struct bc_returns_bucket *))
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct bc_returns_product *p = &r->products[i];
		uint32_t kept = p->first_changed;
		for (uint32_t k = p->first_changed; k < p->count; k++) {
			end(&p->buckets[k]);
			if (!is_empty(&p->buckets[k]))
				p->buckets[kept++] = p->buckets[k];
		}
		p->count = p->first_changed = kept;
	}
}

static void settle(struct bc_returns_bucket *b)
{
	memcpy(b->durable, b->now, sizeof(b->durable));
}

static void restore(struct bc_returns_bucket *b)
{
	memcpy(b->now, b->durable, sizeof(b->now));
}

void bc_returns_settle(struct bc_returns *r)
{
	end_change(r, settle);
}

void bc_returns_restore(struct bc_returns *r)
{
	end_change(r, restore);
}

void bc_returns_finish(struct bc_returns *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		free(r->products[i].partner);
		free(r->products[i].product);
		free(r->products[i].buckets);
	}
	free(r->products);
	*r = (struct bc_returns){ 0 };
}

/* --- the answer ---------------------------------------------------------------------------- */

static void add_bucket(struct bc_return_count *out, int window, const struct bc_returns_bucket *b)
{
	for (int state = 0; state < BC_RETURNS_STATES; state++)
		out->orders[window][BC_ORDER_PENDING + state] += b->now[state];
}

/* Sums up; false if there is nothing. */
static bool sum_up(const struct bc_returns_product *p, uint64_t now_ms, struct bc_return_count *out)
{
	const uint64_t last = number_of(now_ms + LONGEST_MS);
	bool any = false;
	for (int window = 0; window < BC_WINDOWS; window++) {
		uint32_t k = place_of(p, first_within(now_ms, bc_window_ms[window]));
		for (; k < p->count && p->buckets[k].number <= last; k++) {
			add_bucket(out, window, &p->buckets[k]);
			any = any || !is_empty(&p->buckets[k]);
		}
	}
	return any;
}

int bc_returns_tell(const struct bc_returns *r, uint64_t now_ms, struct bc_arena *arena,
		    struct bc_return_count **ret_products, uint32_t *ret_count)
{
	struct bc_return_count *products =
		bc_arena_alloc(arena, (r->count + 1) * sizeof(*products));
	uint32_t count = 0;
	if (!products)
		return BC_ENOMEM;
	for (uint32_t i = 0; i < r->count; i++) {
		const struct bc_returns_product *p = &r->products[i];
		struct bc_return_count one = { 0 };
		if (!sum_up(p, now_ms, &one))
			continue;
		one.partner = bc_str_of(bc_arena_dup(arena, p->partner, strlen(p->partner)));
		one.product = bc_str_of(bc_arena_dup(arena, p->product, strlen(p->product)));
		if (!one.partner.ptr || !one.product.ptr)
			return BC_ENOMEM;
		products[count++] = one;
	}
	*ret_products = products;
	*ret_count = count;
	return 0;
}
