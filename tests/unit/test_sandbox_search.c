/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's searches: what each condition finds, how groups go together, sorting, paging with
 * the page past the end, `fields`, and what is refused.
 */
#include "tests/unit/sandbox_fixture.h"

static int open_desk(void **state)
{
	struct bc_sandbox_options options = { .listen = NULL };

	(void)state;
	if (!desk_open(&options))
		return -1;
	desk.s.commerce->settings.tokens = COMMERCE_OPEN;
	return 0;
}

static int close_desk(void **state)
{
	(void)state;
	desk_close();
	return 0;
}

#define SEARCH "searchCriteria[filter_groups][0][filters][0]"

/* The ids and the total of a search over orders, "201 202 | 120". */
static const char *found(const char *query)
{
	static char text[2048];
	char target[2048];
	json_t *answer, *item;
	size_t used = 0, i;

	snprintf(target, sizeof(target), "/t/V1/orders?%s", query);
	if (get(target) != 200)
		fail_msg("%s: %s", query, desk_text());
	answer = desk_json();
	json_array_foreach(json_object_get(answer, "items"), i, item)
	{
		json_int_t id = json_integer_value(json_object_get(item, "entity_id"));

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%lld ", (long long)id);
	}
	snprintf(text + used, sizeof(text) - used, "| %lld",
		 (long long)json_integer_value(json_object_get(answer, "total_count")));
	json_decref(answer);
	return text;
}

#define ONE(field, condition, value)                                                               \
	SEARCH "[field]=" field "&" SEARCH "[condition_type]=" condition "&" SEARCH                \
	       "[value]=" value "&searchCriteria[pageSize]=3"

static const struct {
	const char *query, *found;
} searches[] = {
	{ "searchCriteria=&searchCriteria[pageSize]=2", "201 202 | 120" },
	{ "searchCriteria%5BpageSize%5D=2&searchCriteria%5BcurrentPage%5D=60", "319 320 | 120" },
	{ "search_criteria[page_size]=2&search_criteria[current_page]=2", "203 204 | 120" },
	{ ONE("entity_id", "eq", "318"), "318 | 1" },
	{ SEARCH "[field]=entity_id&" SEARCH "[value]=318", "318 | 1" },
	{ ONE("increment_id", "eq", "000000318"), "318 | 1" },
	{ ONE("entity_id", "neq", "201"), "202 203 204 | 119" },
	{ ONE("entity_id", "gt", "318"), "319 320 | 2" },
	{ ONE("entity_id", "gteq", "318"), "318 319 320 | 3" },
	{ ONE("entity_id", "moreq", "320"), "320 | 1" },
	{ ONE("entity_id", "from", "320"), "320 | 1" },
	{ ONE("entity_id", "lt", "203"), "201 202 | 2" },
	{ ONE("entity_id", "lteq", "202"), "201 202 | 2" },
	{ ONE("entity_id", "to", "201"), "201 | 1" },
	/* As numbers, not as texts. */
	{ ONE("entity_id", "gt", "99.5"), "201 202 203 | 120" },
	{ ONE("entity_id", "in", "318,%20320,1"), "318 320 | 2" },
	{ ONE("entity_id", "nin", "201,203"), "202 204 205 | 118" },
	{ ONE("status", "eq", "PENDING"), "208 218 228 | 12" },
	{ ONE("status", "like", "pending%25"), "202 208 212 | 24" },
	{ ONE("status", "like", "%25_olde_"), "207 217 227 | 12" },
	{ ONE("status", "nlike", "%25p%25"), "205 206 207 | 36" },
	{ ONE("coupon_code", "notnull", ""), "203 207 211 | 30" },
	{ ONE("coupon_code", "null", ""), "201 202 204 | 90" },
	{ ONE("coupon_code", "finset", "WELCOME10"), "203 207 211 | 30" },
	{ ONE("coupon_code", "nfinset", "OTHER"), "203 207 211 | 30" },
	{ ONE("click_token", "eq", "clk_7Yq2mVd0Zk3s9Lx1"), "318 | 1" },
	{ ONE("created_at", "gteq", "2026-11-20+14:00:00"), "319 320 | 2" },
	/* One group: either; two groups: both. */
	{ SEARCH "[field]=entity_id&" SEARCH "[value]=318&"
		 "searchCriteria[filter_groups][0][filters][1][field]=entity_id&"
		 "searchCriteria[filter_groups][0][filters][1][value]=319",
	  "318 319 | 2" },
	{ SEARCH "[field]=entity_id&" SEARCH "[value]=318&"
		 "searchCriteria[filter_groups][1][filters][0][field]=entity_id&"
		 "searchCriteria[filter_groups][1][filters][0][value]=319",
	  "| 0" },
	{ "searchCriteria[filterGroups][7][filters][x][field]=entity_id&"
	  "searchCriteria[filterGroups][7][filters][x][conditionType]=gt&"
	  "searchCriteria[filterGroups][7][filters][x][value]=319",
	  "320 | 1" },
	{ "searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]="
	  "DESC&searchCriteria[pageSize]=2",
	  "320 319 | 120" },
	/* Sorted by state, and by id within one. */
	{ "searchCriteria[sort_orders][0][field]=state&searchCriteria[sort_orders][0][direction]="
	  "asc&searchCriteria[sort_orders][1][field]=entity_id&"
	  "searchCriteria[sort_orders][1][direction]=desc&searchCriteria[pageSize]=2",
	  "316 306 | 120" },
	{ "searchCriteria[pageSize]=2&searchCriteria[currentPage]=0", "201 202 | 120" },
};

