/* SPDX-License-Identifier: MIT */
/* Searches: what is written, and that every value is one value to whoever decodes it. */
#include <backchannel/commerce.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"
#include "tests/unit/failing_malloc.h"

#define FILTER(g, f) "searchCriteria%5Bfilter_groups%5D%5B" g "%5D%5Bfilters%5D%5B" f "%5D"
#define FIELD	     "%5Bfield%5D="
#define VALUE	     "%5Bvalue%5D="
#define CONDITION    "%5Bcondition_type%5D="
#define SORT	     "searchCriteria%5BsortOrders%5D%5B0%5D"

static void check_query(const struct bc_commerce_search *search, const char *wanted)
{
	char *query = NULL;
	struct bc_err err = { 0 };
	if (bc_commerce_search_build(search, &query, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(query, wanted);
	free(query);
}

static void the_sample_search_is_written_with_every_field(void **state)
{
	(void)state;
	static const struct bc_commerce_filter filters[] = {
		{ 0, "updated_at", "2026-11-20 14:00:00", "gteq" },
	};
	const struct bc_commerce_search search = {
		.filters = filters,
		.filter_count = 1,
		.sort_field = "updated_at",
		.page_size = 50,
		.current_page = 1,
		.fields = "items[entity_id],total_count",
	};
	check_query(&search, FILTER("0", "0") FIELD "updated_at&" FILTER("0", "0") VALUE
		    "2026-11-20%2014%3A00%3A00&" FILTER("0", "0") CONDITION
		    "gteq&" SORT "%5Bfield%5D=updated_at&" SORT "%5Bdirection%5D=ASC&"
		    "searchCriteria%5BpageSize%5D=50&searchCriteria%5BcurrentPage%5D=1&"
		    "fields=items%5Bentity_id%5D%2Ctotal_count");
}

static void filters_count_within_their_group(void **state)
{
	(void)state;
	static const struct bc_commerce_filter filters[] = {
		{ 0, "state", "new", NULL },	    { 1, "sku", "1,2,a b", "in" },
		{ 0, "state", "processing", "eq" }, { 1, "coupon_code", NULL, "null" },
		{ 0, "x", "", "notnull" },
	};
	const struct bc_commerce_search search = { .filters = filters, .filter_count = 5 };
	check_query(&search, FILTER("0", "0") FIELD "state&" FILTER("0", "0") VALUE
		    "new&" FILTER("1", "0") FIELD "sku&" FILTER("1", "0") VALUE
		    "1%2C2%2Ca%20b&" FILTER("1", "0") CONDITION "in&" FILTER("0", "1") FIELD
		    "state&" FILTER("0", "1") VALUE "processing&" FILTER("0", "1") CONDITION
		    "eq&" FILTER("1", "1") FIELD "coupon_code&" FILTER("1", "1") CONDITION
		    "null&" FILTER("0", "2") FIELD "x&" FILTER("0", "2") VALUE "&" FILTER("0", "2")
			    CONDITION "notnull");
}

static void a_search_for_everything_says_so(void **state)
{
	(void)state;
	check_query(&(struct bc_commerce_search){ 0 }, "searchCriteria=");
	check_query(&(struct bc_commerce_search){ .fields = "items", .sort_field = "" },
		    "searchCriteria=&fields=items");
}

static void an_order_can_be_turned_round(void **state)
{
	(void)state;
	check_query(&(struct bc_commerce_search){ .sort_field = "entity_id", .descending = true },
		    SORT "%5Bfield%5D=entity_id&" SORT "%5Bdirection%5D=DESC");
}

static void values_cannot_break_out(void **state)
{
	(void)state;
	static const char hostile[] = "a&b=c#%00 +\"'\\\r\n\xc3\xb6\xff[]{}%25";
	const struct bc_commerce_filter filter = { 7, hostile, hostile, "like" };
	char *query = NULL;
	assert_int_equal(bc_commerce_search_build(
				 &(struct bc_commerce_search){
					 .filters = &filter,
					 .filter_count = 1,
					 .sort_field = hostile,
					 .fields = hostile,
				 },
				 &query, NULL),
			 0);
	struct bc_str rest = bc_str_of(query);
	unsigned pairs = 0, hits = 0;
	while (rest.ptr) {
		struct bc_str value = bc_str_split(&rest, '&');
		bc_str_split(&value, '=');
		BC_CLEANUP(bc_buf_finish) struct bc_buf decoded;
		bc_buf_init(&decoded, 1024);
		assert_int_equal(bc_percent_decode(&decoded, value, true), 0);
		assert_true(strspn(value.ptr, "%0123456789ABCDEFabcdefghijklmnopqrstuvwxyzSC") >=
			    value.len);
		hits += strcmp(decoded.data, hostile) == 0;
		pairs++;
	}
	assert_int_equal(pairs, 6);
	assert_int_equal(hits, 4);
	free(query);
}

static void check_refused(const struct bc_commerce_search *search, int code, const char *word)
{
	char *query = NULL;
	struct bc_err err = { 0 };
	assert_int_equal(bc_commerce_search_build(search, &query, &err), code);
	assert_null(query);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, word) || !err.hint[0])
		fail_msg("\"%s\" is not in \"%s\"", word, err.text);
}

