/* SPDX-License-Identifier: MIT */
/* The token manager when the endpoint is down, refuses, or asks to be left alone: how often it is
 * asked, what callers get meanwhile, and that it comes back by itself. */
#include "tokens_fixture.h"

#include "core/alerts.h"

enum { STEP_MS = 250, LIFE_MS = LIFE_S * SECOND_MS - MARGIN_MS };
enum { PROBE_MS = 15 * MINUTE_MS };

/* --- time goes by under load ----------------------------------------------------------------- */

/* In each turn of the loop one caller, and a quarter of a second later the next: but not while a
 * request is under way, which takes no time on this clock. */
static struct {
	unsigned lent, failed;
	uint64_t last_generation;
} load;

static void call_once(void)
{
	if (look().in_flight)
		return;
	turn(STEP_MS);
	load.last_generation = lent_generation();
	load.lent += load.last_generation > 0;
	load.failed += load.last_generation == 0;
}

static bool time_reached(void *ctx)
{
	return now_ms() >= *(uint64_t *)ctx && !look().in_flight;
}

static void pass(uint64_t ms)
{
	uint64_t until = now_ms() + ms;
	load.lent = load.failed = 0;
	run_doing(call_once, time_reached, &until);
}

/* Those that met a reset, too. */
static uint64_t all_requests(void)
{
	struct bc_tokens_view view = look();
	uint64_t sum = 0;
	for (size_t i = 0; i < BC_OAUTH_RESULTS; i++)
		sum += view.requests[i];
	return sum;
}

static void stale_in_hand(void)
{
	create_with_token();
	turn((uint64_t)LIFE_MS / 10 * 8);
}

/* --- down ------------------------------------------------------------------------------------ */

static void down_for_an_hour_calls_go_on_to_the_expiry_then_fail_at_once_and_come_back(void **state)
{
	struct bc_err err;
	(void)state;
	create_with_token();
	turn(LIFE_MS - HOUR_MS / 2);
	endpoint_is_down = true;
	uint64_t before = all_requests();
	pass(HOUR_MS / 2 - MINUTE_MS);
	assert_int_equal(load.failed, 0);
	assert_true(load.lent > 6000);
	assert_int_equal(look().state, BC_TOKEN_STALE);
	assert_int_equal(times_logged("token.gone"), 0);
	pass(HOUR_MS / 2 + MINUTE_MS);
	assert_true(load.lent <= MINUTE_MS / STEP_MS);
	assert_true(load.failed > 6000);
	uint64_t asked = all_requests() - before;
	print_message("an hour down: %u token requests\n", (unsigned)asked);
	assert_in_range(asked, HOUR_MS / 15000, 600);
	/* At once: there is no try before the deadline. */
	uint64_t asked_at = now_ms();
	if (look().next_try_ms < 2)
		pass(STEP_MS);
	assert_int_equal(wait_and_see(1, &err), BC_EUNREACH);
	assert_true(now_ms() - asked_at <= STEP_MS);
	assert_true(err.text[0] && err.hint[0]);
	assert_int_equal(times_logged("token.failed"), 1);
	assert_int_equal(times_logged("token.gone"), 1);
	endpoint_is_down = false;
	pass(15 * SECOND_MS);
	assert_int_equal(load.last_generation, 2);
	assert_int_equal(look().failures, 0);
	assert_int_equal(times_logged("token.recovered"), 1);
}

static void one_who_can_wait_for_the_next_try_waits_for_it(void **state)
{
	struct waiter patient, hasty;
	(void)state;
	endpoint_is_down = true;
	create(true);
	settle();
	assert_int_equal(look().failures, 1);
	wait_for(&patient, 15 * SECOND_MS, 0);
	wait_for(&hasty, 1, 0);
	run_until(is_done, &hasty);
	assert_int_equal(hasty.wait.result, BC_EUNREACH);
	assert_int_equal(patient.count, 0);
	endpoint_is_down = false;
	pass(15 * SECOND_MS);
	run_until(is_done, &patient);
	assert_int_equal(patient.wait.result, 0);
	bc_access_token_unref(patient.wait.token);
}

