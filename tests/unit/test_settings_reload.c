/* SPDX-License-Identifier: MIT */
/* Settings, read a second time: what changed, what waits for a restart, what was changed in vain,
 * and with what a running daemon must not go on. */
#include "settings_fixture.h"

#include "base/err.h"
#include "failing_malloc.h"

static struct bc_settings *before;

static int reload_teardown(void **state)
{
	bc_settings_unref(before);
	before = NULL;
	return fixture_teardown(state);
}

#define reload_test(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, reload_teardown)

/* Loads, and keeps it as what is in force. */
static void start(struct fixture *f, const char *text)
{
	put_file(f, "backchannel.conf", text);
	assert_quiet(f);
	bc_settings_unref(before);
	before = bc_settings_ref(f->s);
}

static void again(struct fixture *f, const char *text)
{
	put_file(f, "backchannel.conf", text);
	assert_quiet(f);
}

static void assert_changes(const struct fixture *f, const char *wanted)
{
	struct bc_buf out;

	bc_buf_init(&out, 4096);
	assert_int_equal(bc_settings_changes(before, f->s, &out), 0);
	assert_string_equal(out.data ? out.data : "", wanted);
	bc_buf_finish(&out);
}

/* --- what changed ---------------------------------------------------------------------------- */

static void what_changed_is_named_and_no_value_is_shown(void **state)
{
	struct fixture *f = *state;

	start(f, "api_token = token-canary\nlog = info,text\n[click]\nttl = 1d\n");
	again(f, "api_token = token-canary\nlog = info,text\n[click]\nttl = 1d\n");
	assert_changes(f, "");
	again(f, "api_token = other-canary\nlog = debug,text\n[click]\nttl = 24h\n"
		 "[http]\nhosts = a,b\n[alert]\nurl = https://chat.example/canary\n");
	assert_changes(f, "api_token, log, http.hosts, alert.url");
}

static void a_product_key_is_told_by_both_fingerprints(void **state)
{
	struct fixture *f = *state;

	start(f, "[sovendus]\nproduct_id = p\napi_key = key-one\n"
		 "[product shoes]\nid = s\nkey = shoe-one\n");
	again(f, "[sovendus]\nproduct_id = p\napi_key = key-two\n"
		 "[product shoes]\nid = t\nkey = shoe-two\nlanding = /s/\n");
	/* printf %s key-one | sha256sum | cut -c1-8, and so on */
	assert_changes(f, "sovendus.api_key (9b346041 to c8df5146), product.shoes.id, "
			  "product.shoes.key (7fc07faa to 70603f18), product.shoes.landing");
	again(f, "[product shoes]\nid = s\nkey = shoe-one\n");
	assert_changes(f, "sovendus.product_id, sovendus.api_key (9b346041 to none)");
}

static void products_that_come_and_go_are_named(void **state)
{
	struct fixture *f = *state;

	start(f, "[product old]\nid = o\nkey = k-old\n[product kept]\nid = k\nkey = k-kept\n");
	again(f, "[product kept]\nid = k\nkey = k-kept\n[product new]\nid = n\nkey = k-new\n");
	assert_changes(f, "product.new added, product.old removed");
}

static void what_only_the_command_line_or_a_restart_uses_is_no_change(void **state)
{
	struct fixture *f = *state;

	start(f, "");
	again(f, "listen = 127.0.0.1:9\nurl = http://127.0.0.1:9\n[http]\nconnections = 9\n");
	assert_changes(f, "");
}

static void a_list_that_finds_no_room_says_so(void **state)
{
	struct fixture *f = *state;
	struct bc_buf out;

	start(f, "");
	again(f, "[click]\nttl = 2d\n[order]\nkeep = 2d\n");
	bc_buf_init(&out, 12);
	assert_int_equal(bc_settings_changes(before, f->s, &out), BC_ETOOBIG);
	assert_string_equal(out.data, "click.ttl");
	bc_buf_finish(&out);
}

/* --- what waits for a restart ---------------------------------------------------------------- */

static void a_reload_names_what_needs_a_restart(void **state)
{
	struct fixture *f = *state;

	start(f, "[hash]\nkey = 0123456789abcdef\n");
	again(f, "listen = 127.0.0.1:1\n[hash]\nkey = 0123456789abcdeX\n"
		 "[click]\nttl = 30d\n[delivery]\nproxy = http://10.0.0.1:1\n");
	assert_int_equal(bc_settings_restart_needed(before, f->s, &f->report), 0);
	assert_says(f, "warning: backchannel.conf:1: \"listen\" has changed");
	assert_says(f, "\"hash.key\" has changed");
	assert_says(f, "\"delivery.proxy\" has changed");
	assert_silent_about(f, "click.ttl");
	assert_int_equal(f->report.count, 3);
	bc_settings_report_finish(&f->report);
	assert_int_equal(bc_settings_restart_needed(f->s, f->s, &f->report), 0);
	assert_int_equal(f->report.count, 0);
}

