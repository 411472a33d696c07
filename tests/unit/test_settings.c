/* SPDX-License-Identifier: MIT */
/* Settings: where they come from, which one wins, and what a snapshot does. */
#include "settings_fixture.h"

#include "failing_malloc.h"

static void defaults_are_those_of_the_contract(void **state)
{
	struct fixture *f = *state;

	assert_quiet(f);
	assert_int_equal(f->s->product_count, 0);
	assert_string_equal(f->s->sovendus_base_url, "https://press-order-api.sovendus.com/ext");
	assert_string_equal(f->s->sovendus_params[0], "sovReqToken");
	assert_null(f->s->sovendus_params[1]);
	assert_null(f->s->token_pattern);
	assert_string_equal(f->s->listen, "127.0.0.1:8787");
	assert_string_equal(f->s->url, "http://127.0.0.1:8787");
	assert_null(f->s->api_token);
	assert_string_equal(f->s->state, "/home/shop/.local/state/backchannel");
	assert_string_equal(f->s->store,
			    "sqlite:/home/shop/.local/state/backchannel/backchannel.db");
	assert_int_equal(f->s->log_level, BC_LOG_INFO);
	assert_int_equal(f->s->log_json, !isatty(STDERR_FILENO));
	assert_int_equal(f->s->http_connections, 4096);
	assert_int_equal(f->s->http_body_bytes, 65536);
	assert_int_equal(f->s->http_head_timeout_ms, 10000);
	assert_null(f->s->http_hosts);
	assert_null(f->s->hash_key);
	assert_null(f->s->hash_key_previous);
	assert_int_equal(f->s->click_ttl_ms, 86400000);
	assert_int_equal(f->s->order_adopt_ms, 900000);
	assert_int_equal(f->s->order_keep_ms, 90 * 86400000ull);
	assert_int_equal(f->s->retry_base_ms, 2000);
	assert_int_equal(f->s->retry_cap_ms, 3600000);
	assert_int_equal(f->s->retry_deadline_ms, 72 * 3600000);
	assert_int_equal(f->s->delivery_connect_timeout_ms, 5000);
	assert_int_equal(f->s->delivery_timeout_ms, 30000);
	assert_null(f->s->delivery_proxy);
	assert_int_equal(f->s->lane_concurrency, 8);
	assert_int_equal(f->s->lane_probe_ms, 900000);
	assert_int_equal(f->s->lane_lease_ms, 90000);
	assert_null(f->s->alert_url);
	assert_int_equal(f->s->alert_return_rate, 0);
	assert_int_equal(f->s->alert_return_rate_orders, 20);
}

/* --- three places ---------------------------------------------------------------------------- */

/* A public key as it may stand on one line. */
#define ONE_LINE_KEY                                                                               \
	"-----BEGIN PUBLIC KEY----- "                                                              \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAk7r5MKEPOobLcTL44ic2 "                        \
	"z06H/KgrQUm4u9lqT+RWKna1AYMr24Hu/ANNSVzlupL6Dv4NxIadg3rm2zDMedOy "                        \
	"lOlkm/qOCruwTx7XjfZ8eIzxTqX4jcqLGXzZzYZCDFWivEHIsvD9CmFduxuhi16I "                        \
	"2UBzVdkiAxl10HLmpbQ0p/9h+Vwj+r9dN6y3/Xo6dQ4tXmT2yO7e+XKe4EUnFyx7 "                        \
	"upD86LRXT9fUJtE/vhSHHbfB7xjU2IS03mttPItgCJAUrgssZRIF0XM61wykkFxQ "                        \
	"Cf8C1wjuImoFdqnA2X9VaD0Do28owA7q7GLcpFZcHZKR/q4UISpF8YPQkVsrl3QB "                        \
	"pwIDAQAB "                                                                                \
	"-----END PUBLIC KEY-----"

