/* SPDX-License-Identifier: MIT */
/*
 * How a report becomes an order, or meets the one that is there (see struct bc_accept): repeated,
 * given its click at last, or replaced by a later edition of itself, which may bring it back.
 */
#include "store/rules_claim.h"

#include <string.h>

/* Why an order that came back stays cancelled. It reaches the shop. */
#define TOKEN_CLEARED "its click token was cleared before the order came back"

/* A report at work. */
struct accept {
	const struct bc_rule_rows *rows;
	void *e;
	const struct bc_accept *in;
	struct bc_arena *arena;
	enum bc_accept_result *how; /* the answer: */
	struct bc_order *order;
};

static bool same_hash(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, BC_HASH_BYTES) == 0;
}

static void name_session(struct bc_order *order, const uint8_t *session)
{
	order->has_session = true;
	memcpy(order->session, session, sizeof(order->session));
}

/* Keeps what the report says about itself; the newer report wins, an absent field does not. */
static void note_report(struct bc_order *order, const struct bc_accept *a)
{
	if (a->has_click)
		bc_rule_name_click(order, a->click);
	if (a->has_session)
		name_session(order, a->session);
	if (a->amount.ptr)
		order->amount = a->amount;
	if (a->currency.ptr)
		order->currency = a->currency;
}

static struct bc_order new_order(const struct bc_accept *a)
{
	return (struct bc_order){
		.order = a->order,
		.state = BC_ORDER_UNATTRIBUTED,
		.partner = a->partner,
		.product = a->product,
		.created_ms = a->now_ms,
		.updated_ms = a->now_ms,
		.entity_id = a->entity_id,
		.edition = a->edition,
	};
}

static enum bc_accept_result judge_repeat(const struct bc_order *order, const struct bc_accept *a)
{
	bool other = a->token.ptr && order->has_token_hash &&
		     !same_hash(a->token_hash, order->token_hash) &&
		     !(a->has_previous && same_hash(a->token_hash_previous, order->token_hash));
	return other ? BC_ACCEPT_CONFLICT : BC_ACCEPT_REPEATED;
}

static const struct bc_lane_record *lane_of(const struct accept *w)
{
	return w->rows->find_lane(w->e, w->order->partner, w->order->product);
}

/* --- the click ----------------------------------------------------------------------------- */

static void apply_claim(struct accept *w, const struct bc_rule_claim *claim)
{
	struct bc_order *order = w->order;
	if (claim->reason.ptr) {
		order->reason = claim->reason;
		order->updated_ms = w->in->now_ms;
		return;
	}
	if (claim->stored) {
		bc_rule_name_click(order, claim->click.id);
	} else {
		/* The token stands for itself: who else was named does not matter any more. */
		order->has_click = false;
		order->has_session = false;
	}
	bc_rule_take_click(order, &claim->click, w->in->now_ms, w->in->due_ms);
	bc_rule_open_deadline(order, lane_of(w), w->in->deadline_ms, w->in->now_ms);
}

static int accept_new(struct accept *w)
{
	struct bc_rule_claim claim = { 0 };
	*w->how = BC_ACCEPT_CREATED;
	int result = bc_rule_claim_click(w->rows, w->e, w->in, w->arena, &claim);
	if (result)
		return result;
	*w->order = new_order(w->in);
	note_report(w->order, w->in);
	apply_claim(w, &claim);
	return w->rows->insert_order(w->e, w->order);
}

static int accept_unattributed(struct accept *w)
{
	struct bc_rule_claim claim = { 0 };
	*w->how = BC_ACCEPT_REPEATED;
	if (!w->in->token.ptr && !w->in->has_click && !w->in->has_session)
		return 0;
	int result = bc_rule_claim_click(w->rows, w->e, w->in, w->arena, &claim);
	if (result)
		return result;
	note_report(w->order, w->in);
	apply_claim(w, &claim);
	if (w->order->state == BC_ORDER_PENDING)
		*w->how = BC_ACCEPT_ADOPTED;
	return w->rows->claim_order(w->e, w->order);
}

/* --- a later edition ----------------------------------------------------------------------- */

/* Writes a row that stays as it is but for its state, its reason and its marks. */
static int rewrite(struct accept *w, enum bc_order_state from)
{
	w->order->updated_ms = w->in->now_ms;
	int result = w->rows->move_order(w->e, from, w->order);
	return result ? result : w->rows->mark_order(w->e, w->order);
}

