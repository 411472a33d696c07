/* SPDX-License-Identifier: MIT */
/* Lanes that break, that the operator holds, whose settings change: who moves a lane in and out of
 * each state, what is kept over a restart, and that none of it costs a conversion. */
#include "shop_requests.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static void start(void)
{
	start_delivery();
	start_api();
}

static void restart(void)
{
	stop_delivery(1000);
	start_delivery();
}

static void report_many(const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		char order[16], token[24];
		snprintf(order, sizeof(order), "%s%d", prefix, i);
		snprintf(token, sizeof(token), "token-%s%d", prefix, i);
		report(order, token);
	}
}

static void await_many(const char *prefix, int count, const char *state)
{
	for (int i = 0; i < count; i++) {
		char order[16];
		snprintf(order, sizeof(order), "%s%d", prefix, i);
		await_state(order, state);
	}
}

/* So many requests reached the partner. */
static int requests_seen(void)
{
	json_t *j = ask_sandbox("GET", "/_sandbox/health", NULL);
	int n = (int)json_integer_value(json_object_get(j, "requests"));
	json_decref(j);
	return n;
}

/* --- the operator --- */

struct order_given {
	struct bc_lane_command command;
	bool done;
};

static void command_done(struct bc_lane_command *command)
{
	BC_CONTAINER(command, struct order_given, command)->done = true;
}

static struct order_given give(enum bc_lane_action action, const char *lane)
{
	struct order_given g = {
		.command = { .action = action, .loop = rig.loop, .done = command_done }
	};
	snprintf(g.command.lane, sizeof(g.command.lane), "%s", lane);
	bc_delivery_command(rig.delivery, &g.command);
	run_until(is_set, &g.done);
	return g;
}

static void a_paused_lane_keeps_accepting_and_sends_when_resumed(void **state)
{
	(void)state;
	start();
	struct order_given g = give(BC_LANE_PAUSE, "sovendus.default");
	assert_int_equal(g.command.result, 0);
	assert_int_equal(g.command.status.state, BC_LANE_PAUSED);
	assert_true(g.command.status.reason[0] != '\0');
	report_many("o", 5);
	run_for(60);
	assert_int_equal(requests_seen(), 0);
	g = give(BC_LANE_RESUME, "sovendus.default");
	assert_int_equal(g.command.result, 0);
	assert_int_equal(g.command.status.state, BC_LANE_OPEN);
	await_many("o", 5, "delivered");
}

static void a_paused_lane_is_paused_after_a_restart(void **state)
{
	(void)state;
	start();
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, 0);
	report("o1", "token-1");
	restart();
	await_lane(0, BC_LANE_PAUSED);
	run_for(60);
	assert_int_equal(requests_seen(), 0);
	assert_int_equal(give(BC_LANE_RESUME, "sovendus.default").command.result, 0);
	restart();
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void paused_time_does_not_count_towards_a_deadline(void **state)
{
	(void)state;
	start_upkeep();
	start();
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, 0);
	report("o1", "token-1");
	atomic_store(&wall_offset_ms, 4 * (int64_t)rig.config.retry.deadline_ms);
	unsigned before = atomic_load(&faulty.seen[BC_STORE_PURGE]);
	while (atomic_load(&faulty.seen[BC_STORE_PURGE]) == before)
		run_for(10);
	await_state("o1", "pending");
	assert_int_equal(give(BC_LANE_RESUME, "sovendus.default").command.result, 0);
	await_state("o1", "delivered");
}

static void what_is_under_way_at_a_pause_is_settled(void **state)
{
	(void)state;
	start();
	set_faults("delay=150ms times=1");
	report("o1", "token-1");
	while (requests_seen() == 0)
		run_for(2);
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, 0);
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_PAUSED);
}

static void a_pause_during_the_test_puts_the_held_conversion_back(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=bad*, delay=150ms token=*-test-*");
	report("o1", "bad-1");
	await_lane(0, BC_LANE_SUSPECT);
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, 0);
	await_state("o1", "pending");
	assert_int_equal(lane_status(0).state, BC_LANE_PAUSED);
	set_faults("");
	assert_int_equal(give(BC_LANE_RESUME, "sovendus.default").command.result, 0);
	await_state("o1", "delivered");
}

