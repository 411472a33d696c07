/* SPDX-License-Identifier: MIT */
/* How orders find their clicks, and clicks their orders. */
#include "harness.h"

#include <string.h>

static const struct bc_order *accepted(struct bc_store_op *op, enum bc_accept_result how,
				       enum bc_order_state state, const char *reason)
{
	assert_int_equal(op->out.accept.how, how);
	assert_int_equal(op->out.accept.order.state, state);
	assert_text(op->out.accept.order.reason, reason);
	return &op->out.accept.order;
}

static const struct bc_order *pending(struct bc_store_op *op)
{
	return accepted(op, BC_ACCEPT_CREATED, BC_ORDER_PENDING, NULL);
}

static void unattributed(struct bc_store_op *op, const char *reason)
{
	accepted(op, BC_ACCEPT_CREATED, BC_ORDER_UNATTRIBUTED, reason);
}

/* --- resolving ----------------------------------------------------------------------------- */

static void a_token_makes_a_conversion(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op = report(r, (struct report){ "1001", "tok-1", .product = "shoes",
							    .at = 50, .deadline = 90 });
	const struct bc_order *o = pending(op);
	assert_text(o->order, "1001");
	assert_text(o->token, "tok-1");
	assert_text(o->partner, "partner");
	assert_text(o->product, "shoes");
	assert_true(o->has_token_hash);
	assert_int_equal(o->due_ms, 50);
	assert_int_equal(o->deadline_ms, 90);
	assert_int_equal(o->created_ms, 50);
	assert_int_equal(o->click_ms, 0);
	assert_counts(r, "pending=1");
}

static void what_was_accepted_is_read_back_whole(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", "shoes", .at = 10 });
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept = (struct bc_accept){ .order = BC_STR("1001"),
					    .partner = BC_STR("partner"),
					    .product = BC_STR("default"),
					    .has_click = true,
					    .amount = BC_STR("12.50"),
					    .currency = BC_STR("EUR"),
					    .now_ms = 20,
					    .due_ms = 21,
					    .deadline_ms = 99 };
	fill_hash(op->in.accept.click, "c1");
	assert_int_equal(rig_run(r, op), 0);
	const struct bc_order *o = get(r, "1001");
	assert_text(o->amount, "12.50");
	assert_text(o->currency, "EUR");
	assert_text(o->product, "shoes");
	assert_text(o->token, "tok-1");
	assert_true(o->has_click);
	assert_memory_equal(o->click, op->in.accept.click, BC_CLICK_ID_BYTES);
	assert_int_equal(o->click_ms, 10);
	assert_int_equal(o->created_ms, 20);
	assert_int_equal(o->updated_ms, 20);
	assert_int_equal(o->due_ms, 21);
	assert_int_equal(o->deadline_ms, 99);
	assert_int_equal(o->finished_ms, 0);
	assert_int_equal(o->attempts, 0);
	assert_int_equal(o->row, op->out.accept.order.row);
}

static void an_order_takes_the_click_it_names(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .product = "shoes", .at = 10 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1001", .click = "c1", .at = 20 }));
	assert_text(o->token, "tok-1");
	assert_text(o->product, "shoes");
	assert_int_equal(o->click_ms, 10);
	assert_counts(r, "pending=1 clicks=1");
}

static void a_click_without_a_product_leaves_the_reported_one(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	const struct bc_order *o = pending(
		report(r, (struct report){ "1001", .click = "c1", .product = "hats", .at = 20 }));
	assert_text(o->product, "hats");
}

static void the_token_goes_before_the_click_and_the_click_before_the_session(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 11 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1001", "tok-0", "c1", "s1", .at = 20 }));
	assert_text(o->token, "tok-0");
	assert_false(o->has_click);
	o = pending(report(r, (struct report){ "1002", NULL, "c1", "s1", .at = 20 }));
	assert_text(o->token, "tok-1");
	o = pending(report(r, (struct report){ "1003", NULL, NULL, "s1", .at = 20 }));
	assert_text(o->token, "tok-2");
	assert_true(o->has_click);
}

