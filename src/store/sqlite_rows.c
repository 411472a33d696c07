/* SPDX-License-Identifier: MIT */
/* The rows that the rules (rules.h) look up and write, one at a time: orders, attempts, meta.
 * Clicks are in sqlite_clicks.c, which order holds a token in sqlite_tokens.c. */
#include "store/sqlite_impl.h"

/* --- orders -------------------------------------------------------------------------------- */

static int find_order(void *e, struct bc_str order, struct bc_arena *arena,
		      struct bc_order *ret_order)
{
	int result = sq_insert_named(e, order);
	if (result)
		return result;
	SQ_QUERY q = sq_query(e, SQ_ORDER_BY_ID);
	sq_add_text(&q, order);
	return sq_step_order(&q, arena, ret_order);
}

static int find_waiting(struct sq *e, enum sq_stmt stmt, const uint8_t *hash, uint64_t since_ms,
			struct bc_arena *arena, struct bc_order *ret_order)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_hash(&q, true, hash);
	sq_add_int(&q, since_ms);
	return sq_step_order(&q, arena, ret_order);
}

static int find_unclaimed(void *e, const struct bc_click *click, uint64_t since_ms,
			  struct bc_arena *arena, struct bc_order *ret_order)
{
	struct sq *sq = e;
	struct bc_order other;
	int result;
	/* Nearly always so: a visitor lands before the order. */
	if (!sq->counts.orders[BC_ORDER_UNATTRIBUTED].now || sq->unattributed_ms < since_ms)
		return 0;
	if ((result = sq_insert_now(e)))
		return result;
	int by_click =
		find_waiting(e, SQ_ORDER_UNCLAIMED_CLICK, click->id, since_ms, arena, ret_order);
	if (by_click < 0 || !click->has_session)
		return by_click;
	int by_session = find_waiting(e, SQ_ORDER_UNCLAIMED_SESSION, click->session, since_ms,
				      arena, &other);
	if (by_session <= 0)
		return by_session < 0 ? by_session : by_click;
	if (!by_click || other.row > ret_order->row)
		*ret_order = other;
	return 1;
}

/* See find_unclaimed. */
static void note_unattributed(struct sq *e, const struct bc_order *o)
{
	if (o->state == BC_ORDER_UNATTRIBUTED && o->created_ms > e->unattributed_ms)
		e->unattributed_ms = o->created_ms;
}

static int insert_order(void *engine, struct bc_order *o)
{
	struct sq *e = engine;
	if (o->created_ms > e->newest_ms.now)
		e->newest_ms.now = o->created_ms;
	note_unattributed(e, o);
	o->row = e->counts.next_row[SQ_TOKENS].now;
	int result = sq_insert_later(e, o);
	if (result == 0)
		result = sq_tokens_append(e, o);
	if (result == 0)
		result = sq_tally_order(e, o);
	return result ? result : sq_counts_move(e, -1, o->state, o);
}

static int claim_order(void *e, const struct bc_order *o)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_CLAIM);
	sq_add_int(&q, o->state);
	sq_add_text(&q, o->reason);
	sq_add_label(&q, o->partner);
	sq_add_label(&q, o->product);
	sq_add_text(&q, o->token);
	sq_add_hash(&q, o->has_token_hash, o->token_hash);
	sq_add_int(&q, o->is_test);
	sq_add_hash(&q, o->has_click, o->click);
	sq_add_hash(&q, o->has_session, o->session);
	sq_add_int(&q, o->click_ms);
	sq_add_text(&q, o->amount);
	sq_add_text(&q, o->currency);
	sq_add_int(&q, o->updated_ms);
	sq_add_int(&q, o->due_ms);
	sq_add_int(&q, o->deadline_ms);
	sq_add_int(&q, o->row);
	int result = sq_run(&q);
	if (result == 0)
		result = sq_tokens_claim(e, o);
	return result ? result : sq_counts_move(e, BC_ORDER_UNATTRIBUTED, o->state, o);
}

