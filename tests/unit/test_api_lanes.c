/* SPDX-License-Identifier: MIT */
/* What the operator may order of a lane, and the pages that tell of the whole shop: lanes, summary,
 * metrics. */
#include "failing_malloc.h"
#include "shop_requests.h"

enum { RIG_OWN_ALLOCATIONS = 3 }; /* what api_begin itself needs */

#define LANE "/v1/lanes/sovendus.default"

static int lanes_setup(void **state)
{
	int result = rig_setup(state);
	rig.config.probe_ms = 3600 * 1000;
	if (!result)
		start_api();
	return result;
}

#define LANES_TEST(name) cmocka_unit_test_setup_teardown(name, lanes_setup, rig_teardown)

/* A command that is obeyed; its answer's JSON, the caller's to end. */
static struct rig_call *obeyed(const char *path, const char *state)
{
	struct rig_call *c = api("POST", path, NULL);
	if (c->status != 200 || strcmp(text_of(c->json, "state"), state) != 0)
		fail_msg("%s: %d %s", path, c->status, c->text);
	return c;
}

static bool takes_commands(void *ctx)
{
	struct rig_call **asked = ctx;
	if (!*asked)
		*asked = api_begin("POST", LANE "/resume", NULL);
	if (!(*asked)->answered)
		return false;
	bool begun = (*asked)->status == 409; /* nothing is paused; 503: it begins */
	api_end(*asked);
	*asked = NULL;
	return begun;
}

/* Delivery that has read how its lanes stand: until then it takes no command. */
static void begin_delivery(void)
{
	struct rig_call *asked = NULL;
	start_delivery();
	run_until(takes_commands, &asked);
}

static int number(const json_t *j, const char *name)
{
	return (int)json_integer_value(json_object_get(j, name));
}

static void a_paused_lane_takes_orders_and_sends_them_when_it_is_resumed(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	c = obeyed(LANE "/pause", "paused");
	assert_string_equal(text_of(c->json, "name"), "sovendus.default");
	assert_non_null(strstr(text_of(c->json, "reason"), "paused by the operator"));
	assert_null(json_object_get(c->json, "probe"));
	api_end(c);
	report("o1", "token-1");
	report("o2", "token-2");
	run_for(50);
	await_state("o1", "pending");
	assert_int_equal(partner_count("token-1", "posts"), 0);
	c = obeyed(LANE "/pause", "paused");
	assert_int_equal(number(c->json, "pending"), 2);
	api_end(c);
	c = story("o1");
	assert_string_equal(text_of(c->json, "lane_state"), "paused");
	assert_true(text_of(c->json, "lane_since")[0]);
	api_end(c);
	api_end(obeyed(LANE "/resume", "open"));
	await_state("o1", "delivered");
	await_state("o2", "delivered");
}

static void a_pause_of_one_lane_stops_no_other(void **state)
{
	(void)state;
	begin_delivery();
	api_end(obeyed(LANE "/pause", "paused"));
	report_as("o1", "token-1", "second");
	await_state("o1", "delivered");
}

static void a_probe_opens_a_parked_lane_when_the_cause_is_mended(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	c = obeyed(LANE "/probe", "parked");
	const json_t *probe = json_object_get(c->json, "probe");
	assert_int_equal(number(probe, "status"), 403);
	assert_string_equal(text_of(probe, "outcome"), "suspect");
	assert_non_null(strstr(text_of(probe, "meaning"), "key"));
	assert_true(text_of(probe, "hint")[0]);
	assert_true(json_is_integer(json_object_get(probe, "duration_ms")));
	assert_true(text_of(c->json, "next_probe_at")[0]);
	api_end(c);
	set_faults("");
	c = api("POST", LANE "/probe", NULL);
	assert_int_equal(c->status, 200);
	probe = json_object_get(c->json, "probe");
	assert_int_equal(number(probe, "status"), 200);
	assert_string_equal(text_of(probe, "outcome"), "delivered");
	api_end(c);
	await_state("o1", "delivered");
	await_lane(0, BC_LANE_OPEN);
}

static void a_probe_without_an_answer_has_no_status(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	set_faults("close");
	c = obeyed(LANE "/probe", "open");
	assert_true(json_is_null(json_object_get(json_object_get(c->json, "probe"), "status")));
	api_end(c);
}

