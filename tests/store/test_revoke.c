/* SPDX-License-Identifier: MIT */
/*
 * What the shop took back, in every state and of every edition; and how it comes back. The tables
 * are the contract: each line is run on every engine.
 */
#include "pages.h"

#include <stdlib.h>

#include "base/err.h"

#define REASON "canceled in Commerce"

/* --- every state and edition --------------------------------------------------------------- */

enum { NOT_KNOWN = -1 };

/* An order of edition 1 and entity 11, in a state, at time 20. */
static void make(struct rig *r, const char *order, int state)
{
	char token[32];
	struct news news = { order, .at = 10, .entity = 11, .edition = 1 };
	if (state == NOT_KNOWN)
		return;
	snprintf(token, sizeof(token), "token-%s", order);
	news.token = state == BC_ORDER_UNATTRIBUTED ? NULL : token;
	take(r, news);
	if (state != BC_ORDER_UNATTRIBUTED)
		bring_to(r, order, (enum bc_order_state)state, 20);
}

/* How an order stands: "cancelled (why) edition 1 of 11 revoked 30 ended 30". */
static const char *standing(struct rig *r, const char *order)
{
	const struct bc_order *o = get(r, order);
	if (!o)
		return "unknown";
	return bc_arena_printf(r->arena, "%s (%.*s) edition %u of %llu revoked %llu ended %llu",
			       bc_order_state_name(o->state), (int)o->reason.len,
			       o->reason.ptr ? o->reason.ptr : "", o->edition,
			       (unsigned long long)o->entity_id, (unsigned long long)o->revoked_ms,
			       (unsigned long long)o->finished_ms);
}

static const char *const how_names[] = { "withdrawn", "late", "unknown", "repeated", "replaced" };

/* By state, what taking back edition 0, 1 and 2 at time 30 comes to. */
static const struct {
	int state;
	const char *how;      /* of the edition that stands, and of the next */
	const char *standing; /* with %u for the edition, %u for its entity */
	const char *before;
} revocations[] = {
	{ BC_ORDER_UNATTRIBUTED, "withdrawn",
	  "cancelled (canceled in Commerce) edition %u of %u revoked 30 ended 30",
	  "unattributed (no click named) edition 1 of 11 revoked 0 ended 0" },
	{ BC_ORDER_PENDING, "withdrawn",
	  "cancelled (canceled in Commerce) edition %u of %u revoked 30 ended 30",
	  "pending () edition 1 of 11 revoked 0 ended 0" },
	{ BC_ORDER_SENDING, "late",
	  "sending (canceled in Commerce) edition %u of %u revoked 30 ended 0",
	  "sending () edition 1 of 11 revoked 0 ended 0" },
	{ BC_ORDER_DELIVERED, "late",
	  "delivered (canceled in Commerce) edition %u of %u revoked 30 ended 20",
	  "delivered () edition 1 of 11 revoked 0 ended 20" },
	{ BC_ORDER_REJECTED, "withdrawn",
	  "cancelled (canceled in Commerce) edition %u of %u revoked 30 ended 30",
	  "rejected (so it is) edition 1 of 11 revoked 0 ended 20" },
	{ BC_ORDER_EXPIRED, "withdrawn",
	  "cancelled (canceled in Commerce) edition %u of %u revoked 30 ended 30",
	  "expired (so it is) edition 1 of 11 revoked 0 ended 20" },
	{ BC_ORDER_CANCELLED, "withdrawn",
	  "cancelled (asked for) edition %u of %u revoked 30 ended 20",
	  "cancelled (asked for) edition 1 of 11 revoked 0 ended 20" },
};

static const char *take_back(struct rig *r, const char *order, uint32_t edition, uint64_t at)
{
	const struct news news = { order, .reason = REASON, .edition = edition, .at = at,
				   .entity = 10 + edition };
	return how_names[take(r, news)->how.revoked];
}

