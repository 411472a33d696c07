/* SPDX-License-Identifier: MIT */
/* The token manager: how many requests there are, who waits for them, and until when a token is
 * lent. */
#include "tokens_fixture.h"

enum { CROWD = 10000, REFRESH_LATEST_MS = (LIFE_S * SECOND_MS - MARGIN_MS) / 100 * 80 };

static struct waiter crowd[CROWD];

static bool crowd_done(void *ctx)
{
	return done_count == *(unsigned *)ctx;
}

static void run_until_all_done(unsigned count)
{
	run_until(crowd_done, &count);
}

/* --- one request ----------------------------------------------------------------------------- */

static void ten_thousand_callers_at_start_cost_one_request(void **state)
{
	(void)state;
	create(true);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_null(bc_tokens_get(tokens));
		wait_for(&crowd[i], 15 * SECOND_MS, 0);
	}
	run_until_all_done(CROWD);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(crowd[i].count, 1);
		assert_int_equal(crowd[i].place, i); /* in the order they came */
		assert_int_equal(crowd[i].wait.result, 0);
		assert_int_equal(crowd[i].wait.token->generation, 1);
		assert_string_equal(bc_secret_reveal(crowd[i].wait.token->secret),
				    "canary-token-1");
		bc_access_token_unref(crowd[i].wait.token);
	}
	assert_int_equal(endpoint.requests, 1);
	assert_int_equal(look().requests[BC_OAUTH_GRANTED], 1);
	assert_int_equal(times_logged("token.issued"), 1);
}

static void without_a_caller_nothing_is_asked_unless_it_is_eager(void **state)
{
	(void)state;
	create(false);
	settle();
	assert_int_equal(endpoint.requests, 0);
	assert_int_equal(look().state, BC_TOKEN_NONE);
	assert_int_equal(wait_and_see(SECOND_MS, NULL), 0);
	assert_int_equal(endpoint.requests, 1);
	turn(REFRESH_LATEST_MS);
	settle();
	assert_int_equal(endpoint.requests, 1);
	assert_int_equal(look().state, BC_TOKEN_STALE);
}

static void the_request_is_a_form_with_the_scope_as_it_was_given(void **state)
{
	(void)state;
	endpoint.hold = true;
	create(true);
	run_until_asked(1);
	const struct bc_http_request *req = endpoint.held[0];
	assert_string_equal(req->method, "POST");
	assert_true(bc_str_eq(req->path, "/ims/token/v3"));
	assert_true(bc_str_eq(bc_http_header(req, "content-type"),
			      "application/x-www-form-urlencoded"));
	assert_true(bc_str_icontains(req->body, "grant_type=client_credentials"));
	assert_true(bc_str_icontains(req->body, "client_id=client"));
	assert_true(bc_str_icontains(req->body, "scope=openid%2Ccommerce.accs"));
	assert_null(bc_http_header(req, "authorization").ptr);
	release();
	settle();
	config.auth = BC_OAUTH_AUTH_BASIC;
	endpoint.hold = true;
	reconfigure();
	turn(REFRESH_LATEST_MS);
	bc_access_token_unref(bc_tokens_get(tokens));
	run_until_asked(2);
	assert_true(bc_str_starts(bc_http_header(endpoint.held[0], "authorization"), "Basic "));
	assert_false(body_has(endpoint.held[0], "canary-secret-one"));
}

/* --- freshness ------------------------------------------------------------------------------- */

static void a_fresh_token_is_lent_without_a_request(void **state)
{
	(void)state;
	create_with_token();
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(lent_generation(), 1);
	settle();
	assert_int_equal(endpoint.requests, 1);
	struct bc_tokens_view view = look();
	assert_int_equal(view.state, BC_TOKEN_FRESH);
	assert_int_equal(view.expires_in_ms, LIFE_S * SECOND_MS - MARGIN_MS);
	assert_int_equal(strlen(view.fingerprint), 8);
	assert_int_equal(view.last.code, 0);
}

static void a_stale_one_is_lent_to_all_while_one_request_gets_the_next(void **state)
{
	(void)state;
	create_with_token();
	endpoint.hold = true;
	turn(REFRESH_LATEST_MS);
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(lent_generation(), 1);
	run_until_asked(2);
	for (unsigned i = 0; i < CROWD; i++) /* under way: nobody waits, nobody asks again */
		assert_int_equal(lent_generation(), 1);
	assert_int_equal(look().state, BC_TOKEN_STALE);
	turn(5 * SECOND_MS); /* counts from the request, not from the answer */
	release();
	settle();
	assert_int_equal(endpoint.requests, 2);
	assert_int_equal(lent_generation(), 2);
	assert_int_equal(look().expires_in_ms, LIFE_S * SECOND_MS - MARGIN_MS - 5 * SECOND_MS);
}

