/* SPDX-License-Identifier: MIT */
/*
 * The reader of GraphQL operations, a cart's way into an order, texts with blanks, and the journal
 * under a clock that the test turns, by handlers alone. What goes over a socket is
 * tests/system/test_sandbox_join.py's.
 */
#include "tests/unit/sandbox_fixture.h"

#include "sandbox/events.h"
#include "sandbox/graphql.h"
#include "sandbox/mould.h"
#include "tests/unit/failing_malloc.h"

#define JOURNAL "/events/organizations/1/integrations/2/3"

static const char *const as_json[] = { "Content-Type: application/json", NULL };
static const char *const as_reader[] = { "Authorization: Bearer any", "x-api-key: k",
					 "x-ims-org-id: o", NULL };

static bool open_all(void)
{
	struct bc_sandbox_options options = { 0 };

	if (!desk_open(&options))
		return false;
	desk.s.commerce->settings.tokens = COMMERCE_ANY;
	desk.s.events = bc_events_create(&desk.s);
	return desk.s.events != NULL;
}

static void close_all(void)
{
	bc_events_destroy(desk.s.events);
	desk_close();
}

static int open_desk(void **state)
{
	(void)state;
	return open_all() ? 0 : -1;
}

static int close_desk(void **state)
{
	(void)state;
	close_all();
	return 0;
}

/* ---- the reader ---- */

static const struct {
	const char *text, *variables, *read;
} good_texts[] = {
	{ "{a}", NULL,
	  "{\"mutation\":false,\"fields\":[{\"name\":\"a\",\"key\":\"a\",\"arguments\":{},"
	  "\"select\":null}]}" },
	{ "query Q{x:a(n:-1.5e2,t:\"\\u00fc\",b:true,z:null,e:SOME,l:[1 2],o:{k:[]}){b c}}", NULL,
	  "{\"mutation\":false,\"fields\":[{\"name\":\"a\",\"key\":\"x\",\"arguments\":{\"n\":-150."
	  "0,"
	  "\"t\":\"\u00fc\",\"b\":true,\"z\":null,\"e\":\"SOME\",\"l\":[1,2],\"o\":{\"k\":[]}},"
	  "\"select\":[{\"name\":\"b\",\"key\":\"b\",\"arguments\":{},\"select\":null},"
	  "{\"name\":\"c\",\"key\":\"c\",\"arguments\":{},\"select\":null}]}]}" },
	{ "mutation($a:[T!]!,$b:Int=3,$c:Int){m(a:$a,b:$b,c:$c)}", "{\"a\":[{\"k\":1}]}",
	  "{\"mutation\":true,\"fields\":[{\"name\":\"m\",\"key\":\"m\",\"arguments\":"
	  "{\"a\":[{\"k\":1}],\"b\":3},\"select\":null}]}" },
	{ "# what for\n{ a, }", NULL,
	  "{\"mutation\":false,\"fields\":[{\"name\":\"a\",\"key\":\"a\",\"arguments\":{},"
	  "\"select\":null}]}" },
};

static void operations_are_read_with_all_kinds_of_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(good_texts); i++) {
		json_t *variables = json_loads(
			good_texts[i].variables ? good_texts[i].variables : "{}", 0, NULL);
		struct bc_err err = { 0 };
		json_t *operation = NULL;
		char *text;

		if (bc_graphql_read(bc_str_of(good_texts[i].text), variables, &operation, &err) < 0)
			fail_msg("%s: %s", good_texts[i].text, err.text);
		text = json_dumps(operation, JSON_COMPACT);
		assert_string_equal(text, good_texts[i].read);
		free(text);
		json_decref(operation);
		json_decref(variables);
	}
}

static const struct {
	const char *text, *error;
} bad_texts[] = {
	{ "", "Syntax Error: Expected \"{\", found <EOF>" },
	{ "{", "Syntax Error: Expected Name, found <EOF>" },
	{ "{}", "Syntax Error: Expected Name, found }" },
	{ "{a} {b}", "Syntax Error: Expected <EOF>, found {" },
	{ "{a(b:)}", "Syntax Error: Expected a value, found )" },
	{ "{a(b:1", "Syntax Error: Expected Name, found <EOF>" },
	{ "{a(b:[1", "Syntax Error: Expected a value, found <EOF>" },
	{ "{a(b 1)}", "Syntax Error: Expected \":\", found 1" },
	{ "{a(b:\"open)}", "Syntax Error: Expected a value, found \"open)}" },
	{ "{a(b:1.2.3)}", "Syntax Error: Expected a value, found 1.2.3" },
	{ "{a @skip(if:true)}", "Syntax Error: Expected Name, found @" },
	{ "{...F}", "Syntax Error: Expected Name, found ..." },
	{ "{\xc3\xbc}", "Syntax Error: Expected Name, found \xc3\xbc" },
	{ "fragment F on T{a}", "Syntax Error: Expected query or mutation, found fragment" },
	{ "subscription{a}", "Syntax Error: Expected query or mutation, found subscription" },
	{ "query($a:T=$b,$b:T){a}", "Syntax Error: Expected a value, found $" },
	{ "query($a){a}", "Syntax Error: Expected \":\", found )" },
	{ "{a(b:$c)}", "Variable \"$c\" is not defined." },
	{ "query($a:T!){a(b:$a)}", "Variable \"$a\" of a required type was not provided." },
	{ "{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a}}}}}}}}}}}}}}}}}}}}}}}}}}",
	  "Syntax Error: Expected Name, found a" },
};