static void a_failed_flight_ends_only_the_waits_that_cannot_reach_the_next_try(void **state)
{
	struct waiter patient, hasty;
	(void)state;
	endpoint.hold = true;
	create(true);
	wait_for(&hasty, 200, 0); /* the first back-off is half a second at least */
	wait_for(&patient, 15 * SECOND_MS, 0);
	run_until_asked(1);
	endpoint.status = 500;
	endpoint.body = "<html>oops</html>";
	release();
	run_until(is_done, &hasty);
	assert_int_equal(hasty.wait.result, BC_EUNREACH);
	assert_int_equal(patient.count, 0);
	endpoint.status = 0;
	pass(15 * SECOND_MS);
	run_until(is_done, &patient);
	assert_int_equal(patient.wait.result, 0);
	bc_access_token_unref(patient.wait.token);
}

/* --- throttled ------------------------------------------------------------------------------- */

static void a_sleep_it_asks_for_is_never_cut_short(void **state)
{
	(void)state;
	stale_in_hand();
	endpoint.status = 429;
	endpoint.head = "Retry-After: 120\r\n";
	uint64_t from = now_ms();
	pass(MINUTE_MS);
	assert_int_equal(endpoint.requests, 2);
	endpoint.status = 0;
	assert_false(bc_tokens_probe(tokens)); /* nor by somebody who is curious */
	uint64_t told_at = endpoint.asked_ms;
	pass(MINUTE_MS + 10 * SECOND_MS);
	assert_int_equal(endpoint.requests, 3);
	assert_true(endpoint.asked_ms >= told_at + 120 * SECOND_MS);
	assert_true(endpoint.asked_ms <= told_at + 120 * SECOND_MS + STEP_MS);
	assert_true(told_at - from <= STEP_MS);
	assert_int_equal(load.failed, 0);
	assert_int_equal(times_logged("token.throttled"), 1);
}

static void without_a_time_it_sleeps_5_s_and_doubles_to_a_minute(void **state)
{
	static const unsigned waits_s[] = { 5, 10, 20, 40, 60, 60 };
	(void)state;
	endpoint.status = 429;
	create(true);
	settle();
	for (size_t i = 0; i < BC_COUNT(waits_s); i++) {
		unsigned before = endpoint.requests;
		assert_int_equal(look().next_try_ms, waits_s[i] * SECOND_MS);
		turn(waits_s[i] * SECOND_MS - 1);
		assert_null(bc_tokens_get(tokens));
		settle();
		assert_int_equal(endpoint.requests, before);
		turn(1);
		assert_null(bc_tokens_get(tokens));
		settle();
		assert_int_equal(endpoint.requests, before + 1);
	}
	assert_int_equal(look().requests[BC_OAUTH_THROTTLED], 7);
}

static void a_sleep_of_days_is_cut_to_an_hour(void **state)
{
	(void)state;
	endpoint.status = 429;
	endpoint.head = "Retry-After: 864000\r\n";
	create(true);
	settle();
	assert_int_equal(look().next_try_ms, HOUR_MS);
}

/* --- refused --------------------------------------------------------------------------------- */

static void a_refused_credential_is_asked_for_every_15_minutes_and_told_once(void **state)
{
	struct bc_err err;
	(void)state;
	endpoint.secrets[0] = NULL;
	create(true);
	settle();
	assert_int_equal(endpoint.requests, 1);
	assert_int_equal(look().state, BC_TOKEN_REFUSED);
	assert_true(look().parked);
	pass(HOUR_MS - MINUTE_MS);
	assert_int_equal(endpoint.requests, 4);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(wait_and_see(HOUR_MS, &err), BC_EAUTH);
	assert_int_equal(endpoint.requests, 4);
	assert_non_null(strstr(err.text, "invalid_client"));
	assert_true(err.hint[0]);
	assert_int_equal(times_logged("token.refused"), 1);
	endpoint.secrets[0] = "canary-secret-one";
	pass(2 * MINUTE_MS);
	assert_int_equal(look().state, BC_TOKEN_FRESH);
	assert_false(look().parked);
	assert_int_equal(times_logged("token.recovered"), 1);
}

static void an_endpoint_that_repeats_the_secret_is_not_quoted(void **state)
{
	struct bc_err err;
	(void)state;
	endpoint.status = 400;
	endpoint.body = "{\"error\":\"invalid_client\","
			"\"error_description\":\"bad secret canary-secret-one\"}";
	create(true);
	settle();
	assert_int_equal(wait_and_see(HOUR_MS, &err), BC_EAUTH);
	assert_null(strstr(err.text, "canary"));
	assert_null(strstr(err.text, "("));
}