/* A value for each setting that is not its default; numbers take their largest but for these. */
static const char *sample_of(const struct bc_setting_row *row, char text[24])
{
	static const struct {
		const char *name, *value;
	} samples[] = {
		{ "listen", "[::1]:9000" },
		{ "url", "http://127.0.0.1:1" },
		{ "state", "/srv/state" },
		{ "store", "memory:" },
		{ "log", "debug,json" },
		{ "sovendus.product_id", "9bc72425-902c-3abf-9db8-8b186d7cb160" },
		{ "sovendus.base_url", "http://127.0.0.1:7000/ext" },
		{ "sovendus.param", "tok,sovReqToken" },
		{ "sovendus.token_pattern", "guide" },
		{ "http.hosts", "shop.example,api:8787" },
		{ "delivery.timeout", "20s" },
		{ "delivery.proxy", "socks5h://10.0.0.1:1080" },
		{ "oauth.client_id", "client-1" },
		{ "oauth.org_id", "0A1B@AdobeOrg" },
		{ "oauth.base_url", "http://127.0.0.1:7000" },
		{ "oauth.token_url", "https://login.example/token" },
		{ "oauth.scopes", "openid" },
		{ "oauth.scope_separator", "space" },
		{ "oauth.auth", "basic" },
		{ "oauth.cache_file", "/srv/token" },
		{ "commerce.base_url", "http://127.0.0.1:7000/tenant" },
		{ "commerce.flavor", "paas" },
		{ "commerce.proxy", "http://10.0.0.1:3128" },
		{ "commerce.ca_file", "/etc/ssl/shop.pem" },
		{ "edge", "0.0.0.0:8080" },
		{ "input", "udp:127.0.0.1:8788" },
		{ "input.group", "www-data" },
		{ "edge.trusted_proxies", "10.0.0.0/8,fd00::1" },
		{ "edge.cookie_domain", "shop.example" },
		{ "commerce.completed", "processing" },
		{ "commerce.click_attribute", "click_token" },
		{ "commerce.comments", "delivered,rejected" },
		{ "events.client_id", "client-2" },
		{ "events.key_url", "http://127.0.0.1:7000" },
		{ "events.key_path", "/stage/keys/" },
		{ "events.validate_url", "http://127.0.0.1:7001" },
		{ "journal.url", "http://127.0.0.1:7000/events/organizations/1/integrations/2/3" },
		{ "webhook.key", ONE_LINE_KEY },
		{ "webhook.key_next", ONE_LINE_KEY },
		{ "gateway.allow", "GET /V1/orders,* /V1/products" },
		{ "alert.url", "https://chat.example/hook?key=canary" },
	};

	for (size_t i = 0; i < BC_COUNT(samples); i++)
		if (strcmp(samples[i].name, row->name) == 0)
			return samples[i].value;
	if (row->type == &bc_setting_secret)
		return "a secret of enough bytes";
	assert_non_null(row->type->bound);
	return row->type->bound(row->max, text, 24);
}

static void assert_shows(struct fixture *f, const struct bc_setting_row *row, const char *value,
			 const char *origin_part)
{
	const char *origin;
	struct bc_buf shown;

	assert_quiet(f);
	bc_buf_init(&shown, 4096);
	assert_int_equal(row->type->format((const char *)f->s + row->offset, &shown), 0);
	assert_string_equal(shown.data, row->type == &bc_setting_secret ? "set" : value);
	bc_buf_finish(&shown);
	origin = bc_settings_origins_of(f->s)->rows[row - bc_setting_rows];
	assert_non_null(strstr(origin, origin_part));
}

static void put_ini(const struct fixture *f, const struct bc_setting_row *row, const char *value)
{
	const char *dot = strchr(row->name, '.');
	char text[512];

	if (dot)
		snprintf(text, sizeof(text), "[%.*s]\n%s = %s\n", (int)(dot - row->name), row->name,
			 dot + 1, value);
	else
		snprintf(text, sizeof(text), "%s = %s\n", row->name, value);
	put_file(f, "backchannel.conf", text);
}

