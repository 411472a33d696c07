/* SPDX-License-Identifier: MIT */
/*
 * What is taken out of the store, and when: expired clicks, orders that never got a click, the
 * tokens of what is over. What stays: that an order was, and that its click was used.
 */
#include "harness.h"

#include <stdio.h>
#include <string.h>

/* Zero cleans nothing of the kind. */
struct clean {
	uint64_t now, clicks, clear, unattributed;
	uint32_t limit; /* 0: 10 */
};

static struct bc_store_op *purge(struct rig *r, struct clean clean)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = clean.now;
	op->in.purge.clicks_before_ms = clean.clicks;
	op->in.purge.clear_before_ms = clean.clear;
	op->in.purge.unattributed_before_ms = clean.unattributed;
	op->in.purge.limit = clean.limit ? clean.limit : 10;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static void unattributed(struct rig *r, struct report order, const char *reason)
{
	const struct bc_order *o = &report(r, order)->out.accept.order;
	assert_int_equal(o->state, BC_ORDER_UNATTRIBUTED);
	assert_text(o->reason, reason);
}

/* Leases the order, and ends its attempt as order.keep = 0 does. */
static void hand_back(struct rig *r, const char *order, uint64_t at)
{
	assert_int_equal(lease_only(r, order, at)->out.lease.count, 1);
	assert_int_equal(
		finish(r, (struct end){ order, 1, BC_ORDER_DELIVERED, at, .clear_token = true }),
		0);
}

/* --- clicks -------------------------------------------------------------------------------- */

static void clicks_are_deleted_by_when_they_expired(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10, .ttl = 5 });
	put_click(r, (struct click){ "c2", "tok-2", .at = 10, .ttl = 6 });
	struct bc_store_op *op = purge(r, (struct clean){ .clicks = 15 });
	assert_int_equal(op->out.purge.clicks, 1);
	assert_false(op->out.purge.more);
	assert_counts(r, "clicks=1");
	unattributed(r, (struct report){ "1", .session = "s1", .at = 12 },
		     "no click for this session");
}

static void an_expired_click_says_so_until_it_is_deleted(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10, .ttl = 5 });
	assert_int_equal(purge(r, (struct clean){ .now = 100, .clicks = 14 })->out.purge.clicks, 0);
	unattributed(r, (struct report){ "1", .click = "c1", .at = 100 }, "click expired");
	unattributed(r, (struct report){ "2", .session = "s1", .at = 100 }, "click expired");
	assert_int_equal(purge(r, (struct clean){ .now = 100, .clicks = 15 })->out.purge.clicks, 1);
	unattributed(r, (struct report){ "3", .click = "c1", .at = 100 }, "unknown click");
	unattributed(r, (struct report){ "4", .session = "s1", .at = 100 },
		     "no click for this session");
}

/* --- deadlines ----------------------------------------------------------------------------- */

static void pending_past_its_deadline_expires(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10, .deadline = 50 });
	report(r, (struct report){ "1002", "tok-2", .at = 10, .deadline = 51 });
	report(r, (struct report){ "1003", "tok-3", .at = 10, .deadline = 50 });
	report(r, (struct report){ "1004", "tok-4", .at = 10 });
	lease_only(r, "1003", 20);
	struct bc_store_op *op = purge(r, (struct clean){ .now = 50 });
	assert_int_equal(op->out.purge.expired, 1);
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->state, BC_ORDER_EXPIRED);
	assert_text(o->reason, "deadline passed");
	assert_int_equal(o->finished_ms, 50);
	assert_text(o->token, "tok-1");
	assert_counts(r, "pending=2 sending=1 expired=1");
}

/* --- orders -------------------------------------------------------------------------------- */

/* Makes a final order of that state by a click of its own, and returns its name. */
static const char *make_final(struct rig *r, enum bc_order_state state, uint64_t at)
{
	const char *name = bc_order_state_name(state);
	put_click(r, (struct click){ name, name, name, .at = 10 });
	report(r, (struct report){ name, .session = name, .at = 10 });
	bring_to(r, name, state, at);
	return name;
}

