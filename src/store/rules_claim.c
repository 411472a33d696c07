/* SPDX-License-Identifier: MIT */
/* See rules_claim.h. One order a token: the token's keyed hash decides, whatever way the token
 * came.
 */
#include "store/rules_claim.h"

#include <string.h>

/* 1: the click counts. 0: it does not, *reason says why. */
static int judge_click(int found, const struct bc_accept *a, const struct bc_rule_claim *claim,
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
			   struct bc_arena *arena, struct bc_rule_claim *claim, const char **reason)
{
	struct bc_click *click = &claim->click;
	int found = rows->find_session_click(e, a->session, arena, click);
	const char *none = a->session_implied ? BC_REASON_NO_CLICK_NAMED : BC_REASON_NO_SESSION;
	found = judge_click(found, a, claim, none, reason);
	if (found || !a->has_previous)
		return found;
	found = rows->find_session_click(e, a->session_previous, arena, click);
	return judge_click(found, a, claim, none, reason);
}

int bc_rule_resolve(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
		    struct bc_arena *arena, struct bc_rule_claim *claim, const char **reason)
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
		      struct bc_arena *arena, const struct bc_rule_claim *claim,
		      struct bc_str *ret_owner)
{
	struct bc_str partner = claim->click.partner;
	int found = rows->find_token(e, partner, claim->click.token_hash, arena, ret_owner);
	if (found || claim->stored || !a->has_previous)
		return found;
	return rows->find_token(e, partner, a->token_hash_previous, arena, ret_owner);
}

int bc_rule_claim_click(const struct bc_rule_rows *rows, void *e, const struct bc_accept *a,
			struct bc_arena *arena, struct bc_rule_claim *claim)
{
	const char *reason = NULL;
	struct bc_str owner;
	int found = bc_rule_resolve(rows, e, a, arena, claim, &reason);
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

void bc_rule_take_click(struct bc_order *order, const struct bc_click *click, uint64_t now_ms,
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

void bc_rule_name_click(struct bc_order *order, const uint8_t *id)
{
	order->has_click = true;
	memcpy(order->click, id, sizeof(order->click));
}
