/* SPDX-License-Identifier: MIT */
/* Delivery against a sandbox: what each answer makes of a conversion, a store that refuses the
 * result, a stop at any moment, a clock that steps back, and that nothing is ever forgotten. */
#include "shop_requests.h"

#include "core/delivery_impl.h"
#include "failing_malloc.h"

static void start(void)
{
	start_delivery();
	start_api();
}

/* The last attempt of the order, as its story tells it. The caller ends the call. */
static struct rig_call *last_attempt(const char *order, const json_t **ret_attempt)
{
	struct rig_call *c = story(order);
	const json_t *attempts = json_object_get(c->json, "attempts");
	*ret_attempt = json_array_get(attempts, json_array_size(attempts) - 1);
	return c;
}

static void each_answer_brings_its_outcome_and_its_state(void **state)
{
	static const struct {
		const char *fault, *state, *outcome;
		int status; /* of the first attempt; 0 = none */
	} rows[] = {
		{ "status=200", "delivered", "delivered", 200 },
		{ "status=204", "delivered", "delivered", 204 },
		{ "wrong-echo", "delivered", "delivered", 200 },
		{ "empty-body", "delivered", "delivered", 200 },
		{ "html", "delivered", "delivered", 200 },
		{ "half-body", "delivered", "delivered", 200 },
		{ "trickle=40/1ms", "delivered", "delivered", 200 },
		{ "status=500 times=1", "delivered", "retry", 500 },
		{ "status=503 times=1", "delivered", "retry", 503 },
		{ "status=408 times=1", "delivered", "retry", 408 },
		{ "status=429 times=1", "delivered", "retry", 429 },
		{ "half-head times=1", "delivered", "unknown", 0 },
		{ "garbage times=1", "delivered", "unknown", 0 },
		{ "close times=1", "delivered", "unknown", 0 },
		{ "reset-after times=1", "delivered", "unknown", 0 },
		{ "accept-reset times=1", "delivered", "unknown", 0 },
		{ "status=422 message=\"Token not found.\"", "rejected", "reject", 422 },
		{ "status=422 message=\"Invalid API parameters.\"", "rejected", "reject", 422 },
		{ "status=418", "rejected", "reject", 418 },
	};
	(void)state;
	start();
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char order[32], token[32];
		snprintf(order, sizeof(order), "o%zu", i);
		snprintf(token, sizeof(token), "token-%zu", i);
		set_faults(rows[i].fault);
		report(order, token);
		await_state(order, rows[i].state);
		struct rig_call *c = story(order);
		const json_t *first = json_array_get(json_object_get(c->json, "attempts"), 0);
		if (strcmp(text_of(first, "outcome"), rows[i].outcome) != 0 ||
		    json_integer_value(json_object_get(first, "status")) != rows[i].status)
			fail_msg("%s: %s", rows[i].fault, c->text);
		api_end(c);
	}
}

static void an_answer_that_never_comes_is_unknown_and_sent_again(void **state)
{
	const json_t *attempt;
	(void)state;
	rig.config.timeout_ms = 500;
	start();
	set_faults("hang taken times=1");
	report("o1", "token-1");
	await_state("o1", "delivered");
	struct rig_call *c = last_attempt("o1", &attempt);
	assert_int_equal(json_array_size(json_object_get(c->json, "attempts")), 2);
	const json_t *first = json_array_get(json_object_get(c->json, "attempts"), 0);
	assert_string_equal(text_of(first, "outcome"), "unknown");
	assert_string_equal(text_of(attempt, "outcome"), "delivered");
	api_end(c);
	assert_int_equal(partner_count("token-1", "accepted"), 2);
}

static void a_partner_that_is_down_costs_nothing_but_time(void **state)
{
	struct rig_call *c;
	(void)state;
	snprintf(rig.base_url, sizeof(rig.base_url), "http://127.0.0.1:1/ext");
	start();
	report("o1", "token-1");
	await_state("o1", "pending");
	run_until_within(never, NULL, 50);
	snprintf(rig.base_url, sizeof(rig.base_url), "http://%s/ext",
		 bc_sandbox_address(rig.sandbox));
	await_state("o1", "delivered");
	c = story("o1");
	const json_t *first = json_array_get(json_object_get(c->json, "attempts"), 0);
	assert_string_equal(text_of(first, "outcome"), "retry");
	assert_non_null(strstr(text_of(first, "error"), "could not connect"));
	api_end(c);
}

