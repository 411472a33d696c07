/* SPDX-License-Identifier: MIT */
/*
 * Where calls go. One table maps paths on both flavors, a second holds what is refused, and every
 * spelling of a dot segment is made rather than listed.
 */
#include <backchannel/commerce.h>

#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

#define BASE "https://na1.api.commerce.adobe.com/AbC123"
#define HOST "https://shop.example"

static const struct {
	const char *path, *store; /* what the caller says */
	const char *resource;
	const char *saas_store; /* of the header */
	const char *paas_path;	/* behind the base */
	const char *paas_store;
} mapped[] = {
	/* The guide's own. */
	{ "/rest/V1/products", NULL, "/V1/products", "", "/rest/V1/products", "" },
	{ "/rest/V1/products/example-sku", NULL, "/V1/products/example-sku", "",
	  "/rest/V1/products/example-sku", "" },
	{ "/V1/orders", NULL, "/V1/orders", "", "/rest/V1/orders", "" },
	{ "V1/orders", NULL, "/V1/orders", "", "/rest/V1/orders", "" },
	{ "rest/V1/orders", "", "/V1/orders", "", "/rest/V1/orders", "" },
	{ "/V2/orders", NULL, "/V2/orders", "", "/rest/V2/orders", "" },
	{ "/rest/default/V1/orders", NULL, "/V1/orders", "default", "/rest/default/V1/orders", "" },
	{ "/rest/all/V1/orders/1", NULL, "/V1/orders/1", "all", "/rest/all/V1/orders/1", "" },
	{ "/V1/orders", "de", "/V1/orders", "de", "/rest/de/V1/orders", "" },
	{ "/rest/V1/orders", "de", "/V1/orders", "de", "/rest/de/V1/orders", "" },
	{ "/rest/default/V1/orders", "de", "/V1/orders", "de", "/rest/de/V1/orders", "" },
	{ "/rest/V/orders", NULL, "/orders", "V", "/rest/V/orders", "" },
	{ "/rest/V1x/V1/orders", NULL, "/V1/orders", "V1x", "/rest/V1x/V1/orders", "" },
	/* Asynchronous routes: the prefix is mapped, the resource never. */
	{ "/V1/async/products", NULL, "/V1/async/products", "", "/rest/V1/async/products", "" },
	{ "/rest/all/V1/async/bulk/products", NULL, "/V1/async/bulk/products", "all",
	  "/rest/all/V1/async/bulk/products", "" },
	{ "/rest/all/async/V1/products", NULL, "/async/V1/products", "all",
	  "/rest/all/async/V1/products", "" },
	{ "/rest/async/V1/products", NULL, "/async/V1/products", "", "/rest/async/V1/products",
	  "" },
	{ "/async/bulk/V1/products", NULL, "/async/bulk/V1/products", "",
	  "/rest/async/bulk/V1/products", "" },
	{ "/async/V1/products", "de", "/async/V1/products", "de", "/rest/de/async/V1/products",
	  "" },
	{ "/rest/default/schema?services=all", NULL, "/schema?services=all", "default",
	  "/rest/default/schema?services=all", "" },
	/* What is no REST: a store can only be a header. */
	{ "/graphql", NULL, "/graphql", "", "/graphql", "" },
	{ "/graphql", "de", "/graphql", "de", "/graphql", "de" },
	{ "/graphql?query={products{items{sku}}}", NULL, "/graphql?query={products{items{sku}}}",
	  "", "/graphql?query={products{items{sku}}}", "" },
	{ "/restful/V1/x", NULL, "/restful/V1/x", "", "/restful/V1/x", "" },
	{ "/REST/V1/x", NULL, "/REST/V1/x", "", "/REST/V1/x", "" },
	{ "/v1/x", NULL, "/v1/x", "", "/v1/x", "" },
	/* Byte for byte behind the prefix. */
	{ "/V1/products/24%2F7%20Gr%C3%B6%C3%9Fe", NULL, "/V1/products/24%2F7%20Gr%C3%B6%C3%9Fe",
	  "", "/rest/V1/products/24%2F7%20Gr%C3%B6%C3%9Fe", "" },
	{ "/rest/default/V1/products/24%2f7", NULL, "/V1/products/24%2f7", "default",
	  "/rest/default/V1/products/24%2f7", "" },
	{ "/V1/products/%5c", NULL, "/V1/products/%5c", "", "/rest/V1/products/%5c", "" },
	{ "/V1/products/100%25", NULL, "/V1/products/100%25", "", "/rest/V1/products/100%25", "" },
	{ "/V1/products/%FF", NULL, "/V1/products/%FF", "", "/rest/V1/products/%FF", "" },
	{ "/V1/a.b/...;v=1/.x/x../a@b:c,d", NULL, "/V1/a.b/...;v=1/.x/x../a@b:c,d", "",
	  "/rest/V1/a.b/...;v=1/.x/x../a@b:c,d", "" },
	{ "/V1/a[1]|b^c", NULL, "/V1/a[1]|b^c", "", "/rest/V1/a[1]|b^c", "" },
	{ "/V1//orders/", NULL, "/V1//orders/", "", "/rest/V1//orders/", "" },
	{ "/V1/%6Frders", NULL, "/V1/%6Frders", "", "/rest/V1/%6Frders", "" },
	{ "/V1/orders?", NULL, "/V1/orders?", "", "/rest/V1/orders?", "" },
	{ "/V1/orders?searchCriteria[filter_groups][0][filters][0][field]=a", NULL,
	  "/V1/orders?searchCriteria[filter_groups][0][filters][0][field]=a", "",
	  "/rest/V1/orders?searchCriteria[filter_groups][0][filters][0][field]=a", "" },
	{ "/rest/V1/orders?searchCriteria%5BpageSize%5D=1&x=..%2F../a?b=%2e%2e", NULL,
	  "/V1/orders?searchCriteria%5BpageSize%5D=1&x=..%2F../a?b=%2e%2e", "",
	  "/rest/V1/orders?searchCriteria%5BpageSize%5D=1&x=..%2F../a?b=%2e%2e", "" },
	{ "/V1/products?like=%shirt%&n=50%", NULL, "/V1/products?like=%shirt%&n=50%", "",
	  "/rest/V1/products?like=%shirt%&n=50%", "" },
};