static void a_refused_credential_leaves_a_good_token_in_use(void **state)
{
	(void)state;
	stale_in_hand();
	endpoint.secrets[0] = NULL;
	pass(HOUR_MS);
	assert_int_equal(load.failed, 0);
	struct bc_tokens_view view = look();
	assert_int_equal(view.state, BC_TOKEN_STALE);
	assert_true(view.parked);
	assert_int_equal(view.last.code, BC_EAUTH);
	assert_int_equal(endpoint.requests, 1 + 4);
	assert_int_equal(times_logged("token.gone"), 0);
	turn(LIFE_MS);
	assert_int_equal(lent_generation(), 0);
	settle();
	assert_int_equal(look().state, BC_TOKEN_REFUSED);
	assert_int_equal(times_logged("token.gone"), 1);
}

static void both_secrets_are_tried_once_and_then_it_parks(void **state)
{
	(void)state;
	endpoint.secrets[0] = NULL;
	config.secret_next = secret_two;
	create(true);
	settle();
	assert_int_equal(endpoint.requests, 2);
	assert_int_equal(look().failures, 1);
	assert_int_equal(times_logged("token.refused"), 2); /* one line a secret */
	pass(PROBE_MS - SECOND_MS);
	assert_int_equal(endpoint.requests, 2);
	pass(2 * SECOND_MS);
	assert_int_equal(endpoint.requests, 4);
	assert_int_equal(times_logged("token.refused"), 2);
	config.secret = secret_three;
	endpoint.secrets[0] = "canary-secret-three";
	reconfigure();
	settle();
	assert_int_equal(endpoint.requests, 5);
	assert_int_equal(look().state, BC_TOKEN_FRESH);
}

static void the_same_secret_twice_is_tried_once(void **state)
{
	(void)state;
	endpoint.secrets[0] = NULL;
	config.secret_next = secret_of("canary-secret-one");
	create(true);
	settle();
	assert_int_equal(endpoint.requests, 1);
	bc_secret_unref(config.secret_next);
}

static void whoever_asks_to_know_has_a_parked_credential_tried_at_once(void **state)
{
	(void)state;
	endpoint.secrets[0] = NULL;
	create(true);
	settle();
	turn(MINUTE_MS);
	assert_true(bc_tokens_probe(tokens));
	settle();
	assert_int_equal(endpoint.requests, 2);
	assert_false(bc_tokens_probe(tokens)); /* within 10 s */
	turn(BC_TOKENS_FORCED_GAP_MS);
	endpoint.secrets[0] = "canary-secret-one";
	assert_true(bc_tokens_probe(tokens));
	settle();
	assert_int_equal(look().state, BC_TOKEN_FRESH);
	assert_int_equal(endpoint.requests, 3);
}

static void a_reload_with_the_same_settings_tries_a_parked_credential(void **state)
{
	(void)state;
	endpoint.secrets[0] = NULL;
	create(true);
	settle();
	endpoint.secrets[0] = "canary-secret-one"; /* mended at the other end */
	for (unsigned i = 0; i < 3; i++)
		reconfigure();
	settle();
	assert_int_equal(look().state, BC_TOKEN_FRESH);
	reconfigure();
	settle();
	assert_int_equal(endpoint.requests, 2);
}

static void a_refused_request_is_asked_again_after_1_to_15_minutes(void **state)
{
	static const unsigned waits_min[] = { 1, 2, 4, 8, 15, 15 };
	(void)state;
	endpoint.status = 400;
	endpoint.body = "{\"error\":\"invalid_scope\"}";
	create(true);
	settle();
	for (size_t i = 0; i < BC_COUNT(waits_min); i++) {
		assert_int_equal(look().state, BC_TOKEN_REFUSED);
		assert_int_equal(look().next_try_ms, waits_min[i] * MINUTE_MS);
		assert_int_equal(wait_and_see(HOUR_MS, NULL), BC_EAUTH);
		turn(waits_min[i] * MINUTE_MS);
		assert_null(bc_tokens_get(tokens));
		settle();
	}
	assert_int_equal(look().requests[BC_OAUTH_REQUEST_REFUSED], 7);
	assert_int_equal(times_logged("token.refused"), 1);
}

