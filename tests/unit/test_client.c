/* SPDX-License-Identifier: MIT */
/* One call of the library's client: what is sent, what is repeated, what comes back. */
#include "client_fixture.h"

/* --- what is sent ---------------------------------------------------------------------------- */

static void a_call_carries_the_token_the_key_and_the_organization(void **state)
{
	(void)state;
	answers({ .status = 200, .body = "{\"id\":1}" });
	create();
	struct outcome o = get("/V1/orders/1");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 200);
	assert_string_equal(o.text, "{\"id\":1}");
	assert_string_equal(o.answer.content_type, "application/json");
	assert_string_equal(o.answer.message, "");
	assert_int_equal(o.answer.attempts, 1);
	assert_string_equal(shop.method, "GET");
	assert_string_equal(shop.target, "/V1/orders/1");
	assert_string_equal(shop.authorization, "Bearer canary-token-1");
	assert_string_equal(shop.api_key, "client");
	assert_string_equal(shop.org, "org@AdobeOrg");
	assert_string_equal(shop.accept, "application/json");
	assert_string_equal(shop.store, "");
	assert_string_equal(shop.type, "");
	assert_string_equal(shop.agent, "backchannel/" BC_VERSION);
}

static void a_body_makes_it_a_post_of_json(void **state)
{
	(void)state;
	create();
	struct outcome o = call(&(struct bc_client_request){
		.path = "/rest/de/V1/orders", .body = "{\"a\":1}", .body_bytes = 7 });
	assert_int_equal(o.result, 0);
	assert_string_equal(shop.method, "POST");
	assert_string_equal(shop.target, "/V1/orders");
	assert_string_equal(shop.store, "de");
	assert_string_equal(shop.type, "application/json");
	assert_string_equal(shop.body, "{\"a\":1}");
}

static void own_headers_are_sent_and_win_over_the_defaults(void **state)
{
	static const char *const headers[] = { "X-Own: yes", "Accept: text/csv", NULL };
	(void)state;
	create();
	struct outcome o = call(&(struct bc_client_request){ .method = "PUT",
							     .path = "/V1/a",
							     .store = "fr",
							     .body = "a,b",
							     .body_bytes = 3,
							     .content_type = "text/csv",
							     .headers = headers });
	assert_int_equal(o.result, 0);
	assert_string_equal(shop.method, "PUT");
	assert_string_equal(shop.own, "yes");
	assert_string_equal(shop.accept, "text/csv");
	assert_string_equal(shop.type, "text/csv");
	assert_string_equal(shop.store, "fr");
}

static void without_a_credential_calls_go_without_a_token(void **state)
{
	static const char *const headers[] = { "Authorization: Bearer integration", NULL };
	(void)state;
	options.oauth_client_id = options.oauth_client_secret = NULL;
	answers({ .status = 200 }, { .status = 401 });
	create();
	assert_int_equal(get("/V1/a").answer.status, 200);
	assert_string_equal(shop.authorization, "");
	struct outcome o = call(&(struct bc_client_request){ .path = "/V1/a", .headers = headers });
	assert_int_equal(o.answer.status, 401);
	assert_string_equal(shop.authorization, "Bearer integration");
	assert_int_equal(shop.requests, 2);
	assert_int_equal(shop.token_requests, 0);
}

static void a_request_that_is_none_is_refused_at_once_and_sends_nothing(void **state)
{
	static const char *const bearer[] = { "authorization: Bearer other", NULL };
	static const char *const length[] = { "Content-Length: 5", NULL };
	static const char *const split[] = { "X-A: b\r\nX-C: d", NULL };
	static const char *const nameless[] = { ": b", NULL };
	static const struct {
		struct bc_client_request request;
		const char *says;
	} rows[] = {
		{ { .path = NULL }, "path" },
		{ { .path = "/V1/../x" }, "" },
		{ { .path = "/V1/a", .store = "a/b" }, "store" },
		{ { .path = "/V1/a", .method = "get" }, "capitals" },
		{ { .path = "/V1/a", .method = "GET /x HTTP/1.1" }, "capitals" },
		{ { .path = "/V1/a", .method = "HEAD", .body = "x", .body_bytes = 1 }, "HEAD" },
		{ { .path = "/V1/a", .content_type = "a\r\nb" }, "content type" },
		{ { .path = "/V1/a", .headers = bearer }, "authorization" },
		{ { .path = "/V1/a", .headers = length }, "content-length" },
		{ { .path = "/V1/a", .headers = split }, "Name: value" },
		{ { .path = "/V1/a", .headers = nameless }, "Name: value" },
	};
	(void)state;
	create();
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct outcome o = call(&rows[i].request);
		assert_int_equal(o.result, BC_EINVAL);
		if (!strstr(o.err.text, rows[i].says))
			fail_msg("\"%s\" does not speak of \"%s\"", o.err.text, rows[i].says);
	}
	assert_int_equal(shop.requests + shop.token_requests, 0);
}

