/* SPDX-License-Identifier: MIT */
/* Lanes: what makes one stand, what happens to the conversions meanwhile, and how it goes on. */
#include "shop_requests.h"

static void start(void)
{
	start_delivery();
	start_api();
}

static const char *const suspect_faults[] = {
	"status=401", "status=403", "status=404",
	"status=405", "redirect",   "status=422 message=\"External product id not found.\"",
};

/* The same fault, for tokens that begin with "bad" only: then it is about them. */
static void set_fault_for_bad(const char *fault)
{
	char spec[200];
	snprintf(spec, sizeof(spec), "%s token=bad*", fault);
	set_faults(spec);
}

static void a_lane_is_named_by_partner_and_product(void **state)
{
	char name[BC_LANE_NAME_BYTES];
	(void)state;
	assert_string_equal(bc_lane_name(BC_STR("sovendus"), BC_STR("shoes"), name),
			    "sovendus.shoes");
	start();
	assert_string_equal(lane_status(0).name, "sovendus.default");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	assert_string_equal(lane_status(0).reason, "");
}

static void a_suspect_answer_rejects_only_the_conversion_when_a_test_token_passes(void **state)
{
	(void)state;
	start();
	for (size_t i = 0; i < BC_COUNT(suspect_faults); i++) {
		char order[16], token[32];
		snprintf(order, sizeof(order), "o%zu", i);
		snprintf(token, sizeof(token), "bad-%zu", i);
		set_fault_for_bad(suspect_faults[i]);
		report(order, token);
		await_state(order, "rejected");
		await_lane(0, BC_LANE_OPEN);
		struct rig_call *c = story(order);
		assert_non_null(
			strstr(text_of(c->json, "reason"), "refuses this conversion alone"));
		api_end(c);
	}
	report("good", "token-good");
	await_state("good", "delivered");
}

static void the_same_answer_to_a_test_token_parks_and_costs_no_conversion(void **state)
{
	(void)state;
	start();
	for (size_t i = 0; i < BC_COUNT(suspect_faults); i++) {
		char order[16], token[32];
		snprintf(order, sizeof(order), "o%zu", i);
		snprintf(token, sizeof(token), "token-%zu", i);
		rig.config.probe_ms = 60000;
		set_faults(suspect_faults[i]);
		report(order, token);
		await_lane(0, BC_LANE_PARKED);
		await_state(order, "pending");
		assert_true(lane_status(0).reason[0] && lane_status(0).next_probe_ms);
		set_faults("");
		stop_delivery(1000);
		rig.config.probe_ms = 20;
		start_delivery();
		await_state(order, "delivered");
	}
}

static void a_parked_lane_keeps_accepting_and_drains_by_itself(void **state)
{
	(void)state;
	start();
	set_faults("status=403");
	report("o0", "token-0");
	await_lane(0, BC_LANE_PARKED);
	for (int i = 1; i < 10; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "token-%d", i);
		report(order, token);
	}
	run_for(100);
	assert_int_equal(partner_count("token-5", "posts"), 0);
	set_faults("");
	for (int i = 0; i < 10; i++) {
		char order[8];
		snprintf(order, sizeof(order), "o%d", i);
		await_state(order, "delivered");
	}
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void a_parked_lane_is_parked_after_a_restart_and_drains_then(void **state)
{
	(void)state;
	rig.config.probe_ms = 60000;
	start();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	await_state("o1", "pending");
	stop_delivery(1000);
	start_delivery();
	await_lane(0, BC_LANE_PARKED);
	assert_true(lane_status(0).reason[0] != '\0');
	assert_int_equal(partner_count("token-1", "posts"), 1);
	set_faults("");
	stop_delivery(1000);
	start_delivery();
	await_state("o1", "delivered");
	await_lane(0, BC_LANE_OPEN);
}

static void time_a_lane_stood_does_not_count_towards_a_deadline(void **state)
{
	(void)state;
	start_delivery();
	start_upkeep();
	start_api();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	await_state("o1", "pending");
	atomic_store(&wall_offset_ms, 4 * (int64_t)rig.config.retry.deadline_ms);
	unsigned before = atomic_load(&faulty.seen[BC_STORE_PURGE]);
	while (atomic_load(&faulty.seen[BC_STORE_PURGE]) == before)
		run_for(10);
	await_state("o1", "pending");
	set_faults("");
	await_state("o1", "delivered");
}