static void a_parked_credential_stays_so_while_the_endpoint_is_down(void **state)
{
	struct bc_err err;
	(void)state;
	endpoint.secrets[0] = NULL;
	create(true);
	settle();
	endpoint_is_down = true;
	pass(HOUR_MS + SECOND_MS);
	assert_int_equal(all_requests(), 5);
	assert_int_equal(wait_and_see(HOUR_MS, &err), BC_EAUTH);
	assert_non_null(strstr(err.text, "invalid_client"));
}

/* --- rotation -------------------------------------------------------------------------------- */

static void the_old_secret_goes_while_traffic_flows_and_nobody_notices(void **state)
{
	(void)state;
	config.secret_next = secret_two;
	create_with_token();
	pass(MINUTE_MS);
	assert_int_equal(load.failed, 0);
	endpoint.secrets[0] = NULL; /* deleted at the server */
	endpoint.secrets[1] = "canary-secret-two";
	for (unsigned i = 0; i < 3; i++) {
		turn((uint64_t)LIFE_MS / 10 * 8);
		pass(MINUTE_MS);
		assert_int_equal(load.failed, 0);
	}
	assert_int_equal(load.last_generation, 4);
	assert_true(look().on_next_secret);
	/* 1, then the refused and the accepted one, then the second secret alone. */
	assert_int_equal(endpoint.requests, 1 + 2 + 1 + 1);
	assert_int_equal(times_logged("token.refused"), 1);
	config.secret = secret_two; /* the operator follows */
	config.secret_next = NULL;
	reconfigure();
	pass(MINUTE_MS);
	assert_int_equal(load.failed, 0);
	assert_false(look().on_next_secret);
	assert_int_equal(endpoint.requests, 5);
	assert_int_equal(look().requests[BC_OAUTH_CLIENT_REFUSED], 1);
}

/* --- a 401 from the API ---------------------------------------------------------------------- */

static void one_401_gets_another_token_and_the_old_one_is_lent_meanwhile(void **state)
{
	struct waiter w;
	(void)state;
	create_with_token();
	turn(HOUR_MS);
	endpoint.hold = true;
	assert_true(bc_tokens_refused(tokens, 1));
	wait_for(&w, 15 * SECOND_MS, 1);
	run_until_asked(2);
	assert_int_equal(lent_generation(), 1);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(bc_tokens_refused(tokens, 1)); /* it is under way */
	release();
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	assert_int_equal(w.wait.token->generation, 2);
	bc_access_token_unref(w.wait.token);
	assert_true(bc_tokens_refused(tokens, 1)); /* older: another is there already */
	settle();
	assert_int_equal(endpoint.requests, 2);
}

static void a_young_token_is_not_asked_for_again(void **state)
{
	(void)state;
	create_with_token();
	turn(BC_TOKENS_YOUNG_MS - 1);
	assert_false(bc_tokens_refused(tokens, 1));
	turn(1);
	assert_true(bc_tokens_refused(tokens, 1));
	settle();
	assert_int_equal(endpoint.requests, 2);
}

static void storm_once(void)
{
	if (look().in_flight)
		return;
	turn(STEP_MS);
	struct bc_access_token *token = bc_tokens_get(tokens);
	assert_non_null(token);
	for (unsigned i = 0; i < 10; i++)
		(void)bc_tokens_refused(tokens, token->generation);
	bc_access_token_unref(token);
}

static void a_storm_of_401s_makes_one_request_in_10_s_at_most(void **state)
{
	(void)state;
	create_with_token();
	uint64_t until = now_ms() + HOUR_MS / 6;
	run_doing(storm_once, time_reached, &until);
	print_message("24,000 401s in ten minutes: %u token requests\n", endpoint.requests - 1);
	assert_in_range(endpoint.requests - 1, 50, 60);
}

static void a_wait_for_another_that_was_not_granted_ends_at_once(void **state)
{
	struct waiter w;
	(void)state;
	create_with_token();
	assert_false(bc_tokens_refused(tokens, 1));
	wait_for(&w, HOUR_MS, 1);
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, BC_EAUTH);
	assert_int_equal(endpoint.requests, 1);
}

/* --- alerts ---------------------------------------------------------------------------------- */

static bool so_many_hooks(void *ctx)
{
	return endpoint.hooks >= *(unsigned *)ctx;
}

static void expect_hook(unsigned count, const char *part)
{
	run_until(so_many_hooks, &count);
	assert_int_equal(endpoint.hooks, count);
	assert_non_null(strstr(endpoint.last_hook, "\"event\":\"token.state\""));
	if (!strstr(endpoint.last_hook, part))
		fail_msg("%s is not in %s", part, endpoint.last_hook);
}

