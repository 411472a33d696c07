/* SPDX-License-Identifier: MIT */
/* Settings: bounds, products, and with which ones a daemon may start. */
#include "settings_fixture.h"

/* --- bounds ---------------------------------------------------------------------------------- */

static void a_value_out_of_bounds_is_named_with_where_and_what_is_allowed(void **state)
{
	static const struct {
		const char *name, *value, *text, *hint;
	} rows[] = {
		{ "CLICK_TTL", "999ms", "\"click.ttl\" = \"999ms\" is too small",
		  "1s to 365d is allowed" },
		{ "CLICK_TTL", "366d", "is too large", "1s to 365d is allowed" },
		{ "CLICK_TTL", "24", "\"24\" is not a duration", "(ms, s, m, h, d)" },
		{ "CLICK_TTL", "-1s", "is not a duration", "such as 90s or 24h" },
		{ "CLICK_TTL", "99999999999999999999d", "is not a duration", "24h" },
		{ "HTTP_BODY", "1023", "\"http.body\" = \"1023\" is too small",
		  "1KiB to 16MiB is allowed" },
		{ "HTTP_BODY", "lots", "is not a size", "64KiB" },
		{ "HTTP_CONNECTIONS", "0", "is too small", "1 to 65536 is allowed" },
		{ "LANE_CONCURRENCY", "8s", "is not a whole number", "digits only" },
		{ "RETRY_BASE", "0", "is too small", "1ms to 1h" },
		{ "LISTEN", "8787", "is no address to listen on", "127.0.0.1:8787" },
		{ "LISTEN", "127.0.0.1:65536", "has no port", "127.0.0.1:8787" },
		{ "LISTEN", "::1:80", "is no address", "127.0.0.1" },
		{ "LISTEN", "[::1]80", "is no address", "[IPv6]:port" },
		{ "LISTEN", "unix:", "no usable path", "unix:/run" },
		{ "STORE", "oracle:x", "names no store engine", "sqlite:PATH" },
		{ "STORE", "sqlite", "names no store engine", "sqlite:PATH" },
		{ "LOG", "loud", "is no log setting", "debug" },
		{ "SOVENDUS_BASE_URL", "http://partner.example/ext", "its host is not this machine",
		  "https://" },
		{ "SOVENDUS_BASE_URL", "ftp://partner.example/", "is not https", "https://" },
		{ "SOVENDUS_BASE_URL", "partner.example", "is no URL", "https://" },
		{ "SOVENDUS_BASE_URL", "https://u@partner.example/", "has a user", "\"@\"" },
		{ "SOVENDUS_BASE_URL", "https://partner.example/?a", "has a query", "\"?\"" },
		{ "SOVENDUS_BASE_URL", "http://127.0.0.1.evil.example/", "is not https",
		  "loopback" },
		{ "SOVENDUS_BASE_URL", "http://localhost@evil.example/", "has a user", "\"@\"" },
		{ "SOVENDUS_PARAM", "a,,b", "has an empty item", "comma" },
		{ "SOVENDUS_PARAM", "a=b", "no URL parameter's", "sovReqToken" },
		{ "SOVENDUS_PRODUCT_ID", "../x", "is no product ID", "9bc72425" },
		{ "SOVENDUS_PRODUCT_ID", "a/b", "is no product ID", "9bc72425" },
		{ "SOVENDUS_TOKEN_PATTERN", "[a", "sovendus.token_pattern", "" },
		{ "HTTP_HOSTS", "a b", "is no host name", "Host header" },
		{ "DELIVERY_PROXY", "http://u:pw@proxy:1", "has a user or password", "\"@\"" },
		{ "DELIVERY_PROXY", "gopher://proxy:1", "is no proxy", "socks5h://" },
		{ "ALERT_URL", "http://chat.example/cnry", "\"alert.url\" is not https",
		  "loopback only" },
		{ "ALERT_URL", "http://localhost@evil.example/cnry", "its host is not this machine",
		  "https://" },
		{ "ALERT_URL", "ftp://cnry.example/x", "\"alert.url\" is not https", "https://" },
		{ "ALERT_URL", "chat.example/cnry", "\"alert.url\" is no URL", "https://" },
		{ "ALERT_RETURN_RATE", "101", "is too large", "0 to 100 is allowed" },
		{ "ALERT_RETURN_RATE", "90%", "is not a whole number", "digits only" },
		{ "ALERT_RETURN_RATE_ORDERS", "0", "is too small", "1 to 1000000" },
		{ "URL", "file:///etc/passwd", "is not https", "https://" },
		{ "STATE", "/a\nb", "control character", "one line" },
		{ "STATE", "/a\xff", "is not UTF-8", "UTF-8" },
		{ "HASH_KEY", "too-short-cnry", "\"hash.key\" is 14 bytes long, which is too short",
		  "16 to 1024 bytes" },
	};
	struct fixture *f = *state;
	char where[96];

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		clear_env(f);
		set_env(f, "BACKCHANNEL_%s=%s", rows[i].name, rows[i].value);
		assert_refused(f);
		snprintf(where, sizeof(where), "error: environment BACKCHANNEL_%s: ", rows[i].name);
		assert_says(f, where);
		assert_says(f, rows[i].text);
		assert_says(f, rows[i].hint);
		assert_silent_about(f, "cnry");
		assert_int_equal(f->report.count, 1);
	}
}