static void a_command_that_does_not_fit_says_what_to_do(void **state)
{
	(void)state;
	start();
	report("o1", "token-1");
	await_state("o1", "delivered");
	struct order_given g = give(BC_LANE_RESUME, "sovendus.default");
	assert_int_equal(g.command.result, BC_ESTATE);
	assert_non_null(strstr(g.command.err.text, "is open, not paused"));
	assert_true(g.command.err.hint[0] != '\0');
	g = give(BC_LANE_PAUSE, "sovendus.nobody");
	assert_int_equal(g.command.result, BC_ENOENT);
	assert_true(g.command.err.hint[0] != '\0');
}

static void a_pause_that_the_store_refuses_is_in_force_and_says_so(void **state)
{
	(void)state;
	start();
	report("o1", "token-1");
	await_state("o1", "delivered");
	refuse(BC_STORE_PUT_LANE, 1);
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, BC_ESTORE);
	assert_int_equal(lane_status(0).state, BC_LANE_PAUSED);
	/* Again: it is written now. */
	assert_int_equal(give(BC_LANE_PAUSE, "sovendus.default").command.result, 0);
	restart();
	await_lane(0, BC_LANE_PAUSED);
}

static void a_probe_tells_what_the_partner_said(void **state)
{
	(void)state;
	start();
	struct order_given g = give(BC_LANE_PROBE, "sovendus.default");
	assert_int_equal(g.command.result, 0);
	assert_int_equal(g.command.outcome, BC_OUTCOME_DELIVERED);
	assert_int_equal(g.command.http_status, 200);
	set_faults("status=500");
	g = give(BC_LANE_PROBE, "sovendus.default");
	assert_int_equal(g.command.outcome, BC_OUTCOME_RETRY);
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	set_faults("status=403");
	g = give(BC_LANE_PROBE, "sovendus.default");
	assert_int_equal(g.command.outcome, BC_OUTCOME_SUSPECT);
	assert_true(g.command.meaning[0] && g.command.hint[0]);
	assert_int_equal(g.command.status.state, BC_LANE_PARKED);
}

static void a_probe_drains_a_parked_lane_at_once(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start();
	set_faults("status=403");
	report_many("o", 5);
	await_lane(0, BC_LANE_PARKED);
	set_faults("");
	assert_int_equal(give(BC_LANE_PROBE, "sovendus.default").command.outcome,
			 BC_OUTCOME_DELIVERED);
	await_many("o", 5, "delivered");
	assert_int_equal(lane_status(0).entered[BC_LANE_PARKED], 1);
}

/* --- a wrong key --- */

static void a_wrong_key_costs_two_requests_however_many_wait(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start_api();
	report_many("o", 30);
	start_delivery();
	set_faults("status=403");
	await_lane(0, BC_LANE_PARKED);
	run_for(50);
	assert_int_equal(requests_seen(), 2);
	await_many("o", 30, "pending");
	set_faults("");
	restart();
	await_many("o", 30, "delivered");
}

static void after_a_park_another_conversion_is_tried_than_the_one_that_tripped_it(void **state)
{
	(void)state;
	start();
	/* The test token is refused once, so that the forged one parks the lane. */
	set_faults("status=403 token=bad*, status=403 token=*-test-* times=1");
	report("forged", "bad-1");
	await_lane(0, BC_LANE_PARKED);
	report("good", "token-good");
	await_state("good", "delivered");
	await_state("forged", "rejected");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	assert_int_equal(lane_status(0).entered[BC_LANE_PARKED], 1);
}

static void a_lane_whose_test_token_alone_passes_stays_parked_and_rejects_nothing(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=token*, status=403 token=*-test-* times=1");
	report_many("o", 6);
	await_lane(0, BC_LANE_PARKED);
	while (partner_count("12345-test-123-12345", "posts") < 5)
		run_for(10);
	await_many("o", 6, "pending");
	assert_int_equal(lane_status(0).state, BC_LANE_PARKED);
	set_faults("");
	await_many("o", 6, "delivered");
}

static void a_wrong_key_over_a_weekend_costs_no_conversion(void **state)
{
	(void)state;
	rig.config.retry.deadline_ms = 3 * (uint64_t)DAY_MS;
	start_upkeep();
	start();
	set_faults("status=403");
	report_many("a", 3);
	await_lane(0, BC_LANE_PARKED);
	for (int day = 1; day <= 4; day++) {
		atomic_store(&wall_offset_ms, (int64_t)day * DAY_MS);
		report_many((const char *[]){ "b", "c", "d", "e" }[day - 1], 3);
		if (day == 2)
			restart();
		run_for(80);
	}
	unsigned before = atomic_load(&faulty.seen[BC_STORE_PURGE]);
	stop_upkeep();
	start_upkeep(); /* which purges at once */
	while (atomic_load(&faulty.seen[BC_STORE_PURGE]) == before)
		run_for(10);
	set_faults("");
	for (int i = 0; i < 5; i++)
		await_many((const char *[]){ "a", "b", "c", "d", "e" }[i], 3, "delivered");
}

