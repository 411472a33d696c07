/* SPDX-License-Identifier: MIT */
/*
 * See pull_impl.h. Orders that were reported here within the time of the pull and that no way of
 * Commerce told of are looked up by their number. What Commerce has is taken like the rest; what it
 * does not have is named: a test order, an order of another system, or one that was never placed.
 * Young ones are left for the next time: Commerce may not have committed them yet.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/pull_impl.h"

enum { YOUNG_MS = 5 * 1000, LIST_LIMIT = 500 };

static void look_up(struct bc_pull *p);

/* --- the answer ------------------------------------------------------------------------------ */

static bool is_found(const struct pull_page *page, struct bc_str order)
{
	for (size_t i = 0; i < page->count; i++) {
		struct bc_str found = page->orders[i].order, number = page->orders[i].increment_id;
		if ((found.len == order.len && !memcmp(found.ptr, order.ptr, order.len)) ||
		    (number.len == order.len && !memcmp(number.ptr, order.ptr, order.len)))
			return true;
	}
	return false;
}

static void name_unknown(struct bc_pull *p, struct bc_str order)
{
	struct bc_pull_view *v = &p->view;
	bc_log_warning("pull.unknown", BC_LSTR("order", order),
		       BC_LS("meaning", "it was reported here, and Commerce has no such order"));
	pthread_mutex_lock(&p->lock);
	if (v->unknown < BC_PULL_UNKNOWN_MAX)
		BC_ASSERT(bc_str_copy(v->unknown_orders[v->unknown], BC_ORDER_ID_MAX + 1, order) ==
			  0);
	v->unknown++;
	pthread_mutex_unlock(&p->lock);
}

static void looked_up(void *ctx, int result, const struct bc_err *err,
		      const struct bc_intake_taken *taken)
{
	struct bc_pull *p = ctx;
	p->busy = false;
	if (bc_pull_rests(p))
		return;
	if (result) {
		bc_pull_fail(p, err);
		return;
	}
	bc_pull_count(p, taken);
	for (size_t i = 0; i < p->lookup_count; i++)
		if (!is_found(&p->page, p->lookup[i]))
			name_unknown(p, p->lookup[i]);
	look_up(p);
}

static void answered(void *ctx, int result, struct bc_client_answer *answer,
		     const struct bc_err *err)
{
	struct bc_pull *p = ctx;
	struct bc_err problem = { 0 };
	p->busy = false;
	if (bc_pull_rests(p) || !bc_pull_page_came(p, result, answer, err))
		return;
	p->busy = true;
	result = bc_intake_take(&p->desk, p->arena, BC_INTAKE_PULL, p->page.orders, p->page.count,
				(struct bc_str){ 0 }, (struct bc_str){ 0 }, looked_up, p, &problem);
	if (!result)
		return;
	p->busy = false;
	bc_pull_fail(p, &problem);
}

/* --- the question ---------------------------------------------------------------------------- */

static void list(struct bc_pull *p);

/* The next of ours that Commerce did not tell of; absent: none is left on this list. */
static struct bc_str next_untold(struct bc_pull *p)
{
	while (p->listed_next < p->listed_count) {
		const struct bc_order *order = &p->listed[p->listed_next++];
		if (!order->entity_id)
			return order->order;
	}
	return (struct bc_str){ 0 };
}

/* As many as one question takes; one that cannot stand in a list is asked for alone. */
static void gather(struct bc_pull *p)
{
	p->lookup_count = 0;
	while (p->lookup_count < PULL_LOOKUP) {
		struct bc_str order = next_untold(p);
		if (!order.ptr)
			return;
		if (!bc_pull_is_listable(order) && p->lookup_count) {
			p->listed_next--;
			return;
		}
		p->lookup[p->lookup_count++] = order;
		if (!bc_pull_is_listable(order))
			return;
	}
}

static void look_up(struct bc_pull *p)
{
	struct bc_err err = { 0 };
	gather(p);
	if (!p->lookup_count && p->before_row)
		list(p);
	else if (!p->lookup_count)
		bc_pull_finish(p);
	if (!p->lookup_count)
		return;
	pthread_mutex_lock(&p->lock);
	p->view.checked += p->lookup_count;
	pthread_mutex_unlock(&p->lock);
	bc_arena_reset(p->arena);
	char *path = bc_pull_lookup_path(p->lookup, p->lookup_count, &err);
	if (path)
		bc_pull_ask(p, path, answered);
	else
		bc_pull_fail(p, &err);
}

/* --- our own --------------------------------------------------------------------------------- */

static void listed(struct bc_store_op *op)
{
	struct bc_pull *p = BC_CONTAINER(op, struct bc_pull, op);
	p->busy = false;
	if (bc_pull_rests(p))
		return;
	if (op->result) {
		bc_pull_fail(p, &op->err);
		return;
	}
	p->listed = op->out.list.orders;
	p->listed_count = op->out.list.count;
	p->listed_next = 0;
	p->before_row = op->out.list.next_before_row;
	look_up(p);
}

static void list(struct bc_pull *p)
{
	bc_arena_reset(p->list_arena);
	p->op = (struct bc_store_op){ 0 };
	p->op.in.list.select =
		(struct bc_order_selector){ .state = BC_ORDER_STATE_ANY,
					    .since_ms = p->view.since_ms,
					    .until_ms = p->view.started_ms - YOUNG_MS,
					    .before_row = p->before_row,
					    .limit = LIST_LIMIT };
	bc_pull_submit(p, BC_STORE_LIST_ORDERS, p->list_arena, listed);
}

void bc_pull_reconcile(struct bc_pull *p)
{
	if (bc_pull_rests(p))
		return;
	p->before_row = 0;
	list(p);
}
