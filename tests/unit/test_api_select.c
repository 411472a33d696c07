/* SPDX-License-Identifier: MIT */
/*
 * Many orders at once: the selector that lists, counts and retries share, and that each of them
 * works in steps, between which others have their turn, a store may refuse and the API may stop.
 */
#include "shop_requests.h"

/* More than one step of each kind, and no multiple of either. */
enum { MANY = 1130 };

static struct bc_engine engine; /* the rig's, with the second requeue refused */
static atomic_int requeues;

static int select_setup(void **state)
{
	int result = rig_setup(state);
	if (!result)
		start_api();
	return result;
}

#define SELECT_TEST(name) cmocka_unit_test_setup_teardown(name, select_setup, rig_teardown)

static void report_many(int count)
{
	static struct rig_call *calls[MANY];
	for (int i = 0; i < count; i++) {
		char body[100];
		snprintf(body, sizeof(body), "{\"order\":\"o%d\",\"token\":\"token-%d\"}", i, i);
		calls[i] = api_begin("POST", "/v1/orders", body);
	}
	for (int i = 0; i < count; i++) {
		api_wait(calls[i]);
		assert_int_equal(calls[i]->status, 202);
		api_end(calls[i]);
	}
}

/* The "count" that a request answers. */
static int count_of(const char *method, const char *path)
{
	struct rig_call *c = api(method, path, NULL);
	if (c->status != 200)
		fail_msg("%s %s: %s", method, path, c->text);
	assert_int_equal(json_object_size(c->json), 1);
	int count = (int)json_integer_value(json_object_get(c->json, "count"));
	api_end(c);
	return count;
}

static int listed(const char *path)
{
	struct rig_call *c = api("GET", path, NULL);
	if (c->status != 200)
		fail_msg("%s: %s", path, c->text);
	int count = (int)json_array_size(json_object_get(c->json, "orders"));
	api_end(c);
	return count;
}

static void assert_selects(const char *query, int wanted)
{
	char path[200];
	snprintf(path, sizeof(path), "/v1/orders?%s", query);
	assert_int_equal(listed(path), wanted);
	snprintf(path, sizeof(path), "/v1/orders?%s&count=1", query);
	assert_int_equal(count_of("GET", path), wanted);
	snprintf(path, sizeof(path), "/v1/orders/retry?%s&dry_run=1", query);
	assert_int_equal(count_of("POST", path), wanted);
}

static void list_count_and_retry_take_the_same_selector(void **state)
{
	(void)state;
	report_as("o1", "token-1", "default");
	report_as("o2", "token-2", "second");
	report_as("o3", "token-3", "second");
	assert_selects("state=pending", 3);
	assert_selects("state=pending&product=second", 2);
	assert_selects("state=pending&lane=sovendus.second", 2);
	assert_selects("state=pending&lane=sovendus.second&product=second", 2);
	assert_selects("state=pending&lane=sovendus.none", 0);
	assert_selects("state=pending&lane=other.second", 0);
	assert_selects("state=pending&since=1h", 3);
	assert_selects("state=pending&until=1h", 0);
	assert_selects("state=pending&since=2h&until=2999-01-01T00:00:00Z", 3);
	assert_selects("state=rejected", 0);
	assert_int_equal(listed("/v1/orders?limit=2"), 2);
	assert_int_equal(count_of("GET", "/v1/orders?limit=2&count=1"), 3);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending&limit=2&dry_run=1"), 2);
}

static void a_selector_that_cannot_be_meant_is_refused(void **state)
{
	static const struct {
		const char *query, *names;
	} rows[] = {
		{ "lane=", "\"lane\"" },
		{ "lane=sovendus", "\"lane\"" },
		{ "lane=.default", "\"lane\"" },
		{ "lane=sovendus.", "\"lane\"" },
		{ "lane=sovendus.DEFAULT", "\"lane\"" },
		{ "lane=sovendus.a.b", "\"lane\"" },
		{ "lane=sovendus.default%00", "\"lane\"" },
		{ "product=", "\"product\"" },
		{ "product=a%20b", "\"product\"" },
		{ "lane=sovendus.default&product=second", "\"product\"" },
		{ "since=1h&until=2h", "\"until\"" },
		{ "until=soon", "\"until\"" },
		{ "until=", "\"until\"" },
		{ "since=", "\"since\"" },
		{ "cursor=0", "\"cursor\"" },
		{ "limit=", "\"limit\"" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char path[200];
		struct rig_call *c;
		snprintf(path, sizeof(path), "/v1/orders?%s", rows[i].query);
		expect_problem(400, "bad-request", "GET", path, NULL);
		c = api("GET", path, NULL);
		if (!strstr(text_of(c->json, "detail"), rows[i].names))
			fail_msg("%s: %s", path, c->text);
		api_end(c);
		snprintf(path, sizeof(path), "/v1/orders/retry?state=pending&%s", rows[i].query);
		expect_problem(400, "bad-request", "POST", path, NULL);
	}
	expect_problem(400, "bad-request", "GET", "/v1/orders?count=2", NULL);
	expect_problem(400, "bad-request", "POST", "/v1/orders/retry?state=pending&dry_run=x",
		       NULL);
	expect_problem(400, "bad-request", "POST", "/v1/orders/retry?lane=sovendus.default", NULL);
}

static void a_long_page_is_whole_though_the_store_is_asked_in_steps(void **state)
{
	char path[80] = "/v1/orders?limit=1000", wanted[16];
	int n = MANY;
	(void)state;
	report_many(MANY);
	for (int page = 0; page < 2; page++) {
		struct rig_call *c = api("GET", path, NULL);
		size_t i;
		json_t *order;
		assert_int_equal(c->status, 200);
		json_array_foreach(json_object_get(c->json, "orders"), i, order)
		{
			snprintf(wanted, sizeof(wanted), "o%d", --n);
			assert_string_equal(text_of(order, "order"), wanted);
		}
		assert_int_equal(i, page ? MANY - 1000 : 1000);
		snprintf(path, sizeof(path), "/v1/orders?limit=1000&cursor=%s",
			 text_of(c->json, "next"));
		assert_int_equal(text_of(c->json, "next")[0] != '\0', page == 0);
		api_end(c);
	}
	assert_int_equal(n, 0);
	assert_true(atomic_load(&faulty.seen[BC_STORE_LIST_ORDERS]) >= 5);
	assert_int_equal(count_of("GET", "/v1/orders?count=1"), MANY);
}

static void a_retry_of_many_is_done_in_steps_and_counts_them_all(void **state)
{
	(void)state;
	report_many(MANY);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending&dry_run=1"), MANY);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending"), MANY);
	assert_true(atomic_load(&faulty.seen[BC_STORE_REQUEUE]) >= 4);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending&limit=7"), 7);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending&limit=1000"), 1000);
}

