/* SPDX-License-Identifier: MIT */
/* Pages: what a source says of many orders, and how far it was read, in one transaction. */
#include "pages.h"

#include <stdlib.h>

#include "base/err.h"

/* --- taking -------------------------------------------------------------------------------- */

static void a_page_is_taken_in_its_order(void **state)
{
	struct rig *r = *state;
	const struct news news[] = {
		{ "1001", .token = "t1", .at = 10, .entity = 7 },
		{ "1002", .at = 11 },
		{ "1001", .reason = "canceled in Commerce", .at = 12 },
		{ "1003", .reason = "canceled in Commerce", .at = 13 },
		{ "1001", .token = "t1", .at = 14, .entity = 9, .edition = 1 },
		{ "1002", .token = "t2", .at = 15 },
		{ "1002", .token = "other", .at = 16 },
		{ "1004", .token = "t1", .at = 17 },
	};
	struct bc_store_op *op = new_page(r, news, BC_COUNT(news), "p1");
	assert_int_equal(rig_run(r, op), 0);
	const struct bc_page_item *items = op->in.page.items;
	assert_int_equal(items[0].how.accepted, BC_ACCEPT_CREATED);
	assert_int_equal(items[0].order.state, BC_ORDER_PENDING);
	assert_int_equal(items[0].order.entity_id, 7);
	assert_int_equal(items[1].how.accepted, BC_ACCEPT_CREATED);
	assert_text(items[1].order.reason, "no click named");
	assert_int_equal(items[2].how.revoked, BC_REVOKE_WITHDRAWN);
	assert_int_equal(items[2].order.state, BC_ORDER_CANCELLED);
	assert_int_equal(items[3].how.revoked, BC_REVOKE_UNKNOWN);
	assert_int_equal(items[4].how.accepted, BC_ACCEPT_ADOPTED);
	assert_int_equal(items[4].order.state, BC_ORDER_PENDING);
	assert_int_equal(items[5].how.accepted, BC_ACCEPT_ADOPTED);
	assert_int_equal(items[6].how.accepted, BC_ACCEPT_CONFLICT);
	assert_text(items[7].order.reason, "click used by order 1001");
	assert_counts(r, "unattributed=1 pending=2 cancelled=1");
	assert_string_equal(position(r), "p1");
	if (rig_reopen(r)) {
		assert_counts(r, "unattributed=1 pending=2 cancelled=1");
		assert_string_equal(position(r), "p1");
		assert_int_equal(get(r, "1001")->entity_id, 9);
		assert_int_equal(get(r, "1001")->edition, 1);
	}
}

static void a_page_of_nothing_moves_the_position(void **state)
{
	struct rig *r = *state;
	assert_null(position(r));
	assert_int_equal(rig_run(r, new_page(r, NULL, 0, "p1")), 0);
	assert_string_equal(position(r), "p1");
	assert_int_equal(rig_run(r, new_page(r, NULL, 0, "")), 0);
	assert_string_equal(position(r), "");
	assert_counts(r, "");
}

static void a_page_without_a_position_leaves_it(void **state)
{
	struct rig *r = *state;
	assert_int_equal(rig_run(r, new_page(r, NULL, 0, "p1")), 0);
	take(r, (struct news){ "1001", .token = "t1", .at = 10 });
	assert_string_equal(position(r), "p1");
	assert_counts(r, "pending=1");
}

static void an_entity_is_noted_where_none_is(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	bring_to(r, "1001", BC_ORDER_DELIVERED, 11);
	assert_int_equal(take(r, (struct news){ "1001", .at = 12, .entity = 7 })->how.accepted,
			 BC_ACCEPT_REPEATED);
	take(r, (struct news){ "1001", .at = 13, .entity = 8 });
	take(r, (struct news){ "1001", .at = 14 });
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->entity_id, 7);
	assert_int_equal(o->state, BC_ORDER_DELIVERED);
	assert_int_equal(o->updated_ms, 11);
	/* by the other way as well */
	report(r, (struct report){ "1002", .token = "t2", .at = 15 });
	assert_int_equal(take(r, (struct news){ "1002", .at = 16, .entity = 9 })->order.entity_id,
			 9);
	assert_int_equal(get(r, "1002")->entity_id, 9);
}

static void a_deadline_is_told_in_wall_time(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_LANE);
	op->in.put_lane.partner = BC_STR("partner");
	op->in.put_lane.product = BC_STR("default");
	op->in.put_lane.state = BC_STR("parked");
	op->in.put_lane.stands = true;
	op->in.put_lane.now_ms = 10;
	assert_int_equal(rig_run(r, op), 0);
	op->in.put_lane.stands = false;
	op->in.put_lane.now_ms = 60;
	assert_int_equal(rig_run(r, op), 0);
	const struct news news = { "1001", .token = "t1", .at = 70, .deadline = 100 };
	assert_int_equal(take(r, news)->order.deadline_ms, 100);
	assert_int_equal(take(r, news)->order.deadline_ms, 100);
	assert_int_equal(get(r, "1001")->deadline_ms, 100);
}

/* --- the largest --------------------------------------------------------------------------- */

static struct bc_store_op *large_page(struct rig *r, uint32_t count, const char *at)
{
	struct news *news = calloc(count, sizeof(*news));
	assert_non_null(news);
	for (uint32_t i = 0; i < count; i++) {
		news[i].order = bc_arena_printf(r->arena, "o%06u", i);
		news[i].token = news[i].order;
		news[i].at = 10 + i;
	}
	struct bc_store_op *op = new_page(r, news, count, at);
	free(news);
	return op;
}