/* --- a partner that is down --- */

static void half_of_the_last_failing_breaks_the_lane_and_an_answer_opens_it(void **state)
{
	(void)state;
	rig.config.retry = (struct bc_retry_policy){ 20, 40, 60000 };
	start();
	set_faults("status=500");
	report_many("o", 40);
	await_lane(0, BC_LANE_BROKEN);
	assert_true(lane_status(0).reason[0] != '\0');
	int seen = requests_seen();
	assert_true(seen < 40);
	run_for(100);
	assert_true(requests_seen() - seen < 10); /* one now and then */
	assert_true(lane_status(0).in_flight <= 1);
	set_faults("");
	await_many("o", 40, "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	assert_int_equal(lane_status(0).entered[BC_LANE_BROKEN], 1);
}

static void one_conversion_that_always_fails_breaks_no_lane(void **state)
{
	(void)state;
	start();
	set_faults("status=500 token=stuck*");
	report("stuck", "stuck-1");
	while (partner_count("stuck-1", "posts") < 25)
		run_for(10);
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	report("good", "token-good");
	await_state("good", "delivered");
}

static void a_broken_lane_is_broken_after_a_restart_and_looks_at_once(void **state)
{
	(void)state;
	rig.config.retry = (struct bc_retry_policy){ 1000, 60000, 600000 };
	rig.config.probe_ms = 60000;
	start();
	set_faults("status=500");
	report_many("o", 30);
	await_lane(0, BC_LANE_BROKEN);
	restart();
	await_lane(0, BC_LANE_BROKEN);
	set_faults("");
	restart();
	await_lane(0, BC_LANE_OPEN);
	await_state("o29", "delivered");
}

static void too_many_requests_is_no_failure(void **state)
{
	(void)state;
	start();
	set_faults("status=429");
	report_many("o", 30);
	while (requests_seen() < 60)
		run_for(10);
	assert_int_equal(lane_status(0).entered[BC_LANE_BROKEN], 0);
	set_faults("");
	await_many("o", 30, "delivered");
}

static void a_throttled_lane_is_throttled_after_a_restart(void **state)
{
	(void)state;
	start();
	set_faults("status=429 retry-after=2 times=1");
	report("o1", "token-1");
	await_lane(0, BC_LANE_THROTTLED);
	uint64_t until = lane_status(0).next_probe_ms;
	run_for(20);
	restart();
	await_lane(0, BC_LANE_THROTTLED);
	assert_true(lane_status(0).next_probe_ms <= until + 20);
	report("o2", "token-2");
	await_state("o2", "delivered");
	assert_true(bc_wall_ms(&rig_clock) + 50 >= until);
}

/* --- other settings --- */

static struct bc_product other_products[3];
static struct bc_shop_config other;
static struct bc_secret *other_key;

static void reconfigure(void)
{
	assert_int_equal(bc_delivery_reconfigure(rig.delivery, &other, NULL), 0);
}

/* The config in force with another key for its first product. */
static void prepare_other(const char *key)
{
	memcpy(other_products, rig.products, sizeof(rig.products));
	other_key = bc_secret_create(key, strlen(key));
	memcpy(&other, &rig.config, sizeof(other));
	atomic_init(&other.references, 1);
	other.products = other_products;
	other_products[0].key = other_key;
}

static void drop_other(void)
{
	stop_delivery(1000);
	bc_secret_unref(other_key);
}

static void only_key(const char *key)
{
	char body[200];
	snprintf(body, sizeof(body), "{\"products\":[{\"id\":\"P\",\"key\":\"%s\"}]}", key);
	json_decref(ask_sandbox("POST", "/_sandbox/products", body));
}

static void another_key_drains_a_parked_lane_at_once(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start();
	only_key("the-right-key");
	report_many("o", 5);
	await_lane(0, BC_LANE_PARKED);
	prepare_other("the-right-key");
	reconfigure();
	await_many("o", 5, "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	drop_other();
}

static void an_answer_to_the_former_key_rejects_nothing(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start();
	report("first", "token-first");
	await_state("first", "delivered");
	/* On its way with a key that is refused when it arrives. */
	set_faults("delay=150ms token=slow* times=1");
	report("o1", "slow-1");
	while (requests_seen() < 2)
		run_for(2);
	only_key("the-right-key");
	prepare_other("the-right-key");
	reconfigure();
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).entered[BC_LANE_PARKED], 0);
	drop_other();
}

