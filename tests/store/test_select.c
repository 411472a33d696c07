/* SPDX-License-Identifier: MIT */
/* Selectors: the same words name the same orders in a list, a count and a requeue; and none of them
 * looks at more rows at a time than the store may spend on it. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

/* --- helpers ------------------------------------------------------------------------------- */

static const struct bc_order_selector any = { .state = BC_ORDER_STATE_ANY };

static void add(struct rig *r, const char *order, const char *product, uint64_t at)
{
	report(r, (struct report){ order, .token = order, .product = product, .at = at });
}

/* Twelve orders, one each 10 ms: products in turn; the second half rejected. */
static void make_shop(struct rig *r)
{
	static const char *const products[] = { "default", "shoes", "hats" };
	char *name;
	for (unsigned i = 0; i < 12; i++) {
		name = bc_arena_printf(r->arena, "o%02u", i);
		assert_non_null(name);
		add(r, name, products[i % 3], 10 * (i + 1));
		if (i >= 6)
			bring_to(r, name, BC_ORDER_REJECTED, 200);
	}
}

/* The names of a list, newest first: "o11 o10". */
static const char *names(struct rig *r, struct bc_order_selector select)
{
	const struct bc_store_op *op = list(r, select);
	char *text = bc_arena_alloc(r->arena, 1024);
	size_t end = 0;
	assert_non_null(text);
	for (uint32_t i = 0; i < op->out.list.count; i++) {
		struct bc_str name = op->out.list.orders[i].order;
		end += (size_t)snprintf(text + end, 1024 - end, "%s%.*s", i ? " " : "",
					(int)name.len, name.ptr);
	}
	return text;
}

static uint32_t count(struct rig *r, struct bc_order_selector select)
{
	select.count_only = true;
	const struct bc_store_op *op = list(r, select);
	assert_null(op->out.list.orders);
	assert_int_equal(op->out.list.next_before_row, 0);
	return op->out.list.count;
}

static struct bc_store_op *requeue_selected(struct rig *r, struct bc_order_selector select)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.select = select;
	op->in.requeue.now_ms = 500;
	op->in.requeue.deadline_ms = 900;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

/* --- what is named ------------------------------------------------------------------------- */

static void a_span_of_time_takes_its_start_and_leaves_its_end(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = any;
	make_shop(r);
	select.since_ms = 30;
	select.until_ms = 60;
	assert_string_equal(names(r, select), "o04 o03 o02");
	assert_int_equal(count(r, select), 3);
	select.since_ms = 0;
	assert_string_equal(names(r, select), "o04 o03 o02 o01 o00");
	select.until_ms = 10;
	assert_int_equal(count(r, select), 0);
}

static void a_product_and_a_partner_name_only_their_own(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = any;
	make_shop(r);
	select.product = BC_STR("shoes");
	assert_string_equal(names(r, select), "o10 o07 o04 o01");
	select.state = BC_ORDER_REJECTED;
	assert_string_equal(names(r, select), "o10 o07");
	select.partner = BC_STR("partner");
	assert_int_equal(count(r, select), 2);
	select.partner = BC_STR("another");
	assert_int_equal(count(r, select), 0);
	select.partner = BC_STR("part");
	assert_int_equal(count(r, select), 0);
}

static void a_span_holds_also_when_the_clock_jumped_back(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = any;
	add(r, "a", NULL, 100);
	add(r, "b", NULL, 900);
	add(r, "c", NULL, 200);
	select.since_ms = 150;
	select.until_ms = 500;
	assert_string_equal(names(r, select), "c");
	select.since_ms = 0;
	assert_string_equal(names(r, select), "c a");
}

static void pages_of_a_filtered_list_follow_one_another(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .limit = 1 };
	static const char *const expected[] = { "o11", "o08", "o05", "o02" };
	make_shop(r);
	select.product = BC_STR("hats");
	for (int i = 0; i < 4; i++) {
		const struct bc_store_op *op = list(r, select);
		assert_int_equal(op->out.list.count, 1);
		assert_text(op->out.list.orders[0].order, expected[i]);
		select.before_row = op->out.list.next_before_row;
		assert_int_equal(select.before_row != 0, i < 3);
	}
}

static void a_count_begins_at_its_cursor_and_takes_no_notice_of_a_limit(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = any;
	make_shop(r);
	select.limit = 2;
	assert_int_equal(count(r, select), 12);
	select.before_row = get(r, "o05")->row;
	assert_int_equal(count(r, select), 5);
}

static void a_requeue_takes_what_a_list_of_the_same_selector_names(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_REJECTED,
					    .since_ms = 80,
					    .until_ms = 120,
					    .partner = BC_STR("partner"),
					    .product = BC_STR("shoes") };
	make_shop(r);
	assert_string_equal(names(r, select), "o10 o07");
	select.count_only = true;
	assert_int_equal(requeue_selected(r, select)->out.changed.count, 2);
	assert_counts(r, "pending=6 rejected=6");
	select.count_only = false;
	assert_int_equal(requeue_selected(r, select)->out.changed.count, 2);
	assert_counts(r, "pending=8 rejected=4");
	assert_int_equal(state_of(r, "o10"), BC_ORDER_PENDING);
	assert_int_equal(state_of(r, "o07"), BC_ORDER_PENDING);
	assert_int_equal(requeue_selected(r, select)->out.changed.count, 0);
}