static void the_largest_page_is_one_transaction_and_twice_it_changes_nothing(void **state)
{
	struct rig *r = *state;
	struct bc_store_stats before, after;
	bc_store_stats(r->store, &before);
	struct bc_store_op *op = large_page(r, BC_PAGE_ITEMS_MAX, "p1");
	assert_int_equal(rig_run(r, op), 0);
	bc_store_stats(r->store, &after);
	assert_int_equal(after.commits - before.commits, 1);
	assert_counts(r, "pending=2000");
	op = large_page(r, BC_PAGE_ITEMS_MAX, "p1");
	assert_int_equal(rig_run(r, op), 0);
	for (uint32_t i = 0; i < op->in.page.count; i++)
		assert_int_equal(op->in.page.items[i].how.accepted, BC_ACCEPT_REPEATED);
	assert_counts(r, "pending=2000");
}

static void a_larger_page_is_refused(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op = large_page(r, BC_PAGE_ITEMS_MAX + 1, "p1");
	assert_int_equal(rig_run(r, op), BC_ETOOBIG);
	assert_non_null(strstr(op->err.text, "2001"));
	assert_counts(r, "");
	assert_null(position(r));
}

/* --- failing ------------------------------------------------------------------------------- */

static void a_page_with_an_impossible_order_is_refused_whole(void **state)
{
	static char long_name[BC_ORDER_ID_MAX + 2], long_label[BC_LABEL_MAX + 2];
	struct rig *r = *state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	memset(long_label, 'x', sizeof(long_label) - 1);
	const struct news bad[] = {
		{ "", .token = "t2", .at = 11 },
		{ long_name, .token = "t2", .at = 11 },
		{ long_name, .reason = "canceled in Commerce", .at = 11 },
	};
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		const struct news news[] = { { "1001", .token = "t1", .at = 10 }, bad[i] };
		struct bc_store_op *op = new_page(r, news, 2, "p1");
		assert_int_equal(rig_run(r, op), BC_EINVAL);
		assert_non_null(strstr(op->err.hint, "1 to 128 bytes"));
	}
	const struct news news[] = { { "1001", .token = "t1", .at = 10 },
				     { "1002", .reason = "canceled in Commerce", .at = 11 } };
	struct bc_store_op *op = new_page(r, news, 2, "p1");
	op->in.page.items[1].in.revoke.product = bc_str_of(long_label);
	assert_int_equal(rig_run(r, op), BC_ETOOBIG);
	assert_counts(r, "");
	assert_null(position(r));
}

/* The answer's arena is too small for the whole of it. An engine that undoes nothing has kept what
 * went before; then the same page is met again, and does no harm. */
static void a_page_that_fails_in_the_middle_moves_nothing_and_may_be_taken_again(void **state)
{
	struct rig *r = *state;
	struct bc_arena *small = bc_arena_create(4096, 8192);
	struct bc_store_op *op = large_page(r, 500, "p1");
	assert_int_equal(rig_run(r, op), 0);
	op = large_page(r, 1000, "p2");
	op->arena = small;
	assert_int_equal(rig_run(r, op), BC_ENOMEM);
	assert_string_equal(position(r), "p1");
	if (strcmp(rig_engine, "sqlite") == 0)
		assert_counts(r, "pending=500");
	op = large_page(r, 1000, "p2");
	assert_int_equal(rig_run(r, op), 0);
	assert_string_equal(position(r), "p2");
	assert_counts(r, "pending=1000");
	bc_arena_destroy(small);
}

static void count_done(struct bc_store_op *op)
{
	(*(unsigned *)op->ctx)++;
}

static void a_failing_page_fails_no_other_of_its_batch(void **state)
{
	struct rig *r = *state;
	unsigned done = 0;
	struct bc_arena *small = bc_arena_create(4096, 8192);
	assert_int_equal(rig_run(r, large_page(r, 500, "p1")), 0);
	struct bc_store_op *op = large_page(r, 1000, "p2");
	struct bc_store_op *other = rig_op(r, BC_STORE_ACCEPT_ORDER);
	other->in.accept = page_item((struct news){ "1001", .token = "t1", .at = 9 }).in.accept;
	op->arena = small;
	op->next = other;
	op->done = other->done = count_done;
	op->ctx = other->ctx = &done;
	bc_store_submit_all(r->store, &r->box.base, op);
	while (done < 2)
		mailbox_serve(&r->box);
	assert_int_equal(op->result, BC_ENOMEM);
	assert_int_equal(other->result, 0);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	assert_string_equal(position(r), "p1");
	bc_arena_destroy(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_page_is_taken_in_its_order),
		STORE_TEST(a_page_of_nothing_moves_the_position),
		STORE_TEST(a_page_without_a_position_leaves_it),
		STORE_TEST(an_entity_is_noted_where_none_is),
		STORE_TEST(a_deadline_is_told_in_wall_time),
		STORE_TEST(the_largest_page_is_one_transaction_and_twice_it_changes_nothing),
		STORE_TEST(a_larger_page_is_refused),
		STORE_TEST(a_page_with_an_impossible_order_is_refused_whole),
		STORE_TEST(a_page_that_fails_in_the_middle_moves_nothing_and_may_be_taken_again),
		STORE_TEST(a_failing_page_fails_no_other_of_its_batch),
	};
	return RUN_EACH_ENGINE(tests);
}