static void an_unknown_or_expired_click_falls_through_to_the_session(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "old", "tok-1", .at = 10, .ttl = 5 });
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 11 });
	put_click(r, (struct click){ "c3", "tok-3", "s2", .at = 11 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1001", NULL, "none", "s1", .at = 20 }));
	assert_text(o->token, "tok-2");
	o = pending(report(r, (struct report){ "1002", NULL, "old", "s2", .at = 20 }));
	assert_text(o->token, "tok-3");
}

static void an_order_without_a_click_says_why(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "old", "tok-1", "s-old", .at = 10, .ttl = 5 });
	unattributed(report(r, (struct report){ "1", .at = 20 }), "no click named");
	unattributed(report(r, (struct report){ "2", .click = "none", .at = 20 }), "unknown click");
	unattributed(report(r, (struct report){ "3", .session = "none", .at = 20 }),
		     "no click for this session");
	unattributed(report(r, (struct report){ "4", .click = "old", .at = 20 }), "click expired");
	unattributed(report(r, (struct report){ "5", .session = "s-old", .at = 20 }),
		     "click expired");
	unattributed(report(r, (struct report){ "6", NULL, "old", "none", .at = 20 }),
		     "click expired");
	unattributed(report(r, (struct report){ "7", NULL, "none", "s-old", .at = 20 }),
		     "click expired");
	unattributed(report(r, (struct report){ "8", NULL, "none", "none", .at = 20 }),
		     "unknown click");
	assert_counts(r, "unattributed=8 clicks=1");
}

static void a_click_counts_until_just_before_it_expires(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10, .ttl = 5 });
	put_click(r, (struct click){ "c2", "tok-2", .at = 10, .ttl = 5 });
	unattributed(report(r, (struct report){ "1", .click = "c1", .at = 15 }), "click expired");
	pending(report(r, (struct report){ "2", .click = "c2", .at = 14 }));
}

/* --- clicks -------------------------------------------------------------------------------- */

static void the_last_click_of_an_id_wins(void **state)
{
	struct rig *r = *state;
	assert_false(put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 })
			     ->out.put_click.replaced);
	assert_true(put_click(r, (struct click){ "c1", "tok-2", "s2", .at = 12 })
			    ->out.put_click.replaced);
	assert_counts(r, "clicks=1");
	unattributed(report(r, (struct report){ "1", .session = "s1", .at = 20 }),
		     "no click for this session");
	const struct bc_order *o =
		pending(report(r, (struct report){ "2", .click = "c1", .at = 20 }));
	assert_text(o->token, "tok-2");
}

static void the_last_click_of_a_session_wins(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 12 });
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	put_click(r, (struct click){ "c3", "tok-3", "s2", .at = 15 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1", .session = "s1", .at = 20 }));
	assert_text(o->token, "tok-2");
}

static void of_two_clicks_at_the_same_time_the_one_put_last_wins(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 10 });
	put_click(r, (struct click){ "c1", "tok-3", "s1", .at = 10 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1", .session = "s1", .at = 20 }));
	assert_text(o->token, "tok-3");
}

static void a_deleted_click_is_unknown(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	struct bc_store_op *op = rig_op(r, BC_STORE_DELETE_CLICK);
	fill_hash(op->in.delete_click, "c1");
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(rig_run(r, op), BC_ENOENT);
	unattributed(report(r, (struct report){ "1", .click = "c1", .at = 20 }), "unknown click");
	unattributed(report(r, (struct report){ "2", .session = "s1", .at = 20 }),
		     "no click for this session");
	assert_counts(r, "unattributed=2");
}

static void a_click_without_a_token_is_refused(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	assert_int_equal(rig_run(r, op), BC_EINVAL);
	assert_string_equal(op->err.text, "a click without a token cannot be stored");
	assert_counts(r, "");
}

/* --- one order, one click ------------------------------------------------------------------ */

static void one_token_serves_one_order_whatever_way_it_comes(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	pending(report(r, (struct report){ "1001", .click = "c1", .at = 20 }));
	unattributed(report(r, (struct report){ "1002", .click = "c1", .at = 21 }),
		     "click used by order 1001");
	unattributed(report(r, (struct report){ "1003", .session = "s1", .at = 21 }),
		     "click used by order 1001");
	unattributed(report(r, (struct report){ "1004", "tok-1", .at = 21 }),
		     "click used by order 1001");
	assert_counts(r, "unattributed=3 pending=1 clicks=1");
}

static void a_used_token_stays_used_after_it_was_cleared(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10 });
	lease(r, 10, 1);
	assert_int_equal(
		finish(r, (struct end){ "1001", 1, BC_ORDER_DELIVERED, 11, .clear_token = true }),
		0);
	assert_text(get(r, "1001")->token, NULL);
	unattributed(report(r, (struct report){ "1002", "tok-1", .at = 21 }),
		     "click used by order 1001");
}