static void the_token_goes_at_delivery_when_nothing_is_kept(void **state)
{
	struct rig_call *c;
	(void)state;
	rig.config.order_keep_ms = 0;
	start();
	report("o1", "token-1");
	await_state("o1", "delivered");
	c = story("o1");
	assert_true(
		json_is_false(json_object_get(json_object_get(c->json, "click"), "token_kept")));
	api_end(c);
}

static void a_result_that_the_store_refuses_is_tried_until_it_takes_it(void **state)
{
	(void)state;
	start();
	refuse(BC_STORE_FINISH, 2);
	report("o1", "token-1");
	await_state("o1", "delivered");
	assert_int_equal(partner_count("token-1", "posts"), 1);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_FINISH]), 3);
}

static void a_lease_that_the_store_refuses_is_tried_again(void **state)
{
	(void)state;
	start();
	refuse(BC_STORE_LEASE, 1);
	report("o1", "token-1");
	await_state("o1", "delivered");
}

static void leases_of_a_dead_process_go_out_at_the_start(void **state)
{
	(void)state;
	start();
	report("first", "token-first");
	await_state("first", "delivered"); /* before that one leaves at a time */
	set_faults("hang first=3");
	for (int i = 0; i < 3; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "token-%d", i);
		report(order, token);
		await_state(order, "sending");
	}
	stop_delivery(0);
	await_state("o2", "sending");
	start_delivery();
	for (int i = 0; i < 3; i++) {
		char order[8];
		snprintf(order, sizeof(order), "o%d", i);
		await_state(order, "delivered");
	}
}

/* --- stopping --- */

static void a_stop_waits_for_calls_under_way(void **state)
{
	struct rig_call *c;
	(void)state;
	start();
	set_faults("delay=150ms");
	report("o1", "token-1");
	await_state("o1", "sending");
	stop_delivery(10000);
	c = story("o1");
	assert_string_equal(text_of(c->json, "state"), "delivered");
	api_end(c);
}

static void a_stop_cuts_what_hangs_when_its_time_is_over(void **state)
{
	struct rig_call *c;
	(void)state;
	start();
	set_faults("hang");
	report("o1", "token-1");
	await_state("o1", "sending");
	stop_delivery(20);
	c = story("o1");
	assert_string_equal(text_of(c->json, "state"), "sending");
	api_end(c);
}

static bool is_stalled(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.stalled);
}

static void unstall(void *ctx)
{
	(void)ctx;
	go_on();
}

static void stop_while_stalled(uint64_t stalled_ms)
{
	struct bc_timer *later = bc_timer_create(rig.loop, unstall, NULL);
	assert_non_null(later);
	bc_timer_start(later, stalled_ms);
	stop_delivery(0);
	bc_timer_destroy(later);
}

static void a_stop_waits_for_a_store_that_has_the_result(void **state)
{
	(void)state;
	start();
	stall(BC_STORE_FINISH);
	report("o1", "token-1");
	run_until(is_stalled, NULL);
	stop_while_stalled(60);
	await_state("o1", "delivered");
}

/* The result was refused once, so a timer for it exists; now the store has it again. */
static void a_stop_waits_for_a_store_that_has_a_refused_result_again(void **state)
{
	(void)state;
	start();
	refuse(BC_STORE_FINISH, 1);
	report("o1", "token-1");
	run_until(finish_seen, NULL);
	stall(BC_STORE_FINISH);
	run_until(is_stalled, NULL);
	stop_while_stalled(60);
	await_state("o1", "delivered");
}

static void a_stop_puts_back_the_conversion_whose_lane_is_being_tested(void **state)
{
	struct rig_call *c;
	(void)state;
	start();
	set_faults("status=403 token=bad*, hang token=*-test-*");
	report("o1", "bad-1");
	await_lane(0, BC_LANE_SUSPECT);
	stop_delivery(5000);
	c = story("o1");
	assert_string_equal(text_of(c->json, "state"), "pending");
	api_end(c);
}