/* --- what was changed in vain ---------------------------------------------------------------- */

static void assert_hidden(struct fixture *f, size_t count)
{
	assert_int_equal(bc_settings_hidden(before, f->s, &f->report), 0);
	assert_int_equal(f->report.count, count);
	assert_int_equal(f->report.errors, 0);
}

static void a_file_that_now_differs_from_the_environment_is_spoken_of_once(void **state)
{
	struct fixture *f = *state;

	set_env(f, "BACKCHANNEL_CLICK_TTL=30h");
	start(f, "[click]\nttl = 30h\n");
	again(f, "[click]\nttl = 30d\n");
	assert_int_equal(f->s->click_ttl_ms, 30 * 3600000);
	assert_changes(f, "");
	assert_hidden(f, 1);
	assert_says(f, "warning: backchannel.conf:2: \"click.ttl\" is not used from here: "
		       "environment BACKCHANNEL_CLICK_TTL goes first");
	assert_says(f, "restart backchannel without that variable");
	start(f, "[click]\nttl = 30d\n");
	again(f, "[click]\nttl = 30d\n[order]\nkeep = 1d\n");
	assert_hidden(f, 0);
	again(f, "[click]\nttl = 31d\n");
	assert_hidden(f, 1);
}

static void keys_and_products_are_looked_at_as_well_and_not_shown(void **state)
{
	struct fixture *f = *state;

	put_file(f, "keyfile", "canary-one");
	set_env(f, "SOVENDUS_API_KEY=canary-env");
	set_env(f, "BACKCHANNEL_PRODUCT_SHOES_ID=env-id");
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_KEY=canary-hats");
	start(f, "[sovendus]\nproduct_id = p\napi_key_file = keyfile\n[product shoes]\nid = a\n");
	put_file(f, "keyfile", "canary-two");
	again(f, "[sovendus]\nproduct_id = p\napi_key_file = keyfile\n[product shoes]\nid = b\n"
		 "[product hats]\nkey = canary-file\n");
	assert_hidden(f, 3);
	assert_says(f, "backchannel.conf:3: \"sovendus.api_key\" is not used from here: "
		       "environment SOVENDUS_API_KEY");
	assert_says(f, "backchannel.conf:5: \"product.shoes.id\" is not used");
	assert_says(f, "\"product.hats.key\" is not used");
	assert_silent_about(f, "canary");
}

static void a_hidden_secrets_file_need_not_be_there(void **state)
{
	struct fixture *f = *state;

	set_env(f, "SOVENDUS_API_KEY=canary-env");
	start(f, "[sovendus]\nproduct_id = p\napi_key_file = gone\n");
	again(f, "[sovendus]\nproduct_id = p\napi_key_file = gone-too\n");
	assert_hidden(f, 0);
}

static void a_credential_and_a_dotenv_hide_a_file_too(void **state)
{
	struct fixture *f = *state;

	set_env(f, "CREDENTIALS_DIRECTORY=%s", f->dir);
	put_file(f, "api_token", "token-of-systemd");
	put_file(f, ".env", "BACKCHANNEL_CLICK_TTL=2d\n");
	start(f, "");
	again(f, "api_token = canary-file\n[click]\nttl = 3d\n");
	assert_hidden(f, 2);
	assert_says(f, "\"api_token\" is not used from here: credential api_token goes first");
	assert_says(f, "\"click.ttl\" is not used from here: .env:1 (BACKCHANNEL_CLICK_TTL)");
	assert_says(f, "change it there, or take it out there");
	assert_silent_about(f, "canary");
}

/* --- with what a daemon may go on ------------------------------------------------------------ */

static int check(struct fixture *f)
{
	bc_settings_report_finish(&f->report);
	bc_err_clear(&f->err);
	return bc_settings_check_reload(before, f->s, &f->report, &f->err);
}

