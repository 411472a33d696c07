/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's Commerce: where its paths stand, whom it lets in, what it finds, and the shapes of
 * its refusals, by handlers alone. What goes over a socket is tests/system/test_sandbox_adobe.py's.
 */
#include "tests/unit/sandbox_fixture.h"

#include "tests/unit/failing_malloc.h"

static const char *const as_json[] = { "Content-Type: application/json", NULL };

static int open_desk(void **state)
{
	struct bc_sandbox_options options = { .ims_org_id = "ORG@AdobeOrg" };

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

/* ---- paths ---- */

static const struct {
	const char *path;
	bool commerce;
	const char *resource; /* NULL = none */
	const char *store;    /* NULL = none */
} paths[] = {
	{ "/tenant/V1/orders", true, "/V1/orders", NULL },
	{ "/AbC123/V1", true, "/V1", NULL },
	{ "/rest/V1/orders/1", true, "/V1/orders/1", NULL },
	{ "/rest/default/V1/orders", true, "/V1/orders", "default" },
	{ "/t/rest/V1/orders", true, "/V1/orders", NULL },
	{ "/t/rest/all/V1/products/a%2Fb", true, "/V1/products/a%2Fb", "all" },
	{ "/t/V1/async/products", true, "/V1/async/products", NULL },
	{ "/t/V1/async/bulk/products", true, "/V1/async/bulk/products", NULL },
	{ "/rest/all/async/V1/products", true, "/V1/async/products", "all" },
	{ "/rest/async/bulk/V1/products", true, "/V1/async/bulk/products", NULL },
	/* The other flavor's spelling of asynchronous routes is none here. */
	{ "/rest/V1/async/products", true, NULL, NULL },
	{ "/t/async/V1/products", true, NULL, NULL },
	{ "/rest/all/async/products", true, NULL, "all" },
	{ "/rest/all/V2/orders", true, NULL, "all" },
	{ "/rest", true, NULL, "" },
	{ "/V1/orders", false, NULL, NULL },
	{ "/", false, NULL, NULL },
	{ "/t", false, NULL, NULL },
	{ "/t/v1/orders", false, NULL, NULL },
	{ "//V1/orders", false, NULL, NULL },
	{ "/ims/V1/x", false, NULL, NULL },
	{ "/ext/V1/x/api", false, NULL, NULL },
	{ "/_sandbox/V1", false, NULL, NULL },
};

static void assert_slice(const char *path, struct bc_str got, const char *wanted)
{
	if (wanted ? !bc_str_eq(got, wanted) : got.ptr != NULL)
		fail_msg("%s: \"%.*s\", not \"%s\"", path, (int)got.len, got.ptr ? got.ptr : "",
			 wanted ? wanted : "(absent)");
}

static void commerce_is_found_below_any_tenant_and_store(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(paths); i++) {
		get(paths[i].path);
		assert_int_equal(desk.call.service == &bc_commerce_service, paths[i].commerce);
		assert_slice(paths[i].path, desk.call.resource, paths[i].resource);
		assert_slice(paths[i].path, desk.call.store, paths[i].store);
	}
}

