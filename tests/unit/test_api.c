/* SPDX-License-Identifier: MIT */
/*
 * The API as a function: each route's success and problems, waiting for a final state, and the end.
 * Requests are made as a listener makes them: their memory is gone the moment they are answered, so
 * a handler that touches them afterwards is found by the sanitizers.
 */
#include "shop_requests.h"

#define ID "000102030405060708090a0b0c0d0e0f"

static int api_setup(void **state)
{
	int result = rig_setup(state);
	if (!result)
		start_api();
	return result;
}

#define API_TEST(name) cmocka_unit_test_setup_teardown(name, api_setup, rig_teardown)

static void with_delivery(void)
{
	start_delivery();
}

static void a_click_is_captured_and_names_itself(void **state)
{
	struct rig_call *c;
	(void)state;
	c = api("POST", "/v1/clicks",
		"{\"url\":\"https://shop.example/?sovReqToken=12345-test-123-12345\"}");
	assert_int_equal(c->status, 201);
	assert_true(json_is_true(json_object_get(c->json, "captured")));
	assert_string_equal(text_of(c->json, "kind"), "test");
	assert_int_equal(strlen(text_of(c->json, "click")), 34);
	assert_non_null(strchr(text_of(c->json, "expires_at"), 'Z'));
	assert_null(strstr(c->text, "12345-test"));
	api_end(c);
	c = api("POST", "/v1/clicks", "{\"token\":\"token-1\",\"click\":\"c." ID "\"}");
	assert_string_equal(text_of(c->json, "click"), "c." ID);
	assert_string_equal(text_of(c->json, "kind"), "production");
	api_end(c);
}

static void a_landing_without_a_good_token_is_no_error(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"url\":\"https://shop.example/\"}", "no token in url" },
		{ "{\"url\":\"https://shop.example/?sovreqtoken=token-1\"}", "no token in url" },
		{ "{\"url\":\"https://shop.example/?sovReqToken=a%2Fb\"}", "invalid token" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct rig_call *c = api("POST", "/v1/clicks", rows[i][0]);
		assert_int_equal(c->status, 200);
		assert_true(json_is_false(json_object_get(c->json, "captured")));
		assert_string_equal(text_of(c->json, "reason"), rows[i][1]);
		api_end(c);
	}
}

static void a_withdrawn_click_is_gone(void **state)
{
	struct rig_call *c;
	(void)state;
	expect(201, "POST", "/v1/clicks", "{\"token\":\"token-1\",\"click\":\"" ID "\"}");
	expect(204, "DELETE", "/v1/clicks/c." ID, NULL);
	expect_problem(404, "not-found", "DELETE", "/v1/clicks/c." ID, NULL);
	expect_problem(400, "bad-request", "DELETE", "/v1/clicks/c.12", NULL);
	expect_problem(404, "not-found", "DELETE", "/v1/clicks/t.token-1", NULL);
	c = api("POST", "/v1/orders", "{\"order\":\"o1\",\"click\":\"" ID "\"}");
	assert_string_equal(text_of(c->json, "reason"), "unknown click");
	api_end(c);
}