static void a_requeue_goes_on_where_its_limit_stopped_it(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_REJECTED,
					    .product = BC_STR("hats"),
					    .limit = 1 };
	make_shop(r);
	struct bc_store_op *op = requeue_selected(r, select);
	assert_int_equal(op->out.changed.count, 1);
	assert_int_equal(state_of(r, "o11"), BC_ORDER_PENDING);
	select.before_row = op->out.changed.next_before_row;
	assert_true(select.before_row > 0);
	op = requeue_selected(r, select);
	assert_int_equal(op->out.changed.count, 1);
	assert_int_equal(op->out.changed.next_before_row, 0);
	assert_int_equal(state_of(r, "o08"), BC_ORDER_PENDING);
}

/* --- how much is looked at ----------------------------------------------------------------- */

enum { MANY = BC_LOOK_ROWS_MAX + 500 };

struct many {
	unsigned waiting, failed;
};

static void accepted(struct bc_store_op *op)
{
	struct many *many = op->ctx;
	many->waiting--;
	many->failed += op->result != 0;
	bc_arena_destroy(op->arena);
}

/* Orders that wait together for few commits: the first, oldest one is of the product "first". */
static void add_many(struct rig *r)
{
	struct many many = { 0 };
	for (unsigned i = 0; i < MANY; i++) {
		struct bc_arena *arena = bc_arena_create(2048, 65536);
		struct bc_store_op *op = bc_arena_alloc(arena, sizeof(*op));
		assert_non_null(op);
		op->kind = BC_STORE_ACCEPT_ORDER;
		op->arena = arena;
		op->done = accepted;
		op->ctx = &many;
		op->in.accept.order = op->in.accept.token =
			bc_str_of(bc_arena_printf(arena, "%u", 100000 + i));
		fill_hash(op->in.accept.token_hash, op->in.accept.order.ptr);
		op->in.accept.partner = BC_STR("partner");
		op->in.accept.product = i ? BC_STR("default") : BC_STR("first");
		op->in.accept.now_ms = op->in.accept.due_ms = 10;
		many.waiting++;
		bc_store_submit(r->store, &r->box.base, op);
	}
	while (many.waiting)
		mailbox_serve(&r->box);
	assert_int_equal(many.failed, 0);
}

static void a_count_stops_after_so_many_rows_and_says_where_to_go_on(struct rig *r)
{
	struct bc_order_selector select = { .state = BC_ORDER_PENDING, .count_only = true };
	const struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, BC_LOOK_ROWS_MAX);
	select.before_row = op->out.list.next_before_row;
	assert_true(select.before_row > 0);
	op = list(r, select);
	assert_int_equal(op->out.list.count, MANY - BC_LOOK_ROWS_MAX);
	assert_int_equal(op->out.list.next_before_row, 0);
}

static void a_page_may_be_empty_and_yet_have_a_next_one(struct rig *r)
{
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY,
					    .product = BC_STR("first"),
					    .limit = 10 };
	const struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, 0);
	select.before_row = op->out.list.next_before_row;
	assert_true(select.before_row > 0);
	op = list(r, select);
	assert_int_equal(op->out.list.count, 1);
	assert_text(op->out.list.orders[0].order, "100000");
	assert_int_equal(op->out.list.next_before_row, 0);
}

static void a_requeue_with_a_limit_stops_too_and_one_without_does_not(struct rig *r)
{
	struct bc_order_selector select = { .state = BC_ORDER_PENDING,
					    .product = BC_STR("first"),
					    .limit = 10 };
	const struct bc_store_op *op = requeue_selected(r, select);
	assert_int_equal(op->out.changed.count, 0);
	select.before_row = op->out.changed.next_before_row;
	assert_true(select.before_row > 0);
	op = requeue_selected(r, select);
	assert_int_equal(op->out.changed.count, 1);
	assert_int_equal(op->out.changed.next_before_row, 0);
	select.before_row = select.limit = 0;
	op = requeue_selected(r, select);
	assert_int_equal(op->out.changed.count, 1);
	assert_int_equal(op->out.changed.next_before_row, 0);
}

static void no_look_is_longer_than_its_bound(void **state)
{
	struct rig *r = *state;
	add_many(r);
	a_count_stops_after_so_many_rows_and_says_where_to_go_on(r);
	a_page_may_be_empty_and_yet_have_a_next_one(r);
	a_requeue_with_a_limit_stops_too_and_one_without_does_not(r);
}