static void a_listener_that_stays_keeps_its_token(void **state)
{
#define PAIR "[sovendus]\nproduct_id = p\napi_key = k\n"
	struct fixture *f = *state;

	start(f, "listen = 0.0.0.0:1\napi_token = abcdef\n" PAIR);
	again(f, "listen = 127.0.0.1:1\n" PAIR);
	assert_int_equal(bc_settings_check_startable(f->s, NULL, NULL), 0);
	assert_int_equal(check(f), BC_EINVAL);
	assert_int_equal(f->report.errors, 1);
	assert_says(f, "\"api_token\" is missing, and until a restart \"listen\" is \"0.0.0.0:1\"");
	assert_non_null(strstr(f->err.text, "api_token"));
	again(f, "listen = 127.0.0.1:1\napi_token = other-one\n" PAIR);
	assert_int_equal(check(f), 0);
	start(f, "listen = 127.0.0.1:1\napi_token = abcdef\n" PAIR);
	again(f, PAIR);
	assert_int_equal(check(f), 0);
	again(f, "");
	assert_int_equal(check(f), BC_EINVAL);
	assert_says(f, "nothing to do");
}

static void a_pipe_is_read_at_a_start_and_refused_at_a_reload(void **state)
{
	struct fixture *f = *state;
	struct bc_settings_source source = fixture_source(f);
	char path[160];
	int fd;

	path_in(f, "pipe", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_int_equal(write(fd, "[click]\nttl = 2d\n", 17), 17);
	source.config_path = "pipe";
	source.again = true;
	assert_int_equal(bc_settings_load(&source, &f->s, &f->report, &f->err), BC_EINVAL);
	assert_says(f, "--config: \"");
	assert_says(f, "is not a regular file");
	close(fd);
}

/* --- secrets --------------------------------------------------------------------------------- */

static int count_secret(void *ctx, struct bc_secret *secret)
{
	int *count = ctx;

	assert_non_null(secret);
	return ++*count == 5;
}

static void each_secret_is_visited_product_keys_too(void **state)
{
	struct fixture *f = *state;
	int count = 0;

	start(f, "api_token = abcdef\n[alert]\nurl = https://chat.example/x\n[product s]\nid = i\n"
		 "key = k\n[product t]\nid = i\n");
	assert_int_equal(bc_settings_each_secret(before, count_secret, &count), 0);
	assert_int_equal(count, 3);
	count = 3;
	assert_int_equal(bc_settings_each_secret(before, count_secret, &count), 1);
	assert_int_equal(count, 5);
}

/* --- without memory -------------------------------------------------------------------------- */

static bool compare_once(void *ctx)
{
	struct fixture *f = ctx;
	struct bc_settings_report report;
	struct bc_buf out;
	int rc;

	bc_settings_report_init(&report);
	bc_buf_init(&out, 4096);
	rc = bc_settings_changes(before, f->s, &out);
	if (!rc)
		rc = bc_settings_restart_needed(before, f->s, &report);
	if (!rc)
		rc = bc_settings_hidden(before, f->s, &report);
	bc_buf_finish(&out);
	bc_settings_report_finish(&report);
	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static bool load_hidden_once(void *ctx)
{
	struct fixture *f = ctx;
	int rc = load(f);

	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static void comparing_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;

	put_file(f, "keyfile", "canary-one");
	set_env(f, "SOVENDUS_API_KEY=canary-env");
	set_env(f, "BACKCHANNEL_PRODUCT_SHOES_ID=env-id");
	start(f, "[product shoes]\nkey = k\n");
	again(f, "listen = 127.0.0.1:1\n[sovendus]\nproduct_id = p\napi_key_file = keyfile\n"
		 "[product shoes]\nid = a\nkey = l\n[product new]\nid = n\n");
	each_allocation_failing(compare_once, f);
	each_allocation_failing(load_hidden_once, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		reload_test(what_changed_is_named_and_no_value_is_shown),
		reload_test(a_product_key_is_told_by_both_fingerprints),
		reload_test(products_that_come_and_go_are_named),
		reload_test(what_only_the_command_line_or_a_restart_uses_is_no_change),
		reload_test(a_list_that_finds_no_room_says_so),
		reload_test(a_reload_names_what_needs_a_restart),
		reload_test(a_file_that_now_differs_from_the_environment_is_spoken_of_once),
		reload_test(keys_and_products_are_looked_at_as_well_and_not_shown),
		reload_test(a_hidden_secrets_file_need_not_be_there),
		reload_test(a_credential_and_a_dotenv_hide_a_file_too),
		reload_test(a_listener_that_stays_keeps_its_token),
		reload_test(a_pipe_is_read_at_a_start_and_refused_at_a_reload),
		reload_test(each_secret_is_visited_product_keys_too),
		reload_test(comparing_survives_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("settings_reload", tests, NULL, NULL);
}