static void final_orders_are_never_deleted(void **state)
{
	static const char expected[] = "delivered=1 rejected=1 expired=1 cancelled=2 clicks=4";
	struct rig *r = *state;
	for (int s = BC_ORDER_DELIVERED; s < BC_ORDER_STATES; s++)
		make_final(r, (enum bc_order_state)s, 20);
	report(r, (struct report){ "without", .session = "s1", .at = 10 });
	cancel(r, "without", 20);
	struct bc_store_op *op = purge(r, (struct clean){ 9000, 0, 9000, 9000 });
	assert_int_equal(op->out.purge.orders, 0);
	assert_int_equal(op->out.purge.cleared, 5);
	assert_counts(r, expected);
	/* so an order that is reported again long after is still one conversion */
	assert_int_equal(
		report(r, (struct report){ "delivered", "delivered", .at = 9500 })->out.accept.how,
		BC_ACCEPT_REPEATED);
	assert_int_equal(
		report(r, (struct report){ "delivered", "other", .at = 9500 })->out.accept.how,
		BC_ACCEPT_CONFLICT);
	assert_counts(r, expected);
	assert_int_equal(story(r, "delivered")->out.story.attempt_count, 1);
}

static void a_cleared_order_keeps_only_the_hash_of_its_token(void **state)
{
	struct rig *r = *state;
	for (int s = BC_ORDER_DELIVERED; s < BC_ORDER_STATES; s++) {
		const char *name = make_final(r, (enum bc_order_state)s, 30);
		assert_int_equal(purge(r, (struct clean){ .clear = 30 })->out.purge.cleared, 0);
		assert_text(get(r, name)->token, name);
		assert_int_equal(purge(r, (struct clean){ .clear = 31 })->out.purge.cleared, 1);
		const struct bc_order *o = get(r, name);
		assert_text(o->token, NULL);
		assert_false(o->has_click);
		assert_false(o->has_session);
		assert_true(o->has_token_hash);
		assert_int_equal(o->state, s);
		assert_int_equal(o->click_ms, 10);
		/* once is enough */
		assert_int_equal(purge(r, (struct clean){ .clear = 31 })->out.purge.cleared, 0);
		assert_int_equal(requeue(r, name, 40)->result, BC_ESTATE);
	}
}

static void an_order_that_was_cleared_at_its_hand_back_loses_the_rest_later(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	report(r, (struct report){ "1001", .session = "s1", .at = 20 });
	hand_back(r, "1001", 30);
	assert_text(get(r, "1001")->token, NULL);
	assert_true(get(r, "1001")->has_session);
	assert_int_equal(purge(r, (struct clean){ .clear = 31 })->out.purge.cleared, 1);
	assert_false(get(r, "1001")->has_session);
	assert_false(get(r, "1001")->has_click);
}

static void only_orders_that_nobody_touched_and_that_got_no_click_are_deleted(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "old", .at = 10 });
	report(r, (struct report){ "touched", .at = 10 });
	report(r, (struct report){ "touched", .session = "s1", .at = 30 });
	report(r, (struct report){ "young", .at = 30 });
	convert(r, "waiting", 10);
	convert(r, "leased", 10);
	bring_to(r, "leased", BC_ORDER_SENDING, 20);
	struct bc_store_op *op = purge(r, (struct clean){ .clear = 30, .unattributed = 30 });
	assert_int_equal(op->out.purge.orders, 1);
	assert_int_equal(op->out.purge.cleared, 0);
	assert_null(get(r, "old"));
	assert_counts(r, "unattributed=2 pending=1 sending=1");
	if (rig_reopen(r))
		assert_counts(r, "unattributed=2 pending=1 sending=1");
}

static void a_purge_keeps_its_limit_and_says_that_there_is_more(void **state)
{
	static const struct clean clean = {
		.clicks = 50, .clear = 50, .unattributed = 50, .limit = 70
	};
	struct rig *r = *state;
	char name[16];
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		put_click(r, (struct click){ name, name, .at = 10, .ttl = 5 });
		report(r, (struct report){ name, .at = 10 });
		snprintf(name, sizeof(name), "%d", i);
		convert(r, name, 10);
		cancel(r, name, 20);
	}
	struct bc_store_op *op = purge(r, clean);
	assert_int_equal(op->out.purge.clicks, 70);
	assert_int_equal(op->out.purge.orders, 70);
	assert_int_equal(op->out.purge.cleared, 70);
	assert_true(op->out.purge.more);
	op = purge(r, clean);
	assert_int_equal(op->out.purge.clicks, 30);
	assert_int_equal(op->out.purge.orders, 30);
	assert_int_equal(op->out.purge.cleared, 30);
	assert_false(op->out.purge.more);
	assert_counts(r, "cancelled=100");
}