static void an_operation_that_is_wrong_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad_texts); i++) {
		struct bc_err err = { 0 };
		json_t *operation = NULL;

		assert_int_equal(
			bc_graphql_read(bc_str_of(bad_texts[i].text), NULL, &operation, &err),
			BC_EINVAL);
		assert_null(operation);
		assert_string_equal(err.text, bad_texts[i].error);
	}
}

static void every_beginning_of_an_operation_is_refused(void **state)
{
	const char *text = good_texts[1].text;
	struct bc_err err;
	json_t *operation;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		char *part = malloc(n + 1); /* exact, for the address sanitizer */

		assert_non_null(part);
		memcpy(part, text, n);
		err = (struct bc_err){ 0 };
		assert_int_equal(
			bc_graphql_read((struct bc_str){ part, n }, NULL, &operation, &err),
			BC_EINVAL);
		free(part);
	}
}

/* ---- from cart to order ---- */

#define CART "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"

static int ask(const char *query)
{
	json_t *body = json_pack("{ss}", "query", query);
	bc_autofree char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return text ? desk_ask("POST", "/t/graphql", as_json, text) : 0;
}

/* All the way; false where memory ran out. */
static bool order_through(void)
{
	bool good = ask("mutation{createEmptyCart(input:{cart_id:\"" CART "\"})}") == 200 &&
		    ask("mutation{addProductsToCart(cartId:\"" CART
			"\",cartItems:[{sku:\"MUG-BLUE\",quantity:1}]){cart{id}}}") == 200 &&
		    ask("mutation{setCustomAttributesOnCart(input:{cart_id:\"" CART
			"\",custom_attributes:[{attribute_code:\"bc_click\",value:\"t.abcd\"}]})"
			"{cart{custom_attributes{value}}}}") == 200 &&
		    ask("mutation{placeOrder(input:{cart_id:\"" CART
			"\"}){errors{message} orderV2{number}}}") == 200;

	return good && strstr(desk_text(), "\"number\":\"000000321\"") != NULL;
}

static void a_cart_s_attributes_arrive_in_the_order(void **state)
{
	json_t *order;

	(void)state;
	assert_true(order_through());
	assert_int_equal(get("/t/V1/orders/321"), 401);
	desk.s.commerce->settings.tokens = COMMERCE_OPEN;
	assert_int_equal(get("/t/V1/orders/321"), 200);
	order = desk_json();
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(order, "custom_attributes"), 0), "value")),
		"t.abcd");
	json_decref(order);
	assert_int_equal(desk.s.events->count, 1);
}

static bool everything(void *ctx)
{
	bool good;

	(void)ctx;
	good = open_all() && order_through() &&
	       desk_ask("POST", "/_sandbox/orders", as_json,
			"{\"count\":2,\"template\":{\"custom_attributes\":{\"a\":\"{n}\"}}}") ==
		       200 &&
	       desk_ask("POST", "/_sandbox/orders/321/edit", as_json, "") == 200 &&
	       desk_ask("POST", "/_sandbox/events/emit", as_json,
			"{\"count\":3,\"template\":{\"a\":\"{n}\"}}") == 200 &&
	       desk_ask("POST", "/_sandbox/events/emit", as_json, "[{\"a\":1}]") == 200 &&
	       get("/_sandbox/events") == 200 && get("/_sandbox/journal") == 200 &&
	       get("/shop?capture=/x.js&data-a=b") == 200 &&
	       desk_ask("GET", JOURNAL, as_reader, NULL) == 200;
	close_all();
	return good;
}

static void no_memory_is_survived(void **state)
{
	(void)state;
	close_all();
	each_allocation_failing(everything, NULL);
	assert_true(open_all());
}

/* ---- texts with blanks ---- */