static void at_expiry_under_load_there_is_one_request_and_none_is_lent_that_ran_out(void **state)
{
	(void)state;
	create_with_token();
	turn((uint64_t)LIFE_S * SECOND_MS - MARGIN_MS); /* a suspend: no timer saw it */
	for (unsigned i = 0; i < CROWD; i++) {
		assert_null(bc_tokens_get(tokens));
		wait_for(&crowd[i], 15 * SECOND_MS, 0);
	}
	run_until_all_done(CROWD);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(crowd[i].wait.token->generation, 2);
		bc_access_token_unref(crowd[i].wait.token);
	}
	assert_int_equal(endpoint.requests, 2);
}

static void one_millisecond_before_the_margin_it_is_lent_and_then_no_more(void **state)
{
	(void)state;
	create_with_token();
	endpoint_is_down = true;
	turn((uint64_t)LIFE_S * SECOND_MS - MARGIN_MS - 1);
	assert_int_equal(lent_generation(), 1);
	turn(1);
	assert_int_equal(lent_generation(), 0);
	assert_int_equal(look().expires_in_ms, 0);
}

static void a_waiter_whose_loop_slept_is_not_given_a_token_that_ran_out_meanwhile(void **state)
{
	struct waiter w;
	(void)state;
	create_with_token();
	wait_for(&w, SECOND_MS, 0); /* is served at once, and hears of it in the next turn */
	turn((uint64_t)LIFE_S * SECOND_MS);
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, BC_ETIMEDOUT);
	assert_null(w.wait.token);
}

static void a_token_that_ran_out_on_its_way_is_a_failure(void **state)
{
	struct bc_err err;
	(void)state;
	endpoint.hold = true;
	create(false);
	struct waiter w;
	wait_for(&w, 100 * HOUR_MS, 0);
	run_until_asked(1);
	turn((uint64_t)LIFE_S * SECOND_MS);
	release();
	settle();
	assert_int_equal(look().failures, 1);
	err = look().last;
	assert_string_equal(err.text, "the access token had run out when it came");
	turn(BC_TOKENS_FORCED_GAP_MS);
	assert_null(bc_tokens_get(tokens));
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	bc_access_token_unref(w.wait.token);
}

static void a_missing_lifetime_is_assumed_and_said_once(void **state)
{
	(void)state;
	endpoint.life = NULL;
	create_with_token();
	assert_true(look().expires_in_ms <= BC_OAUTH_LIFE_ASSUMED_MS);
	for (unsigned generation = 2; generation < 5; generation++) {
		turn(BC_OAUTH_LIFE_ASSUMED_MS);
		assert_int_equal(wait_and_see(SECOND_MS, NULL), 0);
		assert_int_equal(look().generation, generation);
	}
	assert_int_equal(times_logged("token.lifetime_assumed"), 1);
}

static void a_snapshot_outlives_its_successor_and_the_manager(void **state)
{
	(void)state;
	create_with_token();
	struct bc_access_token *held = bc_tokens_get(tokens);
	turn((uint64_t)LIFE_S * SECOND_MS);
	assert_int_equal(wait_and_see(SECOND_MS, NULL), 0);
	bc_tokens_destroy(tokens);
	tokens = NULL;
	assert_string_equal(bc_secret_reveal(held->secret), "canary-token-1");
	bc_access_token_unref(held);
}

/* --- deadlines and ends ---------------------------------------------------------------------- */

static void each_waiter_ends_at_its_own_deadline_and_the_flight_goes_on(void **state)
{
	(void)state;
	endpoint.hold = true;
	create(true);
	for (unsigned i = 0; i < CROWD; i++) /* deadlines in no order: 1 to 10,000 ms */
		wait_for(&crowd[i], 1 + (i * 7919) % CROWD, 0);
	run_until_asked(1);
	turn(CROWD / 2);
	struct waiter probe;
	wait_for(&probe, 1, 0); /* makes it look; its deadline is the nearest */
	run_until_all_done(CROWD / 2);
	for (unsigned i = 0; i < CROWD; i++) {
		bool over = 1 + (i * 7919) % CROWD <= CROWD / 2;
		assert_int_equal(crowd[i].count, over ? 1 : 0);
		if (over)
			assert_int_equal(crowd[i].wait.result, BC_ETIMEDOUT);
	}
	release();
	run_until_all_done(CROWD + 1);
	for (unsigned i = 0; i < CROWD; i++)
		bc_access_token_unref(crowd[i].wait.token);
	assert_int_equal(probe.wait.result, 0);
	bc_access_token_unref(probe.wait.token);
	assert_int_equal(endpoint.requests, 1);
}