/* --- errors of Commerce ---------------------------------------------------------------------- */

static void an_error_body_is_one_readable_line(void **state)
{
	(void)state;
	answers({ .status = 404,
		  .body = "{\"message\":\"No such %1\",\"parameters\":[\"order\"]}" });
	create();
	struct outcome o = get("/V1/orders/9");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 404);
	assert_string_equal(o.answer.message, "No such order");
	assert_int_equal(o.answer.attempts, 1);
}

/* --- repeats --------------------------------------------------------------------------------- */

static void kill_tokens_before(unsigned oldest)
{
	pthread_mutex_lock(&shop.lock);
	shop.oldest = oldest;
	pthread_mutex_unlock(&shop.lock);
}

/* The manager asks for another one only when the token has been in use for a while. */
static void let_the_token_age(void)
{
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	while (bc_elapsed_ms(&bc_clock_system) - began <= BC_TOKENS_YOUNG_MS)
		usleep(20 * 1000);
}

static void a_401_is_met_with_another_token_once(void **state)
{
	(void)state;
	create();
	assert_int_equal(get("/V1/a").answer.status, 200);
	let_the_token_age();
	kill_tokens_before(2);
	struct outcome o = call(&(struct bc_client_request){
		.path = "/V1/b", .body = "{\"b\":2}", .body_bytes = 7 });
	assert_int_equal(o.answer.status, 200);
	assert_int_equal(o.answer.attempts, 2);
	assert_string_equal(shop.body, "{\"b\":2}");
	assert_string_equal(shop.authorization, "Bearer canary-token-2");
	/* Again, at once: it is young now, and the 401 the caller's. */
	kill_tokens_before(99);
	o = get("/V1/c");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 401);
	assert_string_equal(o.answer.message, "Oauth token is not valid (401013)");
	assert_int_equal(shop.token_requests, 2);
}

static void a_wrong_scope_does_not_storm_the_token_endpoint(void **state)
{
	(void)state;
	answers({ .status = 401, .body = "{\"message\":\"The consumer isn't authorized\"}" });
	create();
	for (int i = 0; i < 50; i++) {
		struct outcome o = get("/V1/a");
		assert_int_equal(o.result, 0);
		assert_int_equal(o.answer.status, 401);
		assert_string_equal(o.answer.message, "The consumer isn't authorized");
	}
	assert_int_equal(shop.token_requests, 1);
}

static void a_429_puts_it_to_sleep_for_as_long_as_it_says(void **state)
{
	(void)state;
	answers({ .status = 429, .head = "Retry-After: 1\r\n" }, { .status = 200 });
	create();
	struct outcome o =
		call(&(struct bc_client_request){ .path = "/V1/a", .body = "{}", .body_bytes = 2 });
	assert_int_equal(o.answer.status, 200);
	assert_int_equal(o.answer.attempts, 2);
	assert_true(shop.came_ms[1] - shop.came_ms[0] >= 1000);
	assert_true(o.answer.duration_ms >= 1000);
}

static void a_503_that_says_when_is_like_a_429(void **state)
{
	(void)state;
	answers({ .status = 503, .head = "Retry-After: 1\r\n" }, { .status = 200 });
	create();
	struct outcome o =
		call(&(struct bc_client_request){ .path = "/V1/a", .body = "{}", .body_bytes = 2 });
	assert_int_equal(o.answer.status, 200);
	assert_true(shop.came_ms[1] - shop.came_ms[0] >= 1000);
}