static void every_setting_can_be_given_in_all_three_places(void **state)
{
	struct fixture *f = *state;
	char name[BC_SETTING_NAME_MAX], text[512], number[24];

	for (size_t i = 0; i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];
		const char *value = sample_of(row, number);

		bc_setting_env_name(row->name, name);
		set_env(f, "%s=%s", name, value);
		assert_shows(f, row, value, name);
		clear_env(f);
		snprintf(text, sizeof(text), "%s=%s\n", name, value);
		put_file(f, ".env", text);
		assert_shows(f, row, value, ".env:1");
		drop_file(f, ".env");
		put_ini(f, row, value);
		assert_shows(f, row, value, "backchannel.conf:");
		drop_file(f, "backchannel.conf");
	}
}

static void one_word_settings_may_stand_in_the_section_backchannel(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf", "store = memory:\n[backchannel]\nlisten = 127.0.0.1:1\n");
	assert_quiet(f);
	assert_string_equal(f->s->store, "memory:");
	assert_string_equal(f->s->listen, "127.0.0.1:1");
}

static void no_two_settings_share_an_environment_name(void **state BC_UNUSED)
{
	char a[BC_SETTING_NAME_MAX], b[BC_SETTING_NAME_MAX];

	for (size_t i = 0; i < bc_setting_row_count; i++) {
		bc_setting_env_name(bc_setting_rows[i].name, a);
		for (size_t k = 0; k < bc_setting_row_count; k++) {
			bc_setting_env_name(bc_setting_rows[k].name, b);
			assert_true(i == k || strcmp(a, b) != 0);
			strcat(b, "_FILE");
			assert_string_not_equal(a, b);
		}
	}
}

static void the_higher_place_wins(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf", "[click]\nttl = 3d\n[order]\nadopt = 3m\nkeep = 3d\n");
	put_file(f, ".env", "BACKCHANNEL_CLICK_TTL=2d\nBACKCHANNEL_ORDER_ADOPT=2m\n");
	set_env(f, "BACKCHANNEL_CLICK_TTL=30h");
	assert_quiet(f);
	assert_int_equal(f->s->click_ttl_ms, 30 * 3600000);
	assert_int_equal(f->s->order_adopt_ms, 120000);
	assert_int_equal(f->s->order_keep_ms, 3 * 86400000);
}

static void an_empty_value_is_no_value(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf", "[click]\nttl = 3d\n[product shoes]\nid =\n");
	put_file(f, ".env", "BACKCHANNEL_CLICK_TTL=\"\"\n");
	set_env(f, "BACKCHANNEL_CLICK_TTL=");
	set_env(f, "SOVENDUS_API_KEY=");
	assert_quiet(f);
	assert_int_equal(f->s->click_ttl_ms, 3 * 86400000);
	assert_int_equal(f->s->product_count, 0);
}

static void the_first_settings_file_of_four_is_read(void **state)
{
	struct fixture *f = *state;
	char path[160];

	put_file(f, "etc.conf", "[lane]\nconcurrency = 4\n");
	assert_quiet(f);
	assert_int_equal(f->s->lane_concurrency, 4);
	put_file(f, "backchannel.conf", "[lane]\nconcurrency = 3\n");
	assert_quiet(f);
	assert_int_equal(f->s->lane_concurrency, 3);
	put_file(f, "by-dotenv.conf", "[lane]\nconcurrency = 2\n");
	put_file(f, ".env", "BACKCHANNEL_CONFIG=by-dotenv.conf\n");
	assert_quiet(f);
	assert_int_equal(f->s->lane_concurrency, 2);
	put_file(f, "by-option.conf", "[lane]\nconcurrency = 1\n");
	path_in(f, "by-option.conf", path);
	f->config = path;
	assert_quiet(f);
	assert_int_equal(f->s->lane_concurrency, 1);
}

static void a_settings_file_that_was_named_must_be_there(void **state)
{
	struct fixture *f = *state;

	set_env(f, "BACKCHANNEL_CONFIG=gone.conf");
	assert_refused(f);
	assert_says(f, "environment BACKCHANNEL_CONFIG: ");
	assert_says(f, "gone.conf\" cannot be read: No such file");
	f->config = "also-gone.conf";
	assert_refused(f);
	assert_says(f, "--config: ");
	f->config = f->dir;
	assert_refused(f);
	assert_says(f, "Is a directory");
}