static void what_is_wrong_in_a_body_is_named(void **state)
{
	static const struct {
		const char *path, *body, *type, *names;
	} rows[] = {
		{ "/v1/clicks", "", "bad-request", "JSON" },
		{ "/v1/clicks", "[]", "bad-request", "JSON" },
		{ "/v1/clicks", "{\"url\":1}", "bad-request", "url" },
		{ "/v1/clicks", "{}", "bad-request", "url" },
		{ "/v1/clicks", "{\"url\":null,\"token\":null}", "bad-request", "url" },
		{ "/v1/clicks", "{\"token\":\"a/b\"}", "bad-token", "token" },
		{ "/v1/clicks", "{\"token\":\"abcd\",\"session\":\"None\"}", "bad-session",
		  "session" },
		{ "/v1/clicks", "{\"token\":\"abcd\",\"click\":\"c.1\"}", "bad-request", "click" },
		{ "/v1/clicks", "{\"token\":\"abcd\",\"product\":\"none\"}", "bad-request",
		  "none" },
		{ "/v1/orders", "{", "bad-request", "JSON" },
		{ "/v1/orders", "{\"order\":\"1\",\"order\":\"2\"}", "bad-request", "JSON" },
		{ "/v1/orders", "{}", "bad-request", "order" },
		{ "/v1/orders", "{\"order\":7}", "bad-request", "order" },
		{ "/v1/orders", "{\"order\":\"\"}", "bad-request", "order" },
		{ "/v1/orders", "{\"order\":\"a\\nb\"}", "bad-request", "order" },
		{ "/v1/orders", "{\"order\":\"1\",\"token\":\"..\"}", "bad-token", "token" },
		{ "/v1/orders", "{\"order\":\"1\",\"token\":\"ab\\u0000cd\"}", "bad-token",
		  "token" },
		{ "/v1/orders", "{\"order\":\"1\",\"session\":\"\"}", "bad-session", "session" },
		{ "/v1/orders", "{\"order\":\"1\",\"click\":\"t.a/b\"}", "bad-request", "click" },
		{ "/v1/orders", "{\"order\":\"1\",\"product\":\"none\"}", "bad-request", "none" },
		{ "/v1/orders", "{\"order\":\"1\",\"amount\":true}", "bad-request", "amount" },
		{ "/v1/orders", "{\"order\":\"1\",\"currency\":\"\\u0007\"}", "bad-request",
		  "currency" },
		{ "/v1/orders?wait=soon", "{\"order\":\"1\"}", "bad-request", "wait" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct rig_call *c = api("POST", rows[i].path, rows[i].body);
		if (!strstr(text_of(c->json, "detail"), rows[i].names))
			fail_msg("%s: %s", rows[i].body, c->text);
		api_end(c);
		expect_problem(400, rows[i].type, "POST", rows[i].path, rows[i].body);
	}
	expect_problem(404, "not-found", "GET", "/v1/orders/1", NULL);
}

static void an_order_is_accepted_once_and_repeated_for_ever(void **state)
{
	struct rig_call *c;
	(void)state;
	report("o1", "token-1");
	c = api("POST", "/v1/orders", "{\"order\":\"o1\",\"token\":\"token-1\",\"amount\":9.95}");
	assert_int_equal(c->status, 200);
	assert_string_equal(text_of(c->json, "state"), "pending");
	api_end(c);
	expect_problem(409, "conflict", "POST", "/v1/orders",
		       "{\"order\":\"o1\",\"token\":\"token-2\"}");
	c = api("POST", "/v1/orders", "{\"order\":\"o2\",\"token\":\"token-1\"}");
	assert_int_equal(c->status, 200);
	assert_string_equal(text_of(c->json, "reason"), "click used by order o1");
	api_end(c);
}

static void an_order_finds_its_click_by_token_then_click_then_session(void **state)
{
	static const char order[] = "{\"order\":\"%s\"%s}";
	static const struct {
		const char *order, *fields, *token;
	} rows[] = {
		{ "by-token", ",\"token\":\"token-t\",\"click\":\"" ID "\",\"session\":\"s1\"",
		  "token-t" },
		{ "by-click", ",\"click\":\"c." ID "\",\"session\":\"s1\"", "token-c" },
		{ "by-session", ",\"session\":\"s1\"", "token-s" },
		{ "by-cookie", ",\"click\":\"t.token-k\"", "token-k" },
	};
	(void)state;
	with_delivery();
	expect(201, "POST", "/v1/clicks", "{\"token\":\"token-c\",\"click\":\"" ID "\"}");
	expect(201, "POST", "/v1/clicks", "{\"token\":\"token-s\",\"session\":\"s1\"}");
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char body[256];
		snprintf(body, sizeof(body), order, rows[i].order, rows[i].fields);
		expect(202, "POST", "/v1/orders", body);
		await_state(rows[i].order, "delivered");
		assert_int_equal(partner_count(rows[i].token, "accepted"), 1);
	}
}

static void a_product_comes_from_the_click_first(void **state)
{
	struct rig_call *c;
	(void)state;
	expect(201, "POST", "/v1/clicks",
	       "{\"url\":\"/second/x?sovReqToken=token-1\",\"session\":\"s1\"}");
	c = api("POST", "/v1/orders",
		"{\"order\":\"o1\",\"session\":\"s1\",\"product\":\"default\"}");
	assert_string_equal(text_of(c->json, "product"), "second");
	assert_string_equal(text_of(c->json, "lane"), "sovendus.second");
	api_end(c);
	report_as("o2", "token-2", "second");
	c = story("o2");
	assert_string_equal(text_of(c->json, "product"), "second");
	api_end(c);
}

