/* SPDX-License-Identifier: MIT */
/*
 * Lanes whose partner has no test token: one forged token stops nothing, a wrong key rejects
 * nothing. The partner is the sandbox's Sovendus, of whom it is not told that it has test tokens.
 */
#include "shop_requests.h"

#include "core/landing.h"

static struct bc_partner untestable;

static void start(void)
{
	untestable = bc_partner_sovendus;
	untestable.test_tokens = NULL;
	for (size_t i = 0; i < 2; i++)
		rig.products[i].partner = &untestable;
	rig.config.partner = &untestable;
	rig.config.retry.base_ms = 10;
	rig.config.retry.cap_ms = 20;
	rig.config.probe_ms = 50;
	start_delivery();
	start_api();
}

static bool has_attempts(void *ctx)
{
	const char *order = ctx;
	struct rig_call *c = story(order);
	bool many = json_array_size(json_object_get(c->json, "attempts")) >= 2;
	api_end(c);
	return many;
}

static void a_forged_token_is_rejected_alone_once_another_was_taken(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=forged*");
	report("good-1", "token-1");
	await_state("good-1", "delivered");
	report("forged", "forged-1");
	while (!has_attempts((void *)"forged"))
		run_for(5);
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	report("good-2", "token-2");
	await_state("good-2", "delivered");
	await_state("forged", "rejected");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	struct rig_call *c = story("forged");
	assert_non_null(strstr(text_of(c->json, "reason"), "refuses this conversion alone"));
	api_end(c);
}

static void a_forged_token_by_itself_never_parks_a_lane_that_is_proven(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=forged*");
	report("good-1", "token-1");
	await_state("good-1", "delivered");
	report("forged", "forged-1");
	while (partner_count("forged-1", "posts") < 6)
		run_for(5);
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
	await_state("forged", "pending");
}