static void values_at_the_edge_are_accepted(void **state)
{
	static const char *const good[] = {
		"CLICK_TTL=1s",
		"CLICK_TTL=365d",
		"ORDER_KEEP=0",
		"ALERT_URL=https://u:p@chat.example/hook?key=a&token=b",
		"ALERT_URL=http://127.0.0.1:1/",
		"ALERT_URL=http://[::1]:1/x",
		"ALERT_RETURN_RATE=100",
		"ORDER_ADOPT=0",
		"HTTP_BODY=1024",
		"LISTEN=0.0.0.0:0",
		"LISTEN=localhost:1",
		"LISTEN=unix:/run/bc.sock",
		"SOVENDUS_BASE_URL=http://[::1]:99/ext",
		"SOVENDUS_BASE_URL=http://localhost:99",
		"SOVENDUS_BASE_URL=https://partner.example:444/a/b",
		"SOVENDUS_TOKEN_PATTERN=[a-f0-9-]{35}",
		"URL=unix:/run/bc.sock",
		"URL=http://api.internal:8787",
		"DELIVERY_PROXY=http://proxy:3128",
		("STATE=/srv/l\xc3\xa4"
		 "den"),
		"LOG=error",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(good); i++) {
		clear_env(f);
		set_env(f, "BACKCHANNEL_%s", good[i]);
		assert_quiet(f);
	}
}

static void settings_that_contradict_each_other_are_both_named(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf", "[lane]\nlease = 20s\n[retry]\ncap = 1s\n");
	set_env(f, "BACKCHANNEL_DELIVERY_TIMEOUT=20s");
	assert_refused(f);
	assert_says(f,
		    "\"delivery.timeout\" = 20s (environment BACKCHANNEL_DELIVERY_TIMEOUT) must be "
		    "below \"lane.lease\" = 20s (backchannel.conf:2)");
	assert_says(f, "\"retry.base\" = 2s (default) must be at most \"retry.cap\" = 1s "
		       "(backchannel.conf:4)");
	assert_int_equal(f->report.errors, 2);
}

static void all_errors_are_found_at_once_and_the_first_is_the_error(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf",
		 "[click]\nttl = soon\n[order]\nkeep = long\n[lane]\nlease = 1s\n");
	set_env(f, "BACKCHANNEL_LISTEN=nowhere");
	assert_refused(f);
	assert_int_equal(f->report.errors, 4);
	assert_string_equal(f->err.text,
			    "environment BACKCHANNEL_LISTEN: \"listen\" = \"nowhere\" is no "
			    "address to listen on");
	assert_non_null(strstr(f->err.hint, "write host:port"));
}

static void only_loopback_and_unix_sockets_are_local(void **state BC_UNUSED)
{
	assert_true(bc_settings_listen_is_local("127.0.0.1:1"));
	assert_true(bc_settings_listen_is_local("127.9.9.9:1"));
	assert_true(bc_settings_listen_is_local("[::1]:1"));
	assert_true(bc_settings_listen_is_local("localhost:1"));
	assert_true(bc_settings_listen_is_local("unix:/x"));
	assert_false(bc_settings_listen_is_local("0.0.0.0:1"));
	assert_false(bc_settings_listen_is_local("[::]:1"));
	assert_false(bc_settings_listen_is_local("128.0.0.1:1"));
	assert_false(bc_settings_listen_is_local("127.0.0.1.example:1"));
	assert_false(bc_settings_listen_is_local("nonsense"));
}

/* --- products -------------------------------------------------------------------------------- */

static void products_come_from_sections_and_variables(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf",
		 "[product shoes-2]\nid = s2\nkey = file-key\nlanding = /shoes/\n"
		 "[product bags]\nid = b\nkey = bag-key\npartner = sovendus\n");
	set_env(f, "BACKCHANNEL_PRODUCT_SHOES_2_KEY=env-key");
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_ID=h");
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_KEY=hat-key");
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_LANDING=/hats");
	set_env(f, "SOVENDUS_PRODUCT_ID=d");
	set_env(f, "SOVENDUS_API_KEY=default-key");
	assert_quiet(f);
	assert_int_equal(f->s->product_count, 4);
	assert_string_equal(f->s->products[0].label, "default");
	assert_string_equal(f->s->products[1].label, "bags");
	assert_null(f->s->products[1].landing);
	assert_string_equal(f->s->products[2].label, "hats");
	assert_string_equal(f->s->products[2].landing, "/hats");
	assert_string_equal(f->s->products[2].partner, "sovendus");
	assert_string_equal(f->s->products[3].label, "shoes-2");
	assert_string_equal(f->s->products[3].id, "s2");
	assert_secret(f->s->products[3].key, "env-key");
	assert_int_equal(bc_settings_check_startable(f->s, NULL, NULL), 0);
}

