/* SPDX-License-Identifier: MIT */
/*
 * Which order holds a token: a deferred index (sqlite_deferred.c) of the orders that have a click,
 * by the token's hash. An entry says nothing but the row; its partner and its state are the row's.
 *
 * One order a token and partner: there is no constraint of SQLite's that says so. It holds because
 * the rules ask here before an order gets a token, in the transaction that gives it, there is one
 * writer, and what they ask is complete: every order with a token has its entry, in memory or in
 * the table. That a row is twice in the table its primary key prevents.
 *
 * Entries are never removed. An order with a click is not deleted, does not become unattributed
 * again, and keeps its hash when its token is cleared; what is deleted had no click. So a row that
 * is given again after that has no entry either.
 */
#include "store/sqlite_deferred.h"

#include <string.h>

static void bind(struct sq_query *q, const struct sq_deferred_entry *entry)
{
	sq_add_hash(q, true, entry->hash);
	sq_add_int(q, entry->row);
}

static int rebuild(struct sq *e)
{
	static const char sql[] =
		"DELETE FROM order_tokens;"
		"INSERT INTO order_tokens SELECT token_hash, row FROM orders NOT INDEXED"
		" WHERE token_hash IS NOT NULL AND state <> 0 ORDER BY 1, 2";
	int rc = sqlite3_exec(e->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sq_failed(e, rc);
}

const struct sq_deferred_kind sq_deferred_tokens = {
	.bits = SQ_TOKENS_BITS,
	.last = SQ_ORDER_LAST,
	.since = SQ_TOKENS_SINCE,
	.insert = SQ_TOKEN_INSERT,
	.has = SQ_TOKEN_HAS,
	.bind = bind,
	.rebuild = rebuild,
};

static bool holds_token(const struct bc_order *order)
{
	return order->state != BC_ORDER_UNATTRIBUTED && order->has_token_hash;
}

static struct sq_deferred_entry entry_of(const struct bc_order *order)
{
	struct sq_deferred_entry entry = { .row = order->row };
	memcpy(entry.hash, order->token_hash, sizeof(entry.hash));
	return entry;
}

int sq_tokens_append(struct sq *e, const struct bc_order *order)
{
	struct sq_deferred_entry entry = entry_of(order);
	return sq_deferred_append(e, SQ_TOKENS, holds_token(order) ? &entry : NULL);
}

int sq_tokens_claim(struct sq *e, const struct bc_order *order)
{
	struct sq_deferred_entry entry = entry_of(order);
	return holds_token(order) ? sq_deferred_add(e, SQ_TOKENS, &entry) : 0;
}

static int step_owner(struct sq_query *q, struct bc_arena *arena, struct bc_str *ret_order)
{
	int row = sq_step(q);
	if (row <= 0)
		return row;
	int result = sq_copy(q, 0, arena, ret_order);
	return result ? result : 1;
}

int sq_find_token(void *engine, struct bc_str partner, const uint8_t *hash, struct bc_arena *arena,
		  struct bc_str *ret_order)
{
	struct sq *e = engine;
	const struct sq_deferred_entry *entry = NULL;
	int result = sq_insert_holder(e, hash);
	if (result)
		return result;
	while ((entry = sq_deferred_next(e, SQ_TOKENS, hash, entry))) {
		SQ_QUERY q = sq_query(e, SQ_TOKEN_OF_ROW);
		sq_add_int(&q, entry->row);
		sq_add_hash(&q, true, hash);
		sq_add_label(&q, partner);
		int found = step_owner(&q, arena, ret_order);
		if (found)
			return found;
	}
	SQ_QUERY q = sq_query(e, SQ_TOKEN_IN_TABLE);
	sq_add_hash(&q, true, hash);
	sq_add_label(&q, partner);
	return step_owner(&q, arena, ret_order);
}