/* --- vendor's names -------------------------------------------------------------------------- */

static void vendor_names_are_aliases(void **state)
{
	struct fixture *f = *state;

	set_env(f, "SOVENDUS_PRODUCT_ID=p-1");
	set_env(f, "BACKCHANNEL_SOVENDUS_PRODUCT_ID=p-1");
	set_env(f, "SOVENDUS_API_KEY=example-key-000");
	set_env(f, "SOVENDUS_BASE_URL=https://partner.example/ext//");
	set_env(f, "SOVENDUS_TOKEN_PARAM=tok , t2");
	assert_quiet(f);
	assert_int_equal(f->s->product_count, 1);
	assert_string_equal(f->s->products[0].label, "default");
	assert_string_equal(f->s->products[0].partner, "sovendus");
	assert_string_equal(f->s->products[0].id, "p-1");
	assert_secret(f->s->products[0].key, "example-key-000");
	assert_string_equal(f->s->sovendus_base_url, "https://partner.example/ext");
	assert_string_equal(f->s->sovendus_params[0], "tok");
	assert_string_equal(f->s->sovendus_params[1], "t2");
}

static void two_names_that_differ_are_refused_by_both(void **state)
{
	struct fixture *f = *state;

	set_env(f, "SOVENDUS_API_KEY=first-canary");
	set_env(f, "BACKCHANNEL_SOVENDUS_API_KEY=second-canary");
	assert_refused(f);
	assert_says(f, "environment SOVENDUS_API_KEY");
	assert_says(f, "environment BACKCHANNEL_SOVENDUS_API_KEY");
	assert_silent_about(f, "canary");
}

static void a_file_that_says_two_things_is_refused_with_both_lines(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf", "[click]\nttl = 1h\nttl = 1h\n[click]\nttl = 2h\n");
	assert_refused(f);
	assert_says(f, "\"click.ttl\" is set twice, and differently: backchannel.conf:2, and "
		       "backchannel.conf:5");
}

/* --- defaults that are worked out ------------------------------------------------------------ */

static void the_state_directory_follows_systemd_then_xdg_then_home(void **state)
{
	struct fixture *f = *state;

	set_env(f, "XDG_STATE_HOME=relative");
	assert_quiet(f);
	assert_string_equal(f->s->state, "/home/shop/.local/state/backchannel");
	clear_env(f);
	set_env(f, "XDG_STATE_HOME=/xdg");
	assert_quiet(f);
	assert_string_equal(f->s->state, "/xdg/backchannel");
	set_env(f, "STATE_DIRECTORY=/var/lib/backchannel:/var/lib/other");
	assert_quiet(f);
	assert_string_equal(f->s->state, "/var/lib/backchannel");
	assert_string_equal(f->s->store, "sqlite:/var/lib/backchannel/backchannel.db");
	set_env(f, "BACKCHANNEL_STATE=/srv/bc");
	assert_quiet(f);
	assert_string_equal(f->s->store, "sqlite:/srv/bc/backchannel.db");
	clear_env(f);
	f->environment[0] = NULL;
	assert_refused(f);
	assert_says(f, "HOME is not set");
	assert_says(f, "BACKCHANNEL_STATE");
}

static void the_command_line_goes_where_the_daemon_listens(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.1.2.3:80", "http://10.1.2.3:80" },
		{ "0.0.0.0:9", "http://127.0.0.1:9" },
		{ "[::]:9", "http://[::1]:9" },
		{ "[fe80::1]:9", "http://[fe80::1]:9" },
		{ "unix:/run/bc.sock", "unix:/run/bc.sock" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(pairs); i++) {
		clear_env(f);
		set_env(f, "BACKCHANNEL_LISTEN=%s", pairs[i][0]);
		assert_quiet(f);
		assert_string_equal(f->s->url, pairs[i][1]);
	}
}