static void note_done(struct bc_store_op *op)
{
	*(bool *)op->ctx = true;
}

/* As Commerce says it of an order that is on its way. */
static void take_back(const char *order)
{
	bool done = false;
	struct bc_arena *arena = bc_arena_create(1024, 64 * 1024);
	struct bc_page_item item = { .what = BC_PAGE_REVOKE,
				     .in.revoke = { .order = bc_str_of(order),
						    .reason = BC_STR("the shop took it back"),
						    .now_ms = bc_wall_ms(rig.shop.clock) } };
	struct bc_store_op op = { .kind = BC_STORE_TAKE_PAGE,
				  .done = note_done,
				  .ctx = &done,
				  .arena = arena,
				  .in.page = { .items = &item, .count = 1 } };
	bc_desk_submit(&rig.delivery->desk, &op);
	run_until(is_set, &done);
	assert_int_equal(op.result, 0);
	assert_int_equal(item.how.revoked, BC_REVOKE_LATE);
	bc_arena_destroy(arena);
}

static bool two_are_under_way(void *ctx)
{
	(void)ctx;
	return lane_status(0).in_flight == 2;
}

static void one_taken_back_before_it_goes_once_more_holds_up_nobody(void **state)
{
	(void)state;
	start();
	report("first", "token-first");
	await_state("first", "delivered"); /* before that one leaves at a time */
	set_faults("status=403 token=bad*, delay=100ms token=*-test-*");
	report("o1", "bad-1");
	await_lane(0, BC_LANE_SUSPECT);
	take_back("o1");
	await_state("o1", "cancelled");
	set_faults("hang");
	report("o2", "token-2");
	report("o3", "token-3");
	run_until(two_are_under_way, NULL);
}

static void a_stop_during_the_first_release_is_a_stop(void **state)
{
	(void)state;
	stall(BC_STORE_RELEASE);
	start();
	run_until(is_stalled, NULL);
	stop_while_stalled(20);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_LEASE]), 0);
}

static void one_that_never_ran_is_destroyed_with_its_loop(void **state)
{
	struct bc_loop *loop;
	struct bc_delivery *d;
	(void)state;
	assert_int_equal(bc_loop_create(&loop, NULL), 0);
	assert_int_equal(bc_delivery_create(loop, &rig.shop, &d, NULL), 0);
	bc_delivery_destroy(d);
	bc_loop_destroy(loop);
}

/* --- what stands costs nothing --- */

static void a_lane_that_hangs_with_more_waiting_leaves_the_store_alone(void **state)
{
	(void)state;
	start();
	report_as("first", "token-first", "second");
	await_state("first", "delivered"); /* before that one leaves at a time */
	set_faults("hang product=Q");
	for (int i = 0; i < 20; i++) {
		char order[8], token[16];
		snprintf(order, sizeof(order), "o%d", i);
		snprintf(token, sizeof(token), "token-%d", i);
		report_as(order, token, "second");
	}
	report("other", "token-x");
	await_state("other", "delivered");
	assert_int_equal(lane_status(1).in_flight, 4);
	unsigned before = atomic_load(&faulty.seen[BC_STORE_LEASE]);
	run_for(200);
	assert_true(atomic_load(&faulty.seen[BC_STORE_LEASE]) - before < 10);
}

static void rows_of_a_product_that_left_leave_the_store_alone(void **state)
{
	(void)state;
	start();
	set_faults("hang");
	report_as("o1", "token-1", "second");
	await_state("o1", "sending");
	stop_delivery(0);
	set_faults("");
	rig.config.product_count = 1;
	start_delivery();
	await_state("o1", "pending");
	report("other", "token-x");
	await_state("other", "delivered");
	unsigned before = atomic_load(&faulty.seen[BC_STORE_LEASE]);
	run_for(200);
	assert_true(atomic_load(&faulty.seen[BC_STORE_LEASE]) - before < 10);
	assert_int_equal(partner_count("token-1", "posts"), 1);
}

/* --- clocks --- */