/* It has its token: it is due as if it had just come. */
static int reopen_conversion(struct accept *w)
{
	struct bc_order *order = w->order;
	order->state = BC_ORDER_PENDING;
	order->reason = (struct bc_str){ 0 };
	order->due_ms = w->in->due_ms;
	order->finished_ms = 0;
	order->failures = 0;
	bc_rule_open_deadline(order, lane_of(w), w->in->deadline_ms, w->in->now_ms);
	*w->how = BC_ACCEPT_ADOPTED;
	return rewrite(w, BC_ORDER_CANCELLED);
}

/* 1: the report brings the token that was cleared; 0: it does not; or a fault. */
static int find_own_token(struct accept *w)
{
	struct bc_rule_claim claim = { 0 };
	const char *reason = NULL;
	int found = bc_rule_resolve(w->rows, w->e, w->in, w->arena, &claim, &reason);
	if (found <= 0 || !claim.click.token.len)
		return found < 0 ? found : 0;
	/* A stored click has the hash of its time; a token that was given may have a former one. */
	bool own = claim.stored ? same_hash(claim.click.token_hash, w->order->token_hash)
				: judge_repeat(w->order, w->in) == BC_ACCEPT_REPEATED;
	if (own)
		w->order->token = claim.click.token;
	return own;
}

static int reopen_cleared(struct accept *w)
{
	int found = find_own_token(w);
	if (found < 0)
		return found;
	if (found) {
		int result = w->rows->restore_token(w->e, w->order);
		return result ? result : reopen_conversion(w);
	}
	w->order->reason = BC_STR(TOKEN_CLEARED);
	return rewrite(w, BC_ORDER_CANCELLED);
}

/* It never had a click: it looks for one as if it had not been cancelled, by what was named then
 * and is named now. */
static int reopen_unattributed(struct accept *w)
{
	struct bc_order *order = w->order;
	struct bc_accept both = *w->in;
	if (!both.has_click && order->has_click) {
		both.has_click = true;
		memcpy(both.click, order->click, sizeof(both.click));
	}
	if (!both.has_session && order->has_session) {
		both.has_session = true;
		memcpy(both.session, order->session, sizeof(both.session));
	}
	order->state = BC_ORDER_UNATTRIBUTED;
	order->reason = BC_STR(BC_REASON_NO_CLICK_NAMED);
	order->finished_ms = 0;
	int result = rewrite(w, BC_ORDER_CANCELLED);
	struct accept again = *w;
	again.in = &both;
	return result ? result : accept_unattributed(&again);
}

static int reopen(struct accept *w)
{
	if (w->order->token.ptr)
		return reopen_conversion(w);
	return w->order->has_token_hash ? reopen_cleared(w) : reopen_unattributed(w);
}

static int replace(struct accept *w)
{
	struct bc_order *order = w->order;
	bool revoked = order->revoked_ms != 0;
	/* By the operator it was, if that was first; see rows.h. */
	bool by_revoke = revoked && order->finished_ms >= order->revoked_ms;
	order->edition = w->in->edition;
	order->entity_id = w->in->entity_id;
	order->revoked_ms = 0;
	if (order->state == BC_ORDER_CANCELLED && by_revoke)
		return reopen(w);
	if (order->state == BC_ORDER_UNATTRIBUTED) {
		int result = w->rows->mark_order(w->e, order);
		return result ? result : accept_unattributed(w);
	}
	if (!revoked || order->state == BC_ORDER_CANCELLED)
		return w->rows->mark_order(w->e, order);
	/* Sending or delivered: the reason was that of taking it back. */
	order->reason = (struct bc_str){ 0 };
	return rewrite(w, order->state);
}

/* --- the whole ----------------------------------------------------------------------------- */

static int accept_known(struct accept *w)
{
	struct bc_order *order = w->order;
	*w->how = judge_repeat(order, w->in);
	if (w->in->edition > order->edition)
		return replace(w);
	if (w->in->edition == order->edition && w->in->entity_id && !order->entity_id) {
		order->entity_id = w->in->entity_id;
		int result = w->rows->mark_order(w->e, order);
		if (result)
			return result;
	}
	return order->state == BC_ORDER_UNATTRIBUTED ? accept_unattributed(w) : 0;
}

int bc_rule_accept_one(const struct bc_rule_rows *rows, void *e, const struct bc_accept *in,
		       struct bc_arena *arena, enum bc_accept_result *ret_how,
		       struct bc_order *ret_order)
{
	struct accept w = { rows, e, in, arena, ret_how, ret_order };
	int known = rows->find_order(e, in->order, arena, ret_order);
	if (known < 0)
		return known;
	return known ? accept_known(&w) : accept_new(&w);
}

int bc_rule_accept(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	return bc_rule_accept_one(rows, e, &op->in.accept, op->arena, &op->out.accept.how,
				  &op->out.accept.order);
}