static void the_same_order_again_changes_nothing(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .product = "shoes", .at = 10 });
	const struct bc_order *o =
		accepted(report(r, (struct report){ "1001", "tok-1", .product = "hats", .at = 30 }),
			 BC_ACCEPT_REPEATED, BC_ORDER_PENDING, NULL);
	assert_text(o->product, "shoes");
	assert_int_equal(o->created_ms, 10);
	assert_int_equal(o->due_ms, 10);
	accepted(report(r, (struct report){ "1001", .at = 30 }), BC_ACCEPT_REPEATED,
		 BC_ORDER_PENDING, NULL);
	accepted(report(r, (struct report){ "1001", .click = "c9", .at = 30 }), BC_ACCEPT_REPEATED,
		 BC_ORDER_PENDING, NULL);
	bring_to(r, "1001", BC_ORDER_DELIVERED, 40);
	accepted(report(r, (struct report){ "1001", "tok-1", .at = 50 }), BC_ACCEPT_REPEATED,
		 BC_ORDER_DELIVERED, NULL);
	assert_counts(r, "delivered=1");
}

static void the_same_order_with_another_token_is_a_conflict(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10 });
	const struct bc_order *o = accepted(report(r, (struct report){ "1001", "tok-2", .at = 30 }),
					    BC_ACCEPT_CONFLICT, BC_ORDER_PENDING, NULL);
	assert_text(o->token, "tok-1");
	/* and the other token is still free */
	pending(report(r, (struct report){ "1002", "tok-2", .at = 31 }));
}

static void a_repeated_report_that_brings_a_click_makes_the_conversion(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .at = 10 });
	const struct bc_order *o =
		accepted(report(r, (struct report){ "1001", "tok-1", .at = 30, .deadline = 99 }),
			 BC_ACCEPT_ADOPTED, BC_ORDER_PENDING, NULL);
	assert_int_equal(o->created_ms, 10);
	assert_int_equal(o->due_ms, 30);
	assert_int_equal(o->deadline_ms, 99);
	assert_counts(r, "pending=1");
	assert_int_equal(lease(r, 30, 9)->out.lease.count, 1);
}

static void a_repeated_report_without_a_click_adds_what_it_names(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .at = 10 });
	accepted(report(r, (struct report){ "1001", .session = "s1", .at = 20 }),
		 BC_ACCEPT_REPEATED, BC_ORDER_UNATTRIBUTED, "no click for this session");
	accepted(report(r, (struct report){ "1001", .at = 25 }), BC_ACCEPT_REPEATED,
		 BC_ORDER_UNATTRIBUTED, "no click for this session");
	struct bc_store_op *op = put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 30 });
	assert_int_equal(op->out.put_click.adopted, 1);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
}

/* --- late clicks --------------------------------------------------------------------------- */

static void a_late_click_is_adopted_by_its_id(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .click = "c1", .product = "hats", .at = 10 });
	struct bc_store_op *op =
		put_click(r, (struct click){ "c1", "tok-1", .at = 30, .adopt_after = 10 });
	assert_int_equal(op->out.put_click.adopted, 1);
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->state, BC_ORDER_PENDING);
	assert_text(o->reason, NULL);
	assert_text(o->token, "tok-1");
	assert_text(o->product, "hats");
	assert_int_equal(o->click_ms, 30);
	assert_int_equal(o->due_ms, 30);
	assert_int_equal(o->created_ms, 10);
	assert_counts(r, "pending=1 clicks=1");
}

static void a_late_click_is_adopted_by_its_session(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .session = "s1", .at = 10 });
	struct bc_store_op *op = put_click(
		r, (struct click){ "c1", "tok-1", "s1", "shoes", .at = 30, .adopt_after = 5 });
	assert_int_equal(op->out.put_click.adopted, 1);
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->state, BC_ORDER_PENDING);
	assert_text(o->product, "shoes");
	assert_true(o->has_click);
}

static void an_order_older_than_the_window_is_not_adopted(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .click = "c1", .session = "s1", .at = 10 });
	struct bc_store_op *op =
		put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 30, .adopt_after = 11 });
	assert_int_equal(op->out.put_click.adopted, 0);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_UNATTRIBUTED);
}

