/* SPDX-License-Identifier: MIT */
/* Base URLs: which are taken, what auto makes of them, and that a refusal shows no password. */
#include <backchannel/commerce.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

static void flavors_have_three_names(void **state)
{
	(void)state;
	enum bc_commerce_flavor flavor = BC_COMMERCE_AUTO;
	assert_int_equal(bc_commerce_flavor_parse("saas", &flavor), 0);
	assert_int_equal(flavor, BC_COMMERCE_SAAS);
	assert_int_equal(bc_commerce_flavor_parse("paas", &flavor), 0);
	assert_int_equal(flavor, BC_COMMERCE_PAAS);
	assert_int_equal(bc_commerce_flavor_parse("auto", &flavor), 0);
	assert_int_equal(flavor, BC_COMMERCE_AUTO);
	flavor = BC_COMMERCE_PAAS;
	assert_int_equal(bc_commerce_flavor_parse("SaaS", &flavor), BC_EINVAL);
	assert_int_equal(bc_commerce_flavor_parse("", &flavor), BC_EINVAL);
	assert_int_equal(bc_commerce_flavor_parse(NULL, &flavor), BC_EINVAL);
	assert_int_equal(flavor, BC_COMMERCE_PAAS);
}

#define SAAS BC_COMMERCE_SAAS
#define PAAS BC_COMMERCE_PAAS

static const struct {
	const char *base;
	enum bc_commerce_flavor flavor;
} automatic[] = {
	{ "https://na1.api.commerce.adobe.com/AbC123", SAAS },
	{ "https://na1-sandbox.api.commerce.adobe.com/AbC123/", SAAS },
	{ "HTTPS://NA1.API.Commerce.Adobe.COM/t", SAAS },
	{ "https://na1.api.commerce.adobe.com:443/t", SAAS },
	{ "https://na1.api.commerce.adobe.com./t", SAAS },
	{ "https://api.commerce.adobe.com/t", PAAS },
	{ "https://.api.commerce.adobe.com/t", PAAS },
	{ "https://na1.api.commerce.adobe.com.evil.example/t", PAAS },
	{ "https://evilapi.commerce.adobe.com/t", PAAS },
	{ "https://evil.example/na1.api.commerce.adobe.com", PAAS },
	{ "https://shop.example", PAAS },
	{ "http://localhost:8080/t", SAAS },
	{ "http://LocalHost", SAAS },
	{ "http://localhost.example", PAAS },
	{ "http://127.0.0.1:8787/t", SAAS },
	{ "http://127.255.0.9", SAAS },
	{ "http://127.0.0.1.example", PAAS },
	{ "http://127.0.0", PAAS },
	{ "http://127.0.0.256", PAAS },
	{ "http://127.0.0.0001", PAAS },
	{ "http://128.0.0.1", PAAS },
	{ "http://[::1]:8080/t", SAAS },
	{ "http://[::1]", SAAS },
	{ "http://[0:0:0:0:0:0:0:1]/t", SAAS },
	{ "http://[0000::0001]/t", SAAS },
	{ "http://[::10]/t", PAAS },
	{ "http://[::2]/t", PAAS },
	{ "http://[1::1]/t", PAAS },
	{ "http://[::ffff:10.0.0.1]/t", PAAS },
	{ "http://1", PAAS },
	/* No URLs. */
	{ "http://127.0.0.1@shop.example/", PAAS },
	{ "localhost:8080", PAAS },
	{ "ftp://localhost", PAAS },
	{ "", PAAS },
	{ NULL, PAAS },
};

static void auto_is_saas_for_adobes_hosts_and_loopback(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(automatic); i++) {
		if (bc_commerce_flavor_of(automatic[i].base) != automatic[i].flavor)
			fail_msg("%s", automatic[i].base);
	}
}

