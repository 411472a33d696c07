/* SPDX-License-Identifier: MIT */
/* How a click comes in, and how one that comes late gets the order that waits for it. */
#include "store/rules_claim.h"

#include <string.h>

/* A late click's order: which may have it, and from when on it is due. */
struct adoption {
	uint64_t after_ms, now_ms, due_ms, deadline_ms;
};

static int adopt(const struct bc_rule_rows *rows, void *e, struct bc_click *click,
		 const struct adoption *in, struct bc_arena *scratch, uint32_t *ret_adopted)
{
	struct bc_order order;
	int found = rows->find_unclaimed(e, click, in->after_ms, scratch, &order);
	if (found <= 0)
		return found;
	if (!click->product.len)
		click->product = order.product;
	bc_rule_take_click(&order, click, in->now_ms, in->due_ms);
	bc_rule_open_deadline(&order, rows->find_lane(e, order.partner, order.product),
			      in->deadline_ms, in->now_ms);
	bc_rule_name_click(&order, click->id);
	*ret_adopted = 1;
	return rows->claim_order(e, &order);
}

/* Stores a click, and gives it to the order that waits for it. */
static int add_click(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		     struct bc_click *click, const struct adoption *in, struct bc_arena *scratch)
{
	struct bc_str owner;
	int used = rows->find_token(e, click->partner, click->token_hash, scratch, &owner);
	if (used < 0)
		return used;
	/* A landing page is loaded again: what an order has already, and may have cleaned up since,
	 * is not kept once more. */
	if (used)
		click->token = BC_STR("");
	int result = rows->put_click(e, click, &op->out.put_click.replaced);
	/* A blank click was used, even if it was by an order of another partner. */
	if (result || !click->token.len)
		return result;
	return adopt(rows, e, click, in, scratch, &op->out.put_click.adopted);
}

int bc_rule_put_click(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		      struct bc_arena *scratch)
{
	const __typeof__(op->in.put_click) *in = &op->in.put_click;
	struct bc_click click = in->click;
	const struct adoption adoption = { in->adopt_after_ms, in->due_ms, in->due_ms,
					   in->deadline_ms };
	return add_click(rows, e, op, &click, &adoption, scratch);
}

int bc_rule_bind_click(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
		       struct bc_arena *scratch)
{
	const __typeof__(op->in.bind) *in = &op->in.bind;
	struct bc_click click;
	int found = rows->find_click(e, in->click, scratch, &click);
	if (found < 0)
		return found;
	if (!found || in->now_ms >= click.expires_ms) {
		op->result = BC_ENOENT;
		return 0;
	}
	memcpy(click.id, in->copy, sizeof(click.id));
	click.has_session = true;
	memcpy(click.session, in->session, sizeof(click.session));
	const struct adoption adoption = { in->adopt_after_ms, in->now_ms, in->due_ms,
					   in->deadline_ms };
	return add_click(rows, e, op, &click, &adoption, scratch);
}

bool bc_rule_is_adoptable(const struct bc_order *order, uint64_t since_ms)
{
	return order->state == BC_ORDER_UNATTRIBUTED && order->created_ms >= since_ms &&
	       !bc_str_starts(order->reason, BC_REASON_CLICK_USED);
}