static void check_target(const char *base, enum bc_commerce_flavor flavor, size_t row,
			 const char *wanted_path, const char *wanted_store)
{
	struct bc_commerce_target target = { 0 };
	struct bc_err err = { 0 };
	int r = bc_commerce_target_build(base, flavor, mapped[row].path, mapped[row].store, &target,
					 &err);
	if (r < 0)
		fail_msg("\"%s\": %s", mapped[row].path, err.text);
	assert_true(strncmp(target.url, base, strlen(base)) == 0);
	assert_string_equal(target.url + strlen(base), wanted_path);
	assert_string_equal(target.store, wanted_store);
	assert_string_equal(target.resource, mapped[row].resource);
	assert_true(target.resource >= target.url &&
		    target.resource + strlen(target.resource) == target.url + strlen(target.url));
	assert_int_equal(err.code, 0);
	free(target.url);
}

static void paths_are_mapped_to_each_flavor(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(mapped); i++) {
		check_target(BASE, BC_COMMERCE_SAAS, i, mapped[i].resource, mapped[i].saas_store);
		check_target(HOST, BC_COMMERCE_PAAS, i, mapped[i].paas_path, mapped[i].paas_store);
		/* Left to auto, the same bases give the same. */
		check_target(BASE, BC_COMMERCE_AUTO, i, mapped[i].resource, mapped[i].saas_store);
		check_target(HOST, BC_COMMERCE_AUTO, i, mapped[i].paas_path, mapped[i].paas_store);
	}
}