static void who_waits_for_another_generation_is_not_given_the_one_he_has(void **state)
{
	struct waiter w;
	(void)state;
	endpoint.hold = true;
	create(true);
	run_until_asked(1);
	wait_for(&w, HOUR_MS, 1); /* as one would who met a 401 before the manager has settled */
	release();
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	assert_int_equal(w.wait.token->generation, 2);
	bc_access_token_unref(w.wait.token);
	assert_int_equal(endpoint.requests, 2);
}

static void the_timer_ends_a_wait_when_nobody_else_looks(void **state)
{
	struct waiter w = { .count = 0 };
	(void)state;
	endpoint.hold = true;
	tokens = NULL;
	struct bc_tokens_options real = { .clock = &bc_clock_system, .eager = true };
	assert_int_equal(bc_tokens_create(loop, &config, &real, &tokens, NULL), 0);
	w.wait = (struct bc_token_wait){ .loop = loop,
					 .deadline_ms = bc_elapsed_ms(&bc_clock_system) + 30,
					 .done = on_done };
	bc_tokens_wait(tokens, &w.wait);
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, BC_ETIMEDOUT);
	assert_true(bc_elapsed_ms(&bc_clock_system) >= w.wait.deadline_ms);
}

static void whoever_waits_when_it_ends_is_told(void **state)
{
	(void)state;
	endpoint.hold = true;
	create(true);
	for (unsigned i = 0; i < 100; i++)
		wait_for(&crowd[i], HOUR_MS, 0);
	run_until_asked(1);
	wait_for(&crowd[100], 1, 0); /* leaves a nudge in the loop's queue */
	bc_tokens_destroy(tokens);
	tokens = NULL;
	run_until_all_done(101);
	for (unsigned i = 0; i <= 100; i++)
		assert_int_equal(crowd[i].wait.result, BC_ESTATE);
}

static void once_stopped_nobody_waits_and_a_good_token_is_still_lent(void **state)
{
	(void)state;
	create(true);
	run_until_asked(1);
	wait_for(&crowd[0], HOUR_MS, 0);
	run_until_all_done(1);
	bc_tokens_stop(tokens);
	wait_for(&crowd[1], HOUR_MS, crowd[0].wait.token->generation);
	run_until_all_done(2);
	assert_int_equal(crowd[1].wait.result, BC_ESTATE);
	struct bc_access_token *token = bc_tokens_get(tokens);
	assert_non_null(token);
	bc_access_token_unref(token);
	bc_access_token_unref(crowd[0].wait.token);
}

/* --- configuration --------------------------------------------------------------------------- */

static void what_cannot_be_asked_with_is_refused_at_creation(void **state)
{
	struct bc_tokens_options options = { .clock = &clock_of_test.base };
	struct bc_oauth_config bad = config;
	struct bc_err err = { 0 };
	(void)state;
	bad.token_url = "ftp://127.0.0.1/";
	assert_int_equal(bc_tokens_create(loop, &bad, &options, &tokens, &err), BC_EINVAL);
	assert_non_null(strstr(err.text, "ftp://"));
	bad = config;
	bad.client_id = "";
	assert_int_equal(bc_tokens_create(loop, &bad, &options, &tokens, NULL), BC_EINVAL);
	bad = config;
	bad.secret = NULL;
	assert_int_equal(bc_tokens_create(loop, &bad, &options, &tokens, NULL), BC_EINVAL);
	assert_null(tokens);
}

static void the_same_configuration_again_changes_nothing(void **state)
{
	(void)state;
	create_with_token();
	config.secret = secret_of("canary-secret-one");
	reconfigure();
	bc_secret_unref(config.secret);
	settle();
	assert_int_equal(endpoint.requests, 1);
	assert_int_equal(lent_generation(), 1);
}