static void an_answer_to_the_former_key_proves_nothing_about_another(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start();
	only_key(KEY_CANARY);
	set_faults("delay=150ms token=slow* times=1");
	report("slow", "slow-1");
	while (requests_seen() == 0)
		run_for(2);
	report_many("o", 12);
	prepare_other("a-wrong-key");
	reconfigure();
	await_state("slow", "delivered");
	await_lane(0, BC_LANE_PARKED);
	run_for(50);
	assert_int_equal(requests_seen(), 3); /* the slow one, one more, the test token */
	await_many("o", 12, "pending");
	drop_other();
}

static void another_key_while_the_test_token_is_under_way_rejects_nothing(void **state)
{
	(void)state;
	start();
	set_faults("delay=200ms token=*-test-* times=1");
	only_key("the-right-key");
	report("o1", "token-1");
	await_lane(0, BC_LANE_SUSPECT);
	prepare_other("the-right-key");
	reconfigure();
	await_state("o1", "delivered");
	drop_other();
}

static void a_product_that_leaves_keeps_what_waits_and_goes_on_when_it_is_back(void **state)
{
	struct bc_lane_status lanes[4];
	(void)state;
	start();
	prepare_other(KEY_CANARY);
	other.product_count = 1;
	report_as("q0", "token-q0", "second");
	await_state("q0", "delivered");
	reconfigure();
	assert_int_equal(bc_delivery_lanes(rig.delivery, lanes, 4), 1);
	report_as("q1", "token-q1", "second");
	report("p1", "token-p1");
	await_state("p1", "delivered");
	run_for(30);
	assert_int_equal(partner_count("token-q1", "posts"), 0);
	assert_int_equal(bc_delivery_reconfigure(rig.delivery, &rig.config, NULL), 0);
	await_state("q1", "delivered");
	drop_other();
}

static void a_new_product_opens_a_lane_of_its_own(void **state)
{
	struct bc_lane_status lanes[4];
	(void)state;
	start();
	prepare_other(KEY_CANARY);
	other_products[2] = other_products[1];
	other_products[2].label = "third";
	other.product_count = 3;
	reconfigure();
	bc_api_reconfigure(rig.api, &other);
	assert_int_equal(bc_delivery_lanes(rig.delivery, lanes, 4), 3);
	report_as("t1", "token-t1", "third");
	await_state("t1", "delivered");
	stop_api();
	drop_other();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(a_paused_lane_keeps_accepting_and_sends_when_resumed),
		SHOP_TEST(a_paused_lane_is_paused_after_a_restart),
		SHOP_TEST(paused_time_does_not_count_towards_a_deadline),
		SHOP_TEST(what_is_under_way_at_a_pause_is_settled),
		SHOP_TEST(a_pause_during_the_test_puts_the_held_conversion_back),
		SHOP_TEST(a_command_that_does_not_fit_says_what_to_do),
		SHOP_TEST(a_pause_that_the_store_refuses_is_in_force_and_says_so),
		SHOP_TEST(a_probe_tells_what_the_partner_said),
		SHOP_TEST(a_probe_drains_a_parked_lane_at_once),
		SHOP_TEST(a_wrong_key_costs_two_requests_however_many_wait),
		SHOP_TEST(after_a_park_another_conversion_is_tried_than_the_one_that_tripped_it),
		SHOP_TEST(a_lane_whose_test_token_alone_passes_stays_parked_and_rejects_nothing),
		SHOP_TEST(a_wrong_key_over_a_weekend_costs_no_conversion),
		SHOP_TEST(half_of_the_last_failing_breaks_the_lane_and_an_answer_opens_it),
		SHOP_TEST(one_conversion_that_always_fails_breaks_no_lane),
		SHOP_TEST(a_broken_lane_is_broken_after_a_restart_and_looks_at_once),
		SHOP_TEST(too_many_requests_is_no_failure),
		SHOP_TEST(a_throttled_lane_is_throttled_after_a_restart),
		SHOP_TEST(another_key_drains_a_parked_lane_at_once),
		SHOP_TEST(an_answer_to_the_former_key_rejects_nothing),
		SHOP_TEST(an_answer_to_the_former_key_proves_nothing_about_another),
		SHOP_TEST(another_key_while_the_test_token_is_under_way_rejects_nothing),
		SHOP_TEST(a_product_that_leaves_keeps_what_waits_and_goes_on_when_it_is_back),
		SHOP_TEST(a_new_product_opens_a_lane_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