static void what_a_lane_cannot_do_is_refused_with_what_to_do(void **state)
{
	static const char *const nowhere[] = { "/v1/lanes/sovendus.none/pause",
					       "/v1/lanes/none/pause",
					       "/v1/lanes/sovendus%2Fdefault/pause",
					       "/v1/lanes/%00/pause" };
	struct rig_call *c;
	char path[400];
	(void)state;
	expect_problem(409, "conflict", "POST", LANE "/pause", NULL);
	c = api("POST", LANE "/pause", NULL);
	assert_non_null(strstr(text_of(c->json, "detail"), "backchannel serve"));
	api_end(c);
	begin_delivery();
	for (size_t i = 0; i < BC_COUNT(nowhere); i++)
		expect_problem(404, "not-found", "POST", nowhere[i], NULL);
	snprintf(path, sizeof(path), "/v1/lanes/%0300d/probe", 0);
	expect_problem(404, "not-found", "POST", path, NULL);
	expect_problem(409, "conflict", "POST", LANE "/resume", NULL);
	expect_problem(405, "bad-request", "GET", LANE "/pause", NULL);
	expect_problem(404, "not-found", "POST", LANE "/stop", NULL);
}

static void a_lanes_name_may_be_percent_encoded(void **state)
{
	(void)state;
	begin_delivery();
	api_end(obeyed("/v1/lanes/%73ovendus%2Edefault/pause", "paused"));
	api_end(obeyed(LANE "/resume", "open"));
}

static void a_pause_that_is_not_on_disk_is_not_acknowledged(void **state)
{
	(void)state;
	begin_delivery();
	refuse(BC_STORE_PUT_LANE, 1);
	expect_problem(503, "store-failed", "POST", LANE "/pause", NULL);
	await_lane(0, BC_LANE_PAUSED);
}

static void a_lane_that_obeyed_says_so_though_the_store_cannot_count(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	api_end(obeyed(LANE "/pause", "paused"));
	refuse(BC_STORE_LANES, 1000);
	c = obeyed(LANE "/pause", "paused");
	assert_null(json_object_get(c->json, "pending"));
	api_end(c);
	refuse(BC_STORE_LANES, 0);
}

/* A probe waits for a partner that hangs; who stops must not. */
static void a_stop_answers_who_waits_for_a_probe(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	set_faults("hang");
	c = api_begin("POST", LANE "/probe", NULL);
	run_for(30);
	assert_false(c->answered);
	stop_api();
	assert_true(c->answered);
	assert_int_equal(c->status, 503);
	assert_true(c->retry_after);
	api_end(c);
	stop_delivery(0); /* what is left of the command ends with it */
}

/* --- summary ------------------------------------------------------------------------------- */

static const json_t *window_of(const struct rig_call *c, size_t product, const char *span)
{
	const json_t *p = json_array_get(json_object_get(c->json, "products"), product);
	return json_object_get(json_object_get(p, "windows"), span);
}

static void the_summary_tells_the_return_rate_of_each_product(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	set_faults("status=422 token=bad-*, hang token=slow-*");
	report("o1", "token-1");
	report("o2", "token-2");
	report("o3", "bad-3");
	report("o4", "slow-4");
	await_state("o1", "delivered");
	await_state("o2", "delivered");
	await_state("o3", "rejected");
	await_state("o4", "sending");
	expect(200, "POST", "/v1/orders", "{\"order\":\"o5\"}");
	c = api("GET", "/v1/summary", NULL);
	assert_int_equal(c->status, 200);
	for (int i = 0; i < BC_WINDOWS; i++) {
		const json_t *w = window_of(c, 0, bc_window_name[i]);
		assert_int_equal(number(w, "orders"), 4);
		assert_int_equal(number(w, "delivered"), 2);
		assert_int_equal(number(w, "pending"), 1);
		assert_int_equal(number(w, "rejected"), 1);
		assert_int_equal(number(w, "expired"), 0);
		assert_true(json_real_value(json_object_get(w, "rate")) == 0.5);
	}
	const json_t *second = window_of(c, 1, "7d");
	assert_int_equal(number(second, "orders"), 0);
	assert_true(json_is_null(json_object_get(second, "rate")));
	const json_t *orders = json_object_get(c->json, "orders");
	assert_int_equal(json_object_size(orders), BC_ORDER_STATES);
	assert_int_equal(number(orders, "delivered"), 2);
	assert_int_equal(number(orders, "unattributed"), 1);
	assert_int_equal(json_array_size(json_object_get(c->json, "lanes")), 2);
	api_end(c);
}

static void what_was_withdrawn_counts_for_no_rate(void **state)
{
	struct rig_call *c;
	(void)state;
	report("o1", "token-1");
	report("o2", "token-2");
	expect(200, "POST", "/v1/orders/o1/cancel", NULL);
	c = api("GET", "/v1/summary", NULL);
	assert_int_equal(number(window_of(c, 0, "1h"), "orders"), 1);
	assert_int_equal(number(window_of(c, 0, "1h"), "cancelled"), 1);
	assert_true(json_real_value(json_object_get(window_of(c, 0, "1h"), "rate")) == 0.0);
	assert_true(json_is_real(json_object_get(window_of(c, 0, "1h"), "rate")));
	assert_int_equal(json_array_size(json_object_get(c->json, "lanes")), 0); /* none run here */
	api_end(c);
}

