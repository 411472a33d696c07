/* SPDX-License-Identifier: MIT */
/* Capture below the API: which field is at fault, which product a landing belongs to, and which
 * click is found again. */
#include "shop_requests.h"

#include "core/orders.h"
#include "core/clicks.h"

struct captured {
	bool done;
	int result;
	struct bc_captured click;
	enum bc_order_state order_state;
	char product[BC_LABEL_MAX + 1];
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

static void on_captured(void *ctx, int result, const struct bc_err *err,
			const struct bc_captured *click)
{
	struct captured *c = ctx;
	(void)err;
	assert_false(c->done);
	c->done = true;
	c->result = result;
	if (click)
		c->click = *click;
}

static struct captured capture(struct bc_capture in)
{
	struct captured c = { 0 };
	struct bc_captured at_once;
	const char *field = NULL;
	struct bc_err err = { 0 };
	int result = bc_clicks_capture(&desk, arena, &in, on_captured, &c, &at_once, &field, &err);
	if (result)
		fail_msg("%d: %s (%s)", result, err.text, field);
	assert_false(c.done); /* never inline */
	run_until(is_set, &c.done);
	assert_int_equal(c.result, 0);
	return c;
}

static void on_accepted(void *ctx, int result, const struct bc_err *err,
			const struct bc_accepted *a)
{
	struct captured *c = ctx;
	(void)err;
	c->done = true;
	c->result = result;
	c->order_state = a->order->state;
	assert_int_equal(bc_str_copy(c->product, sizeof(c->product), a->order->product), 0);
}

static struct captured order(const char *id, struct bc_report in)
{
	struct captured c = { 0 };
	const char *field;
	in.order = bc_str_of(id);
	assert_int_equal(bc_orders_accept(&desk, arena, &in, on_accepted, &c, &field, NULL), 0);
	run_until(is_set, &c.done);
	return c;
}

static void the_field_at_fault_is_named(void **state)
{
	static const struct {
		struct bc_capture in;
		const char *field;
	} rows[] = {
		{ { .url = { NULL, 0 } }, "url" },
		{ { .token = BC_STR("a b") }, "token" },
		{ { .token = BC_STR("abcd"), .session = BC_STR("null") }, "session" },
		{ { .token = BC_STR("abcd"), .click = BC_STR("c.1") }, "click" },
		{ { .token = BC_STR("abcd"), .product = BC_STR("other") }, "product" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_captured at_once;
		const char *field = NULL;
		struct bc_err err = { 0 };
		assert_int_equal(bc_clicks_capture(&desk, arena, &rows[i].in, on_captured, NULL,
						   &at_once, &field, &err),
				 BC_EINVAL);
		assert_string_equal(field, rows[i].field);
		assert_true(err.text[0] && err.hint[0]);
	}
}

static void a_url_beyond_the_ceiling_is_refused(void **state)
{
	static char url[BC_URL_MAX + 64];
	struct bc_captured at_once;
	const char *field = NULL;
	(void)state;
	memset(url, 'a', sizeof(url));
	struct bc_capture in = { .url = { url, sizeof(url) } };
	assert_int_equal(
		bc_clicks_capture(&desk, arena, &in, on_captured, NULL, &at_once, &field, NULL),
		BC_EINVAL);
	assert_string_equal(field, "url");
}

static void a_stricter_pattern_refuses_what_the_alphabet_allows(void **state)
{
	struct bc_token_pattern *pattern = NULL;
	struct bc_captured at_once = { 0 };
	const char *field = NULL;
	struct bc_capture in = { .url = BC_STR("/?sovReqToken=abcd") };
	(void)state;
	assert_int_equal(bc_token_pattern_create("guide", &pattern, NULL), 0);
	rig.config.pattern = pattern;
	assert_int_equal(
		bc_clicks_capture(&desk, arena, &in, on_captured, NULL, &at_once, &field, NULL), 1);
	assert_string_equal(at_once.reason, "invalid token");
	in.url = BC_STR("/?sovReqToken=12a3b-4c5d-6e7-8f9g0");
	assert_true(capture(in).click.captured);
	bc_token_pattern_destroy(pattern);
}

static void the_landing_path_chooses_the_product(void **state)
{
	static const struct {
		const char *url, *product;
	} rows[] = {
		{ "https://shop.example/second/a?sovReqToken=token-a", "second" },
		{ "/second/?sovReqToken=token-b", "second" },
		{ "/second?sovReqToken=token-c", "default" },
		{ "/SECOND/?sovReqToken=token-d", "default" },
		{ "https://shop.example/?x=/second/&sovReqToken=token-e", "default" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char id[8];
		snprintf(id, sizeof(id), "o%zu", i);
		struct captured c = capture((struct bc_capture){ .url = bc_str_of(rows[i].url) });
		c = order(id, (struct bc_report){ .click = bc_str_of(c.click.click) });
		assert_string_equal(c.product, rows[i].product);
	}
}

static void the_last_click_of_a_session_wins(void **state)
{
	(void)state;
	capture((struct bc_capture){ .token = BC_STR("token-1"), .session = BC_STR("s") });
	capture((struct bc_capture){ .token = BC_STR("token-2"), .session = BC_STR("s") });
	start_delivery();
	assert_int_equal(order("o1", (struct bc_report){ .session = BC_STR("s") }).order_state,
			 BC_ORDER_PENDING);
	start_api();
	await_state("o1", "delivered");
	assert_int_equal(partner_count("token-2", "accepted"), 1);
	assert_int_equal(partner_count("token-1", "posts"), 0);
}

static void a_late_click_is_counted_with_the_order_it_adopts(void **state)
{
	(void)state;
	assert_int_equal(order("o1", (struct bc_report){ .session = BC_STR("s") }).order_state,
			 BC_ORDER_UNATTRIBUTED);
	assert_int_equal(
		capture((struct bc_capture){ .token = BC_STR("token-1"), .session = BC_STR("s") })
			.click.adopted,
		1);
	assert_int_equal(rig.shop.stats.orders[BC_ORDERS_ADOPTED], 1);
	assert_int_equal(rig.shop.stats.clicks_production, 1);
	assert_int_equal(rig.shop.stats.orders[BC_ORDERS_UNATTRIBUTED], 1);
}

static void an_order_older_than_order_adopt_is_not_adopted(void **state)
{
	(void)state;
	rig.config.order_adopt_ms = 1000;
	order("o1", (struct bc_report){ .session = BC_STR("s") });
	atomic_store(&wall_offset_ms, 2000);
	assert_int_equal(
		capture((struct bc_capture){ .token = BC_STR("token-1"), .session = BC_STR("s") })
			.click.adopted,
		0);
}

static void a_click_ends_with_its_ttl(void **state)
{
	(void)state;
	struct captured c = capture((struct bc_capture){ .token = BC_STR("token-1") });
	atomic_store(&wall_offset_ms, (int64_t)rig.config.click_ttl_ms + 1000);
	assert_int_equal(
		order("o1", (struct bc_report){ .click = bc_str_of(c.click.click) }).order_state,
		BC_ORDER_UNATTRIBUTED);
}

static void a_shop_without_products_still_keeps_clicks_and_orders(void **state)
{
	(void)state;
	rig.config.product_count = 0;
	capture((struct bc_capture){ .token = BC_STR("token-1"), .session = BC_STR("s") });
	struct captured c = order("o1", (struct bc_report){ .session = BC_STR("s") });
	assert_int_equal(c.order_state, BC_ORDER_PENDING);
	assert_string_equal(c.product, "default");
}

#define CLICK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLICK_TEST(the_field_at_fault_is_named),
		CLICK_TEST(a_url_beyond_the_ceiling_is_refused),
		CLICK_TEST(a_stricter_pattern_refuses_what_the_alphabet_allows),
		CLICK_TEST(the_landing_path_chooses_the_product),
		CLICK_TEST(the_last_click_of_a_session_wins),
		CLICK_TEST(a_late_click_is_counted_with_the_order_it_adopts),
		CLICK_TEST(an_order_older_than_order_adopt_is_not_adopted),
		CLICK_TEST(a_click_ends_with_its_ttl),
		CLICK_TEST(a_shop_without_products_still_keeps_clicks_and_orders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