static void a_wall_clock_that_steps_back_strands_nothing(void **state)
{
	(void)state;
	rig.config.retry = (struct bc_retry_policy){ 3000, 3000, 60000 };
	start();
	set_faults("status=500 times=1");
	report("o1", "token-1");
	await_state("o1", "pending");
	run_until(finish_seen, NULL);
	atomic_store(&wall_offset_ms, -3600 * 1000);
	await_state("o1", "delivered");
	assert_int_equal(partner_count("token-1", "posts"), 2);
}

static void a_wall_clock_that_leaps_ahead_resends_nothing(void **state)
{
	(void)state;
	start();
	report("o1", "token-1");
	await_state("o1", "delivered");
	atomic_store(&wall_offset_ms, 24LL * 3600 * 1000);
	report("o2", "token-2");
	await_state("o2", "delivered");
	assert_int_equal(partner_count("token-1", "posts"), 1);
	assert_int_equal(partner_count("token-2", "posts"), 1);
}

/* --- nothing is forgotten --- */

static bool refused_or_finished(void *ctx)
{
	return allocation_failed() || finish_seen(ctx);
}

/* It has asked the store for the last time, until somebody wakes it. */
static bool delivery_rests(void *ctx)
{
	const struct bc_delivery *d = rig.delivery;
	(void)ctx;
	return !d->jobs && !d->operations && !atomic_load(&d->woken);
}

/* One conversion, delivered with one allocation refused somewhere on its way; false: it needs no
 * more than that. */
static bool deliver_without(unsigned long nth)
{
	char order[32], token[32];
	bool met;
	snprintf(order, sizeof(order), "o%lu", nth);
	snprintf(token, sizeof(token), "token-%lu", nth);
	atomic_store(&faulty.seen[BC_STORE_FINISH], 0);
	/* Else the lease that stalls is the one before, and the report waits behind it. */
	run_until(delivery_rests, NULL);
	stall(BC_STORE_LEASE);
	report(order, token);
	run_until(is_stalled, NULL);
	fail_allocation(nth);
	go_on();
	run_until(refused_or_finished, NULL);
	met = allocation_failed();
	fail_allocation(0);
	await_state(order, "delivered");
	return met;
}

static void a_conversion_survives_any_refused_allocation(void **state)
{
	unsigned long nth = 1;
	(void)state;
	bc_log_setup(BC_LOG_ERROR, false);
	start();
	while (deliver_without(nth))
		nth++;
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(each_answer_brings_its_outcome_and_its_state),
		SHOP_TEST(an_answer_that_never_comes_is_unknown_and_sent_again),
		SHOP_TEST(a_partner_that_is_down_costs_nothing_but_time),
		SHOP_TEST(the_token_goes_at_delivery_when_nothing_is_kept),
		SHOP_TEST(a_result_that_the_store_refuses_is_tried_until_it_takes_it),
		SHOP_TEST(a_lease_that_the_store_refuses_is_tried_again),
		SHOP_TEST(leases_of_a_dead_process_go_out_at_the_start),
		SHOP_TEST(a_stop_waits_for_calls_under_way),
		SHOP_TEST(a_stop_cuts_what_hangs_when_its_time_is_over),
		SHOP_TEST(a_stop_waits_for_a_store_that_has_the_result),
		SHOP_TEST(a_stop_waits_for_a_store_that_has_a_refused_result_again),
		SHOP_TEST(a_stop_puts_back_the_conversion_whose_lane_is_being_tested),
		SHOP_TEST(one_taken_back_before_it_goes_once_more_holds_up_nobody),
		SHOP_TEST(a_stop_during_the_first_release_is_a_stop),
		SHOP_TEST(one_that_never_ran_is_destroyed_with_its_loop),
		SHOP_TEST(a_lane_that_hangs_with_more_waiting_leaves_the_store_alone),
		SHOP_TEST(rows_of_a_product_that_left_leave_the_store_alone),
		SHOP_TEST(a_wall_clock_that_steps_back_strands_nothing),
		SHOP_TEST(a_wall_clock_that_leaps_ahead_resends_nothing),
		SHOP_TEST(a_conversion_survives_any_refused_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