/* --- the token of a click that was used ----------------------------------------------------- */

/* Is the click there, with its hash, and with this token ("" = blanked)? */
static void assert_click(struct rig *r, const char *id, const char *token, const char *hashed)
{
	uint8_t hash[BC_HASH_BYTES];
	const struct bc_click *click = stored_click(r, id);
	assert_non_null(click);
	assert_text(click->token, token);
	fill_hash(hash, hashed);
	assert_memory_equal(click->token_hash, hash, sizeof(hash));
}

static void a_hand_back_takes_the_token_from_its_click(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "s2", .at = 10 });
	put_click(r, (struct click){ "c3", "tok-3", .at = 10 });
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	report(r, (struct report){ "1002", .session = "s2", .at = 20 });
	report(r, (struct report){ "1004", .click = "c4", .at = 20 });
	put_click(r, (struct click){ "c4", "tok-4", .at = 21 });
	assert_click(r, "c1", "tok-1", "tok-1");
	hand_back(r, "1001", 30);
	hand_back(r, "1002", 30);
	hand_back(r, "1004", 30);
	assert_click(r, "c1", "", "tok-1");
	assert_click(r, "c2", "", "tok-2");
	assert_click(r, "c3", "tok-3", "tok-3");
	assert_click(r, "c4", "", "tok-4");
	assert_counts(r, "delivered=3 clicks=4");
}

static void a_hand_back_that_keeps_the_token_leaves_its_click(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	bring_to(r, "1001", BC_ORDER_DELIVERED, 30);
	assert_click(r, "c1", "tok-1", "tok-1");
	purge(r, (struct clean){ .clear = 30 });
	assert_click(r, "c1", "tok-1", "tok-1");
	purge(r, (struct clean){ .clear = 31 });
	assert_click(r, "c1", "", "tok-1");
}

static void a_landing_page_that_was_loaded_again_leaves_no_second_token(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 11 });
	put_click(r, (struct click){ "c3", "tok-1", "s1", .at = 12 });
	put_click(r, (struct click){ "c4", "tok-1", "s2", .at = 12 });
	/* the order names the click, whose session holds the others */
	report(r, (struct report){ "1001", .click = "c3", .at = 20 });
	hand_back(r, "1001", 30);
	assert_click(r, "c1", "", "tok-1");
	assert_click(r, "c2", "tok-2", "tok-2");
	assert_click(r, "c3", "", "tok-1");
	/* another visitor's: found by nothing that the order knows */
	assert_click(r, "c4", "tok-1", "tok-1");
}

static void a_session_is_cleaned_after_its_click_was_deleted(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10, .ttl = 500 });
	put_click(r, (struct click){ "c2", "tok-1", "s1", .at = 11, .ttl = 50 });
	report(r, (struct report){ "1001", .session = "s1", .at = 20 });
	purge(r, (struct clean){ .clicks = 100 });
	assert_null(stored_click(r, "c2"));
	hand_back(r, "1001", 100);
	assert_click(r, "c1", "", "tok-1");
}

static void a_token_that_comes_after_its_order_is_not_kept(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10 });
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 20 });
	assert_click(r, "c1", "", "tok-1");
	hand_back(r, "1001", 30);
	put_click(r, (struct click){ "c2", "tok-1", .at = 40 });
	assert_click(r, "c2", "", "tok-1");
	unattributed(r, (struct report){ "1002", .session = "s1", .at = 50 },
		     "click used by order 1001");
}

static void another_token_under_the_clicks_id_is_left(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	put_click(r, (struct click){ "c1", "tok-2", "s1", .at = 21 });
	hand_back(r, "1001", 30);
	assert_click(r, "c1", "tok-2", "tok-2");
	assert_int_equal(report(r, (struct report){ "1002", .session = "s1", .at = 40 })
				 ->out.accept.order.state,
			 BC_ORDER_PENDING);
}