static void taking_back_depends_on_the_state_and_the_edition(void **state)
{
	struct rig *r = *state;
	char order[16], expected[128];
	for (size_t i = 0; i < BC_COUNT(revocations); i++) {
		for (uint32_t edition = 0; edition < 3; edition++) {
			snprintf(order, sizeof(order), "%zu-%u", i, edition);
			make(r, order, revocations[i].state);
			assert_string_equal(standing(r, order), revocations[i].before);
			const char *how = take_back(r, order, edition, 30);
			if (edition == 0) {
				assert_string_equal(how, "replaced");
				assert_string_equal(standing(r, order), revocations[i].before);
				continue;
			}
			const char *format = revocations[i].standing,
				   *at = strstr(format, "%u of %u");
			snprintf(expected, sizeof(expected), "%.*s%u of %u%s", (int)(at - format),
				 format, edition, 10 + edition, at + strlen("%u of %u"));
			assert_string_equal(how, revocations[i].how);
			assert_string_equal(standing(r, order), expected);
			/* once more, and the edition before: nothing changes */
			assert_string_equal(take_back(r, order, edition, 40), "repeated");
			assert_string_equal(take_back(r, order, edition - 1, 40), "replaced");
			assert_string_equal(standing(r, order), expected);
			if (rig_engine[0] == 's' && i == 3) {
				rig_reopen(r);
				assert_string_equal(standing(r, order), expected);
			}
		}
	}
}

static void what_was_not_known_stands_cancelled_before_it_comes(void **state)
{
	struct rig *r = *state;
	assert_string_equal(take_back(r, "1001", 1, 30), "unknown");
	static const char stands[] =
		"cancelled (canceled in Commerce) edition 1 of 11 revoked 30 ended 30";
	assert_string_equal(standing(r, "1001"), stands);
	assert_string_equal(take_back(r, "1001", 1, 31), "repeated");
	struct news late = { "1001", .token = "t1", .at = 40, .entity = 11, .edition = 1 };
	assert_int_equal(take(r, late)->how.accepted, BC_ACCEPT_REPEATED);
	late.edition = 0;
	late.entity = 10;
	assert_int_equal(take(r, late)->how.accepted, BC_ACCEPT_REPEATED);
	assert_int_equal(report(r, (struct report){ "1001", "t1", .at = 41 })->out.accept.how,
			 BC_ACCEPT_REPEATED);
	assert_string_equal(standing(r, "1001"), stands);
	assert_counts(r, "cancelled=1");
	/* the token is not its own: another order may have it */
	convert(r, "1002", 50);
	assert_int_equal(
		report(r, (struct report){ "1003", "t1", .at = 51 })->out.accept.order.state,
		BC_ORDER_PENDING);
}

static void a_later_edition_that_is_taken_back_early_is_not_brought_back_by_its_report(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_PENDING);
	assert_string_equal(take_back(r, "1001", 1, 30), "withdrawn");
	/* of the second edition the end is heard of first */
	assert_string_equal(take_back(r, "1001", 2, 31), "repeated");
	const struct news second = { "1001", .token = "token-1001", .at = 32, .edition = 2 };
	assert_int_equal(take(r, second)->how.accepted, BC_ACCEPT_REPEATED);
	assert_string_equal(standing(r, "1001"),
			    "cancelled (canceled in Commerce) edition 2 of 12 revoked 30 ended 30");
	const struct news third = { "1001", .token = "token-1001", .at = 33, .edition = 3 };
	assert_int_equal(take(r, third)->how.accepted, BC_ACCEPT_ADOPTED);
	assert_string_equal(standing(r, "1001"), "pending () edition 3 of 0 revoked 0 ended 0");
}

/* --- on its way ---------------------------------------------------------------------------- */

static const struct {
	enum bc_order_state next;
	const char *standing;
} ends[] = {
	{ BC_ORDER_PENDING,
	  "cancelled (canceled in Commerce) edition 1 of 11 revoked 30 ended 50" },
	{ BC_ORDER_REJECTED,
	  "cancelled (canceled in Commerce) edition 1 of 11 revoked 30 ended 50" },
	{ BC_ORDER_EXPIRED,
	  "cancelled (canceled in Commerce) edition 1 of 11 revoked 30 ended 50" },
	{ BC_ORDER_DELIVERED,
	  "delivered (canceled in Commerce) edition 1 of 11 revoked 30 ended 50" },
};

static void one_that_was_on_its_way_is_delivered_or_cancelled(void **state)
{
	struct rig *r = *state;
	char order[16];
	for (size_t i = 0; i < BC_COUNT(ends); i++) {
		snprintf(order, sizeof(order), "%zu", i);
		make(r, order, BC_ORDER_SENDING);
		assert_string_equal(take_back(r, order, 1, 30), "late");
		assert_int_equal(
			finish(r, (struct end){ order, 1, ends[i].next, 50, 60, "hopeless" }), 0);
		assert_string_equal(standing(r, order), ends[i].standing);
		assert_int_equal(story(r, order)->out.story.attempts[0].duration_ms, 7);
	}
	assert_int_equal(lease(r, 100, 10)->out.lease.count, 0);
	assert_counts(r, "delivered=1 cancelled=3");
}

