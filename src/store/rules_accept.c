/* SPDX-License-Identifier: MIT */
/*
 * How an order gets its click (see struct bc_accept), and how a late click gets its order. One
 * order a token: the token's keyed hash decides, whatever way the token came.
 */
#include "store/rules.h"

#include <string.h>

/* What a report names, found or not. */
struct claim {
	struct bc_click click; /* its token, hash, partner, product */
	bool stored;	       /* it came by click id or session: it has an id and a time */
	struct bc_str reason;  /* absent = the click is this order's */
};

static bool same_hash(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, BC_HASH_BYTES) == 0;
}

/* 1: the click counts. 0: it does not, *reason says why. */
static int judge_click(int found, const struct bc_accept *a, const struct claim *claim,
		       const char *if_absent, const char **reason)
{
	if (found < 0)
		return found;
	if (found && a->now_ms < claim->click.expires_ms)
		return 1;
	if (found)
		*reason = BC_REASON_CLICK_EXPIRED;
	else if (!*reason)
		*reason = if_absent;
	return 0;
}

/* By the session's hash, and by the one it had before the hash key was changed. */
static int resolve_session(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
			   struct bc_arena *arena, struct claim *claim, const char **reason)
{
	struct bc_click *click = &claim->click;
	int found = rows->find_session_click(e, a->session, arena, click);
	found = judge_click(found, a, claim, BC_REASON_NO_SESSION, reason);
	if (found || !a->has_previous)
		return found;
	found = rows->find_session_click(e, a->session_previous, arena, click);
	return judge_click(found, a, claim, BC_REASON_NO_SESSION, reason);
}

/* Token, then click, then session. 1: there is a click; 0: none, *reason says why. */
static int resolve(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
		   struct bc_arena *arena, struct claim *claim, const char **reason)
{
	struct bc_click *click = &claim->click;
	if (a->token.ptr) {
		*click = (struct bc_click){ .token = a->token, .is_test = a->is_test };
		memcpy(click->token_hash, a->token_hash, sizeof(click->token_hash));
		return 1;
	}
	claim->stored = true;
	if (a->has_click) {
		int found = rows->find_click(e, a->click, arena, click);
		found = judge_click(found, a, claim, BC_REASON_UNKNOWN_CLICK, reason);
		if (found)
			return found;
	}
	if (a->has_session)
		return resolve_session(rows, e, a, arena, claim, reason);
	if (!*reason)
		*reason = BC_REASON_NO_CLICK_NAMED;
	return 0;
}

static struct bc_str used_by(struct bc_str owner, struct bc_arena *arena)
{
	const char *reason =
		bc_arena_printf(arena, BC_REASON_CLICK_USED "%.*s", (int)owner.len, owner.ptr);
	/* Without memory the reason loses the order's name, never its meaning. */
	return reason ? bc_str_of(reason) : BC_STR(BC_REASON_CLICK_USED "unknown");
}

/* Which order holds the click's token. A token that was given may be known by the hash it had
 * before the hash key was changed; a stored click has the hash of its time. */
static int find_owner(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
		      struct bc_arena *arena, const struct claim *claim, struct bc_str *ret_owner)
{
	struct bc_str partner = claim->click.partner;
	int found = rows->find_token(e, partner, claim->click.token_hash, arena, ret_owner);
	if (found || claim->stored || !a->has_previous)
		return found;
	return rows->find_token(e, partner, a->token_hash_previous, arena, ret_owner);
}

/* Fills claim: a click that is free, or the reason why not. 0 or a fault. */
static int claim_click(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
		       struct bc_arena *arena, struct claim *claim)
{
	const char *reason = NULL;
	struct bc_str owner;
	int found = resolve(rows, e, a, arena, claim, &reason);
	claim->reason = bc_str_of(reason);
	if (found <= 0)
		return found;
	claim->reason = (struct bc_str){ 0 };
	if (!claim->click.partner.len)
		claim->click.partner = a->partner;
	if (!claim->click.product.len)
		claim->click.product = a->product;
	found = find_owner(rows, e, a, arena, claim, &owner);
	if (found < 0)
		return found;
	/* A blank click was used, even if it was by an order of another partner. */
	if (found || !claim->click.token.len)
		claim->reason = used_by(found ? owner : BC_STR("unknown"), arena);
	return 0;
}