static void orders_are_listed_page_by_page(void **state)
{
	struct rig_call *c;
	char path[80] = "/v1/orders?limit=3";
	int pages = 0, seen = 0;
	(void)state;
	for (int i = 0; i < 8; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "token-%d", i);
		report(order, token);
	}
	for (; path[0]; pages++) {
		c = api("GET", path, NULL);
		assert_int_equal(c->status, 200);
		assert_null(strstr(c->text, "token-"));
		seen += (int)json_array_size(json_object_get(c->json, "orders"));
		const char *next = text_of(c->json, "next");
		snprintf(path, sizeof(path), next[0] ? "/v1/orders?limit=3&cursor=%s" : "%s", next);
		api_end(c);
	}
	assert_int_equal(pages, 3);
	assert_int_equal(seen, 8);
	c = api("GET", "/v1/orders?state=delivered", NULL);
	assert_int_equal(json_array_size(json_object_get(c->json, "orders")), 0);
	api_end(c);
}

static void wrong_parameters_are_named(void **state)
{
	static const char *const rows[] = {
		"/v1/orders?state=lost",      "/v1/orders?limit=0",  "/v1/orders?limit=1001",
		"/v1/orders?limit=-1",	      "/v1/orders?cursor=x", "/v1/orders?since=yesterday",
		"/v1/orders?state=%ff%fe%00",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		expect_problem(400, "bad-request", "GET", rows[i], NULL);
	expect_problem(400, "bad-request", "GET", "/v1/orders?state=%zz", NULL);
	expect_problem(400, "bad-request", "POST", "/v1/orders/retry", NULL);
	expect_problem(400, "bad-request", "POST", "/v1/orders/retry?state=rejected&dry_run", NULL);
	expect_problem(400, "bad-request", "POST", "/v1/orders/retry?state=rejected&dry_run=yes",
		       NULL);
}

static void an_order_is_cancelled_and_comes_back(void **state)
{
	struct rig_call *c;
	(void)state;
	report("o1", "token-1");
	expect(200, "POST", "/v1/orders/o1/cancel", NULL);
	c = story("o1");
	assert_string_equal(text_of(c->json, "state"), "cancelled");
	api_end(c);
	expect(200, "POST", "/v1/orders/o1/cancel", NULL);
	c = api("POST", "/v1/orders/retry?state=cancelled&dry_run=1", NULL);
	assert_int_equal(json_integer_value(json_object_get(c->json, "count")), 1);
	api_end(c);
	await_state("o1", "cancelled");
	c = api("POST", "/v1/orders/retry?state=cancelled", NULL);
	assert_int_equal(json_integer_value(json_object_get(c->json, "count")), 1);
	api_end(c);
	with_delivery();
	await_state("o1", "delivered");
	expect_problem(409, "conflict", "POST", "/v1/orders/o1/cancel", NULL);
	expect_problem(409, "conflict", "POST", "/v1/orders/o1/retry", NULL);
	expect_problem(404, "not-found", "POST", "/v1/orders/o9/cancel", NULL);
	expect_problem(404, "not-found", "POST", "/v1/orders/o9/retry", NULL);
}

static void an_order_id_may_be_anything_that_can_be_encoded(void **state)
{
	struct rig_call *c;
	(void)state;
	expect(202, "POST", "/v1/orders", "{\"order\":\"a/b ?&%\",\"token\":\"token-1\"}");
	c = api("GET", "/v1/orders/a%2Fb%20%3F%26%25", NULL);
	assert_int_equal(c->status, 200);
	assert_string_equal(text_of(c->json, "order"), "a/b ?&%");
	api_end(c);
	expect_problem(404, "not-found", "GET", "/v1/orders/a%2", NULL);
	expect_problem(404, "not-found", "GET", "/v1/orders/a%00", NULL);
	expect_problem(404, "not-found", "GET", "/v1/orders/", NULL);
}

static void what_is_no_route_is_refused(void **state)
{
	(void)state;
	expect_problem(404, "not-found", "GET", "//", NULL);
	expect_problem(404, "not-found", "GET", "/v1/orders/o1/more/still", NULL);
	expect_problem(404, "not-found", "OPTIONS", "*", NULL);
	expect_problem(405, "bad-request", "PUT", "/v1/orders", NULL);
	expect_problem(405, "bad-request", "DELETE", "/healthz", NULL);
	assert_true(bc_api_is_open(BC_STR("/healthz")) && bc_api_is_open(BC_STR("/readyz")));
	assert_false(bc_api_is_open(BC_STR("/metrics")) || bc_api_is_open(BC_STR("/v1/orders")));
}

static void lanes_and_metrics_tell_what_waits(void **state)
{
	struct rig_call *c;
	(void)state;
	with_delivery();
	set_faults("hang");
	report("o1", "token-1");
	await_state("o1", "sending");
	c = api("GET", "/v1/lanes", NULL);
	const json_t *lane = json_array_get(json_object_get(c->json, "lanes"), 0);
	assert_string_equal(text_of(lane, "name"), "sovendus.default");
	assert_string_equal(text_of(lane, "state"), "open");
	assert_int_equal(json_integer_value(json_object_get(lane, "in_flight")), 1);
	api_end(c);
	for (int i = 0; i < 3; i++) {
		c = api("GET", "/metrics", NULL);
		assert_int_equal(c->status, 200);
		assert_non_null(strstr(c->text, "backchannel_conversions{state=\"sending\"} 1\n"));
		assert_non_null(
			strstr(c->text, "backchannel_orders_total{result=\"accepted\"} 1\n"));
		api_end(c);
	}
}

static void neither_key_nor_token_nor_session_is_ever_told(void **state)
{
	static const char *const paths[] = { "/v1/orders/o1", "/v1/orders", "/v1/lanes",
					     "/metrics" };
	(void)state;
	with_delivery();
	set_faults("status=403 token=token-1");
	expect(201, "POST", "/v1/clicks", "{\"token\":\"token-1\",\"session\":\"sess-canary\"}");
	expect(202, "POST", "/v1/orders", "{\"order\":\"o1\",\"session\":\"sess-canary\"}");
	await_state("o1", "rejected");
	for (size_t i = 0; i < BC_COUNT(paths); i++) {
		struct rig_call *c = api("GET", paths[i], NULL);
		assert_int_equal(c->status, 200);
		assert_null(strstr(c->text, "token-1"));
		assert_null(strstr(c->text, "canary"));
		api_end(c);
	}
}

/* --- waiting --- */

static void a_request_that_waits_is_answered_with_the_final_state(void **state)
{
	struct rig_call *c;
	(void)state;
	with_delivery();
	set_faults("delay=50ms");
	c = api("POST", "/v1/orders?wait=10s", "{\"order\":\"o1\",\"token\":\"token-1\"}");
	assert_int_equal(c->status, 200);
	assert_string_equal(text_of(c->json, "state"), "delivered");
	api_end(c);
	c = api("POST", "/v1/orders?wait=10s", "{\"order\":\"o1\",\"token\":\"token-1\"}");
	assert_string_equal(text_of(c->json, "state"), "delivered");
	api_end(c);
}

static void several_may_wait_for_one_order(void **state)
{
	struct rig_call *calls[5];
	(void)state;
	with_delivery();
	set_faults("delay=50ms");
	for (size_t i = 0; i < BC_COUNT(calls); i++)
		calls[i] = api_begin("POST", "/v1/orders?wait=10s",
				     "{\"order\":\"o1\",\"token\":\"token-1\"}");
	for (size_t i = 0; i < BC_COUNT(calls); i++) {
		api_wait(calls[i]);
		assert_int_equal(calls[i]->status, 200);
		assert_string_equal(text_of(calls[i]->json, "state"), "delivered");
		api_end(calls[i]);
	}
}

static void waiting_ends_with_its_time(void **state)
{
	struct rig_call *c;
	(void)state;
	with_delivery();
	set_faults("hang");
	c = api("POST", "/v1/orders?wait=30ms", "{\"order\":\"o1\",\"token\":\"token-1\"}");
	assert_int_equal(c->status, 202);
	assert_string_equal(text_of(c->json, "state"), "sending");
	api_end(c);
}

static void what_cannot_become_final_is_not_waited_for(void **state)
{
	struct rig_call *c;
	(void)state;
	c = api("POST", "/v1/orders?wait=60s", "{\"order\":\"o1\",\"token\":\"token-1\"}");
	assert_int_equal(c->status, 202); /* nobody delivers here */
	api_end(c);
	with_delivery();
	c = api("POST", "/v1/orders?wait=60s", "{\"order\":\"o2\",\"session\":\"nobody\"}");
	assert_int_equal(c->status, 200);
	assert_string_equal(text_of(c->json, "state"), "unattributed");
	api_end(c);
	expect_problem(409, "conflict", "POST", "/v1/orders?wait=60s",
		       "{\"order\":\"o1\",\"token\":\"token-2\"}");
}

/* --- the end --- */

static void a_stop_answers_those_that_wait(void **state)
{
	struct rig_call *c;
	(void)state;
	with_delivery();
	set_faults("hang");
	c = api_begin("POST", "/v1/orders?wait=60s", "{\"order\":\"o1\",\"token\":\"token-1\"}");
	await_state("o1", "sending");
	stop_api();
	assert_int_equal(c->status, 202);
	assert_string_equal(text_of(c->json, "state"), "sending");
	api_end(c);
}

static bool is_stalled(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.stalled);
}