static void a_release_cancels_what_was_taken_back(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_SENDING);
	make(r, "1002", BC_ORDER_SENDING);
	take_back(r, "1001", 1, 30);
	struct bc_store_op *op = rig_op(r, BC_STORE_RELEASE);
	op->in.release.now_ms = 50;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 2);
	assert_string_equal(standing(r, "1001"),
			    "cancelled (canceled in Commerce) edition 1 of 11 revoked 30 ended 50");
	assert_int_equal(state_of(r, "1002"), BC_ORDER_PENDING);
	assert_counts(r, "pending=1 cancelled=1");
}

/* The wall clock may go back between the two: whose cancellation it is must stay known. */
static void a_clock_that_goes_back_does_not_make_it_the_operators(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_SENDING);
	take_back(r, "1001", 1, 1000);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, 50, 60 }), 0);
	assert_string_equal(
		standing(r, "1001"),
		"cancelled (canceled in Commerce) edition 1 of 11 revoked 1000 ended 1000");
	make(r, "1002", BC_ORDER_PENDING);
	assert_int_equal(cancel(r, "1002", 1000), 0);
	assert_string_equal(take_back(r, "1002", 1, 50), "withdrawn");
	const struct news second = { "1001", .at = 60, .edition = 2 };
	const struct news other = { "1002", .at = 60, .edition = 2 };
	assert_int_equal(take(r, second)->order.state, BC_ORDER_PENDING);
	assert_int_equal(take(r, other)->order.state, BC_ORDER_CANCELLED);
}

/* --- coming back --------------------------------------------------------------------------- */

/* By state, what the report of edition 2 comes to after edition 1 was taken back, and without. */
static const struct {
	int state;
	bool taken_back;
	enum bc_accept_result how;
	const char *standing;
} returns[] = {
	{ NOT_KNOWN, false, BC_ACCEPT_CREATED, "pending () edition 2 of 12 revoked 0 ended 0" },
	{ NOT_KNOWN, true, BC_ACCEPT_ADOPTED, "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_UNATTRIBUTED, false, BC_ACCEPT_ADOPTED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_UNATTRIBUTED, true, BC_ACCEPT_ADOPTED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_PENDING, false, BC_ACCEPT_REPEATED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_PENDING, true, BC_ACCEPT_ADOPTED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_SENDING, false, BC_ACCEPT_REPEATED,
	  "sending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_SENDING, true, BC_ACCEPT_REPEATED,
	  "sending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_DELIVERED, false, BC_ACCEPT_REPEATED,
	  "delivered () edition 2 of 12 revoked 0 ended 20" },
	{ BC_ORDER_DELIVERED, true, BC_ACCEPT_REPEATED,
	  "delivered () edition 2 of 12 revoked 0 ended 20" },
	{ BC_ORDER_REJECTED, false, BC_ACCEPT_REPEATED,
	  "rejected (so it is) edition 2 of 12 revoked 0 ended 20" },
	{ BC_ORDER_REJECTED, true, BC_ACCEPT_ADOPTED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_EXPIRED, true, BC_ACCEPT_ADOPTED,
	  "pending () edition 2 of 12 revoked 0 ended 0" },
	{ BC_ORDER_CANCELLED, false, BC_ACCEPT_REPEATED,
	  "cancelled (asked for) edition 2 of 12 revoked 0 ended 20" },
	{ BC_ORDER_CANCELLED, true, BC_ACCEPT_REPEATED,
	  "cancelled (asked for) edition 2 of 12 revoked 0 ended 20" },
};

