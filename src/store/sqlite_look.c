/* SPDX-License-Identifier: MIT */
/*
 * Looking for orders by selector. The state picks the index, or that they were taken back; since_ms
 * the last row; the rest is asked of each row here and not by SQL, which could not be told to give
 * up after so many rows.
 */
#include "store/sqlite_impl.h"

#include <string.h>

enum { FEW_ROWS = 2000 }; /* half a millisecond to sort */

/* Halves its way over the rows; see sq_schema on newest_ms. */
static int since_row(struct sq *e, uint64_t since_ms, uint64_t *ret_row)
{
	uint64_t low = 0, high = INT64_MAX;
	int row = 0;
	while (row >= 0 && since_ms && low < high) {
		SQ_QUERY q = sq_query(e, SQ_ORDER_SINCE);
		uint64_t middle = low + (high - low) / 2;
		sq_add_int(&q, middle);
		row = sq_step(&q);
		if (row == 1 && sq_int(&q, 1) < since_ms)
			low = sq_int(&q, 0) + 1;
		else
			high = middle;
	}
	*ret_row = low;
	return row < 0 ? row : 0;
}

/* No id that begins with search is at or above this: UTF-8 has no byte 0xff. */
static struct bc_str search_end(struct sq_look *look)
{
	struct bc_str search = look->select->search;
	memcpy(look->search_end, search.ptr, search.len);
	look->search_end[search.len] = (char)0xff;
	return (struct bc_str){ look->search_end, search.len + 1 };
}

/* Few: then they are found by the index. Many: then the next one is not far, whatever the order in
 * which rows are looked at, and sorting them all would take longer. */
static int count_search(struct sq *e, struct sq_look *look)
{
	if (!look->select->search.len)
		return 0;
	SQ_QUERY q = sq_query(e, SQ_ORDERS_STARTING);
	sq_add_text(&q, look->select->search);
	sq_add_text(&q, search_end(look));
	sq_add_int(&q, FEW_ROWS + 1);
	int row = sq_step(&q);
	look->few = row == 1 && sq_int(&q, 0) <= FEW_ROWS;
	return row < 0 ? row : 0;
}

int sq_look_start(struct sq *e, const struct bc_order_selector *select, uint32_t rows,
		  struct sq_look *ret_look)
{
	*ret_look = (struct sq_look){
		.select = select,
		.below_row = select->before_row ? select->before_row : INT64_MAX,
		.left = rows,
	};
	int result = since_row(e, select->since_ms, &ret_look->from_row);
	return result ? result : count_search(e, ret_look);
}

struct sq_query sq_look_query(struct sq *e, struct sq_look *look)
{
	const struct bc_order_selector *select = look->select;
	enum sq_stmt stmt = SQ_ORDERS_BELOW;
	if (look->few)
		stmt = SQ_ORDERS_BELOW_STARTING;
	else if (select->revoked)
		stmt = SQ_ORDERS_BELOW_REVOKED;
	else if (select->state != BC_ORDER_STATE_ANY)
		stmt = SQ_ORDERS_BELOW_IN_STATE;
	struct sq_query q = sq_query(e, stmt);
	sq_add_int(&q, look->below_row);
	sq_add_int(&q, look->from_row);
	if (stmt == SQ_ORDERS_BELOW_IN_STATE)
		sq_add_int(&q, (uint64_t)select->state);
	if (look->few) {
		sq_add_text(&q, select->search);
		sq_add_text(&q, search_end(look));
		sq_add_int(&q, FEW_ROWS);
	}
	return q;
}

/* Reads only what the selector asks for. */
static bool is_named(const struct sq_query *q, const struct bc_order_selector *select)
{
	struct bc_order order = {
		.state = (enum bc_order_state)sq_int(q, 2),
		.created_ms = sq_int(q, 14),
		.revoked_ms = sq_int(q, 24),
	};
	if (select->search.len)
		order.order = sq_text(q, 1);
	if (select->partner.ptr)
		order.partner = sq_text(q, 4);
	if (select->product.ptr)
		order.product = sq_text(q, 5);
	return bc_rule_selects(select, &order);
}

int sq_look_step(struct sq_query *q, struct sq_look *look)
{
	int row;
	while ((row = sq_step(q)) == 1) {
		if (look->left == 0) {
			look->more = true;
			return 0;
		}
		look->left--;
		look->below_row = sq_int(q, 0);
		if (is_named(q, look->select))
			return 1;
	}
	return row;
}

int sq_look_chunk(struct sq *e, struct sq_look *look, struct bc_order **ret_orders,
		  uint32_t *ret_count)
{
	uint32_t count = 0;
	int row = 0;
	bc_arena_reset(e->scratch);
	struct bc_order *orders = bc_arena_alloc(e->scratch, SQ_CHUNK_ROWS * sizeof(*orders));
	if (!orders)
		return sq_no_memory(e);
	SQ_QUERY q = sq_look_query(e, look);
	while (count < SQ_CHUNK_ROWS && (row = sq_look_step(&q, look)) == 1) {
		row = sq_read_order(&q, e->scratch, &orders[count]);
		if (row)
			return row;
		count++;
	}
	*ret_orders = orders;
	*ret_count = count;
	return row < 0 ? row : 0;
}