static void a_wrong_key_of_one_product_leaves_the_other_alone(void **state)
{
	(void)state;
	start();
	json_decref(ask_sandbox("POST", "/_sandbox/products",
				"{\"products\":[{\"id\":\"P\",\"key\":\"" KEY_CANARY
				"\"},{\"id\":\"Q\",\"key\":\"another\"}]}"));
	report_as("q", "token-q", "second");
	await_lane(1, BC_LANE_PARKED);
	report("p", "token-p");
	await_state("p", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	json_decref(ask_sandbox("POST", "/_sandbox/products",
				"{\"products\":[{\"id\":\"Q\",\"key\":\"" KEY_CANARY_TWO "\"}]}"));
	await_state("q", "delivered");
}

static void a_test_that_tells_nothing_leaves_the_conversion_for_later(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=bad* times=1, status=500 token=*-test-* times=1");
	report("o1", "bad-1");
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void a_parked_lane_stays_parked_while_the_test_tells_nothing(void **state)
{
	(void)state;
	start();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	set_faults("status=500");
	run_for(150);
	assert_int_equal(lane_status(0).state, BC_LANE_PARKED);
	set_faults("");
	await_state("o1", "delivered");
}

static void many_forged_tokens_at_once_are_each_rejected_alone(void **state)
{
	(void)state;
	start();
	set_fault_for_bad("status=404");
	for (int i = 0; i < 12; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "%s-%d", i % 2 ? "bad" : "good", i);
		report(order, token);
	}
	for (int i = 0; i < 12; i++) {
		char order[8];
		snprintf(order, sizeof(order), "o%d", i);
		await_state(order, i % 2 ? "rejected" : "delivered");
	}
}

static void retry_after_throttles_the_lane_and_nothing_leaves_before(void **state)
{
	uint64_t began;
	(void)state;
	start();
	set_faults("status=429 retry-after=1 times=1");
	report("o1", "token-1");
	await_lane(0, BC_LANE_THROTTLED);
	began = bc_elapsed_ms(&rig_clock);
	report("o2", "token-2");
	await_state("o2", "delivered");
	assert_true(bc_elapsed_ms(&rig_clock) - began >= 900);
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void no_more_than_its_concurrency_is_under_way_in_a_lane(void **state)
{
	json_t *j;
	(void)state;
	rig.config.concurrency = 2;
	start();
	report("first", "token-first");
	await_state("first", "delivered"); /* before that one leaves at a time */
	json_decref(ask_sandbox("DELETE", "/_sandbox/counts", NULL));
	set_faults("hang for=200ms, delay=1ms");
	for (int i = 0; i < 6; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "token-%d", i);
		report(order, token);
	}
	run_for(100);
	assert_int_equal(lane_status(0).in_flight, 2);
	j = ask_sandbox("GET", "/_sandbox/counts", NULL);
	assert_true(json_object_size(json_object_get(j, "tokens")) <= 2);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(a_lane_is_named_by_partner_and_product),
		SHOP_TEST(a_suspect_answer_rejects_only_the_conversion_when_a_test_token_passes),
		SHOP_TEST(the_same_answer_to_a_test_token_parks_and_costs_no_conversion),
		SHOP_TEST(a_parked_lane_keeps_accepting_and_drains_by_itself),
		SHOP_TEST(a_parked_lane_is_parked_after_a_restart_and_drains_then),
		SHOP_TEST(time_a_lane_stood_does_not_count_towards_a_deadline),
		SHOP_TEST(a_wrong_key_of_one_product_leaves_the_other_alone),
		SHOP_TEST(a_test_that_tells_nothing_leaves_the_conversion_for_later),
		SHOP_TEST(a_parked_lane_stays_parked_while_the_test_tells_nothing),
		SHOP_TEST(many_forged_tokens_at_once_are_each_rejected_alone),
		SHOP_TEST(retry_after_throttles_the_lane_and_nothing_leaves_before),
		SHOP_TEST(no_more_than_its_concurrency_is_under_way_in_a_lane),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