static void a_look_that_ends_with_the_last_row_has_no_next_page(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_PENDING, .count_only = true };
	add_many(r);
	/* what is left below is as many rows as one look takes */
	select.before_row = get(r, "120000")->row;
	assert_int_equal(BC_LOOK_ROWS_MAX, 20000);
	const struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, BC_LOOK_ROWS_MAX);
	assert_int_equal(op->out.list.next_before_row, 0);
}

/* --- search -------------------------------------------------------------------------------- */

static void a_search_names_what_begins_with_it(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = any;
	static const char *const ids[] = { "100", "1000", "1001",	"10",  "2100",
					   "A10", "a10",  "10\xc3\xbf", "10%", "10_1" };
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		add(r, ids[i], i % 2 ? "shoes" : "default", 10 * (i + 1));
	select.search = BC_STR("100");
	assert_string_equal(names(r, select), "1001 1000 100");
	assert_int_equal(count(r, select), 3);
	select.search = BC_STR("10");
	assert_string_equal(names(r, select), "10_1 10% 10\xc3\xbf 10 1001 1000 100");
	select.product = BC_STR("shoes");
	assert_string_equal(names(r, select), "10_1 10\xc3\xbf 10 1000");
	select.since_ms = 50;
	assert_string_equal(names(r, select), "10_1 10\xc3\xbf");
	select = any;
	select.search = BC_STR("A");
	assert_string_equal(names(r, select), "A10");
	select.search = BC_STR("9");
	assert_string_equal(names(r, select), "");
	select.search = BC_STR("");
	assert_int_equal(count(r, select), 10);
}

static void pages_of_a_search_follow_one_another(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .limit = 2 };
	make_shop(r);
	select.search = BC_STR("o0");
	static const char *const expected[] = { "o09 o08", "o07 o06", "o05 o04", "o03 o02",
						"o01 o00" };
	for (int i = 0; i < 5; i++) {
		const struct bc_store_op *op = list(r, select);
		assert_string_equal(names(r, select), expected[i]);
		select.before_row = op->out.list.next_before_row;
		assert_int_equal(select.before_row != 0, i < 4);
	}
}

static void a_requeue_takes_what_a_search_names(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_REJECTED };
	make_shop(r);
	select.search = BC_STR("o1");
	select.count_only = true;
	assert_int_equal(requeue_selected(r, select)->out.changed.count, 2);
	select.count_only = false;
	assert_int_equal(requeue_selected(r, select)->out.changed.count, 2);
	assert_int_equal(state_of(r, "o11"), BC_ORDER_PENDING);
	assert_int_equal(state_of(r, "o09"), BC_ORDER_REJECTED);
}

static void what_no_order_can_begin_with_is_refused(void **state)
{
	struct rig *r = *state;
	char longest[BC_ORDER_ID_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	for (int kind = 0; kind < 2; kind++) {
		struct bc_store_op *op = rig_op(r, kind ? BC_STORE_LIST_ORDERS : BC_STORE_REQUEUE);
		struct bc_order_selector *select =
			kind ? &op->in.list.select : &op->in.requeue.select;
		*select = any;
		select->search = (struct bc_str){ longest, sizeof(longest) };
		assert_int_equal(rig_run(r, op), BC_EINVAL);
		select->search.len--;
		assert_int_equal(rig_run(r, op), 0);
	}
}

/* More than the index is asked for, or few. */
static void a_search_for_many_is_as_whole_as_one_for_few(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .count_only = true };
	static const struct {
		const char *search;
		uint32_t count;
	} expected[] = {
		{ "10", 10000 }, { "104", 1000 }, { "1049", 100 }, { "104999", 1 }, { "7", 0 }
	};
	add_many(r);
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint32_t found = 0;
		select.search = bc_str_of(expected[i].search);
		select.before_row = 0;
		do {
			const struct bc_store_op *op = list(r, select);
			found += op->out.list.count;
			select.before_row = op->out.list.next_before_row;
		} while (select.before_row);
		assert_int_equal(found, expected[i].count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_span_of_time_takes_its_start_and_leaves_its_end),
		STORE_TEST(a_product_and_a_partner_name_only_their_own),
		STORE_TEST(a_span_holds_also_when_the_clock_jumped_back),
		STORE_TEST(pages_of_a_filtered_list_follow_one_another),
		STORE_TEST(a_count_begins_at_its_cursor_and_takes_no_notice_of_a_limit),
		STORE_TEST(a_requeue_takes_what_a_list_of_the_same_selector_names),
		STORE_TEST(a_requeue_goes_on_where_its_limit_stopped_it),
		STORE_TEST(no_look_is_longer_than_its_bound),
		STORE_TEST(a_look_that_ends_with_the_last_row_has_no_next_page),
		STORE_TEST(a_search_names_what_begins_with_it),
		STORE_TEST(pages_of_a_search_follow_one_another),
		STORE_TEST(a_requeue_takes_what_a_search_names),
		STORE_TEST(what_no_order_can_begin_with_is_refused),
		STORE_TEST(a_search_for_many_is_as_whole_as_one_for_few),
	};
	return RUN_EACH_ENGINE(tests);
}