static void every_sku_has_its_own_path(void **state)
{
	static const char *const skus[][2] = {
		{ "MUG-BLUE", "MUG-BLUE" },
		{ "CABLE%2FUSB-C%2F2m", "CABLE\\/USB-C\\/2m" },
		{ "B%C3%9CRO%2FSTUHL%2001", "B\\u00DCRO\\/STUHL 01" },
		{ "Gr%C3%B6%C3%9Fe%20XL", "Gr\\u00F6\\u00DFe XL" },
		{ "100%25-COTTON", "100%-COTTON" },
		{ "A+B", "A+B" },
		{ "A%2BB", "A+B" },
		{ "SALT%20%26%20PEPPER", "SALT & PEPPER" },
		{ "WHAT%3F%231", "WHAT?#1" },
		{ "TABLE;ROUND,OAK", "TABLE;ROUND,OAK" },
		{ "BC-0250", "BC-0250" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(skus); i++) {
		char target[120], body[120];

		snprintf(target, sizeof(target), "/t/V1/products/%s?fields=sku", skus[i][0]);
		snprintf(body, sizeof(body), "{\"sku\":\"%s\"}", skus[i][1]);
		assert_get(target, 200, body);
	}
	assert_get("/t/V1/products/CABLE/USB-C/2m", 404,
		   "{\"message\":\"Request does not match any route.\"}");
	assert_get("/t/V1/products/mug-blue", 404,
		   "{\"message\":\"The product that was requested doesn't exist. Verify the "
		   "product and try again.\"}");
}

/* ---- who is let in ---- */

#define DEAD "{\"error_code\":\"401013\",\"message\":\"Oauth token is not valid\"}"
#define NOBODY                                                                                     \
	"{\"message\":\"The consumer isn't authorized to access %resources.\",\"parameters\":{"    \
	"\"resources\":\"Magento_Sales::actions_view\"}}"

static int get_with(const char *one, const char *two)
{
	const char *const headers[] = { one, two, NULL };

	return desk_ask("GET", "/t/V1/orders/318/statuses", headers, NULL);
}

static void a_token_is_looked_at_before_all_else(void **state)
{
	const char *good = "Authorization: Bearer alive";

	(void)state;
	desk.s.commerce->settings.tokens = COMMERCE_ISSUED;
	assert_true(
		bc_ims_token_keep(desk.s.ims, BC_STR("alive"), BC_STR("cid"), desk.now_ms + 1000));
	assert_true(bc_ims_token_keep(desk.s.ims, BC_STR("dead"), BC_STR("cid"), desk.now_ms));
	assert_int_equal(get_with(NULL, NULL), 401);
	assert_string_equal(desk_text(), NOBODY);
	assert_int_equal(get_with("Authorization: Basic alive", NULL), 401);
	assert_string_equal(desk_text(), NOBODY);
	assert_int_equal(get_with("Authorization: Bearer other", NULL), 401);
	assert_string_equal(desk_text(), DEAD);
	assert_int_equal(get_with("authorization: bearer dead", NULL), 401);
	assert_string_equal(desk_text(), DEAD);
	assert_int_equal(get_with(good, NULL), 200);
	assert_string_equal(desk_text(), "\"pending\"");
	assert_int_equal(get_with(good, "X-Api-Key: cid"), 200);
	assert_int_equal(get_with(good, "X-Api-Key: other"), 401);
	assert_int_equal(get_with(good, "X-Gw-Ims-Org-Id: ORG@AdobeOrg"), 200);
	assert_int_equal(get_with(good, "X-Gw-Ims-Org-Id: other"), 403);
	desk.now_ms += 1000;
	assert_int_equal(get_with(good, NULL), 401);
	assert_int_equal(get("/t/V1/nothing"), 401);
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_MISSING], 3);
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_UNKNOWN], 1);
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_DEAD], 2);
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_API_KEY], 1);
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_ORG], 1);
}

static void any_token_can_be_made_good(void **state)
{
	(void)state;
	assert_int_equal(desk_ask("POST", "/_sandbox/commerce", NULL, "{\"tokens\":\"any\"}"), 200);
	assert_int_equal(get_with("Authorization: Bearer from-elsewhere", "X-Api-Key: x"), 200);
	assert_int_equal(get_with(NULL, NULL), 401);
}

static void a_missing_permission_names_the_resource(void **state)
{
	(void)state;
	assert_int_equal(
		desk_ask("POST", "/_sandbox/commerce", NULL,
			 "{\"acl\":[\"/V1/products*\",{\"path\":\"/V1/orders*\",\"method\":"
			 "\"POST\",\"resources\":\"Magento_Sales::comment\"}]}"),
		200);
	assert_get("/t/V1/products/MUG-BLUE", 401,
		   "{\"message\":\"The consumer isn't authorized to access %resources.\","
		   "\"parameters\":{\"resources\":\"Magento_Catalog::products\"}}");
	assert_int_equal(get("/t/V1/orders/318"), 200);
	assert_int_equal(desk_ask("POST", "/rest/default/V1/orders/318/comments", as_json, "{}"),
			 401);
	assert_string_equal(desk_text(),
			    "{\"message\":\"The consumer isn't authorized to access %resources.\","
			    "\"parameters\":{\"resources\":\"Magento_Sales::comment\"}}");
	assert_int_equal(desk.s.commerce->refusals[COMMERCE_ACL], 2);
}