static void a_wrong_key_parks_the_lane_and_rejects_nothing(void **state)
{
	(void)state;
	start();
	report("first", "token-0");
	await_state("first", "delivered");
	set_faults("status=403");
	report("o1", "token-1");
	report("o2", "token-2");
	report("o3", "token-3");
	await_lane(0, BC_LANE_PARKED);
	assert_non_null(strstr(lane_status(0).reason, "API key is wrong"));
	set_faults("");
	await_state("o1", "delivered");
	await_state("o2", "delivered");
	await_state("o3", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void a_key_that_never_worked_parks_by_one_conversion(void **state)
{
	(void)state;
	start();
	set_faults("status=403");
	report("o1", "token-1");
	await_lane(0, BC_LANE_PARKED);
	set_faults("");
	await_state("o1", "delivered");
	assert_int_equal(lane_status(0).state, BC_LANE_OPEN);
}

static void a_parked_lane_opens_by_an_order_that_comes_though_an_older_one_is_at_fault(void **state)
{
	(void)state;
	start();
	set_faults("status=403 token=forged*");
	report("forged", "forged-1");
	await_lane(0, BC_LANE_PARKED);
	report("good-1", "token-1");
	await_state("good-1", "delivered");
	report("good-2", "token-2");
	await_state("good-2", "delivered");
	while (lane_status(0).state != BC_LANE_OPEN)
		run_for(5);
	report("good-3", "token-3");
	await_state("good-3", "delivered");
}

struct probe_given {
	struct bc_lane_command command;
	bool done;
};

static void probed(struct bc_lane_command *command)
{
	BC_CONTAINER(command, struct probe_given, command)->done = true;
}

static void a_probe_says_that_there_is_nothing_to_probe_with(void **state)
{
	(void)state;
	start();
	struct probe_given g = {
		.command = { .action = BC_LANE_PROBE, .loop = rig.loop, .done = probed }
	};
	snprintf(g.command.lane, sizeof(g.command.lane), "sovendus.default");
	bc_delivery_command(rig.delivery, &g.command);
	run_until(is_set, &g.done);
	assert_int_equal(g.command.result, BC_ESTATE);
	assert_string_equal(g.command.err.text,
			    "this partner has no test token that could be sent");
	assert_true(g.command.err.hint[0] != '\0');
}

/* --- what a partner is told of the order ----------------------------------------------------- */

static void an_order_without_what_the_partner_is_told_is_rejected_with_words(void **state)
{
	(void)state;
	start();
	untestable.query = "amount={amount}";
	report("o1", "token-1");
	await_state("o1", "rejected");
	struct rig_call *c = story("o1");
	assert_string_equal(text_of(c->json, "reason"), "the order came without an amount");
	api_end(c);
	assert_int_equal(partner_count("token-1", "posts"), 0);
	expect(202, "POST", "/v1/orders",
	       "{\"order\":\"o2\",\"token\":\"token-2\",\"amount\":49.90,\"currency\":\"EUR\"}");
	await_state("o2", "delivered");
}

/* --- whose token it is ----------------------------------------------------------------------- */

static struct bc_partner other;
static const char *const other_params[] = { "awc", NULL };

static void two_partners(void)
{
	other = bc_partner_sovendus;
	other.name = "other";
	other.params = other_params;
	other.token_also = ":";
	rig.products[1].partner = &other;
}

static const struct {
	const char *url, *product, *token; /* token NULL: none; "": invalid */
} landings[] = {
	{ "/?token=abcd", "default", "abcd" },
	{ "/?awc=ab%3Acd", "second", "ab:cd" },
	{ "/second/?token=abcd", "default", "abcd" },
	{ "/?awc=abcd&token=efgh", "default", "efgh" },
	{ "/?token=ab:cd", NULL, "" },
	{ "/?token=;&awc=abcd", "second", "abcd" },
	{ "/?x=1", NULL, NULL },
};

static void a_token_belongs_to_the_partner_whose_parameter_it_stood_in(void **state)
{
	(void)state;
	two_partners();
	static const char *const params[] = { "token", NULL };
	rig.config.params = params;
	for (size_t i = 0; i < BC_COUNT(landings); i++) {
		const struct bc_product *product = NULL;
		char token[BC_TOKEN_MAX + 1] = "";
		int found = bc_landing_find(&rig.config, bc_str_of(landings[i].url), NULL, token,
					    &product);
		if (!landings[i].product) {
			assert_int_equal(found, landings[i].token ? BC_EINVAL : 0);
			continue;
		}
		assert_int_equal(found, 1);
		assert_string_equal(token, landings[i].token);
		assert_string_equal(product->label, landings[i].product);
	}
}

static void an_order_by_a_products_cookie_is_that_products(void **state)
{
	(void)state;
	two_partners();
	start_delivery();
	start_api();
	expect(202, "POST", "/v1/orders", "{\"order\":\"o1\",\"click\":\"p.second.ab:cd\"}");
	expect(202, "POST", "/v1/orders", "{\"order\":\"o2\",\"click\":\"t.abcd\"}");
	expect_problem(400, "bad-request", "POST", "/v1/orders",
		       "{\"order\":\"o3\",\"click\":\"p.third.abcd\"}");
	expect_problem(400, "bad-request", "POST", "/v1/orders",
		       "{\"order\":\"o4\",\"click\":\"t.ab:cd\"}");
	struct rig_call *c = story("o1");
	assert_string_equal(text_of(c->json, "lane"), "other.second");
	api_end(c);
	c = story("o2");
	assert_string_equal(text_of(c->json, "lane"), "sovendus.default");
	api_end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(a_forged_token_is_rejected_alone_once_another_was_taken),
		SHOP_TEST(a_forged_token_by_itself_never_parks_a_lane_that_is_proven),
		SHOP_TEST(a_wrong_key_parks_the_lane_and_rejects_nothing),
		SHOP_TEST(a_key_that_never_worked_parks_by_one_conversion),
		SHOP_TEST(
			a_parked_lane_opens_by_an_order_that_comes_though_an_older_one_is_at_fault),
		SHOP_TEST(a_probe_says_that_there_is_nothing_to_probe_with),
		SHOP_TEST(an_order_without_what_the_partner_is_told_is_rejected_with_words),
		SHOP_TEST(a_token_belongs_to_the_partner_whose_parameter_it_stood_in),
		SHOP_TEST(an_order_by_a_products_cookie_is_that_products),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