static void a_mould_prints_its_blanks_and_nothing_else(void **state)
{
	json_t *json = json_pack("{ss ss ss ss}", "a", "x{n}y{n}", "{n}", "{m}{", "t", "{time}",
				 "i", "{id}{event}{key}");
	struct sandbox_mould *mould = bc_mould_create(json);
	struct sandbox_filling with = { .number = 42,
					.event = "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee",
					.id = "iiiiiiii-iiii-iiii-iiii-iiiiiiiiiiii",
					.time = "2026-11-22T00:54:31.000Z" };
	struct bc_buf out;

	(void)state;
	assert_non_null(mould);
	bc_buf_init(&out, 4096);
	assert_int_equal(bc_mould_print(mould, &with, &out), 0);
	assert_string_equal(out.data, "{\"a\":\"x000000042y000000042\",\"000000042\":\"{m}{\","
				      "\"t\":\"2026-11-22T00:54:31.000Z\","
				      "\"i\":\"iiiiiiii-iiii-iiii-iiii-iiiiiiiiiiii"
				      "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee"
				      "000000000000000000000000000000000000\"}");
	bc_buf_finish(&out);
	bc_mould_unref(mould);
	json_decref(json);
}

/* ---- the journal and time ---- */

static void emit(int count)
{
	char body[32];

	snprintf(body, sizeof(body), "{\"count\":%d}", count);
	assert_int_equal(desk_ask("POST", "/_sandbox/events/emit", as_json, body), 200);
}

/* How many events the journal shows; the answer has to be a 200. */
static int shown(const char *query)
{
	char target[256];
	json_t *page;
	int count;

	snprintf(target, sizeof(target), JOURNAL "?%s", query);
	assert_int_equal(desk_ask("GET", target, as_reader, NULL), 200);
	page = desk_json();
	count = (int)json_integer_value(json_object_get(json_object_get(page, "_page"), "count"));
	json_decref(page);
	return count;
}

static void a_journal_is_read_from_so_long_ago(void **state)
{
	(void)state;
	emit(2);
	desk.now_ms += 3600 * 1000;
	emit(3);
	desk.now_ms += 60 * 1000;
	emit(1);
	assert_int_equal(shown("seek=-PT30S"), 1);
	assert_int_equal(shown("seek=-PT2M"), 4);
	assert_int_equal(shown("seek=-PT60M"), 4);
	assert_int_equal(shown("seek=-PT1H1M"), 6);
	assert_int_equal(shown("seek=-P1D"), 6);
	assert_int_equal(desk_ask("GET", JOURNAL "?seek=-PT", as_reader, NULL), 400);
	assert_int_equal(desk_ask("GET", JOURNAL "?seek=-P1H", as_reader, NULL), 400);
}

static void what_is_older_than_seven_days_is_gone(void **state)
{
	char first[SANDBOX_POSITION_BYTES], target[256];

	(void)state;
	emit(2);
	bc_events_position(desk.s.events, 1, first);
	snprintf(target, sizeof(target), JOURNAL "?since=%s", first);
	desk.now_ms += 7ULL * 86400 * 1000;
	assert_int_equal(desk_ask("GET", target, as_reader, NULL), 200);
	desk.now_ms += 1;
	assert_int_equal(desk_ask("GET", target, as_reader, NULL), 410);
	assert_int_equal(desk_ask("GET", JOURNAL, as_reader, NULL), 204);
	emit(1);
	assert_int_equal(shown(""), 1);
}

static void rows_are_found_by_number_after_many_were_forgotten(void **state)
{
	char position[SANDBOX_POSITION_BYTES], query[256];

	(void)state;
	for (int i = 0; i < 50; i++) {
		emit(100);
		if (desk.s.events->count > 150)
			bc_events_forget(desk.s.events, 90);
	}
	for (size_t i = 0; i + 1 < desk.s.events->count; i++) {
		uint64_t number = desk.s.events->last_number - i - 1;

		bc_events_position(desk.s.events, number, position);
		snprintf(query, sizeof(query), "limit=1000&since=%s", position);
		assert_int_equal(shown(query), i + 1 < desk.s.events->page_max
						       ? (int)i + 1
						       : (int)desk.s.events->page_max);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(operations_are_read_with_all_kinds_of_values),
		TEST(an_operation_that_is_wrong_is_refused_with_its_place),
		TEST(every_beginning_of_an_operation_is_refused),
		TEST(a_cart_s_attributes_arrive_in_the_order),
		TEST(a_mould_prints_its_blanks_and_nothing_else),
		TEST(a_journal_is_read_from_so_long_ago),
		TEST(what_is_older_than_seven_days_is_gone),
		TEST(rows_are_found_by_number_after_many_were_forgotten),
		TEST(no_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