static void a_setting_that_does_not_fit_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"{",
		"{\"tokens\":\"all\"}",
		"{\"acl\":{}}",
		"{\"acl\":[{\"method\":\"GET\"}]}",
		"{\"acl\":[{\"path\":1}]}",
		"{\"page_size\":0}",
		"{\"page_size\":\"20\"}",
		"{\"page_size_max\":-1}",
		"{\"repeat_last_page\":0}",
		"{\"pagesize\":3}",
		"{\"acl\":[],\"page_size\":5,\"tokens\":1}",
	};
	char before[512];

	(void)state;
	desk_ask("POST", "/_sandbox/commerce", NULL, "{\"acl\":[\"/V1/a\"],\"page_size\":7}");
	assert_int_equal(bc_str_copy(before, sizeof(before), bc_str_of(desk_text())), 0);
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		if (desk_ask("POST", "/_sandbox/commerce", NULL, bad[i]) != 400)
			fail_msg("taken: %s", bad[i]);
		get("/_sandbox/commerce");
		assert_string_equal(desk_text(), before);
	}
}

/* ---- the data ---- */

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void an_order_adds_up(void **state)
{
	json_t *answer, *order;
	size_t i;

	(void)state;
	assert_int_equal(get("/t/V1/orders?searchCriteria[pageSize]=300"), 200);
	answer = desk_json();
	json_array_foreach(json_object_get(answer, "items"), i, order)
	{
		double parts = number(order, "subtotal") + number(order, "tax_amount") +
			       number(order, "shipping_amount") + number(order, "discount_amount");
		json_t *item, *items = json_object_get(order, "items");
		double rows = 0;
		size_t k;

		json_array_foreach(items, k, item) rows += number(item, "row_total");
		assert_true(parts - number(order, "grand_total") < 0.001);
		assert_true(number(order, "grand_total") - parts < 0.001);
		assert_true(rows - number(order, "subtotal") < 0.001);
		assert_true(number(order, "subtotal") - rows < 0.001);
		assert_true(number(order, "base_grand_total") == number(order, "grand_total"));
	}
	assert_int_equal(i, COMMERCE_ORDERS);
	json_decref(answer);
}

static void the_data_is_the_same_on_every_start(void **state)
{
	char *first;

	(void)state;
	get("/t/V1/orders?searchCriteria[pageSize]=300");
	first = strdup(desk_text());
	assert_non_null(first);
	assert_int_equal(desk_ask("DELETE", "/_sandbox/commerce", NULL, NULL), 204);
	desk.s.commerce->settings.tokens = COMMERCE_OPEN;
	get("/t/V1/orders?searchCriteria[pageSize]=300");
	assert_string_equal(desk_text(), first);
	free(first);
}

static void what_never_changes_is_json(void **state)
{
	static const struct {
		const char *path;
		size_t count;
	} lists[] = {
		{ "/t/V1/store/storeConfigs", 3 },  { "/rest/all/V1/store/storeViews", 4 },
		{ "/t/V1/store/storeGroups", 2 },   { "/t/V1/store/websites", 2 },
		{ "/t/V1/directory/countries", 6 }, { "/t/V1/directory/currency", 0 },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(lists); i++) {
		json_t *answer;

		assert_int_equal(get(lists[i].path), 200);
		answer = desk_json();
		assert_int_equal(json_array_size(answer), lists[i].count);
		json_decref(answer);
	}
	assert_get("/t/V1/directory/countries/AT?fields=full_name_locale", 200,
		   "{\"full_name_locale\":\"\\u00D6sterreich\"}");
	assert_get("/t/V1/directory/countries/XX", 404,
		   "{\"message\":\"The country isn't available.\"}");
	assert_get("/t/V1/store/nothing", 404,
		   "{\"message\":\"Request does not match any route.\"}");
}

/* ---- writing ---- */

static int put(const char *sku, const char *body)
{
	char target[80];

	snprintf(target, sizeof(target), "/t/V1/products/%s", sku);
	return desk_ask("PUT", target, as_json, body);
}

