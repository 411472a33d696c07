/* SPDX-License-Identifier: MIT */
/*
 * New orders, inserted many at a time. A statement opens the table and all of its indexes, finds
 * its place in each, and closes them again; most of what an order costs is that, and the place of
 * the next one is beside it. So the orders that come in one transaction are gathered, and inserted
 * by as few statements as may be.
 *
 * Invariants: an order that is gathered counts as inserted for everybody: whoever may look for it
 * in the table (by its id, by its token, or by any way at all, as operations other than reports do)
 * has them inserted first, and so has the commit. A rollback forgets them. What they borrow from
 * their operations lives as long as the transaction.
 */
#include "store/sqlite_impl.h"

#include <string.h>

static void bind(struct sq_query *q, const struct bc_order *o, uint64_t newest_ms)
{
	sq_add_int(q, o->row);
	sq_add_text(q, o->order);
	sq_add_int(q, o->state);
	sq_add_text(q, o->reason);
	sq_add_label(q, o->partner);
	sq_add_label(q, o->product);
	sq_add_text(q, o->token);
	sq_add_hash(q, o->has_token_hash, o->token_hash);
	sq_add_int(q, o->is_test);
	sq_add_hash(q, o->has_click, o->click);
	sq_add_hash(q, o->has_session, o->session);
	sq_add_int(q, o->click_ms);
	sq_add_text(q, o->amount);
	sq_add_text(q, o->currency);
	sq_add_int(q, o->created_ms);
	sq_add_int(q, o->updated_ms);
	sq_add_int(q, o->due_ms);
	sq_add_int(q, o->deadline_ms);
	sq_add_int(q, o->finished_ms);
	sq_add_int(q, newest_ms);
	sq_add_int(q, o->entity_id);
	sq_add_int(q, o->edition);
	sq_add_int(q, o->revoked_ms);
}

static int insert(struct sq *e, enum sq_stmt stmt, uint32_t first, uint32_t count)
{
	SQ_QUERY q = sq_query(e, stmt);
	for (uint32_t i = first; i < first + count; i++)
		bind(&q, &e->new_orders.orders[i].order, e->new_orders.orders[i].newest_ms);
	return sq_run(&q);
}

void sq_insert_none(struct sq *e)
{
	e->new_orders.count = 0;
	bc_arena_reset(e->new_orders.texts);
}

int sq_insert_now(struct sq *e)
{
	_Static_assert(SQ_NEW_ORDERS == 1 << (SQ_ORDER_INSERT_32 - SQ_ORDER_INSERT),
		       "the last statement takes all there may be");
	uint32_t done = 0, all = e->new_orders.count;
	if (!all)
		return 0;
	for (int bit = SQ_ORDER_INSERT_32 - SQ_ORDER_INSERT; bit >= 0 && done < all; bit--) {
		uint32_t count = 1U << bit;
		if (!(all & count))
			continue;
		int result = insert(e, (enum sq_stmt)(SQ_ORDER_INSERT + bit), done, count);
		if (result)
			return result;
		done += count;
	}
	sq_insert_none(e);
	return 0;
}

/* False: no memory. What is absent stays so. */
static bool keep_text(struct bc_arena *arena, struct bc_str *text)
{
	if (text->ptr)
		text->ptr = bc_arena_dup(arena, text->ptr, text->len);
	return text->ptr || !text->len;
}

static bool keep_texts(struct bc_arena *arena, struct bc_order *o)
{
	return keep_text(arena, &o->order) && keep_text(arena, &o->reason) &&
	       keep_text(arena, &o->partner) && keep_text(arena, &o->product) &&
	       keep_text(arena, &o->token) && keep_text(arena, &o->amount) &&
	       keep_text(arena, &o->currency);
}

int sq_insert_later(struct sq *e, const struct bc_order *order)
{
	struct sq_new_orders *n = &e->new_orders;
	struct bc_order *kept = &n->orders[n->count].order;
	*kept = *order;
	if (!keep_texts(n->texts, kept))
		return sq_no_memory(e);
	n->orders[n->count].newest_ms = e->newest_ms.now;
	return ++n->count == SQ_NEW_ORDERS ? sq_insert_now(e) : 0;
}

int sq_insert_named(struct sq *e, struct bc_str order)
{
	const struct sq_new_orders *n = &e->new_orders;
	for (uint32_t i = 0; i < n->count; i++) {
		if (bc_rule_same_text(n->orders[i].order.order, order))
			return sq_insert_now(e);
	}
	return 0;
}

int sq_insert_holder(struct sq *e, const uint8_t *token_hash)
{
	const struct sq_new_orders *n = &e->new_orders;
	for (uint32_t i = 0; i < n->count; i++) {
		const struct bc_order *o = &n->orders[i].order;
		if (o->has_token_hash && memcmp(o->token_hash, token_hash, BC_HASH_BYTES) == 0)
			return sq_insert_now(e);
	}
	return 0;
}