static const struct {
	const char *base;
	const char *url; /* of /V1/x on SaaS; NULL = refused */
} bases[] = {
	{ "https://na1.api.commerce.adobe.com/AbC123",
	  "https://na1.api.commerce.adobe.com/AbC123/V1/x" },
	{ "https://na1.api.commerce.adobe.com/AbC123///",
	  "https://na1.api.commerce.adobe.com/AbC123/V1/x" },
	{ "https://h", "https://h/V1/x" },
	{ "https://h/", "https://h/V1/x" },
	{ "HTTP://h", "HTTP://h/V1/x" },
	{ "http://h:80/a/b%20c", "http://h:80/a/b%20c/V1/x" },
	{ "http://h:65535", "http://h:65535/V1/x" },
	{ "http://[::1]:8080/t/", "http://[::1]:8080/t/V1/x" },
	{ "http://[fe80::1]", "http://[fe80::1]/V1/x" },
	{ "http://in_house-1.example", "http://in_house-1.example/V1/x" },
	{ NULL, NULL },
	{ "", NULL },
	{ "/", NULL },
	{ "h", NULL },
	{ "h/t", NULL },
	{ "//h/t", NULL },
	{ "https:", NULL },
	{ "https://", NULL },
	{ "https:///t", NULL },
	{ "https:/h", NULL },
	{ " https://h", NULL },
	{ "https://h ", NULL },
	{ "ftp://h", NULL },
	{ "file:///etc", NULL },
	{ "https://user@h/t", NULL },
	{ "https://user:pass@h/t", NULL },
	{ "https://@h/t", NULL },
	{ "https://h@h/t", NULL },
	{ "https://h:/t", NULL },
	{ "https://h:0/t", NULL },
	{ "https://h:65536/t", NULL },
	{ "https://h:99999999999999999999/t", NULL },
	{ "https://h:8o/t", NULL },
	{ "https://h:1:2/t", NULL },
	{ "https://[::1", NULL },
	{ "https://[]", NULL },
	{ "https://[::1]x", NULL },
	{ "https://[::1]:", NULL },
	{ "https://[fe80::1%25eth0]/t", NULL },
	{ "https://::1/t", NULL },
	{ "https://h?q", NULL },
	{ "https://h/t?q=1", NULL },
	{ "https://h/t#f", NULL },
	{ "https://h#f", NULL },
	{ "https://h/../t", NULL },
	{ "https://h/t/..", NULL },
	{ "https://h/%2e%2e/t", NULL },
	{ "https://h/t\\u", NULL },
	{ "https://h\\t", NULL },
	{ "https://h/t\r\nX: y", NULL },
	{ "https://h\t/t", NULL },
	{ "https://h/t%2", NULL },
	{ "https://h/{tenant}", NULL },
	{ "https://gr\xc3\xb6\xc3\x9f"
	  "e.example/t",
	  NULL },
	{ "https://%68/t", NULL },
};

static void a_base_is_scheme_host_port_and_path_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bases); i++) {
		struct bc_commerce_target target = { 0 };
		struct bc_err err = { 0 };
		int r = bc_commerce_target_build(bases[i].base, SAAS, "/V1/x", NULL, &target, &err);
		if (r != (bases[i].url ? 0 : BC_EINVAL))
			fail_msg("\"%s\": %d", bases[i].base ? bases[i].base : "(none)", r);
		if (bases[i].url)
			assert_string_equal(target.url, bases[i].url);
		else
			assert_true(!target.url && err.code == r && err.text[0] && err.hint[0]);
		free(target.url);
	}
}

static void a_refusal_shows_no_password_and_no_strange_byte(void **state)
{
	(void)state;
	static const char *const hostile[] = {
		"https://user:s3cret@h/t",
		"s3cret@h",
		"https://h/s3cret\xff",
		"https://h/s3cret\x1b[31m",
	};
	for (size_t i = 0; i < BC_COUNT(hostile); i++) {
		struct bc_commerce_target target;
		struct bc_err err = { 0 };
		assert_int_equal(
			bc_commerce_target_build(hostile[i], SAAS, "/V1/x", NULL, &target, &err),
			BC_EINVAL);
		assert_null(strstr(err.text, "s3cret"));
		assert_null(strstr(err.hint, "s3cret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flavors_have_three_names),
		cmocka_unit_test(auto_is_saas_for_adobes_hosts_and_loopback),
		cmocka_unit_test(a_base_is_scheme_host_port_and_path_and_nothing_else),
		cmocka_unit_test(a_refusal_shows_no_password_and_no_strange_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
