/* SPDX-License-Identifier: MIT */
/*
 * Prepared statements in use. A query binds from left to right and is reset when it leaves scope,
 * so none stays open over a commit.
 */
#include "store/sqlite_impl.h"

#include <string.h>

struct sq_query sq_query(struct sq *e, enum sq_stmt stmt)
{
	return (struct sq_query){ .e = e, .stmt = e->stmts[stmt] };
}

void sq_query_end(struct sq_query *q)
{
	/* Its result repeats the last step's, which was looked at. */
	(void)sqlite3_reset(q->stmt);
	/* Bound slices are the caller's and end with the operation. */
	(void)sqlite3_clear_bindings(q->stmt);
}

/* Nothing is copied or converted, so binding fails only for a wrong parameter number. */
static void bound(int rc)
{
	BC_ASSERT(rc == SQLITE_OK);
}

void sq_add_int(struct sq_query *q, uint64_t value)
{
	sqlite3_int64 v = value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value;
	bound(sqlite3_bind_int64(q->stmt, ++q->bound, v));
}

void sq_add_text(struct sq_query *q, struct bc_str text)
{
	bound(sqlite3_bind_text64(q->stmt, ++q->bound, text.ptr, text.len, SQLITE_STATIC,
				  SQLITE_UTF8));
}

void sq_add_label(struct sq_query *q, struct bc_str text)
{
	sq_add_text(q, text.ptr ? text : BC_STR(""));
}

void sq_add_hash(struct sq_query *q, bool present, const uint8_t *hash)
{
	bound(sqlite3_bind_blob64(q->stmt, ++q->bound, present ? hash : NULL, BC_HASH_BYTES,
				  SQLITE_STATIC));
}

int sq_step(struct sq_query *q)
{
	int rc = sqlite3_step(q->stmt);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : sq_failed(q->e, sqlite3_extended_errcode(q->e->db));
}

int sq_run(struct sq_query *q)
{
	int row = sq_step(q);
	BC_ASSERT(row <= 0);
	return row;
}

uint64_t sq_int(const struct sq_query *q, int column)
{
	return (uint64_t)sqlite3_column_int64(q->stmt, column);
}

struct bc_str sq_text(const struct sq_query *q, int column)
{
	const void *bytes = sqlite3_column_text(q->stmt, column);
	if (!bytes)
		return (struct bc_str){ 0 };
	return (struct bc_str){ bytes, (size_t)sqlite3_column_bytes(q->stmt, column) };
}

bool sq_hash(const struct sq_query *q, int column, uint8_t *ret_hash)
{
	const void *bytes = sqlite3_column_blob(q->stmt, column);
	if (!bytes || sqlite3_column_bytes(q->stmt, column) != BC_HASH_BYTES)
		return false;
	memcpy(ret_hash, bytes, BC_HASH_BYTES);
	return true;
}

int sq_copy(const struct sq_query *q, int column, struct bc_arena *arena, struct bc_str *ret_text)
{
	struct bc_str text = sq_text(q, column);
	*ret_text = text;
	if (!text.ptr)
		return 0;
	ret_text->ptr = bc_arena_dup(arena, text.ptr, text.len);
	return ret_text->ptr ? 0 : sq_no_memory(q->e);
}

/* --- orders -------------------------------------------------------------------------------- */

/* Where ORDER_COLUMNS puts each text. */
static const struct text_column {
	int column;
	size_t offset;
} order_texts[] = {
	{ 1, offsetof(struct bc_order, order) },     { 3, offsetof(struct bc_order, reason) },
	{ 4, offsetof(struct bc_order, partner) },   { 5, offsetof(struct bc_order, product) },
	{ 6, offsetof(struct bc_order, token) },     { 12, offsetof(struct bc_order, amount) },
	{ 13, offsetof(struct bc_order, currency) },
};

int sq_read_order(const struct sq_query *q, struct bc_arena *arena, struct bc_order *o)
{
	*o = (struct bc_order){
		.row = sq_int(q, 0),
		.state = (enum bc_order_state)sq_int(q, 2),
		.is_test = sq_int(q, 8) != 0,
		.click_ms = sq_int(q, 11),
		.created_ms = sq_int(q, 14),
		.updated_ms = sq_int(q, 15),
		.due_ms = sq_int(q, 16),
		.deadline_ms = sq_int(q, 17),
		.lease_ms = sq_int(q, 18),
		.finished_ms = sq_int(q, 19),
		.attempts = (uint32_t)sq_int(q, 20),
		.failures = (uint32_t)sq_int(q, 21),
		.entity_id = sq_int(q, 22),
		.edition = (uint32_t)sq_int(q, 23),
		.revoked_ms = sq_int(q, 24),
		.comment = (enum bc_comment_state)sq_int(q, 25),
	};
	o->has_token_hash = sq_hash(q, 7, o->token_hash);
	o->has_click = sq_hash(q, 9, o->click);
	o->has_session = sq_hash(q, 10, o->session);
	for (size_t i = 0; i < BC_COUNT(order_texts); i++) {
		void *text = (char *)o + order_texts[i].offset;
		int result = sq_copy(q, order_texts[i].column, arena, text);
		if (result)
			return result;
	}
	return 0;
}

int sq_step_order(struct sq_query *q, struct bc_arena *arena, struct bc_order *ret_order)
{
	int row = sq_step(q);
	if (row <= 0)
		return row;
	int result = sq_read_order(q, arena, ret_order);
	return result ? result : 1;
}

int sq_read_chunk(struct sq_query *q, struct bc_order **ret_orders, uint32_t *ret_count)
{
	struct bc_arena *arena = q->e->scratch;
	uint32_t count = 0;
	bc_arena_reset(arena);
	struct bc_order *orders = bc_arena_alloc(arena, SQ_CHUNK_ROWS * sizeof(*orders));
	if (!orders)
		return sq_no_memory(q->e);
	while (count < SQ_CHUNK_ROWS) {
		int row = sq_step_order(q, arena, &orders[count]);
		if (row < 0)
			return row;
		if (row == 0)
			break;
		count++;
	}
	*ret_orders = orders;
	*ret_count = count;
	return 0;
}