static int build(const char *path, const char *store, enum bc_commerce_flavor flavor)
{
	struct bc_commerce_target target = { .url = NULL, .resource = "untouched" };
	struct bc_err err = { 0 };
	int r = bc_commerce_target_build(BASE, flavor, path, store, &target, &err);
	assert_int_equal(err.code, r);
	if (r < 0) {
		assert_true(!target.url && strcmp(target.resource, "untouched") == 0);
		assert_true(err.text[0] && err.hint[0]);
		assert_null(strstr(err.text, "\xff"));
	}
	free(target.url);
	return r;
}

static void check_refused(const char *path, const char *store)
{
	int saas = build(path, store, BC_COMMERCE_SAAS);
	int paas = build(path, store, BC_COMMERCE_PAAS);
	if (saas != BC_EINVAL || paas != BC_EINVAL)
		fail_msg("\"%s\" was taken: %d, %d", path ? path : "(none)", saas, paas);
}

static const char *const refused[] = {
	NULL,
	"",
	"/",
	"//",
	"?",
	"/?a=b",
	"//V1/orders",
	"//evil.example/V1",
	/* No resource. */
	"/rest",
	"/rest/",
	"/rest?a",
	"/rest/default",
	"/rest/default/",
	"/rest/default?a",
	"/rest//V1/orders",
	"/rest/default//V1/orders",
	/* A whole URL. */
	"https://na1.api.commerce.adobe.com/AbC123/V1/orders",
	"HTTP://h/V1",
	"h:80/V1/x",
	"a:b",
	/* Stores that are none. */
	"/rest/de-at/V1/orders",
	"/rest/a.b/V1/orders",
	"/rest/a%20b/V1/orders",
	"/rest/a,b/V1/orders",
	"/rest/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/V1/orders",
	/* Escapes where it is decided. */
	"/%72est/V1/orders",
	"/rest%2FV1/orders",
	"/rest/V1%2Forders",
	"/V1%2Forders",
	"/rest/%64efault/V1/orders",
	"/rest/default%2FV1/orders",
	"/V%31/orders",
	"/V1%00/orders",
	"/rest/%56%31/orders",
	"/rest/default/%56%31/orders",
	"/rest/default/http://h/V1",
	"/%2e%2e/V1/orders",
	"/graphql%3Fa",
	/* Bytes that are no URL's. */
	"/V1/a b",
	"/V1/orders?a=b c",
	"/V1/orders?a=\xc3\xb6",
	"/V1/\xc3\xb6",
	"/V1/\xff",
	"/V1/orders\r\nHost: evil",
	"/V1/orders?a=\r\nX: y",
	"/V1/\t",
	"/V1/\x7f",
	"/V1/a\\b",
	"/V1/orders?a=\\",
	"/V1/orders#top",
	"/V1/orders?a#top",
	"#",
	"/V1/\"x\"",
	"/V1/<x>",
	"/V1/orders?a=\"b\"",
	"/V1/orders/{id}",
	"/V1/`x`",
	"/V1/orders?a=<b>",
	/* Escapes that are none, where a path is. */
	"/V1/%",
	"/V1/%2",
	"/V1/%zz",
	"/V1/50%",
	"/V1/%u2215",
	/* Control bytes, encoded once and twice. */
	"/V1/a%00",
	"/V1/a%0d%0aX",
	"/V1/%1F",
	"/V1/%7f",
	"/V1/%2500",
	"/V1/%25%30%30",
};

static void what_is_no_path_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(refused); i++)
		check_refused(refused[i], NULL);
}