static int refuse_second(void *e, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	if (op->kind != BC_STORE_REQUEUE || atomic_fetch_add(&requeues, 1) != 1)
		return faulty_apply(e, op, fault);
	op->result = bc_err_set(&op->err, BC_ESTORE, "refused by the test");
	return 0;
}

static void open_refusing_store(void)
{
	struct bc_store_options options = { .url = "", .clock = &rig_clock };
	stop_api();
	bc_store_close(rig.store);
	engine = faulty.engine;
	engine.apply = refuse_second;
	atomic_store(&requeues, 0);
	assert_int_equal(bc_store_open_engine(&engine, &options, &rig.store, NULL), 0);
	rig.shop.store = rig.store;
	start_api();
}

static void a_retry_that_the_store_ends_halfway_says_how_far_it_came(void **state)
{
	struct rig_call *c;
	(void)state;
	open_refusing_store();
	report_many(MANY);
	c = api("POST", "/v1/orders/retry?state=pending", NULL);
	assert_int_equal(c->status, 503);
	assert_string_equal(text_of(c->json, "type"), "urn:backchannel:store-failed");
	assert_non_null(
		strstr(text_of(c->json, "detail"), "refused by the test; 1000 are pending"));
	assert_non_null(strstr(text_of(c->json, "detail"), "ask again"));
	api_end(c);
	assert_int_equal(count_of("POST", "/v1/orders/retry?state=pending"), MANY);
}

static bool is_stalled(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.stalled);
}

/* Stops the API while the store is at the first step of that request. */
static struct rig_call *stopped_at(enum bc_store_kind kind, const char *method, const char *path)
{
	stall((int)kind);
	struct rig_call *c = api_begin(method, path, NULL);
	run_until(is_stalled, NULL);
	rig.parts = 1;
	bc_api_stop(rig.api, part_over, NULL);
	go_on();
	run_until(no_parts, NULL);
	assert_true(c->answered);
	bc_api_destroy(rig.api);
	rig.api = NULL;
	start_api();
	return c;
}

static void a_stop_waits_for_one_step_alone(void **state)
{
	struct rig_call *c;
	(void)state;
	report_many(MANY);
	c = stopped_at(BC_STORE_REQUEUE, "POST", "/v1/orders/retry?state=pending");
	assert_int_equal(c->status, 503);
	assert_true(c->retry_after);
	assert_non_null(strstr(text_of(c->json, "detail"), "1000 are pending again"));
	api_end(c);
	c = stopped_at(BC_STORE_LIST_ORDERS, "GET", "/v1/orders?limit=1000");
	assert_int_equal(c->status, 200);
	assert_true(json_array_size(json_object_get(c->json, "orders")) < 1000);
	assert_true(json_is_string(json_object_get(c->json, "next")));
	api_end(c);
}

static void what_the_store_refuses_is_answered(void **state)
{
	(void)state;
	report("o1", "token-1");
	refuse(BC_STORE_LIST_ORDERS, 2);
	expect_problem(503, "store-failed", "GET", "/v1/orders", NULL);
	expect_problem(503, "store-failed", "GET", "/v1/orders?count=1", NULL);
	refuse(BC_STORE_REQUEUE, 1);
	expect_problem(503, "store-failed", "POST", "/v1/orders/retry?state=pending", NULL);
	assert_int_equal(listed("/v1/orders"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SELECT_TEST(list_count_and_retry_take_the_same_selector),
		SELECT_TEST(a_selector_that_cannot_be_meant_is_refused),
		SELECT_TEST(a_long_page_is_whole_though_the_store_is_asked_in_steps),
		SELECT_TEST(a_retry_of_many_is_done_in_steps_and_counts_them_all),
		SELECT_TEST(a_retry_that_the_store_ends_halfway_says_how_far_it_came),
		SELECT_TEST(a_stop_waits_for_one_step_alone),
		SELECT_TEST(what_the_store_refuses_is_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