static void a_later_edition_brings_back_what_was_taken_back(void **state)
{
	struct rig *r = *state;
	char order[16], token[32];
	for (size_t i = 0; i < BC_COUNT(returns); i++) {
		snprintf(order, sizeof(order), "%zu", i);
		snprintf(token, sizeof(token), "token-%s", order);
		make(r, order, returns[i].state);
		if (returns[i].taken_back)
			take_back(r, order, 1, 30);
		const struct news second = { order,	   token,	 .at = 60,
					     .entity = 12, .edition = 2, .deadline = 900 };
		assert_int_equal(take(r, second)->how.accepted, returns[i].how);
		assert_string_equal(standing(r, order), returns[i].standing);
		const struct bc_order *o = get(r, order);
		if (returns[i].how == BC_ACCEPT_ADOPTED) {
			assert_int_equal(o->due_ms, 60);
			assert_int_equal(o->deadline_ms, 900);
			assert_int_equal(o->failures, 0);
			assert_text(o->token, token);
		}
		/* the first edition's end is heard of late, or again: it is over */
		assert_string_equal(take_back(r, order, 1, 70), "replaced");
		assert_int_equal(take(r, second)->how.accepted, BC_ACCEPT_REPEATED);
		assert_string_equal(standing(r, order), returns[i].standing);
	}
}

/* The mirror: whichever comes first, the edit or the end of what it replaced. */
static void an_edit_and_the_end_of_what_it_replaced_may_come_in_either_order(void **state)
{
	struct rig *r = *state;
	const struct news first = { "1001", "t1", .at = 10, .entity = 5 };
	const struct news end = { "1001", .reason = REASON, .at = 20, .entity = 5 };
	const struct news second = { "1001", "t1", .at = 21, .entity = 6, .edition = 1 };
	const struct news *orders[][3] = { { &first, &end, &second }, { &first, &second, &end },
					   { &end, &first, &second }, { &end, &second, &first },
					   { &second, &first, &end }, { &second, &end, &first } };
	char name[8], token[8];
	for (size_t i = 0; i < BC_COUNT(orders); i++) {
		snprintf(name, sizeof(name), "%zu", i);
		snprintf(token, sizeof(token), "t%zu", i);
		for (int k = 0; k < 6; k++) {
			struct news one = *orders[i][k % 3];
			one.order = name;
			one.token = token;
			take(r, one);
		}
		assert_string_equal(standing(r, name),
				    "pending () edition 1 of 6 revoked 0 ended 0");
	}
	assert_counts(r, "pending=6");
}

static void one_that_never_had_a_click_looks_for_it_again(void **state)
{
	struct rig *r = *state;
	take(r, (struct news){ "1001", .session = "s1", .at = 10 });
	assert_string_equal(take_back(r, "1001", 0, 20), "withdrawn");
	assert_int_equal(take(r, (struct news){ "1001", .at = 30, .edition = 1 })->how.accepted,
			 BC_ACCEPT_REPEATED);
	assert_string_equal(standing(r, "1001"),
			    "unattributed (no click for this session) edition 1 "
			    "of 0 revoked 0 ended 0");
	/* and waits for one that comes late, as it did before */
	assert_int_equal(
		put_click(r, (struct click){ "c1", "t1", "s1", .at = 40 })->out.put_click.adopted,
		1);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	take_back(r, "1002", 0, 50);
	assert_int_equal(take(r, (struct news){ "1002", .at = 51, .edition = 1 })->how.accepted,
			 BC_ACCEPT_REPEATED);
	assert_text(get(r, "1002")->reason, "no click named");
	/* its click was used meanwhile */
	take_back(r, "1003", 0, 60);
	take(r, (struct news){ "1003", "t1", .at = 61, .edition = 1 });
	assert_text(get(r, "1003")->reason, "click used by order 1001");
	assert_counts(r, "unattributed=2 pending=1 clicks=1");
}

static void purge(struct rig *r, uint64_t clear, uint64_t unattributed, uint64_t expect_cleared,
		  uint64_t expect_deleted)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.clear_before_ms = clear;
	op->in.purge.unattributed_before_ms = unattributed;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.cleared, expect_cleared);
	assert_int_equal(op->out.purge.orders, expect_deleted);
	assert_false(op->out.purge.more);
}

