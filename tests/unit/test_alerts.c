/* SPDX-License-Identifier: MIT */
/* Alerts: what leaves, how often, and that nothing waits for a receiver that does not answer. */
#include "alerts_fixture.h"

/* --- what leaves ----------------------------------------------------------------------------- */

static const struct bc_alert parked = {
	.event = "lane.state",
	.lane = "sovendus.default",
	.from = "suspect",
	.to = "parked",
	.reason = "the API key is wrong",
	.hint = "check SOVENDUS_API_KEY",
	.page = "lane-parked",
	.text = "lane sovendus.default is parked: the API key is wrong",
	.at_ms = 1795312471000,
};

static void an_alert_is_one_small_post_of_json(void **state)
{
	static const char *const members[][2] = {
		{ "event", "lane.state" },
		{ "at", "2026-11-22T01:54:31.000Z" },
		{ "lane", "sovendus.default" },
		{ "from", "suspect" },
		{ "to", "parked" },
		{ "reason", "the API key is wrong" },
		{ "hint", "check SOVENDUS_API_KEY" },
		{ "runbook", "docs/howto/lane-parked.md" },
		{ "text", "lane sovendus.default is parked: the API key is wrong" },
		{ "version", BC_VERSION },
	};
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	bc_alerts_raise(alerts, &parked);
	run_until_settled(1);
	assert_counts(1, 0, 0);
	assert_int_equal(strncmp(server.seen, "POST /hook-canary HTTP/1.1\r\n", 28), 0);
	assert_non_null(strstr(server.seen, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(server.seen, "\r\nUser-Agent: backchannel/"));
	json_t *body = sent_body();
	for (size_t i = 0; i < BC_COUNT(members); i++)
		assert_string_equal(json_string_value(json_object_get(body, members[i][0])),
				    members[i][1]);
	assert_int_equal(json_object_size(body), BC_COUNT(members));
	json_decref(body);
	assert_non_null(strstr(logged(), "alert.sent"));
	assert_null(strstr(logged(), "hook-canary"));
}

static void put_done(struct bc_store_op *op)
{
	assert_int_equal(op->result, 0);
	bc_loop_stop(loop);
}

static void put_order(struct bc_origin *origin, struct bc_arena *arena, unsigned number)
{
	char order[16], token[16];
	struct bc_store_op op = { .kind = BC_STORE_ACCEPT_ORDER, .done = put_done, .arena = arena };
	snprintf(order, sizeof(order), "order-%u", number);
	snprintf(token, sizeof(token), "token-%u", number);
	op.in.accept = (struct bc_accept){ .order = bc_str_of(order),
					   .partner = BC_STR("sovendus"),
					   .product = BC_STR("default"),
					   .token = bc_str_of(token),
					   .token_hash = { (uint8_t)number },
					   .now_ms = 1000,
					   .due_ms = 1000,
					   .deadline_ms = 100000 };
	bc_store_submit(store, &origin->base, &op);
	bc_loop_run(loop);
}

static void it_says_how_many_wait_on_its_lane(void **state)
{
	struct bc_arena *arena = bc_arena_create(1024, 65536);
	struct bc_origin origin;
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	bc_origin_init(&origin, loop);
	for (unsigned i = 1; i <= 3; i++)
		put_order(&origin, arena, i);
	bc_alerts_raise(alerts, &parked);
	run_until_settled(1);
	json_t *body = sent_body();
	assert_int_equal(json_integer_value(json_object_get(body, "pending")), 3);
	json_decref(body);
	bc_origin_finish(&origin);
	bc_arena_destroy(arena);
}

static void what_is_left_out_is_left_out_and_odd_bytes_harm_nothing(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	bc_alerts_raise(alerts, &(struct bc_alert){ .event = "return_rate.state",
						    .product = "shoes",
						    .reason = "a\xff\"b",
						    .text = "t" });
	run_until_settled(1);
	json_t *body = sent_body();
	assert_string_equal(json_string_value(json_object_get(body, "product")), "shoes");
	assert_string_equal(json_string_value(json_object_get(body, "reason")), "a?\"b");
	assert_null(json_object_get(body, "lane"));
	assert_null(json_object_get(body, "runbook"));
	assert_null(json_object_get(body, "pending"));
	assert_string_equal(json_string_value(json_object_get(body, "hint")), "nothing to do");
	json_decref(body);
}

static void without_a_url_nothing_is_kept_or_sent(void **state)
{
	uint64_t counts[BC_ALERT_RESULTS] = { 7, 7, 7 };
	(void)state;
	create();
	raise_text("nobody hears this");
	stop(GUARD_MS);
	assert_counts(0, 0, 0);
	bc_alerts_raise(NULL, &parked);
	bc_alerts_counts(NULL, counts);
	assert_int_equal(counts[BC_ALERT_SENT] + counts[BC_ALERT_DROPPED], 0);
	assert_string_equal(logged(), "");
}

static void one_leaves_at_a_time_in_their_order(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	raise_text("first");
	raise_text("second");
	raise_text("third");
	run_until_settled(3);
	assert_counts(3, 0, 0);
	assert_int_equal(atomic_load(&server.requests), 3);
	assert_int_equal(atomic_load(&server.accepted), 1);
	json_t *body = sent_body();
	assert_string_equal(json_string_value(json_object_get(body, "text")), "third");
	json_decref(body);
}

static void a_body_that_would_hold_a_secret_is_dropped(void **state)
{
	struct bc_secret *key = secret_of("product-key-\"canary\"");
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	raise_text("the key product-key-\"canary\" is wrong");
	raise_text("this one may leave");
	run_until_settled(2);
	assert_counts(1, 0, 1);
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_non_null(strstr(logged(), "alert.dropped reason=\"it would have held a secret\""));
	assert_null(strstr(logged(), "canary"));
	bc_secret_unref(key);
}

/* --- what does not arrive -------------------------------------------------------------------- */

static void what_was_refused_is_tried_again(void **state)
{
	(void)state;
	serve(server, config, { .answer = BUSY }, { .then = THEN_RESET }, { .answer = OK });
	create();
	raise_text("persistent");
	run_until_settled(1);
	assert_counts(1, 0, 0);
	assert_int_equal(atomic_load(&server.requests), 3);
	assert_non_null(strstr(logged(), "tries=3"));
}

static void after_three_tries_it_failed_and_the_next_one_has_its_turn(void **state)
{
	(void)state;
	serve(server, config, { .answer = BUSY }, { .answer = ELSEWHERE }, { .answer = BUSY },
	      { .answer = OK });
	create();
	raise_text("in vain");
	raise_text("in time");
	run_until_settled(2);
	assert_counts(1, 1, 0);
	assert_int_equal(atomic_load(&server.requests), 4);
	assert_non_null(strstr(logged(), "alert.failed alert=lane.state text=\"in vain\" tries=3 "
					 "status=503"));
	assert_null(strstr(logged(), "hook-canary"));
}

static void nobody_there_is_a_failure_like_any_other(void **state)
{
	int port, fd = listen_anywhere(&port);
	(void)state;
	close(fd);
	point_to(&config, port);
	create();
	raise_text("to nobody");
	run_until_settled(1);
	assert_counts(0, 1, 0);
	assert_non_null(strstr(logged(), "status=0 error="));
	assert_null(strstr(logged(), "hook-canary"));
}

static void when_too_many_wait_the_oldest_is_dropped(void **state)
{
	char text[16];
	(void)state;
	serve(server, config, { .then = THEN_HANG });
	create();
	raise_text("under way");
	run_until_asked(1);
	for (int i = 0; i < BC_ALERTS_WAITING + 2; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		raise_text(text);
	}
	assert_counts(0, 0, 3); /* one place is that of the one under way */
	assert_non_null(strstr(logged(), "reason=\"too many wait\""));
}

/* --- settings that change -------------------------------------------------------------------- */

static void another_url_is_used_from_the_next_one_on(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	serve(second, other, { .answer = OK });
	create();
	raise_text("to the first");
	run_until_settled(1);
	bc_alerts_reconfigure(alerts, &other);
	raise_text("to the second");
	run_until_settled(2);
	assert_counts(2, 0, 0);
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_int_equal(atomic_load(&second.requests), 1);
}

static void the_one_under_way_outlives_the_settings_it_began_with(void **state)
{
	(void)state;
	serve(server, config, { .then = THEN_HANG });
	serve(second, other, { .answer = OK });
	create();
	raise_text("under way");
	raise_text("waiting");
	run_until_asked(1);
	bc_alerts_reconfigure(alerts, &other);
	bc_secret_unref(config.alert_url);
	config.alert_url = NULL;
	server_stop(&server); /* it ends, and is tried again: at the other one */
	server.step_count = 0;
	run_until_settled(2);
	assert_counts(2, 0, 0);
	assert_int_equal(atomic_load(&second.requests), 2);
}

static void without_the_url_what_waits_is_dropped(void **state)
{
	(void)state;
	serve(server, config, { .then = THEN_HANG });
	create();
	raise_text("under way");
	raise_text("waiting");
	run_until_asked(1);
	bc_alerts_reconfigure(alerts, &other);
	assert_counts(0, 0, 1);
	server_stop(&server);
	server.step_count = 0;
	run_until_settled(2);
	assert_counts(0, 0, 2);
	assert_non_null(strstr(logged(), "reason=\"alert.url was taken out\""));
	bc_alerts_reconfigure(alerts, &config);
	serve(second, config, { .answer = OK });
	raise_text("back");
	run_until_settled(3);
	assert_counts(1, 0, 2);
}

/* --- the end --------------------------------------------------------------------------------- */

static void a_stop_sends_what_waits(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	raise_text("first");
	bc_alerts_raise(alerts, &parked);
	stop(GUARD_MS);
	assert_counts(2, 0, 0);
	raise_text("too late");
	assert_counts(2, 0, 0);
}

static void a_stop_tries_once_more_and_waits_for_no_back_off(void **state)
{
	(void)state;
	config.retry.base_ms = 3600 * 1000;
	serve(server, config, { .answer = BUSY });
	create();
	raise_text("first");
	raise_text("second");
	run_until_asked(1);
	stop(GUARD_MS);
	assert_counts(0, 2, 0);
	assert_in_range(atomic_load(&server.requests), 2, 3);
}

static void a_stop_cuts_a_receiver_that_does_not_answer(void **state)
{
	(void)state;
	serve(server, config, { .then = THEN_HANG });
	create();
	raise_text("under way");
	raise_text("waiting");
	run_until_asked(1);
	stop(30);
	assert_counts(0, 0, 2);
	assert_non_null(strstr(logged(), "reason=\"the daemon stops\""));
}

static void a_stop_with_nothing_to_do_is_over_at_once(void **state)
{
	(void)state;
	create();
	stop(GUARD_MS);
	assert_counts(0, 0, 0);
}

static void what_waits_at_the_end_is_freed(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	raise_text("never sent");
	bc_alerts_destroy(alerts);
	alerts = NULL;
	assert_int_equal(atomic_load(&server.requests), 0);
}

/* --- without memory -------------------------------------------------------------------------- */

static bool live_once(void *ctx)
{
	struct wait w = { is_stopped, NULL, GUARD_MS / LOOK_MS };
	(void)ctx;
	stopped = false;
	look = bc_timer_create(loop, look_again, &w);
	if (!look)
		return false;
	if (bc_alerts_create(loop, &shop, &alerts, NULL)) {
		assert_null(alerts);
		bc_timer_destroy(look);
		return false;
	}
	bc_alerts_raise(alerts, &parked);
	bc_alerts_stop(alerts, GUARD_MS, on_stopped, NULL);
	bc_timer_start(look, LOOK_MS);
	bc_loop_run(loop);
	bc_timer_destroy(look);
	assert_true(stopped);
	bool sent = counted(BC_ALERT_SENT) == 1;
	assert_int_equal(
		counted(BC_ALERT_SENT) + counted(BC_ALERT_FAILED) + counted(BC_ALERT_DROPPED), 1);
	bc_alerts_destroy(alerts);
	alerts = NULL;
	return sent;
}

static void a_short_life_survives_each_failing_allocation(void **state)
{
	(void)state;
	serve(server, config, { .answer = OK });
	each_allocation_failing(live_once, NULL);
}

/* What was raised arrives, whatever fails once as it is sent. */
static void a_send_survives_each_failing_allocation(void **state)
{
	unsigned long nth = 0;
	bool refused;
	(void)state;
	serve(server, config, { .answer = OK });
	create();
	do {
		uint64_t before = counted(BC_ALERT_SENT);
		raise_text("with little memory");
		uint64_t wanted = before + 1;
		struct wait w = { so_many_settled, &wanted, GUARD_MS / LOOK_MS };
		look = bc_timer_create(loop, look_again, &w);
		assert_non_null(look);
		bc_timer_start(look, LOOK_MS);
		fail_allocation(++nth);
		bc_loop_run(loop);
		bc_timer_destroy(look);
		refused = allocation_failed();
		fail_allocation(0);
		assert_int_equal(counted(BC_ALERT_SENT), before + 1);
	} while (refused);
	assert_true(nth > 1); /* some were refused */
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_alert_is_one_small_post_of_json),
		test(it_says_how_many_wait_on_its_lane),
		test(what_is_left_out_is_left_out_and_odd_bytes_harm_nothing),
		test(without_a_url_nothing_is_kept_or_sent),
		test(one_leaves_at_a_time_in_their_order),
		test(a_body_that_would_hold_a_secret_is_dropped),
		test(what_was_refused_is_tried_again),
		test(after_three_tries_it_failed_and_the_next_one_has_its_turn),
		test(nobody_there_is_a_failure_like_any_other),
		test(when_too_many_wait_the_oldest_is_dropped),
		test(another_url_is_used_from_the_next_one_on),
		test(the_one_under_way_outlives_the_settings_it_began_with),
		test(without_the_url_what_waits_is_dropped),
		test(a_stop_sends_what_waits),
		test(a_stop_tries_once_more_and_waits_for_no_back_off),
		test(a_stop_cuts_a_receiver_that_does_not_answer),
		test(a_stop_with_nothing_to_do_is_over_at_once),
		test(what_waits_at_the_end_is_freed),
		test(a_short_life_survives_each_failing_allocation),
		test(a_send_survives_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("alerts", tests, NULL, NULL);
}