static void a_product_is_made_changed_and_deleted(void **state)
{
	(void)state;
	assert_int_equal(desk_ask("POST", "/t/V1/products", as_json,
				  "{\"product\":{\"sku\":\"new/1\",\"name\":\"New\",\"price\":9.5,"
				  "\"attribute_set_id\":4}}"),
			 200);
	assert_true(desk.call.accepted);
	assert_get("/t/V1/products/new%2F1?fields=id,name,price,updated_at", 200,
		   "{\"id\":251,\"name\":\"New\",\"price\":9.5,\"updated_at\":\"2026-11-22 "
		   "08:19:11\"}");
	assert_int_equal(put("new%2F1", "{\"product\":{\"name\":\"Newer\",\"sku\":\"x\",\"id\":1,"
					"\"custom_attributes\":[{\"attribute_code\":\"color\","
					"\"value\":\"red\"}]}}"),
			 200);
	put("new%2F1", "{\"product\":{\"custom_attributes\":[{\"attribute_code\":\"color\","
		       "\"value\":\"blue\"}]}}");
	assert_get("/t/V1/products/new%2F1?fields=id,sku,name,custom_attributes", 200,
		   "{\"id\":251,\"sku\":\"new\\/1\",\"name\":\"Newer\",\"custom_attributes\":[{"
		   "\"attribute_code\":\"color\",\"value\":\"blue\"}]}");
	assert_int_equal(desk_ask("DELETE", "/t/V1/products/new%2F1", NULL, NULL), 200);
	assert_string_equal(desk_text(), "true");
	assert_int_equal(desk_ask("DELETE", "/t/V1/products/new%2F1", NULL, NULL), 404);
	assert_int_equal(get("/t/V1/products/new%2F1"), 404);
}

static void a_product_that_makes_no_sense_is_400(void **state)
{
	static const char *const rows[][2] = {
		{ "", "{\"message\":\"Decoding error.\"}" },
		{ "{\"product\"", "{\"message\":\"Decoding error.\"}" },
		{ "{}", "{\"message\":\"\\\"%fieldName\\\" is required. Enter and try again.\","
			"\"parameters\":{\"fieldName\":\"product\"}}" },
		{ "{\"product\":{\"name\":\"x\"}}",
		  "{\"message\":\"\\\"%fieldName\\\" is required. Enter and try again.\","
		  "\"parameters\":{\"fieldName\":\"sku\"}}" },
		{ "{\"product\":{\"sku\":\"x\",\"name\":\"x\",\"attribute_set_id\":9}}",
		  "{\"message\":\"Invalid product data: %1\",\"parameters\":[\"Invalid attribute "
		  "set entity type\"]}" },
		{ "{\"product\":{\"sku\":\"x\"}}",
		  "{\"message\":\"The \\\"%1\\\" attribute value is empty. Set the attribute and "
		  "try again.\",\"parameters\":[\"name\"]}" },
		{ "{\"product\":{\"sku\":\"x\",\"name\":\"x\",\"custom_attributes\":[{}]}}",
		  "{\"message\":\"Invalid product data: %1\",\"parameters\":[\"Invalid custom "
		  "attribute\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		assert_int_equal(desk_ask("POST", "/t/V1/products", as_json, rows[i][0]), 400);
		assert_string_equal(desk_text(), rows[i][1]);
		assert_false(desk.call.accepted);
	}
	assert_int_equal(desk_ask("POST", "/t/V1/products", NULL, "{}"), 400);
	assert_string_equal(desk_text(), "{\"message\":\"Content-Type header is empty.\"}");
	assert_int_equal(get("/t/V1/products/x"), 404);
}

#define COMMENT                                                                                    \
	"{\"statusHistory\":{\"comment\":\"done\",\"is_customer_notified\":0,"                     \
	"\"is_visible_on_front\":0,\"parent_id\":318,\"status\":\"processing\"}}"

static int comment(const char *id, const char *body)
{
	char target[80];

	snprintf(target, sizeof(target), "/t/V1/orders/%s/comments", id);
	return desk_ask("POST", target, as_json, body);
}

static void a_comment_is_kept_and_changes_the_order(void **state)
{
	(void)state;
	assert_int_equal(comment("318", COMMENT), 200);
	assert_string_equal(desk_text(), "true");
	assert_true(desk.call.accepted);
	assert_get("/t/V1/orders/318/statuses", 200, "\"processing\"");
	assert_get("/t/V1/orders/318?fields=status,updated_at,status_histories", 200,
		   "{\"status\":\"processing\",\"updated_at\":\"2026-11-22 08:19:11\","
		   "\"status_histories\":[{\"comment\":\"done\",\"is_customer_notified\":0,"
		   "\"is_visible_on_front\":0,\"parent_id\":318,\"status\":\"processing\","
		   "\"entity_id\":1,\"entity_name\":\"order\",\"created_at\":\"2026-11-22 "
		   "08:19:11\"}]}");
	assert_int_equal(comment("000000319", COMMENT), 200);
	assert_get("/_sandbox/commerce/comments?order=318", 200,
		   "{\"comments\":[{\"order\":318,\"at\":\"2026-11-22T08:19:11.325Z\","
		   "\"statusHistory\":{\"comment\":\"done\",\"is_customer_notified\":0,"
		   "\"is_visible_on_front\":0,\"parent_id\":318,\"status\":\"processing\"}}],"
		   "\"total\":1}");
	get("/_sandbox/commerce/comments");
	assert_non_null(strstr(desk_text(), "\"total\":2"));
	assert_int_equal(get("/t/V1/orders/318/comments?fields=total_count"), 200);
	assert_string_equal(desk_text(), "{\"total_count\":1}");
	assert_int_equal(desk_ask("DELETE", "/_sandbox/commerce/comments", NULL, NULL), 204);
	get("/_sandbox/commerce/comments");
	assert_string_equal(desk_text(), "{\"comments\":[],\"total\":0}");
}

static void a_comment_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	assert_int_equal(comment("7", COMMENT), 404);
	assert_string_equal(desk_text(), "{\"message\":\"The entity that was requested doesn't "
					 "exist. Verify the entity and try again.\"}");
	assert_int_equal(comment("abc", COMMENT), 400);
	assert_int_equal(comment("318", "{\"statusHistory\":{\"comment\":\"x\"}}"), 400);
	assert_string_equal(desk_text(),
			    "{\"message\":\"\\\"%fieldName\\\" is required. Enter and try "
			    "again.\",\"parameters\":{\"fieldName\":\"is_customer_notified\"}}");
	assert_int_equal(comment("318", "{}"), 400);
	assert_int_equal(desk_ask("PATCH", "/t/V1/orders/318/comments", NULL, NULL), 405);
	assert_string_equal(desk.call.answer.extra, "Allow: GET, POST\r\n");
	get("/_sandbox/commerce/comments");
	assert_string_equal(desk_text(), "{\"comments\":[],\"total\":0}");
}