static void one_whose_token_was_cleared_comes_back_only_with_it(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 5 });
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "1001", "1002", "1003" };
		char token[8];
		snprintf(token, sizeof(token), "t%d", i + 1);
		take(r, i ? (struct news){ names[i], token, .at = 10 }
			  : (struct news){ names[i], .click = "c1", .at = 10 });
		assert_string_equal(take_back(r, names[i], 0, 20), "withdrawn");
	}
	purge(r, 21, 0, 3, 0);
	/* its click is blank by now */
	assert_int_equal(take(r, (struct news){ "1001", .click = "c1", .at = 30, .edition = 1 })
				 ->how.accepted,
			 BC_ACCEPT_REPEATED);
	assert_string_equal(standing(r, "1001"),
			    "cancelled (its click token was cleared before the "
			    "order came back) edition 1 of 0 revoked 0 ended 20");
	assert_int_equal(
		take(r, (struct news){ "1002", "t2", .at = 30, .edition = 1 })->how.accepted,
		BC_ACCEPT_ADOPTED);
	assert_text(get(r, "1002")->token, "t2");
	assert_int_equal(
		take(r, (struct news){ "1003", "other", .at = 30, .edition = 1 })->how.accepted,
		BC_ACCEPT_CONFLICT);
	assert_int_equal(state_of(r, "1003"), BC_ORDER_CANCELLED);
	assert_int_equal(lease(r, 40, 5)->out.lease.count, 1);
	/* whose token it is is known as before */
	report(r, (struct report){ "1004", "t2", .at = 50 });
	assert_text(get(r, "1004")->reason, "click used by order 1002");
	if (rig_reopen(r)) {
		assert_text(get(r, "1002")->token, "t2");
		report(r, (struct report){ "1005", "t2", .at = 50 });
		assert_text(get(r, "1005")->reason, "click used by order 1002");
	}
}

/* --- the operator -------------------------------------------------------------------------- */

static void the_operator_may_hand_back_what_was_taken_back(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_PENDING);
	take_back(r, "1001", 1, 30);
	assert_int_equal(requeue(r, "1001", 40)->result, 0);
	assert_string_equal(standing(r, "1001"), "pending () edition 1 of 11 revoked 0 ended 0");
	bring_to(r, "1001", BC_ORDER_DELIVERED, 50);
	/* the shop says so again: now it was too late */
	assert_string_equal(take_back(r, "1001", 1, 60), "late");
	assert_int_equal(requeue(r, "1001", 70)->result, BC_ESTATE);
}

static uint64_t requeue_all(struct rig *r, struct bc_order_selector select)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.select = select;
	op->in.requeue.now_ms = 90;
	assert_int_equal(rig_run(r, op), 0);
	return op->out.changed.count;
}

static void a_selector_leaves_them_out_unless_it_names_them(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_PENDING);
	make(r, "1002", BC_ORDER_CANCELLED);
	make(r, "1003", BC_ORDER_DELIVERED);
	take_back(r, "1001", 1, 30);
	take_back(r, "1003", 1, 30);
	struct bc_order_selector select = { .state = BC_ORDER_CANCELLED };
	assert_int_equal(requeue_all(r, select), 1);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_CANCELLED);
	assert_int_equal(state_of(r, "1002"), BC_ORDER_PENDING);
	select.revoked = true;
	assert_int_equal(requeue_all(r, select), 1);
	assert_string_equal(standing(r, "1001"), "pending () edition 1 of 11 revoked 0 ended 0");
}

/* --- lists --------------------------------------------------------------------------------- */

static void what_was_taken_back_is_listed_newest_first(void **state)
{
	struct rig *r = *state;
	char order[16];
	for (int i = 0; i < 12; i++) {
		snprintf(order, sizeof(order), "%d", i);
		make(r, order, i % 2 ? BC_ORDER_PENDING : BC_ORDER_DELIVERED);
		if (i % 3 == 0)
			take_back(r, order, 1, 30);
	}
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY,
					    .revoked = true,
					    .limit = 3 };
	struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, 3);
	assert_text(op->out.list.orders[0].order, "9");
	assert_text(op->out.list.orders[2].order, "3");
	assert_int_not_equal(op->out.list.next_before_row, 0);
	select.before_row = op->out.list.next_before_row;
	op = list(r, select);
	assert_int_equal(op->out.list.count, 1);
	assert_text(op->out.list.orders[0].order, "0");
	assert_int_equal(op->out.list.orders[0].revoked_ms, 30);
	assert_int_equal(op->out.list.next_before_row, 0);
	select = (struct bc_order_selector){ .state = BC_ORDER_DELIVERED, .revoked = true };
	assert_int_equal(list(r, select)->out.list.count, 2);
	select.since_ms = 11;
	assert_int_equal(list(r, select)->out.list.count, 0);
	select = (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY,
					     .revoked = true,
					     .count_only = true };
	assert_int_equal(list(r, select)->out.list.count, 4);
	select.revoked = false;
	assert_int_equal(list(r, select)->out.list.count, 12);
}

/* --- numbers and clean-up ------------------------------------------------------------------ */