static void another_client_drops_the_token_and_another_secret_keeps_it(void **state)
{
	(void)state;
	create_with_token();
	endpoint.secrets[1] = "canary-secret-two";
	config.secret = secret_two;
	endpoint.hold = true;
	reconfigure();
	assert_int_equal(lent_generation(), 1);
	run_until_asked(2); /* a wrong one would show now */
	assert_int_equal(lent_generation(), 1);
	release();
	settle();
	assert_int_equal(lent_generation(), 2);
	config.client_id = "another";
	reconfigure();
	assert_int_equal(lent_generation(), 0);
	settle();
	assert_int_equal(lent_generation(), 3);
	assert_int_equal(endpoint.requests, 3);
}

static void who_waits_is_served_by_the_new_configuration(void **state)
{
	struct waiter w;
	(void)state;
	endpoint.hold = true;
	create(false);
	wait_for(&w, 15 * SECOND_MS, 0);
	run_until_asked(1);
	endpoint.hold = false;
	config.scope = "openid";
	reconfigure();
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	bc_access_token_unref(w.wait.token);
	assert_int_equal(endpoint.requests, 2);
}

static bool lives_without_memory(void *ctx)
{
	struct bc_tokens_options options = { .clock = &clock_of_test.base };
	struct bc_err err = { 0 };
	(void)ctx;
	tokens = NULL;
	config.client_id = "client";
	int result = bc_tokens_create(loop, &config, &options, &tokens, &err);
	if (!result) {
		config.client_id = "another";
		result = bc_tokens_reconfigure(tokens, &config, &err);
	}
	bc_tokens_destroy(tokens);
	tokens = NULL;
	assert_true(!result || result == BC_ENOMEM);
	return !result;
}

static void each_allocation_may_fail_at_creation_and_reload(void **state)
{
	(void)state;
	config.cache_file = "/tmp/never-written";
	each_allocation_failing(lives_without_memory, NULL);
}

struct short_of_memory {
	struct quiet quiet;
	unsigned long nth; /* allocation from the first turn on */
};

static bool is_quiet_though_short(void *ctx)
{
	struct short_of_memory *s = ctx;
	if (s->nth)
		fail_allocation(s->nth);
	s->nth = 0;
	return is_quiet(&s->quiet);
}

/* The server is on the same loop, so some of the failures are its own: an answer that breaks off.
 */
static void for_want_of_memory_a_flight_fails_and_the_next_does_it(void **state)
{
	bool failed = true;
	(void)state;
	for (unsigned long nth = 1; failed; nth++) {
		struct short_of_memory s = { .nth = nth };
		struct waiter w;
		create(false);
		wait_for(&w, HOUR_MS, 0);
		run_until(is_quiet_though_short, &s);
		failed = allocation_failed();
		fail_allocation(0);
		turn(MINUTE_MS);
		bc_access_token_unref(bc_tokens_get(tokens));
		run_until(is_done, &w);
		assert_true(w.wait.result == 0 || w.wait.result == BC_EUNREACH);
		bc_access_token_unref(w.wait.token);
		settle();
		bc_tokens_destroy(tokens);
		tokens = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(ten_thousand_callers_at_start_cost_one_request),
		test(without_a_caller_nothing_is_asked_unless_it_is_eager),
		test(the_request_is_a_form_with_the_scope_as_it_was_given),
		test(a_fresh_token_is_lent_without_a_request),
		test(a_stale_one_is_lent_to_all_while_one_request_gets_the_next),
		test(at_expiry_under_load_there_is_one_request_and_none_is_lent_that_ran_out),
		test(one_millisecond_before_the_margin_it_is_lent_and_then_no_more),
		test(a_waiter_whose_loop_slept_is_not_given_a_token_that_ran_out_meanwhile),
		test(a_token_that_ran_out_on_its_way_is_a_failure),
		test(a_missing_lifetime_is_assumed_and_said_once),
		test(a_snapshot_outlives_its_successor_and_the_manager),
		test(each_waiter_ends_at_its_own_deadline_and_the_flight_goes_on),
		test(who_waits_for_another_generation_is_not_given_the_one_he_has),
		test(the_timer_ends_a_wait_when_nobody_else_looks),
		test(whoever_waits_when_it_ends_is_told),
		test(once_stopped_nobody_waits_and_a_good_token_is_still_lent),
		test(what_cannot_be_asked_with_is_refused_at_creation),
		test(the_same_configuration_again_changes_nothing),
		test(another_client_drops_the_token_and_another_secret_keeps_it),
		test(who_waits_is_served_by_the_new_configuration),
		test(each_allocation_may_fail_at_creation_and_reload),
		test(for_want_of_memory_a_flight_fails_and_the_next_does_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