static void a_search_finds_what_its_conditions_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(searches); i++) {
		const char *got = found(searches[i].query);

		if (strcmp(got, searches[i].found) != 0)
			fail_msg("%s: %s", searches[i].query, got);
	}
}

static void a_page_past_the_end_is_the_last_again_until_that_is_switched_off(void **state)
{
	const char *past = "searchCriteria[pageSize]=50&searchCriteria[currentPage]=9"
			   "&searchCriteria[filter_groups][0][filters][0][field]=entity_id"
			   "&searchCriteria[filter_groups][0][filters][0][value]=318";

	(void)state;
	assert_string_equal(found(past), "318 | 1");
	desk_ask("POST", "/_sandbox/commerce", NULL, "{\"repeat_last_page\":false}");
	assert_string_equal(found(past), "| 1");
	assert_string_equal(found("searchCriteria[pageSize]=100&searchCriteria[currentPage]=3"),
			    "| 120");
}

static void pages_are_of_20_and_of_300_at_most(void **state)
{
	json_t *answer;

	(void)state;
	assert_int_equal(get("/t/V1/products?searchCriteria"), 200);
	answer = desk_json();
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 20);
	assert_int_equal(json_integer_value(json_object_get(answer, "total_count")), 250);
	json_decref(answer);
	get("/t/V1/products?searchCriteria[pageSize]=300");
	answer = desk_json();
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 250);
	json_decref(answer);
	assert_get("/t/V1/products?searchCriteria[pageSize]=301", 400,
		   "{\"message\":\"Maximum SearchCriteria pageSize is %max\",\"parameters\":{"
		   "\"max\":300}}");
	desk_ask("POST", "/_sandbox/commerce", NULL, "{\"page_size_max\":0,\"page_size\":7}");
	assert_int_equal(get("/t/V1/products?searchCriteria[pageSize]=301"), 200);
	get("/t/V1/products?searchCriteria");
	answer = desk_json();
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 7);
	json_decref(answer);
}

static void a_search_that_makes_no_sense_is_400(void **state)
{
	static const char *const rows[][2] = {
		{ "", "{\"message\":\"\\\"%fieldName\\\" is required. Enter and try again.\","
		      "\"parameters\":{\"fieldName\":\"searchCriteria\"}}" },
		{ "?searchcriteria=", NULL },
		{ "?fields=items", NULL },
		{ "?" ONE("nothing", "eq", "1"),
		  "{\"message\":\"Invalid attribute name: %1\",\"parameters\":[\"nothing\"]}" },
		{ "?" SEARCH "[value]=1",
		  "{\"message\":\"Invalid attribute name: %1\",\"parameters\":[\"\"]}" },
		{ "?searchCriteria[sortOrders][0][field]=nothing", NULL },
		{ "?" ONE("status", "equals", "1"), NULL },
		{ "?searchCriteria[pageSize]=ten",
		  "{\"message\":\"The \\\"ten\\\" value's type is invalid. The \\\"int\\\" type "
		  "was expected. Verify and try again.\"}" },
		{ "?searchCriteria[currentPage]=-1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char target[512];

		snprintf(target, sizeof(target), "/t/V1/orders%s", rows[i][0]);
		if (get(target) != 400 || (rows[i][1] && strcmp(desk_text(), rows[i][1]) != 0))
			fail_msg("%s: %s", target, desk_text());
	}
}

static void an_answer_says_what_was_searched_for(void **state)
{
	(void)state;
	assert_get("/t/V1/orders?" ONE("entity_id", "gt",
				       "9999") "&searchCriteria[sortOrders][0][field]=entity_id&"
					       "searchCriteria[currentPage]=1",
		   200,
		   "{\"items\":[],\"search_criteria\":{\"filter_groups\":[{\"filters\":[{\"field\":"
		   "\"entity_id\",\"value\":\"9999\",\"condition_type\":\"gt\"}]}],\"sort_orders\":"
		   "[{\"field\":\"entity_id\",\"direction\":\"DESC\"}],\"page_size\":3,"
		   "\"current_page\":1},\"total_count\":0}");
}

static void fields_trim_an_answer(void **state)
{
	static const char *const rows[][2] = {
		{ "/t/V1/orders?searchCriteria[pageSize]=1&fields=items[entity_id,status],"
		  "total_count",
		  "{\"items\":[{\"entity_id\":201,\"status\":\"processing\"}],\"total_count\":"
		  "120}" },
		{ "/t/V1/orders/318?fields=increment_id,billing_address[city,street],items[sku],"
		  "nothing",
		  "{\"increment_id\":\"000000318\",\"billing_address\":{\"city\":\"Karlsruhe\","
		  "\"street\":[\"Musterweg 12\"]},\"items\":[{\"sku\":\"BC-0086\"}]}" },
		{ "/t/V1/products/MUG-BLUE?fields=sku%2Cextension_attributes%5Bwebsite_ids%5D",
		  "{\"sku\":\"MUG-BLUE\",\"extension_attributes\":{\"website_ids\":[1]}}" },
		{ "/t/V1/products/MUG-BLUE?fields=sku[a,[b", "{\"sku\":\"MUG-BLUE\"}" },
		{ "/t/V1/products/MUG-BLUE?fields=]]],[", "{}" },
		{ "/t/V1/store/websites?fields=code",
		  "[{\"code\":\"admin\"},{\"code\":\"base\"}]" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		assert_get(rows[i][0], 200, rows[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_search_finds_what_its_conditions_say),
		TEST(a_page_past_the_end_is_the_last_again_until_that_is_switched_off),
		TEST(pages_are_of_20_and_of_300_at_most),
		TEST(a_search_that_makes_no_sense_is_400),
		TEST(an_answer_says_what_was_searched_for),
		TEST(fields_trim_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