static void what_never_had_a_click_is_no_conversion_in_the_return_rate(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_UNATTRIBUTED);
	make(r, "1002", BC_ORDER_DELIVERED);
	make(r, "1003", BC_ORDER_PENDING);
	take_back(r, "1001", 1, 30);
	take_back(r, "1003", 1, 30);
	take_back(r, "1004", 1, 30);
	for (int turn = 0; turn < 2; turn++) {
		struct bc_store_op *op = rig_op(r, BC_STORE_RETURNS);
		op->in.returns.now_ms = 100;
		assert_int_equal(rig_run(r, op), 0);
		const uint64_t *orders = op->out.returns.products[0].orders[0];
		assert_int_equal(orders[BC_ORDER_DELIVERED], 1);
		assert_int_equal(orders[BC_ORDER_CANCELLED], turn ? 0 : 1);
		assert_int_equal(orders[BC_ORDER_PENDING], turn ? 3 : 0);
		take(r, (struct news){ "1001", "t1", .at = 40, .edition = 2 });
		take(r, (struct news){ "1003", "token-1003", .at = 40, .edition = 2 });
		take(r, (struct news){ "1004", "t4", .at = 40, .edition = 2 });
	}
	assert_counts(r, "pending=3 delivered=1");
}

static void what_never_had_a_click_is_forgotten_in_time(void **state)
{
	struct rig *r = *state;
	make(r, "1001", BC_ORDER_UNATTRIBUTED);
	make(r, "1002", BC_ORDER_PENDING);
	make(r, "1003", BC_ORDER_UNATTRIBUTED);
	make(r, "1005", BC_ORDER_UNATTRIBUTED);
	assert_int_equal(cancel(r, "1005", 20), 0);
	take_back(r, "1001", 1, 30);
	take_back(r, "1002", 1, 30);
	take_back(r, "1004", 1, 30);
	purge(r, 0, 30, 0, 1); /* 1003, untouched since 10 */
	purge(r, 0, 31, 0, 2);
	assert_null(get(r, "1001"));
	assert_null(get(r, "1004"));
	/* what had a click stays, and what the operator withdrew */
	assert_int_equal(state_of(r, "1002"), BC_ORDER_CANCELLED);
	assert_int_equal(state_of(r, "1005"), BC_ORDER_CANCELLED);
	assert_counts(r, "cancelled=2");
	if (rig_reopen(r))
		assert_counts(r, "cancelled=2");
}

static void forgetting_keeps_one_limit_for_all_that_it_deletes(void **state)
{
	struct rig *r = *state;
	char order[16];
	for (int i = 0; i < 6; i++) {
		snprintf(order, sizeof(order), "%d", i);
		if (i % 2)
			take_back(r, order, 1, 10);
		else
			make(r, order, BC_ORDER_UNATTRIBUTED);
	}
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.unattributed_before_ms = 100;
	op->in.purge.limit = 4;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.orders, 4);
	assert_true(op->out.purge.more);
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.purge.orders, 2);
	assert_false(op->out.purge.more);
	assert_counts(r, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(taking_back_depends_on_the_state_and_the_edition),
		STORE_TEST(what_was_not_known_stands_cancelled_before_it_comes),
		STORE_TEST(
			a_later_edition_that_is_taken_back_early_is_not_brought_back_by_its_report),
		STORE_TEST(one_that_was_on_its_way_is_delivered_or_cancelled),
		STORE_TEST(a_release_cancels_what_was_taken_back),
		STORE_TEST(a_clock_that_goes_back_does_not_make_it_the_operators),
		STORE_TEST(a_later_edition_brings_back_what_was_taken_back),
		STORE_TEST(an_edit_and_the_end_of_what_it_replaced_may_come_in_either_order),
		STORE_TEST(one_that_never_had_a_click_looks_for_it_again),
		STORE_TEST(one_whose_token_was_cleared_comes_back_only_with_it),
		STORE_TEST(the_operator_may_hand_back_what_was_taken_back),
		STORE_TEST(a_selector_leaves_them_out_unless_it_names_them),
		STORE_TEST(what_was_taken_back_is_listed_newest_first),
		STORE_TEST(what_never_had_a_click_is_no_conversion_in_the_return_rate),
		STORE_TEST(what_never_had_a_click_is_forgotten_in_time),
		STORE_TEST(forgetting_keeps_one_limit_for_all_that_it_deletes),
	};
	return RUN_EACH_ENGINE(tests);
}