static void a_summary_that_cannot_be_read_is_answered(void **state)
{
	static const enum bc_store_kind kinds[] = { BC_STORE_COUNTS, BC_STORE_LANES,
						    BC_STORE_RETURNS };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(kinds); i++) {
		refuse(kinds[i], 2);
		expect_problem(503, "store-failed", "GET", "/v1/summary", NULL);
		expect_problem(503, "store-failed", "GET", "/metrics", NULL);
	}
	expect(200, "GET", "/v1/summary", NULL);
}

/* --- metrics ------------------------------------------------------------------------------- */

static int times_in(const char *text, const char *what)
{
	int n = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void the_metrics_tell_rates_transitions_and_alerts(void **state)
{
	struct rig_call *c;
	(void)state;
	begin_delivery();
	set_faults("status=422 token=bad-*");
	report("o1", "token-1");
	report("o2", "bad-2");
	await_state("o1", "delivered");
	await_state("o2", "rejected");
	api_end(obeyed(LANE "/pause", "paused"));
	api_end(obeyed(LANE "/resume", "open"));
	c = api("GET", "/metrics", NULL);
	static const char *const lines[] = {
		"\nbackchannel_return_rate{product=\"default\",window=\"1h\"} 0.5\n",
		"\nbackchannel_return_rate{product=\"default\",window=\"7d\"} 0.5\n",
		"\nbackchannel_lane_transitions_total{lane=\"sovendus.default\",to=\"paused\"} 1\n",
		"\nbackchannel_lane_transitions_total{lane=\"sovendus.second\",to=\"paused\"} 0\n",
		"\nbackchannel_lane_state{lane=\"sovendus.default\",state=\"paused\"} 0\n",
		"\nbackchannel_alerts_total{result=\"sent\"} 0\n",
		"\nbackchannel_alerts_total{result=\"dropped\"} 0\n",
	};
	for (size_t i = 0; i < BC_COUNT(lines); i++)
		if (!strstr(c->text, lines[i]))
			fail_msg("no line %s in\n%s", lines[i], c->text);
	assert_null(strstr(c->text, "return_rate{product=\"second\"")); /* it has no orders */
	assert_int_equal(times_in(c->text, "# TYPE backchannel_return_rate gauge\n"), 1);
	assert_int_equal(times_in(c->text, "# HELP backchannel_lane_transitions_total "), 1);
	api_end(c);
}

/* --- memory -------------------------------------------------------------------------------- */

/* One request with one allocation refused on its way; false: it needs no more than that. */
static bool answers_without(unsigned long nth, const char *method, const char *path)
{
	fail_allocation(nth);
	struct rig_call *c = api(method, path, NULL);
	bool met = allocation_failed();
	fail_allocation(0);
	if (c->status != 200 && c->status != 503)
		fail_msg("%s without allocation %lu: %d", path, nth, c->status);
	if (!met)
		assert_int_equal(c->status, 200);
	api_end(c);
	return met;
}

static void every_page_survives_any_refused_allocation(void **state)
{
	static const char *const rows[][2] = {
		{ "GET", "/v1/summary" },	 { "GET", "/metrics" },
		{ "GET", "/v1/lanes" },		 { "GET", "/v1/orders?lane=sovendus.default" },
		{ "GET", "/v1/orders?count=1" }, { "POST", "/v1/orders/retry?state=pending" },
		{ "POST", LANE "/pause" },	 { "GET", "/v1/orders/o1" },
	};
	(void)state;
	begin_delivery();
	api_end(obeyed(LANE "/pause", "paused"));
	report("o1", "token-1");
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		unsigned long nth = RIG_OWN_ALLOCATIONS + 1;
		while (answers_without(nth, rows[i][0], rows[i][1]))
			nth++;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LANES_TEST(a_paused_lane_takes_orders_and_sends_them_when_it_is_resumed),
		LANES_TEST(a_pause_of_one_lane_stops_no_other),
		LANES_TEST(a_probe_opens_a_parked_lane_when_the_cause_is_mended),
		LANES_TEST(a_probe_without_an_answer_has_no_status),
		LANES_TEST(what_a_lane_cannot_do_is_refused_with_what_to_do),
		LANES_TEST(a_lanes_name_may_be_percent_encoded),
		LANES_TEST(a_pause_that_is_not_on_disk_is_not_acknowledged),
		LANES_TEST(a_lane_that_obeyed_says_so_though_the_store_cannot_count),
		LANES_TEST(a_stop_answers_who_waits_for_a_probe),
		LANES_TEST(the_summary_tells_the_return_rate_of_each_product),
		LANES_TEST(what_was_withdrawn_counts_for_no_rate),
		LANES_TEST(a_summary_that_cannot_be_read_is_answered),
		LANES_TEST(the_metrics_tell_rates_transitions_and_alerts),
		LANES_TEST(every_page_survives_any_refused_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