int sq_move_order(void *engine, enum bc_order_state from, const struct bc_order *o)
{
	struct sq *e = engine;
	SQ_QUERY q = sq_query(e, SQ_ORDER_MOVE);
	sq_add_int(&q, o->state);
	sq_add_text(&q, o->reason);
	sq_add_int(&q, o->updated_ms);
	sq_add_int(&q, o->due_ms);
	sq_add_int(&q, o->deadline_ms);
	sq_add_int(&q, o->lease_ms);
	sq_add_int(&q, o->finished_ms);
	sq_add_int(&q, o->attempts);
	sq_add_int(&q, o->failures);
	sq_add_int(&q, o->token.ptr != NULL);
	sq_add_int(&q, o->row);
	int result = sq_run(&q);
	if (!o->token.ptr && o->has_token_hash)
		sq_want_scrub(e);
	note_unattributed(e, o);
	return result ? result : sq_counts_move(e, from, o->state, o);
}

static int mark_order(void *e, const struct bc_order *o)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_MARK);
	sq_add_int(&q, o->entity_id);
	sq_add_int(&q, o->edition);
	sq_add_int(&q, o->revoked_ms);
	sq_add_int(&q, o->comment);
	sq_add_int(&q, o->row);
	return sq_run(&q);
}

static int restore_token(void *e, const struct bc_order *o)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_RESTORE);
	sq_add_text(&q, o->token);
	sq_add_int(&q, o->row);
	return sq_run(&q);
}

static int clear_order(void *e, const struct bc_order *o)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_CLEAR);
	sq_add_int(&q, o->row);
	sq_want_scrub(e);
	return sq_run(&q);
}

/* --- attempts ------------------------------------------------------------------------------ */

static int insert_attempt(void *e, const struct bc_order *order, const struct bc_attempt *attempt)
{
	SQ_QUERY q = sq_query(e, SQ_ATTEMPT_INSERT);
	sq_add_int(&q, order->row);
	sq_add_int(&q, attempt->n);
	sq_add_int(&q, attempt->at_ms);
	sq_add_int(&q, (uint64_t)attempt->status);
	sq_add_int(&q, (uint64_t)attempt->outcome);
	sq_add_int(&q, attempt->duration_ms);
	sq_add_text(&q, attempt->error);
	sq_add_text(&q, attempt->key_fingerprint);
	return sq_run(&q);
}

static int update_attempt(void *e, const struct bc_order *order, const struct bc_attempt *attempt)
{
	SQ_QUERY q = sq_query(e, SQ_ATTEMPT_UPDATE);
	sq_add_int(&q, (uint64_t)attempt->status);
	sq_add_int(&q, (uint64_t)attempt->outcome);
	sq_add_int(&q, attempt->duration_ms);
	sq_add_text(&q, attempt->error);
	sq_add_int(&q, order->row);
	sq_add_int(&q, attempt->n);
	return sq_run(&q);
}

/* --- meta ---------------------------------------------------------------------------------- */

static int put_meta(void *e, struct bc_str key, struct bc_str value)
{
	SQ_QUERY q = sq_query(e, SQ_META_PUT);
	sq_add_label(&q, key);
	sq_add_label(&q, value);
	return sq_run(&q);
}

const struct bc_rule_rows sq_rows = {
	.find_order = find_order,
	.find_click = sq_find_click,
	.find_session_click = sq_find_session_click,
	.find_lane = sq_find_lane,
	.find_token = sq_find_token,
	.find_unclaimed = find_unclaimed,
	.put_click = sq_put_click,
	.insert_order = insert_order,
	.claim_order = claim_order,
	.move_order = sq_move_order,
	.mark_order = mark_order,
	.restore_token = restore_token,
	.clear_order = clear_order,
	.blank_clicks = sq_blank_clicks,
	.insert_attempt = insert_attempt,
	.update_attempt = update_attempt,
	.put_meta = put_meta,
};