static void a_stop_waits_for_requests_that_the_store_has_and_lets_none_wait_anew(void **state)
{
	struct rig_call *order, *metrics;
	(void)state;
	with_delivery();
	set_faults("hang");
	stall(BC_STORE_ACCEPT_ORDER);
	order = api_begin("POST", "/v1/orders?wait=60s",
			  "{\"order\":\"o1\",\"token\":\"token-1\"}");
	metrics = api_begin("GET", "/metrics", NULL);
	run_until(is_stalled, NULL);
	rig.parts = 1;
	bc_api_stop(rig.api, part_over, NULL);
	run_for(20);
	assert_int_equal(rig.parts, 1);
	go_on();
	run_until(no_parts, NULL);
	assert_int_equal(order->status, 202);
	assert_int_equal(metrics->status, 200);
	api_end(order);
	api_end(metrics);
	bc_api_destroy(rig.api);
	rig.api = NULL;
}

static void a_store_with_too_much_waiting_is_busy(void **state)
{
	struct bc_store_options options = { .url = "", .clock = &rig_clock, .queue_max = 1 };
	struct rig_call *calls[4];
	int busy = 0;
	(void)state;
	stop_api();
	bc_store_close(rig.store);
	assert_int_equal(bc_store_open_engine(&faulty.engine, &options, &rig.store, NULL), 0);
	rig.shop.store = rig.store;
	start_api();
	stall(BC_STORE_ACCEPT_ORDER);
	for (size_t i = 0; i < BC_COUNT(calls); i++) {
		char body[80];
		snprintf(body, sizeof(body), "{\"order\":\"o%zu\",\"token\":\"token-%zu\"}", i, i);
		calls[i] = api_begin("POST", "/v1/orders", body);
		if (i == 0)
			run_until(is_stalled, NULL);
	}
	go_on();
	for (size_t i = 0; i < BC_COUNT(calls); i++) {
		api_wait(calls[i]);
		busy += calls[i]->status == 503 && calls[i]->retry_after;
		api_end(calls[i]);
	}
	assert_int_equal(busy, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		API_TEST(a_click_is_captured_and_names_itself),
		API_TEST(a_landing_without_a_good_token_is_no_error),
		API_TEST(a_withdrawn_click_is_gone),
		API_TEST(what_is_wrong_in_a_body_is_named),
		API_TEST(an_order_is_accepted_once_and_repeated_for_ever),
		API_TEST(an_order_finds_its_click_by_token_then_click_then_session),
		API_TEST(a_product_comes_from_the_click_first),
		API_TEST(orders_are_listed_page_by_page),
		API_TEST(wrong_parameters_are_named),
		API_TEST(an_order_is_cancelled_and_comes_back),
		API_TEST(an_order_id_may_be_anything_that_can_be_encoded),
		API_TEST(what_is_no_route_is_refused),
		API_TEST(lanes_and_metrics_tell_what_waits),
		API_TEST(neither_key_nor_token_nor_session_is_ever_told),
		API_TEST(a_request_that_waits_is_answered_with_the_final_state),
		API_TEST(several_may_wait_for_one_order),
		API_TEST(waiting_ends_with_its_time),
		API_TEST(what_cannot_become_final_is_not_waited_for),
		API_TEST(a_stop_answers_those_that_wait),
		API_TEST(a_stop_waits_for_requests_that_the_store_has_and_lets_none_wait_anew),
		API_TEST(a_store_with_too_much_waiting_is_busy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