/* ---- asynchronous ---- */

static void assert_operation(const char *uuid, size_t index, int status, const char *message)
{
	char target[80];
	json_t *bulk, *operation;

	snprintf(target, sizeof(target), "/t/V1/bulk/%s/status", uuid);
	assert_int_equal(get(target), 200);
	bulk = desk_json();
	operation = json_array_get(json_object_get(bulk, "operations_list"), index);
	assert_int_equal(json_integer_value(json_object_get(operation, "status")), status);
	assert_string_equal(json_string_value(json_object_get(operation, "result_message")),
			    message);
	json_decref(bulk);
}

/* The uuid of the last answer, in a buffer of its own; checks how many items it has. */
static const char *bulk_uuid(size_t items)
{
	static char uuid[40];
	json_t *answer = desk_json();
	json_t *list = json_object_get(answer, "request_items");

	assert_int_equal(desk.call.answer.status, 202);
	assert_int_equal(json_array_size(list), items);
	assert_true(json_is_false(json_object_get(answer, "errors")));
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "status")),
			    "accepted");
	assert_int_equal(json_string_length(json_object_get(json_array_get(list, 0), "data_hash")),
			 64);
	assert_int_equal(
		bc_str_copy(uuid, sizeof(uuid),
			    bc_str_of(json_string_value(json_object_get(answer, "bulk_uuid")))),
		0);
	json_decref(answer);
	return uuid;
}

static void an_asynchronous_call_does_the_plain_one_s_work(void **state)
{
	const char *uuid;

	(void)state;
	desk_ask("POST", "/t/V1/async/orders/318/comments", as_json, COMMENT);
	assert_true(desk.call.accepted);
	uuid = bulk_uuid(1);
	assert_operation(uuid, 0, 1, "Service execution success");
	assert_get("/t/V1/orders/318/statuses", 200, "\"processing\"");
	desk_ask("POST", "/rest/all/async/bulk/V1/products", as_json,
		 "[{\"product\":{\"sku\":\"one\",\"name\":\"One\"}},{\"product\":{}}]");
	uuid = bulk_uuid(2);
	assert_operation(uuid, 0, 1, "Service execution success");
	assert_operation(uuid, 1, 3, "\"%fieldName\" is required. Enter and try again.");
	assert_int_equal(get("/t/V1/products/one"), 200);
}