static void only_the_newest_waiting_order_takes_a_late_click(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .click = "c1", .at = 10 });
	report(r, (struct report){ "1002", .session = "s1", .at = 11 });
	report(r, (struct report){ "1003", .click = "c1", .at = 12 });
	report(r, (struct report){ "1004", .session = "s2", .at = 13 });
	struct bc_store_op *op = put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 30 });
	assert_int_equal(op->out.put_click.adopted, 1);
	assert_int_equal(state_of(r, "1003"), BC_ORDER_PENDING);
	op = put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 31 });
	assert_int_equal(op->out.put_click.adopted, 1);
	assert_int_equal(state_of(r, "1002"), BC_ORDER_PENDING);
	assert_counts(r, "unattributed=2 pending=2 clicks=2");
}

static void a_click_that_is_used_is_not_adopted_again(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10 });
	report(r, (struct report){ "1002", .session = "s1", .at = 10 });
	struct bc_store_op *op = put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 30 });
	assert_int_equal(op->out.put_click.adopted, 0);
	assert_int_equal(state_of(r, "1002"), BC_ORDER_UNATTRIBUTED);
}

static void an_order_whose_click_was_used_adopts_nothing(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	report(r, (struct report){ "1001", .session = "s1", .at = 20 });
	report(r, (struct report){ "1002", .session = "s1", .at = 21 });
	struct bc_store_op *op = put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 30 });
	assert_int_equal(op->out.put_click.adopted, 0);
	assert_text(get(r, "1002")->reason, "click used by order 1001");
}

static void a_cancelled_order_adopts_nothing(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .click = "c1", .at = 10 });
	assert_int_equal(cancel(r, "1001", 20), 0);
	struct bc_store_op *op = put_click(r, (struct click){ "c1", "tok-1", .at = 30 });
	assert_int_equal(op->out.put_click.adopted, 0);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_CANCELLED);
}

static void clicks_and_orders_are_there_after_a_restart(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	report(r, (struct report){ "1001", .click = "none", .at = 20 });
	convert(r, "1002", 20);
	if (!rig_reopen(r))
		return;
	assert_counts(r, "unattributed=1 pending=1 clicks=1");
	pending(report(r, (struct report){ "1003", .session = "s1", .at = 30 }));
	struct bc_store_op *op = put_click(r, (struct click){ "none", "tok-4", .at = 40 });
	assert_int_equal(op->out.put_click.adopted, 1);
	assert_int_equal(lease(r, 50, 9)->out.lease.count, 3);
}

static void an_order_id_that_is_empty_or_too_long_is_refused(void **state)
{
	struct rig *r = *state;
	char name[BC_ORDER_ID_MAX + 1];
	memset(name, 'x', sizeof(name));
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = BC_STR("");
	assert_int_equal(rig_run(r, op), BC_EINVAL);
	op->in.accept.order = (struct bc_str){ name, sizeof(name) };
	assert_int_equal(rig_run(r, op), BC_EINVAL);
	assert_string_equal(op->err.hint, "an order id has 1 to 128 bytes");
	op->in.accept.order.len--;
	assert_int_equal(rig_run(r, op), 0);
	assert_counts(r, "unattributed=1");
}

/* --- after a change of the hash key -------------------------------------------------------- */

static void a_session_is_found_under_the_hash_it_had_before(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "old-s1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "old-s2", .at = 20 });
	put_click(r, (struct click){ "c3", "tok-3", "new-s2", .at = 15 });
	const struct bc_order *o =
		pending(report(r, (struct report){ "1001", .session = "new-s1",
						   .old_session = "old-s1", .at = 30 }));
	assert_text(o->token, "tok-1");
	/* what was captured under the new key goes before */
	o = pending(report(r, (struct report){ "1002", .session = "new-s2", .old_session = "old-s2",
					       .at = 30 }));
	assert_text(o->token, "tok-3");
	unattributed(report(r, (struct report){ "1003", .session = "new-s3",
						.old_session = "old-s3", .at = 30 }),
		     "no click for this session");
	unattributed(report(r, (struct report){ "1004", .session = "new-s1", .at = 30 }),
		     "no click for this session");
}

