/* SPDX-License-Identifier: MIT */
/* Clean-up that nobody asks for: what expires and what must not, and a store that is tried until it
 * takes writes again. */
#include "shop_requests.h"

enum { HOUR_MS = 3600 * 1000 };

static void start(void)
{
	start_delivery();
	start_upkeep();
	start_api();
}

static bool purged(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.seen[BC_STORE_PURGE]) > 0;
}

static void what_is_past_its_deadline_expires_and_can_be_sent_again(void **state)
{
	(void)state;
	rig.config.retry = (struct bc_retry_policy){ HOUR_MS, HOUR_MS, HOUR_MS };
	start();
	set_faults("status=500 times=1");
	report("o1", "token-1");
	run_until(finish_seen, NULL);
	pass_time(2 * HOUR_MS); /* the next look is due as well, if there was one already */
	await_state("o1", "expired");
	expect(200, "POST", "/v1/orders/o1/retry", NULL);
	await_state("o1", "delivered");
}

static void nothing_expires_while_a_lane_stands(void **state)
{
	(void)state;
	rig.config.retry.deadline_ms = HOUR_MS;
	rig.config.probe_ms = 60000;
	start();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	pass_time(2 * HOUR_MS);
	atomic_store(&faulty.seen[BC_STORE_PURGE], 0);
	run_until(purged, NULL);
	await_state("o1", "pending");
}

static void expired_clicks_are_deleted(void **state)
{
	struct rig_call *c;
	(void)state;
	rig.config.click_ttl_ms = HOUR_MS;
	start();
	expect(201, "POST", "/v1/clicks",
	       "{\"token\":\"token-1\",\"click\":\"c.000102030405060708090a0b0c0d0e0f\"}");
	atomic_store(&wall_offset_ms, HOUR_MS + 1000); /* told for as long again, then it is gone */
	c = api("POST", "/v1/orders",
		"{\"order\":\"o1\",\"click\":\"000102030405060708090a0b0c0d0e0f\"}");
	assert_string_equal(text_of(c->json, "state"), "unattributed");
	assert_string_equal(text_of(c->json, "reason"), "click expired");
	api_end(c);
}

static void an_order_without_a_click_outlives_clean_up_as_long_as_one_may_come(void **state)
{
	(void)state;
	rig.config.order_keep_ms = 0;
	start();
	expect(200, "POST", "/v1/orders", "{\"order\":\"o1\",\"session\":\"abc\"}");
	run_until(purged, NULL);
	run_for(20);
	expect(201, "POST", "/v1/clicks", "{\"token\":\"token-1\",\"session\":\"abc\"}");
	await_state("o1", "delivered");
}

static void a_rejected_order_can_be_sent_again_though_nothing_is_kept(void **state)
{
	(void)state;
	rig.config.order_keep_ms = 0;
	start();
	set_faults("status=422 message=\"Token not found.\" times=1");
	report("o1", "token-1");
	await_state("o1", "rejected");
	run_until(purged, NULL);
	run_for(20);
	expect(200, "POST", "/v1/orders/o1/retry", NULL);
	await_state("o1", "delivered");
}

static bool ready(void *ctx)
{
	struct bc_store_stats stats;
	(void)ctx;
	bc_store_stats(rig.store, &stats);
	return stats.writable;
}

static void a_store_that_refuses_writes_is_tried_until_it_takes_one(void **state)
{
	(void)state;
	bc_log_setup(BC_LOG_ERROR, false);
	start();
	report("o1", "token-1");
	await_state("o1", "delivered");
	expect(200, "GET", "/readyz", NULL);
	atomic_store(&faulty.refuse_writes, true);
	expect_problem(503, "store-failed", "POST", "/v1/orders",
		       "{\"order\":\"o2\",\"token\":\"token-2\"}");
	expect_problem(503, "store-failed", "POST", "/v1/clicks", "{\"token\":\"token-3\"}");
	expect_problem(503, "store-failed", "GET", "/readyz", NULL);
	expect(200, "GET", "/healthz", NULL);
	expect(404, "GET", "/v1/orders/o2", NULL);
	atomic_store(&faulty.refuse_writes, false);
	run_until(ready, NULL);
	expect(200, "GET", "/readyz", NULL);
	report("o2", "token-2");
	await_state("o2", "delivered");
}

static void it_stops_when_its_operation_is_over(void **state)
{
	(void)state;
	stall(BC_STORE_PURGE);
	start();
	while (!atomic_load(&faulty.stalled))
		run_for(5);
	rig.parts = 1;
	bc_upkeep_stop(rig.upkeep, part_over, NULL);
	run_for(20);
	assert_int_equal(rig.parts, 1);
	go_on();
	run_until(no_parts, NULL);
	bc_upkeep_destroy(rig.upkeep);
	rig.upkeep = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(what_is_past_its_deadline_expires_and_can_be_sent_again),
		SHOP_TEST(nothing_expires_while_a_lane_stands),
		SHOP_TEST(expired_clicks_are_deleted),
		SHOP_TEST(an_order_without_a_click_outlives_clean_up_as_long_as_one_may_come),
		SHOP_TEST(a_rejected_order_can_be_sent_again_though_nothing_is_kept),
		SHOP_TEST(a_store_that_refuses_writes_is_tried_until_it_takes_one),
		SHOP_TEST(it_stops_when_its_operation_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