/* Makes order the conversion of this click. */
static void take_click(struct bc_order *order, const struct bc_click *click, uint64_t now_ms,
		       uint64_t due_ms)
{
	order->state = BC_ORDER_PENDING;
	order->reason = (struct bc_str){ 0 };
	order->partner = click->partner;
	order->product = click->product;
	order->token = click->token;
	order->has_token_hash = true;
	memcpy(order->token_hash, click->token_hash, sizeof(order->token_hash));
	order->is_test = click->is_test;
	order->click_ms = click->captured_ms;
	order->updated_ms = now_ms;
	order->due_ms = due_ms;
	order->finished_ms = 0;
}

static void name_click(struct bc_order *order, const uint8_t *id)
{
	order->has_click = true;
	memcpy(order->click, id, sizeof(order->click));
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
		name_click(order, a->click);
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
	};
}

static enum bc_accept_result judge_repeat(const struct bc_order *order, const struct bc_accept *a)
{
	bool other = a->token.ptr && order->has_token_hash &&
		     !same_hash(a->token_hash, order->token_hash) &&
		     !(a->has_previous && same_hash(a->token_hash_previous, order->token_hash));
	return other ? BC_ACCEPT_CONFLICT : BC_ACCEPT_REPEATED;
}

static void apply_claim(struct bc_order *order, const struct bc_accept *a,
			const struct claim *claim)
{
	if (claim->reason.ptr) {
		order->reason = claim->reason;
		order->updated_ms = a->now_ms;
		return;
	}
	if (claim->stored) {
		name_click(order, claim->click.id);
	} else {
		/* The token stands for itself: who else was named does not matter any more. */
		order->has_click = false;
		order->has_session = false;
	}
	take_click(order, &claim->click, a->now_ms, a->due_ms);
}

int bc_rule_accept(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op)
{
	const struct bc_accept *a = &op->in.accept;
	struct bc_order *order = &op->out.accept.order;
	struct claim claim = { 0 };
	int known = rows->find_order(e, a->order, op->arena, order);
	if (known < 0)
		return known;
	if (known && order->state != BC_ORDER_UNATTRIBUTED) {
		op->out.accept.how = judge_repeat(order, a);
		return 0;
	}
	op->out.accept.how = known ? BC_ACCEPT_REPEATED : BC_ACCEPT_CREATED;
	if (known && !a->token.ptr && !a->has_click && !a->has_session)
		return 0;
	int result = claim_click(rows, e, a, op->arena, &claim);
	if (result)
		return result;
	if (!known)
		*order = new_order(a);
	note_report(order, a);
	apply_claim(order, a, &claim);
	if (order->state == BC_ORDER_PENDING)
		bc_rule_open_deadline(order, rows->find_lane(e, order->partner, order->product),
				      a->deadline_ms, a->now_ms);
	if (known && order->state == BC_ORDER_PENDING)
		op->out.accept.how = BC_ACCEPT_ADOPTED;
	return known ? rows->claim_order(e, order) : rows->insert_order(e, order);
}

int bc_rule_put_click(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		      struct bc_arena *scratch)
{
	struct bc_click click = op->in.put_click.click;
	struct bc_order order;
	struct bc_str owner;
	int used = rows->find_token(e, click.partner, click.token_hash, scratch, &owner);
	if (used < 0)
		return used;
	/* A landing page is loaded again: what an order has already, and may have cleaned up since,
	 * is not kept once more. */
	if (used)
		click.token = BC_STR("");
	int result = rows->put_click(e, &click, &op->out.put_click.replaced);
	if (result || used)
		return result;
	int found =
		rows->find_unclaimed(e, &click, op->in.put_click.adopt_after_ms, scratch, &order);
	if (found <= 0)
		return found;
	if (!click.product.len)
		click.product = order.product;
	uint64_t now_ms = op->in.put_click.due_ms;
	take_click(&order, &click, now_ms, now_ms);
	bc_rule_open_deadline(&order, rows->find_lane(e, order.partner, order.product),
			      op->in.put_click.deadline_ms, now_ms);
	name_click(&order, click.id);
	op->out.put_click.adopted = 1;
	return rows->claim_order(e, &order);
}

bool bc_rule_is_adoptable(const struct bc_order *order, uint64_t since_ms)
{
	return order->state == BC_ORDER_UNATTRIBUTED && order->created_ms >= since_ms &&
	       !bc_str_starts(order->reason, BC_REASON_CLICK_USED);
}
