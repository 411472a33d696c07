/* SPDX-License-Identifier: MIT */
/*
 * Orders and their tokens, as a subject of the tests of deferred indexes (deferred.h). Order i has
 * the name and the token of its number, and the time i + 1.
 */
#ifndef BC_TESTS_STORE_TOKENS_H
#define BC_TESTS_STORE_TOKENS_H

#include "deferred.h"

#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT64_MAX

struct order_report {
	uint64_t order, token;
	const char *partner; /* NULL: "partner" */
	bool by_session;     /* the token's number is a session's instead */
	bool is_test;
};

/* In the transaction under way. The operation's result is 0; it is valid until the next call. */
static inline const struct bc_order *apply_report(struct rig *r, struct order_report report)
{
	bc_arena_reset(r->arena);
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	struct bc_accept *a = &op->in.accept;
	a->order =
		bc_str_of(bc_arena_printf(r->arena, "o%09llu", (unsigned long long)report.order));
	a->partner = bc_str_of(report.partner ? report.partner : "partner");
	a->product = BC_STR("default");
	a->now_ms = a->due_ms = report.order + 1;
	a->has_session = report.by_session;
	a->is_test = report.is_test;
	if (!report.by_session)
		a->token = BC_STR("token-of-an-order");
	hash_of(report.by_session ? a->session : a->token_hash, report.token);
	apply(r->bare, op);
	assert_int_equal(op->result, 0);
	return &op->out.accept.order;
}

static inline void apply_order(struct rig *r, uint64_t i)
{
	const struct bc_order *order = apply_report(r, (struct order_report){ i, i });
	assert_int_equal(order->state, BC_ORDER_PENDING);
}

/* The number of the order that has a partner's token. */
static inline uint64_t owner_of(struct rig *r, const char *partner, uint64_t token)
{
	struct bc_engine_fault fault = { 0 };
	struct sq *e = r->bare;
	struct bc_str owner;
	uint8_t hash[BC_HASH_BYTES];
	e->fault = &fault;
	hash_of(hash, token);
	bc_arena_reset(r->arena);
	int found = sq_rows.find_token(e, bc_str_of(partner), hash, r->arena, &owner);
	if (found < 0)
		fail_msg("%s", fault.err.text);
	return found ? strtoull(owner.ptr + 1, NULL, 10) : NOBODY;
}

static inline bool is_order_found(struct rig *r, uint64_t i)
{
	uint64_t owner = owner_of(r, "partner", i);
	assert_true(owner == i || owner == NOBODY);
	return owner == i;
}

/* Another order with the token is refused. */
static inline void assert_token_is_used(struct rig *r, const char *partner, uint64_t token,
					uint64_t owner)
{
	char reason[64];
	const struct order_report other = { TTL, token, .partner = partner };
	snprintf(reason, sizeof(reason), "click used by order o%09llu", (unsigned long long)owner);
	begin(r->bare);
	const struct bc_order *order = apply_report(r, other);
	bc_engine_sqlite.rollback(r->bare);
	assert_int_equal(order->state, BC_ORDER_UNATTRIBUTED);
	assert_text(order->reason, reason);
}

static inline void assert_order_counts(struct rig *r, uint64_t i)
{
	assert_token_is_used(r, "partner", i, i);
}

/* Unused where a test has another subject beside it. */
static const struct subject of_tokens __attribute__((unused)) = {
	.name = "tokens",
	.id = SQ_TOKENS,
	.round = SQ_DEFERRED_ROUND(SQ_TOKENS_BITS),
	.put = apply_order,
	.is_found = is_order_found,
	.assert_counts = assert_order_counts,
	.in_table = "SELECT count(*) FROM order_tokens",
	.numbers = "SELECT max(created_ms) FROM orders",
	.unsaid = "DELETE FROM counts WHERE name = 'orders.settled'",
	.harm = "DELETE FROM order_tokens WHERE row % 3 = 0",
	.claims = {
		"SELECT count(*) FROM order_tokens t LEFT JOIN orders o ON o.row = t.row"
		" WHERE o.token_hash IS NOT t.token_hash OR o.state = 0",
		"SELECT count(*) FROM orders o WHERE token_hash IS NOT NULL AND state <> 0"
		" AND row <= (SELECT n FROM counts WHERE name = 'orders.settled') AND NOT EXISTS"
		" (SELECT 1 FROM order_tokens t WHERE t.token_hash = o.token_hash"
		" AND t.row = o.row)",
		"SELECT count(*) FROM (SELECT 1 FROM orders WHERE token_hash IS NOT NULL"
		" AND state <> 0 GROUP BY token_hash, partner HAVING count(*) > 1)",
	},
};

#endif