static void a_session_is_looked_for_under_both_hashes_when_its_click_expired(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "old", .at = 10, .ttl = 500 });
	put_click(r, (struct click){ "c2", "tok-2", "new", .at = 20, .ttl = 5 });
	const struct bc_order *o = pending(report(
		r, (struct report){ "1001", .session = "new", .old_session = "old", .at = 30 }));
	assert_text(o->token, "tok-1");
	unattributed(report(r, (struct report){ "1002", .session = "new", .old_session = "none",
						.at = 30 }),
		     "click expired");
}

static void a_token_is_known_as_used_under_the_hash_it_had_before(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "old-tok", .at = 10 });
	unattributed(
		report(r, (struct report){ "1002", "new-tok", .old_token = "old-tok", .at = 20 }),
		"click used by order 1001");
	pending(report(r,
		       (struct report){ "1003", "new-tok-2", .old_token = "old-tok-2", .at = 20 }));
	unattributed(report(r, (struct report){ "1004", "new-tok-2", .old_token = "old-tok-2",
						.at = 30 }),
		     "click used by order 1003");
}

static void a_token_under_the_hash_it_had_before_is_no_conflict(void **state)
{
	struct rig *r = *state;
	static const struct repeat {
		struct report report;
		enum bc_accept_result how;
	} repeats[] = {
		{ { "1001", "new-tok", .old_token = "old-tok", .at = 20 }, BC_ACCEPT_REPEATED },
		{ { "1001", "old-tok", .old_token = "older", .at = 20 }, BC_ACCEPT_REPEATED },
		{ { "1001", "new-tok", .old_token = "other", .at = 20 }, BC_ACCEPT_CONFLICT },
		{ { "1001", "new-tok", .at = 20 }, BC_ACCEPT_CONFLICT },
	};
	report(r, (struct report){ "1001", "old-tok", .at = 10 });
	for (size_t i = 0; i < BC_COUNT(repeats); i++)
		assert_int_equal(report(r, repeats[i].report)->out.accept.how, repeats[i].how);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_token_makes_a_conversion),
		STORE_TEST(what_was_accepted_is_read_back_whole),
		STORE_TEST(an_order_takes_the_click_it_names),
		STORE_TEST(a_click_without_a_product_leaves_the_reported_one),
		STORE_TEST(the_token_goes_before_the_click_and_the_click_before_the_session),
		STORE_TEST(an_unknown_or_expired_click_falls_through_to_the_session),
		STORE_TEST(an_order_without_a_click_says_why),
		STORE_TEST(a_click_counts_until_just_before_it_expires),
		STORE_TEST(the_last_click_of_an_id_wins),
		STORE_TEST(the_last_click_of_a_session_wins),
		STORE_TEST(of_two_clicks_at_the_same_time_the_one_put_last_wins),
		STORE_TEST(a_deleted_click_is_unknown),
		STORE_TEST(a_click_without_a_token_is_refused),
		STORE_TEST(one_token_serves_one_order_whatever_way_it_comes),
		STORE_TEST(a_used_token_stays_used_after_it_was_cleared),
		STORE_TEST(the_same_order_again_changes_nothing),
		STORE_TEST(the_same_order_with_another_token_is_a_conflict),
		STORE_TEST(a_repeated_report_that_brings_a_click_makes_the_conversion),
		STORE_TEST(a_repeated_report_without_a_click_adds_what_it_names),
		STORE_TEST(a_late_click_is_adopted_by_its_id),
		STORE_TEST(a_late_click_is_adopted_by_its_session),
		STORE_TEST(an_order_older_than_the_window_is_not_adopted),
		STORE_TEST(only_the_newest_waiting_order_takes_a_late_click),
		STORE_TEST(a_click_that_is_used_is_not_adopted_again),
		STORE_TEST(an_order_whose_click_was_used_adopts_nothing),
		STORE_TEST(a_cancelled_order_adopts_nothing),
		STORE_TEST(clicks_and_orders_are_there_after_a_restart),
		STORE_TEST(an_order_id_that_is_empty_or_too_long_is_refused),
		STORE_TEST(a_session_is_found_under_the_hash_it_had_before),
		STORE_TEST(a_session_is_looked_for_under_both_hashes_when_its_click_expired),
		STORE_TEST(a_token_is_known_as_used_under_the_hash_it_had_before),
		STORE_TEST(a_token_under_the_hash_it_had_before_is_no_conflict),
	};
	return RUN_EACH_ENGINE(tests);
}