static void bad_products_are_refused(void **state)
{
	static const char *const files[][2] = {
		{ "[product Shoes]\nid = x\n", "the product label \"Shoes\" cannot be used" },
		{ "[product ]\nid = x\n", "the product label \"\" cannot be used" },
		{ "[product default]\nid = x\n", "the product label \"default\" is taken" },
		{ "[product a-b]\nid = x\n[product a_b]\nid = x\n",
		  "\"a-b\" and \"a_b\" are too alike" },
		{ "[product a]\npartner = other\n",
		  "\"product.a.partner\" = \"other\" is no partner" },
		{ "[product a]\nlanding = shoes\n",
		  "\"product.a.landing\" = \"shoes\" is no path" },
		{ "[product a]\nlanding = /x\n[product b]\nlanding = /x\n",
		  "\"a\" and \"b\" have the same landing \"/x\"" },
		{ "[product aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nid = x\n",
		  "cannot be used" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(files); i++) {
		put_file(f, "backchannel.conf", files[i][0]);
		assert_refused(f);
		assert_says(f, files[i][1]);
	}
}

/* --- may it start? --------------------------------------------------------------------------- */

static void what_is_missing_for_a_start_is_named(void **state)
{
	static const struct {
		const char *env[4];
		const char *text; /* NULL: may start */
	} rows[] = {
		{ { NULL }, "nothing to do: SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY are missing" },
		{ { "SOVENDUS_PRODUCT_ID=p" },
		  "SOVENDUS_API_KEY is missing, though SOVENDUS_PRODUCT_ID is set" },
		{ { "SOVENDUS_API_KEY=k" },
		  "SOVENDUS_PRODUCT_ID is missing, though SOVENDUS_API_KEY is set" },
		{ { "BACKCHANNEL_PRODUCT_A_ID=p" }, "the product \"a\" has no key" },
		{ { "BACKCHANNEL_PRODUCT_A_KEY=k" }, "the product \"a\" has no id" },
		{ { "BACKCHANNEL_PRODUCT_A_LANDING=/a" },
		  "the product \"a\" has no id and no key" },
		{ { "SOVENDUS_PRODUCT_ID=p", "SOVENDUS_API_KEY=k", "BACKCHANNEL_LISTEN=0.0.0.0:1" },
		  "environment BACKCHANNEL_LISTEN: \"api_token\" is missing, and \"listen\" = "
		  "\"0.0.0.0:1\"" },
		{ { "SOVENDUS_PRODUCT_ID=p", "SOVENDUS_API_KEY=k", "BACKCHANNEL_LISTEN=0.0.0.0:1",
		    "BACKCHANNEL_API_TOKEN=secret" },
		  NULL },
		{ { "BACKCHANNEL_PRODUCT_A_ID=p", "BACKCHANNEL_PRODUCT_A_KEY=k" }, NULL },
		{ { "SOVENDUS_PRODUCT_ID=p", "SOVENDUS_API_KEY=k", "BACKCHANNEL_LISTEN=unix:/x" },
		  NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		int wanted = rows[i].text ? BC_EINVAL : 0;

		clear_env(f);
		for (size_t k = 0; k < 4 && rows[i].env[k]; k++)
			set_env(f, "%s", rows[i].env[k]);
		assert_quiet(f);
		assert_int_equal(bc_settings_check_startable(f->s, &f->report, &f->err), wanted);
		assert_int_equal(f->report.errors, wanted ? 1 : 0);
		assert_int_equal(strncmp(f->err.text, wanted ? rows[i].text : "",
					 wanted ? strlen(rows[i].text) : 1),
				 0);
		assert_true(!wanted || f->err.hint[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		settings_test(a_value_out_of_bounds_is_named_with_where_and_what_is_allowed),
		settings_test(values_at_the_edge_are_accepted),
		settings_test(settings_that_contradict_each_other_are_both_named),
		settings_test(all_errors_are_found_at_once_and_the_first_is_the_error),
		cmocka_unit_test(only_loopback_and_unix_sockets_are_local),
		settings_test(products_come_from_sections_and_variables),
		settings_test(bad_products_are_refused),
		settings_test(what_is_missing_for_a_start_is_named),
	};

	return cmocka_run_group_tests_name("settings_rules", tests, NULL, NULL);
}