static void an_asynchronous_call_without_a_plain_one_fails_and_is_told_so(void **state)
{
	static const char *const paths_without[] = { "/t/V1/async/nothing", "/t/V1/async/async/x",
						     "/t/V1/async/_sink" };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(paths_without); i++) {
		desk_ask("POST", paths_without[i], as_json, "{}");
		assert_operation(bulk_uuid(1), 0, 3, "Request does not match any route.");
	}
	assert_int_equal(desk_ask("POST", "/t/V1/async/bulk/products", as_json, "{}"), 400);
	assert_get("/t/V1/bulk/no-such/status", 404,
		   "{\"message\":\"Bulk uuid %bulkUuid not exist\",\"parameters\":{\"bulkUuid\":"
		   "\"no-such\"}}");
}

/* ---- the rest ---- */

static void a_status_has_its_documented_body(void **state)
{
	static const struct {
		int status;
		const char *retry_after, *message, *body;
	} rows[] = {
		{ 401, NULL, NULL, DEAD },
		{ 404, NULL, NULL, "{\"message\":\"Request does not match any route.\"}" },
		{ 429, NULL, NULL, "{\"message\":\"Too Many Requests\",\"trace\":null}" },
		{ 429, "5", NULL, "{\"message\":\"Too Many Requests\"}" },
		{ 500, NULL, NULL,
		  "{\"message\":\"Internal Error. Details are available in Magento log file. "
		  "Report ID: webapi-0000000000000\"}" },
		{ 503, NULL, NULL, "{\"message\":\"Service Unavailable\"}" },
		{ 401, NULL, "no", "{\"message\":\"no\"}" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		get("/t/V1/store/websites");
		desk.call.fault.retry_after = rows[i].retry_after;
		bc_commerce_describe(&desk.call, rows[i].status, rows[i].message);
		assert_int_equal(desk.call.answer.status, rows[i].status);
		assert_string_equal(desk_text(), rows[i].body);
	}
}

static bool a_search_and_a_comment(void *ctx)
{
	struct bc_sandbox_options options = { .listen = NULL };
	bool good;

	(void)ctx;
	if (!desk_open(&options))
		return false;
	desk.s.commerce->settings.tokens = COMMERCE_OPEN;
	good = get("/t/V1/products/MUG-BLUE") == 200 &&
	       get("/t/V1/orders?"
		   "searchCriteria[filter_groups][0][filters][0][field]=status&"
		   "searchCriteria[filter_groups][0][filters][0][condition_type]=like&"
		   "searchCriteria[filter_groups][0][filters][0][value]=pend%25") == 200 &&
	       comment("318", COMMENT) == 200 && get("/t/V1/orders/318") == 200 &&
	       desk_ask("DELETE", "/t/V1/products/MUG-BLUE", NULL, NULL) == 200;
	desk_close();
	return good;
}

static void no_memory_is_survived(void **state)
{
	(void)state;
	desk_close();
	each_allocation_failing(a_search_and_a_comment, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commerce_is_found_below_any_tenant_and_store),
		TEST(every_sku_has_its_own_path),
		TEST(a_token_is_looked_at_before_all_else),
		TEST(any_token_can_be_made_good),
		TEST(a_missing_permission_names_the_resource),
		TEST(a_setting_that_does_not_fit_changes_nothing),
		TEST(an_order_adds_up),
		TEST(the_data_is_the_same_on_every_start),
		TEST(what_never_changes_is_json),
		TEST(a_product_is_made_changed_and_deleted),
		TEST(a_product_that_makes_no_sense_is_400),
		TEST(a_comment_is_kept_and_changes_the_order),
		TEST(a_comment_that_makes_no_sense_is_refused),
		TEST(an_asynchronous_call_does_the_plain_one_s_work),
		TEST(an_asynchronous_call_without_a_plain_one_fails_and_is_told_so),
		TEST(a_status_has_its_documented_body),
		TEST(no_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