/* No index finds clicks by their token; it would cost every capture more than this is worth. */
static void an_order_that_came_by_its_token_names_no_click_to_clean(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10, .ttl = 50 });
	report(r, (struct report){ "1001", "tok-1", .at = 20 });
	hand_back(r, "1001", 30);
	assert_click(r, "c1", "tok-1", "tok-1");
	purge(r, (struct clean){ .clicks = 60 });
	assert_null(stored_click(r, "c1"));
}

static void a_hand_back_cleans_a_bounded_number_of_clicks(void **state)
{
	struct rig *r = *state;
	char id[16];
	for (int i = 0; i <= BC_BLANK_CLICKS_MAX; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		put_click(r, (struct click){ id, "tok-1", "s1", .at = 10 + (uint64_t)i });
	}
	report(r, (struct report){ "1001", .session = "s1", .at = 500 });
	hand_back(r, "1001", 500);
	assert_click(r, id, "", "tok-1");
	assert_click(r, "c1", "", "tok-1");
	assert_click(r, "c0", "tok-1", "tok-1");
}

static void a_blank_click_is_still_used_and_still_the_newest(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", "s1", .at = 10 });
	put_click(r, (struct click){ "c2", "tok-2", "s1", .at = 11 });
	report(r, (struct report){ "1001", .session = "s1", .at = 20 });
	hand_back(r, "1001", 30);
	for (int i = 0; i < 2; i++) {
		static const char *const orders[][3] = { { "1002", "1003", "1004" },
							 { "1005", "1006", "1007" } };
		unattributed(r, (struct report){ orders[i][0], .session = "s1", .at = 40 },
			     "click used by order 1001");
		unattributed(r, (struct report){ orders[i][1], .click = "c2", .at = 40 },
			     "click used by order 1001");
		unattributed(r, (struct report){ orders[i][2], "tok-2", .at = 40 },
			     "click used by order 1001");
		purge(r, (struct clean){ .clear = 9000 });
	}
	assert_counts(r, "unattributed=6 delivered=1 clicks=2");
}

static void a_blank_click_is_used_for_another_partner_too(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	op->in.put_click.click = *stored_click(r, "c1");
	op->in.put_click.click.partner = BC_STR("");
	assert_int_equal(rig_run(r, op), 0);
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	hand_back(r, "1001", 30);
	assert_click(r, "c1", "", "tok-1");
	op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept = (struct bc_accept){ .order = BC_STR("1002"),
					    .partner = BC_STR("other"),
					    .product = BC_STR("default"),
					    .has_click = true,
					    .now_ms = 40 };
	fill_hash(op->in.accept.click, "c1");
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.accept.order.state, BC_ORDER_UNATTRIBUTED);
	assert_text(op->out.accept.order.reason, "click used by order unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(clicks_are_deleted_by_when_they_expired),
		STORE_TEST(an_expired_click_says_so_until_it_is_deleted),
		STORE_TEST(pending_past_its_deadline_expires),
		STORE_TEST(final_orders_are_never_deleted),
		STORE_TEST(a_cleared_order_keeps_only_the_hash_of_its_token),
		STORE_TEST(an_order_that_was_cleared_at_its_hand_back_loses_the_rest_later),
		STORE_TEST(only_orders_that_nobody_touched_and_that_got_no_click_are_deleted),
		STORE_TEST(a_purge_keeps_its_limit_and_says_that_there_is_more),
		ENGINE_TEST(a_hand_back_takes_the_token_from_its_click),
		ENGINE_TEST(a_hand_back_that_keeps_the_token_leaves_its_click),
		ENGINE_TEST(a_landing_page_that_was_loaded_again_leaves_no_second_token),
		ENGINE_TEST(a_session_is_cleaned_after_its_click_was_deleted),
		ENGINE_TEST(a_token_that_comes_after_its_order_is_not_kept),
		ENGINE_TEST(another_token_under_the_clicks_id_is_left),
		ENGINE_TEST(an_order_that_came_by_its_token_names_no_click_to_clean),
		ENGINE_TEST(a_hand_back_cleans_a_bounded_number_of_clicks),
		ENGINE_TEST(a_blank_click_is_still_used_and_still_the_newest),
		ENGINE_TEST(a_blank_click_is_used_for_another_partner_too),
	};
	return RUN_EACH_ENGINE(tests);
}