static void what_commerce_would_misread_is_refused(void **state)
{
	(void)state;
	static const struct {
		struct bc_commerce_filter filter;
		const char *word;
	} bad[] = {
		{ { 0, NULL, "v", NULL }, "field" },
		{ { 0, "", "v", NULL }, "field" },
		{ { 0, "f", NULL, NULL }, "\"f\" has no value" },
		{ { 0, "f", NULL, "eq" }, "\"f\" has no value" },
		{ { 0, "f", "v", "equals" }, "\"equals\"" },
		{ { 0, "f", "v", "GTEQ" }, "\"GTEQ\"" },
		{ { 0, "f", "v", "" }, "\"\"" },
	};
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		const struct bc_commerce_filter filters[] = { { 0, "a", "b", NULL },
							      bad[i].filter };
		check_refused(&(struct bc_commerce_search){ .filters = filters, .filter_count = 2 },
			      BC_EINVAL, bad[i].word);
	}
}

static void every_documented_condition_is_known(void **state)
{
	(void)state;
	static const char *const names[] = { "eq",    "neq",  "gt",    "gteq",	 "lt",	    "lteq",
					     "moreq", "in",   "nin",   "finset", "nfinset", "from",
					     "to",    "like", "nlike", "null",	 "notnull" };
	for (size_t i = 0; i < BC_COUNT(names); i++) {
		const struct bc_commerce_filter filter = { 0, "f", "v", names[i] };
		char *query = NULL;
		assert_int_equal(
			bc_commerce_search_build(&(struct bc_commerce_search){ .filters = &filter,
									       .filter_count = 1 },
						 &query, NULL),
			0);
		const char *condition = strstr(query, CONDITION);
		assert_non_null(condition);
		assert_string_equal(condition + strlen(CONDITION), names[i]);
		free(query);
	}
}

static void a_page_has_300_at_most(void **state)
{
	(void)state;
	check_query(&(struct bc_commerce_search){ .page_size = 300 },
		    "searchCriteria%5BpageSize%5D=300");
	check_query(&(struct bc_commerce_search){ .current_page = UINT_MAX },
		    "searchCriteria%5BcurrentPage%5D=4294967295");
	check_refused(&(struct bc_commerce_search){ .page_size = 301 }, BC_EINVAL, "301");
	check_refused(&(struct bc_commerce_search){ .page_size = UINT_MAX }, BC_EINVAL,
		      "4294967295");
}

static void a_search_has_a_ceiling(void **state)
{
	(void)state;
	static char longest[BC_COMMERCE_URL_MAX];
	memset(longest, 'a', sizeof(longest) - 1);
	check_refused(&(struct bc_commerce_search){ .fields = longest }, BC_ETOOBIG, "16384");
	static struct bc_commerce_filter many[5000];
	for (size_t i = 0; i < BC_COUNT(many); i++)
		many[i] = (struct bc_commerce_filter){ 0, "f", "v", NULL };
	check_refused(&(struct bc_commerce_search){ .filters = many, .filter_count = 5000 },
		      BC_ETOOBIG, "longer");
}

static bool builds(void *ctx)
{
	(void)ctx;
	const struct bc_commerce_filter filter = { 0, "f", "v", "gt" };
	char *query = NULL;
	int r = bc_commerce_search_build(
		&(struct bc_commerce_search){ .filters = &filter, .filter_count = 1 }, &query,
		NULL);
	assert_true(r == 0 || (r == BC_ENOMEM && !query));
	free(query);
	return r == 0;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	each_allocation_failing(builds, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_search_is_written_with_every_field),
		cmocka_unit_test(filters_count_within_their_group),
		cmocka_unit_test(a_search_for_everything_says_so),
		cmocka_unit_test(an_order_can_be_turned_round),
		cmocka_unit_test(values_cannot_break_out),
		cmocka_unit_test(what_commerce_would_misread_is_refused),
		cmocka_unit_test(every_documented_condition_is_known),
		cmocka_unit_test(a_page_has_300_at_most),
		cmocka_unit_test(a_search_has_a_ceiling),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