static void the_log_setting_is_shown_as_it_took_effect(void **state)
{
	struct fixture *f = *state;

	set_env(f, "BACKCHANNEL_LOG=warning,text");
	assert_quiet(f);
	assert_int_equal(f->s->log_level, BC_LOG_WARNING);
	assert_false(f->s->log_json);
	assert_string_equal(f->s->log, "warning,text");
	clear_env(f);
	set_env(f, "BACKCHANNEL_LOG=debug");
	assert_quiet(f);
	assert_string_equal(f->s->log, f->s->log_json ? "debug,json" : "debug,text");
}

/* --- snapshots ------------------------------------------------------------------------------- */

static void a_snapshot_lives_until_its_last_holder_lets_go(void **state)
{
	struct fixture *f = *state;
	struct bc_settings *held;

	assert_quiet(f);
	held = bc_settings_ref(f->s);
	unload(f);
	assert_string_equal(held->listen, "127.0.0.1:8787");
	bc_settings_unref(held);
	bc_settings_unref(NULL);
}

/* --- without memory -------------------------------------------------------------------------- */

static bool load_once(void *ctx)
{
	struct fixture *f = ctx;
	int rc = load(f);

	if (rc) {
		assert_int_equal(rc, BC_ENOMEM);
		assert_int_equal(f->err.code, BC_ENOMEM);
		assert_null(f->s);
		return false;
	}
	rc = bc_settings_check_startable(f->s, &f->report, &f->err);
	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static void a_load_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;

	put_file(f, "secret", "key-from-a-file\n");
	put_file(f, "sovendus.api_key", "credential\n");
	put_file(f, ".env",
		 "SOVENDUS_PRODUCT_ID='p-1'\nOTHER=x\nBROKEN\nBACKCHANNEL_CLIK_TTL=1s\n");
	put_file(f, "backchannel.conf",
		 "[product shoes]\nid = s\nkey_file = secret\nlanding = /s\n"
		 "[sovendus]\ntoken_pattern = guide\nparam = a,b\n[http]\nhosts = "
		 "x\n[backchannel]\nstate = /a # b\n");
	set_env(f, "CREDENTIALS_DIRECTORY=%s", f->dir);
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_ID=h");
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_KEY=hk");
	each_allocation_failing(load_once, f);
	assert_int_equal(f->s->product_count, 3);
}

static bool refuse_once(void *ctx)
{
	struct fixture *f = ctx;
	struct bc_buf out;
	int rc = load(f);

	assert_true(rc == BC_EINVAL || rc == BC_ENOMEM);
	if (rc == BC_ENOMEM)
		return false;
	bc_buf_init(&out, 65536);
	rc = bc_settings_report_print(&f->report, &out);
	bc_buf_finish(&out);
	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static void a_refusal_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;

	put_file(f, ".env", "SOVENDUS_API_KEY=\"never closed\nSOVENDUS_API_KEY_FILE=gone\n");
	put_file(f, "backchannel.conf",
		 "[click\nttl = 1\n[click]\nttl = 1\n[retry]\ncap = 1s\nnothing\n"
		 "[sovendus]\nbase_url = x\ntoken_pattern = [\nproduct_id = /\n"
		 "product_id = b\nparam = a,/\n");
	each_allocation_failing(refuse_once, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		settings_test(defaults_are_those_of_the_contract),
		settings_test(every_setting_can_be_given_in_all_three_places),
		settings_test(one_word_settings_may_stand_in_the_section_backchannel),
		cmocka_unit_test(no_two_settings_share_an_environment_name),
		settings_test(the_higher_place_wins),
		settings_test(an_empty_value_is_no_value),
		settings_test(the_first_settings_file_of_four_is_read),
		settings_test(a_settings_file_that_was_named_must_be_there),
		settings_test(vendor_names_are_aliases),
		settings_test(two_names_that_differ_are_refused_by_both),
		settings_test(a_file_that_says_two_things_is_refused_with_both_lines),
		settings_test(the_state_directory_follows_systemd_then_xdg_then_home),
		settings_test(the_command_line_goes_where_the_daemon_listens),
		settings_test(the_log_setting_is_shown_as_it_took_effect),
		settings_test(a_snapshot_lives_until_its_last_holder_lets_go),
		settings_test(a_load_survives_each_failing_allocation),
		settings_test(a_refusal_survives_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