static void a_sleep_beyond_the_deadline_is_the_callers_answer_at_once(void **state)
{
	(void)state;
	answers({ .status = 429,
		  .head = "Retry-After: 30\r\n",
		  .body = "{\"message\":\"slowly\"}" });
	create();
	struct outcome o = call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 2000 });
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 429);
	assert_string_equal(o.answer.message, "slowly");
	assert_true(o.answer.duration_ms < 2000);
	/* Who comes next is not sent at all. */
	o = call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 2000 });
	assert_int_equal(o.result, BC_ETIMEDOUT);
	assert_non_null(strstr(o.err.text, "less often"));
	assert_int_equal(shop.requests, 1);
}

static void what_is_idempotent_is_tried_three_times(void **state)
{
	(void)state;
	answers({ .status = 500 }, { .how = HOW_RESET }, { .status = 200 });
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 200);
	assert_int_equal(o.answer.attempts, 3);
	assert_true(shop.came_ms[1] - shop.came_ms[0] >= 250);
	assert_true(shop.came_ms[2] - shop.came_ms[1] >= 500);
}

static void after_three_times_the_last_answer_is_the_callers(void **state)
{
	(void)state;
	answers({ .status = 502 }, { .status = 500 }, { .status = 504, .body = "gone" });
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 504);
	assert_string_equal(o.text, "gone");
	assert_int_equal(o.answer.attempts, 3);
}

static void a_post_that_was_answered_500_is_not_repeated(void **state)
{
	(void)state;
	answers({ .status = 500 });
	create();
	struct outcome o =
		call(&(struct bc_client_request){ .path = "/V1/a", .body = "{}", .body_bytes = 2 });
	assert_int_equal(o.answer.status, 500);
	assert_int_equal(o.answer.attempts, 1);
}

static void a_post_whose_answer_is_lost_says_that_it_may_have_been_done(void **state)
{
	(void)state;
	answers({ .how = HOW_RESET });
	create();
	struct outcome o = call(&(struct bc_client_request){
		.path = "/V1/a?secret=query", .body = "{}", .body_bytes = 2 });
	assert_int_equal(o.result, BC_EIO);
	assert_non_null(strstr(o.err.text, "POST \"/V1/a\""));
	assert_null(strstr(o.err.text, "query"));
	assert_non_null(strstr(o.err.hint, "carried out"));
	assert_int_equal(shop.requests, 1);
}

static void an_answer_that_breaks_off_is_none(void **state)
{
	(void)state;
	answers({ .how = HOW_CUT }, { .status = 200, .body = "[1]" });
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, 0);
	assert_string_equal(o.text, "[1]");
	assert_int_equal(o.answer.attempts, 2);
}

static void a_repeat_that_could_not_end_in_time_is_not_begun(void **state)
{
	(void)state;
	answers({ .status = 500, .body = "first" }, { .status = 200 });
	create();
	struct outcome o = call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 200 });
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.status, 500);
	assert_string_equal(o.text, "first");
	assert_int_equal(o.answer.attempts, 1);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void the_deadline_ends_a_call_that_is_under_way(void **state)
{
	(void)state;
	answers({ .how = HOW_HOLD });
	create();
	struct outcome o = call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 300 });
	assert_int_equal(o.result, BC_ETIMEDOUT);
	assert_int_equal(shop.requests, 1);
}

static void an_answer_beyond_its_ceiling_is_refused_and_not_repeated(void **state)
{
	struct bc_client_request request = { .path = "/V1/a", .answer_max_bytes = 1000 };
	(void)state;
	answers({ .status = 200, .bytes = 1000 }, { .status = 200, .bytes = 1001 },
		{ .status = 200, .bytes = 4000000 });
	create();
	struct outcome o = call(&request);
	assert_int_equal(o.result, 0);
	assert_int_equal(o.answer.body_bytes, 1000);
	for (int i = 0; i < 2; i++) {
		o = call(&request);
		assert_int_equal(o.result, BC_ETOOBIG);
		assert_non_null(strstr(o.err.text, "1000 bytes"));
	}
	assert_int_equal(shop.requests, 3);
}

