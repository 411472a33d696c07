/* SPDX-License-Identifier: MIT */
/* Which URLs may be sent a secret. */
#include "net/http_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void https_anywhere_and_http_to_this_machine_are_taken(void **state)
{
	static const char *const urls[] = {
		"https://shop.example",	  "HTTPS://shop.example/t?a=b", "http://localhost",
		"http://LocalHost:8080/", "http://127.0.0.1:1/x",	"http://127.255.0.9",
		"http://[::1]/",	  "http://[::1]:80/a/../b",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(urls); i++) {
		struct bc_err err = { 0 };
		if (bc_http_url_check(urls[i], "url", &err))
			fail_msg("%s: %s", urls[i], err.text);
	}
}

/* The last ones look like this machine and are others. */
static void anything_else_is_refused_by_name(void **state)
{
	static const char *const urls[] = {
		NULL,
		"",
		"shop.example",
		"/path",
		"ftp://shop.example",
		"file:///etc/passwd",
		"http://shop.example",
		"http://10.0.0.1",
		"http://[2001:db8::1]/",
		"http://0.0.0.0/",
		"https://user@shop.example",
		"https://:canary@shop.example",
		"https://shop.example/#a",
		"https://",
		"http://127.0.0.1.example/",
		"http://localhost.example/",
		"http://127.0.0.1@shop.example/",
		"http://shop.example#@127.0.0.1/",
		"http://[::ffff:10.0.0.1]/",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(urls); i++) {
		struct bc_err err = { 0 };
		if (bc_http_url_check(urls[i], "the_url", &err) != BC_EINVAL)
			fail_msg("%s was taken", urls[i]);
		assert_int_equal(strncmp(err.text, "the_url ", 8), 0);
		assert_null(strstr(err.text, "canary"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(https_anywhere_and_http_to_this_machine_are_taken),
		cmocka_unit_test(anything_else_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