static void a_store_is_letters_digits_and_underscores(void **state)
{
	(void)state;
	static const char longest[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
				      "_Z09";
	assert_int_equal(strlen(longest), 64);
	assert_int_equal(build("/V1/x", longest, BC_COMMERCE_SAAS), 0);
	assert_int_equal(build("/V1/x", longest, BC_COMMERCE_PAAS), 0);
	static const char *const bad[] = {
		"V1",
		"async",
		"schema",
		"de-at",
		" de",
		"de ",
		"a/b",
		"..",
		".",
		"a\r\nX: y",
		"%64e",
		"a,b",
		"\xff",
		"a.b",
		"\xc3\xb6",
		"a\\b",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff_Z09x",
	};
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		check_refused("/V1/x", bad[i]);
		check_refused("/graphql", bad[i]);
		check_refused("/rest/default/V1/x", bad[i]);
	}
}

static const char *const dots[] = { ".", "%2e", "%2E", "%252e", "%252E", "%25%32%65" };
static const char *const slashes[] = { "/", "%2f", "%2F", "%252F", "%5c", "%5C", "%255c" };
static const char *const ends[] = { "", ";", ";x=1", "%3B", "%3bx", "%253Bx" };

/* Every place that a dot segment may stand in. */
static void check_climb(const char *name)
{
	char path[160];
	for (size_t i = 0; i < BC_COUNT(slashes); i++) {
		snprintf(path, sizeof(path), "/V1/products%s%s", slashes[i], name);
		check_refused(path, NULL);
		snprintf(path, sizeof(path), "/V1/products/%s%sorders", name, slashes[i]);
		check_refused(path, NULL);
		snprintf(path, sizeof(path), "/rest/de/V1/a%s%s%sb?c", slashes[i], name,
			 slashes[i]);
		check_refused(path, NULL);
	}
	snprintf(path, sizeof(path), "/%s/V1/orders", name);
	check_refused(path, NULL);
	check_refused(path + 1, NULL);
	snprintf(path, sizeof(path), "/rest/%s/V1/orders", name);
	check_refused(path, NULL);
}

static void dot_segments_are_refused_in_every_spelling(void **state)
{
	(void)state;
	char name[64];
	for (size_t i = 0; i < BC_COUNT(dots); i++) {
		for (size_t end = 0; end < BC_COUNT(ends); end++) {
			snprintf(name, sizeof(name), "%s%s", dots[i], ends[end]);
			check_climb(name);
			for (size_t k = 0; k < BC_COUNT(dots); k++) {
				snprintf(name, sizeof(name), "%s%s%s", dots[i], dots[k], ends[end]);
				check_climb(name);
			}
		}
	}
}

static void a_url_has_a_ceiling(void **state)
{
	(void)state;
	static char path[2 * BC_COMMERCE_URL_MAX];
	size_t room = BC_COMMERCE_URL_MAX - strlen(BASE);
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "/V1/", 4);
	assert_int_equal(build(path, NULL, BC_COMMERCE_SAAS), BC_ETOOBIG);
	path[room + 1] = '\0';
	assert_int_equal(build(path, NULL, BC_COMMERCE_SAAS), BC_ETOOBIG);
	path[room] = '\0';
	assert_int_equal(build(path, NULL, BC_COMMERCE_SAAS), 0);
	assert_int_equal(build(path, NULL, BC_COMMERCE_PAAS), BC_ETOOBIG);
	path[room - strlen("/rest")] = '\0';
	assert_int_equal(build(path, NULL, BC_COMMERCE_PAAS), 0);
}

static bool builds(void *ctx)
{
	(void)ctx;
	struct bc_commerce_target target = { 0 };
	int r = bc_commerce_target_build(HOST, BC_COMMERCE_PAAS, "/V1/orders?a=b", "de", &target,
					 NULL);
	assert_true(r == 0 || (r == BC_ENOMEM && !target.url));
	free(target.url);
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
		cmocka_unit_test(paths_are_mapped_to_each_flavor),
		cmocka_unit_test(what_is_no_path_is_refused),
		cmocka_unit_test(a_store_is_letters_digits_and_underscores),
		cmocka_unit_test(dot_segments_are_refused_in_every_spelling),
		cmocka_unit_test(a_url_has_a_ceiling),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