static void alerts_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static bool flag_is_set(void *ctx)
{
	return *(bool *)ctx;
}

static void every_turn_of_the_credential(struct bc_alerts *alerts)
{
	struct bc_tokens_options options = { .clock = &clock_of_test.base,
					     .changed = bc_alerts_token_changed,
					     .ctx = alerts,
					     .eager = true };
	assert_int_equal(bc_tokens_create(loop, &config, &options, &tokens, NULL), 0);
	run_until(has_token, NULL);
	endpoint_is_down = true;
	turn(LIFE_MS);
	pass(MINUTE_MS);
	endpoint_is_down = false; /* the hook answers again */
	expect_hook(1, "\"from\":\"fresh\",\"to\":\"none\"");
	pass(15 * SECOND_MS);
	expect_hook(2, "\"from\":\"none\",\"to\":\"fresh\"");
	endpoint.secrets[0] = NULL;
	turn((uint64_t)LIFE_MS / 10 * 8);
	pass(HOUR_MS);
	expect_hook(3, "\"from\":\"fresh\",\"to\":\"refused\"");
	assert_non_null(strstr(endpoint.last_hook, "\"hint\":"));
	pass(HOUR_MS);
	assert_int_equal(endpoint.hooks, 3);
	endpoint.secrets[0] = "canary-secret-one";
	pass(PROBE_MS);
	expect_hook(4, "\"from\":\"refused\",\"to\":\"fresh\"");
}

static void each_turn_of_the_credential_is_one_alert(void **state)
{
	const struct bc_store_options options = { .url = "memory:", .clock = &bc_clock_system };
	struct bc_shop_config rules = { .references = 1, .retry = { 5, 1000, 1000 } };
	struct bc_secret *key = secret_of("0123456789abcdef");
	struct bc_store *store;
	struct bc_alerts *alerts;
	bool stopped = false;
	char url[160];
	(void)state;
	snprintf(url, sizeof(url), "http://%s/hook", bc_http_server_address(endpoint.server));
	rules.alert_url = secret_of(url);
	assert_int_equal(bc_store_open(&options, &store, NULL), 0);
	struct bc_shop shop = {
		.config = &rules, .clock = &bc_clock_system, .store = store, .hash_key = key
	};
	assert_int_equal(bc_alerts_create(loop, &shop, &alerts, NULL), 0);
	every_turn_of_the_credential(alerts);
	bc_tokens_destroy(tokens);
	tokens = NULL;
	bc_alerts_stop(alerts, SECOND_MS, alerts_stopped, &stopped);
	run_until(flag_is_set, &stopped);
	bc_alerts_destroy(alerts);
	bc_store_close(store);
	bc_secret_unref(rules.alert_url);
	bc_secret_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(down_for_an_hour_calls_go_on_to_the_expiry_then_fail_at_once_and_come_back),
		test(one_who_can_wait_for_the_next_try_waits_for_it),
		test(a_failed_flight_ends_only_the_waits_that_cannot_reach_the_next_try),
		test(a_sleep_it_asks_for_is_never_cut_short),
		test(without_a_time_it_sleeps_5_s_and_doubles_to_a_minute),
		test(a_sleep_of_days_is_cut_to_an_hour),
		test(a_refused_credential_is_asked_for_every_15_minutes_and_told_once),
		test(an_endpoint_that_repeats_the_secret_is_not_quoted),
		test(a_refused_credential_leaves_a_good_token_in_use),
		test(both_secrets_are_tried_once_and_then_it_parks),
		test(the_same_secret_twice_is_tried_once),
		test(whoever_asks_to_know_has_a_parked_credential_tried_at_once),
		test(a_reload_with_the_same_settings_tries_a_parked_credential),
		test(a_refused_request_is_asked_again_after_1_to_15_minutes),
		test(a_parked_credential_stays_so_while_the_endpoint_is_down),
		test(the_old_secret_goes_while_traffic_flows_and_nobody_notices),
		test(one_401_gets_another_token_and_the_old_one_is_lent_meanwhile),
		test(a_young_token_is_not_asked_for_again),
		test(a_storm_of_401s_makes_one_request_in_10_s_at_most),
		test(a_wait_for_another_that_was_not_granted_ends_at_once),
		test(each_turn_of_the_credential_is_one_alert),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
