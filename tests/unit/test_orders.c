/* SPDX-License-Identifier: MIT */
/* Orders below the API: which field is at fault, how a report comes out, and what is counted. */
#include "shop_requests.h"

#include "core/clicks.h"
#include "core/orders.h"

struct outcome {
	bool done;
	int result;
	enum bc_accept_result how;
	enum bc_order_state state;
	char reason[160], amount[40];
};

static struct bc_desk desk;
static struct bc_arena *arena;

static int setup(void **state)
{
	int result = rig_setup(state);
	arena = bc_arena_create(4096, 1024 * 1024);
	return result || !arena ? -1 : bc_desk_init(&desk, &rig.shop, rig.loop, NULL);
}

static int teardown(void **state)
{
	bc_desk_finish(&desk);
	bc_arena_destroy(arena);
	return rig_teardown(state);
}

static void on_accepted(void *ctx, int result, const struct bc_err *err,
			const struct bc_accepted *a)
{
	struct outcome *o = ctx;
	assert_false(o->done);
	o->done = true;
	o->result = result;
	if (result) {
		assert_true(err->text[0] != '\0');
		return;
	}
	o->how = a->how;
	o->state = a->order->state;
	if (a->order->reason.ptr)
		assert_int_equal(bc_str_copy(o->reason, sizeof(o->reason), a->order->reason), 0);
	if (a->order->amount.ptr)
		assert_int_equal(bc_str_copy(o->amount, sizeof(o->amount), a->order->amount), 0);
}

static struct outcome accept_order(struct bc_report in)
{
	struct outcome o = { 0 };
	const char *field = NULL;
	struct bc_err err = { 0 };
	int result = bc_orders_accept(&desk, arena, &in, on_accepted, &o, &field, &err);
	if (result)
		fail_msg("%d: %s (%s)", result, err.text, field);
	assert_false(o.done); /* never inline */
	run_until(is_set, &o.done);
	return o;
}

static uint64_t counted(enum bc_order_result result)
{
	return rig.shop.stats.orders[result];
}

static void the_field_at_fault_is_named(void **state)
{
	static const struct {
		struct bc_report in;
		const char *field;
	} rows[] = {
		{ { .order = { NULL, 0 } }, "order" },
		{ { .order = BC_STR("\n") }, "order" },
		{ { .order = BC_STR("1"), .token = BC_STR("a/b") }, "token" },
		{ { .order = BC_STR("1"), .click = BC_STR("c.xyz") }, "click" },
		{ { .order = BC_STR("1"), .session = BC_STR("undefined") }, "session" },
		{ { .order = BC_STR("1"), .product = BC_STR("other") }, "product" },
		{ { .order = BC_STR("1"), .amount = BC_STR("1\n2") }, "amount" },
		{ { .order = BC_STR("1"), .currency = BC_STR("seventeen letters") }, "currency" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		const char *field = NULL;
		struct bc_err err = { 0 };
		assert_int_equal(bc_orders_accept(&desk, arena, &rows[i].in, on_accepted, NULL,
						  &field, &err),
				 BC_EINVAL);
		assert_string_equal(field, rows[i].field);
		assert_true(err.text[0] != '\0');
	}
}

static void a_report_comes_out_new_repeated_or_in_conflict(void **state)
{
	struct bc_report in = { .order = BC_STR("1"),
				.token = BC_STR("token-1"),
				.amount = BC_STR("9.90") };
	(void)state;
	assert_int_equal(accept_order(in).how, BC_ACCEPT_CREATED);
	in.amount = BC_STR("1.00");
	struct outcome o = accept_order(in);
	assert_int_equal(o.how, BC_ACCEPT_REPEATED);
	assert_string_equal(o.amount, "9.90");
	in.token = BC_STR("token-2");
	assert_int_equal(accept_order(in).how, BC_ACCEPT_CONFLICT);
	assert_int_equal(counted(BC_ORDERS_ACCEPTED), 1);
	assert_int_equal(counted(BC_ORDERS_REPEATED), 1);
	assert_int_equal(counted(BC_ORDERS_CONFLICT), 1);
}

static void one_click_serves_one_order(void **state)
{
	(void)state;
	accept_order((struct bc_report){ .order = BC_STR("1"), .token = BC_STR("token-1") });
	struct outcome o = accept_order(
		(struct bc_report){ .order = BC_STR("2"), .token = BC_STR("token-1") });
	assert_int_equal(o.state, BC_ORDER_UNATTRIBUTED);
	assert_string_equal(o.reason, "click used by order 1");
	assert_int_equal(counted(BC_ORDERS_UNATTRIBUTED), 1);
}

static void a_second_report_that_names_a_click_is_adopted(void **state)
{
	(void)state;
	accept_order((struct bc_report){ .order = BC_STR("1") });
	struct outcome o = accept_order(
		(struct bc_report){ .order = BC_STR("1"), .token = BC_STR("token-1") });
	assert_int_equal(o.how, BC_ACCEPT_ADOPTED);
	assert_int_equal(o.state, BC_ORDER_PENDING);
	assert_int_equal(counted(BC_ORDERS_ADOPTED), 1);
}

static void a_token_wins_over_the_cookie_that_came_with_it(void **state)
{
	(void)state;
	start_delivery();
	start_api();
	accept_order((struct bc_report){
		.order = BC_STR("1"), .token = BC_STR("token-1"), .click = BC_STR("t.token-2") });
	await_state("1", "delivered");
	assert_int_equal(partner_count("token-1", "accepted"), 1);
	assert_int_equal(partner_count("token-2", "posts"), 0);
}

static void an_order_the_store_refuses_is_not_accepted(void **state)
{
	struct bc_report in = { .order = BC_STR("1"), .token = BC_STR("token-1") };
	(void)state;
	refuse(BC_STORE_ACCEPT_ORDER, 1);
	assert_int_equal(accept_order(in).result, BC_ESTORE);
	assert_int_equal(counted(BC_ORDERS_ACCEPTED), 0);
	assert_int_equal(accept_order(in).how, BC_ACCEPT_CREATED);
}

#define ORDER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDER_TEST(the_field_at_fault_is_named),
		ORDER_TEST(a_report_comes_out_new_repeated_or_in_conflict),
		ORDER_TEST(one_click_serves_one_order),
		ORDER_TEST(a_second_report_that_names_a_click_is_adopted),
		ORDER_TEST(a_token_wins_over_the_cookie_that_came_with_it),
		ORDER_TEST(an_order_the_store_refuses_is_not_accepted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