/* --- the credential -------------------------------------------------------------------------- */

static void a_refused_credential_is_said_at_once_and_not_asked_again(void **state)
{
	(void)state;
	options.oauth_client_secret = "canary-secret-wrong";
	create();
	for (int i = 0; i < 20; i++) {
		struct outcome o = get("/V1/a");
		assert_int_equal(o.result, BC_EAUTH);
		assert_true(o.err.hint[0]);
	}
	assert_int_equal(shop.token_requests, 1);
	assert_int_equal(shop.requests, 0);
}

static void a_token_endpoint_that_is_down_is_said_within_the_deadline(void **state)
{
	(void)state;
	options.oauth_base_url = "http://127.0.0.1:1";
	create();
	struct outcome o = call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 1500 });
	assert_int_equal(o.result, BC_EUNREACH);
	assert_int_equal(shop.requests, 0);
}

static void the_token_endpoints_trouble_is_over_when_it_is_over(void **state)
{
	(void)state;
	shop.token_status = 500;
	create();
	assert_int_equal(
		call(&(struct bc_client_request){ .path = "/V1/a", .timeout_ms = 100 }).result,
		BC_EUNREACH);
	pthread_mutex_lock(&shop.lock);
	shop.token_status = 0;
	pthread_mutex_unlock(&shop.lock);
	assert_int_equal(get("/V1/a").answer.status, 200);
}

static void rotation_of_the_secret_fails_no_call(void **state)
{
	(void)state;
	shop.life_s = 1;
	options.oauth_client_secret_next = "canary-secret-two";
	create();
	unsigned calls = 0, refused_at = 0;
	while (shop_count(&shop.issued) < refused_at + 3) {
		struct outcome o = get("/V1/a");
		assert_int_equal(o.result, 0);
		assert_int_equal(o.answer.status, 200);
		if (++calls == 20) {
			pthread_mutex_lock(&shop.lock);
			shop.secrets[0] = NULL; /* deleted in the console */
			shop.secrets[1] = "canary-secret-two";
			refused_at = shop.issued;
			pthread_mutex_unlock(&shop.lock);
		}
		usleep(5 * 1000);
	}
	assert_true(calls > 20);
}

static void commerce_that_is_down_is_not_taken_for_the_credential(void **state)
{
	(void)state;
	options.commerce_base_url = "http://127.0.0.1:1/tenant";
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, BC_EUNREACH);
	assert_non_null(strstr(o.err.hint, "commerce_base_url"));
	assert_int_equal(o.answer.attempts, 0);
	assert_int_equal(shop.token_requests, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_call_carries_the_token_the_key_and_the_organization),
		test(a_body_makes_it_a_post_of_json),
		test(own_headers_are_sent_and_win_over_the_defaults),
		test(without_a_credential_calls_go_without_a_token),
		test(a_request_that_is_none_is_refused_at_once_and_sends_nothing),
		test(an_error_body_is_one_readable_line),
		test(a_401_is_met_with_another_token_once),
		test(a_wrong_scope_does_not_storm_the_token_endpoint),
		test(a_429_puts_it_to_sleep_for_as_long_as_it_says),
		test(a_503_that_says_when_is_like_a_429),
		test(a_sleep_beyond_the_deadline_is_the_callers_answer_at_once),
		test(what_is_idempotent_is_tried_three_times),
		test(after_three_times_the_last_answer_is_the_callers),
		test(a_post_that_was_answered_500_is_not_repeated),
		test(a_post_whose_answer_is_lost_says_that_it_may_have_been_done),
		test(an_answer_that_breaks_off_is_none),
		test(a_repeat_that_could_not_end_in_time_is_not_begun),
		test(the_deadline_ends_a_call_that_is_under_way),
		test(an_answer_beyond_its_ceiling_is_refused_and_not_repeated),
		test(a_refused_credential_is_said_at_once_and_not_asked_again),
		test(a_token_endpoint_that_is_down_is_said_within_the_deadline),
		test(the_token_endpoints_trouble_is_over_when_it_is_over),
		test(rotation_of_the_secret_fails_no_call),
		test(commerce_that_is_down_is_not_taken_for_the_credential),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
