/* SPDX-License-Identifier: MIT */
/* Settings: what a .env, an INI file and a secret's file may look like, and what lint says. */
#include "settings_fixture.h"

/* --- secrets --------------------------------------------------------------------------------- */

static void a_secret_may_stand_in_a_file_of_its_own(void **state)
{
	struct fixture *f = *state;

	put_file(f, "key", "from-a-file\r\n\n");
	put_file(f, "hash", "0123456789abcdef");
	put_file(f, "shoes", "shoe-key\n");
	put_file(f, ".env", "BACKCHANNEL_API_TOKEN_FILE=key\n");
	put_file(f, "backchannel.conf",
		 "[hash]\nkey_file = hash\n[product shoes]\nkey_file = shoes\n");
	set_env(f, "SOVENDUS_API_KEY_FILE=%s/key", f->dir);
	set_env(f, "BACKCHANNEL_PRODUCT_HATS_KEY_FILE=shoes");
	assert_quiet(f);
	assert_secret(f->s->sovendus_api_key, "from-a-file");
	assert_secret(f->s->api_token, "from-a-file");
	assert_secret(f->s->hash_key, "0123456789abcdef");
	assert_secret(f->s->products[1].key, "shoe-key");
	assert_secret(f->s->products[2].key, "shoe-key");
}

static void systemd_credentials_are_read_by_the_secrets_names(void **state)
{
	struct fixture *f = *state;

	put_file(f, "sovendus.api_key", "credential-key\n");
	put_file(f, "product.shoes.key", "shoe-credential");
	put_file(f, "sovendus.product_id", "not a secret, not read");
	put_file(f, "backchannel.conf", "[sovendus]\napi_key = lower\n[product shoes]\nid = s\n");
	set_env(f, "CREDENTIALS_DIRECTORY=%s", f->dir);
	assert_quiet(f);
	assert_secret(f->s->sovendus_api_key, "credential-key");
	assert_secret(f->s->products[1].key, "shoe-credential");
	assert_null(f->s->sovendus_product_id);
	assert_null(f->s->api_token);
	set_env(f, "SOVENDUS_API_KEY=other");
	assert_refused(f);
	assert_says(
		f,
		"\"sovendus.api_key\" is set twice, and differently: environment SOVENDUS_API_KEY, "
		"and credential sovendus.api_key");
}

static void a_secrets_file_that_cannot_serve_is_refused_with_the_reason(void **state)
{
	static char big[BC_SECRET_FILE_MAX + 1];
	struct fixture *f = *state;
	char path[160];

	memset(big, 'k', sizeof(big));
	put_bytes(f, "big", 0600, big, sizeof(big));
	put_bytes(f, "largest", 0600, big, 1024);
	put_file(f, "empty", "\n");
	put_file(f, "two-lines", "canary\nkey\n");
	path_in(f, "fifo", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	static const char *const rows[][2] = {
		{ "gone", "gone\" cannot be read: No such file" },
		{ "big", "is larger than 64 KiB" },
		{ "empty", "empty\" is empty" },
		{ "two-lines", "\"sovendus.api_key\" has a line break" },
		{ "fifo", "is not a regular file" },
		{ ".", "is not a regular file" },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		clear_env(f);
		set_env(f, "SOVENDUS_API_KEY_FILE=%s", rows[i][0]);
		assert_refused(f);
		assert_says(f, "error: environment SOVENDUS_API_KEY_FILE: ");
		assert_says(f, rows[i][1]);
		assert_silent_about(f, "canary");
	}
	clear_env(f);
	set_env(f, "SOVENDUS_API_KEY_FILE=largest");
	assert_quiet(f);
}

static void only_secrets_have_a_file(void **state)
{
	struct fixture *f = *state;

	set_env(f, "BACKCHANNEL_LISTEN_FILE=/etc/hostname");
	assert_loads(f);
	assert_says(f, "there is no setting \"BACKCHANNEL_LISTEN_FILE\"");
	assert_string_equal(f->s->listen, "127.0.0.1:8787");
}

/* --- .env ------------------------------------------------------------------------------------ */

static void a_dotenv_may_be_written_as_shells_and_containers_do(void **state)
{
	static const char *const rows[][2] = {
		{ "BACKCHANNEL_STATE=/a b", "/a b" },
		{ "\xef\xbb\xbf"
		  "BACKCHANNEL_STATE=/a",
		  "/a" },
		{ "  export BACKCHANNEL_STATE=/a  # why\r\n", "/a" },
		{ "BACKCHANNEL_STATE = /a#b", "/a#b" },
		{ "BACKCHANNEL_STATE='/a # $HOME \\n'  # why", "/a # $HOME \\n" },
		{ "BACKCHANNEL_STATE=\"/a \\\"b\\\" \\\\ $HOME\"\r\n", "/a \"b\" \\ $HOME" },
		{ "# BACKCHANNEL_STATE=/b\n\n\nBACKCHANNEL_STATE=/a", "/a" },
		{ "X=\"1\n2\n\"\nBACKCHANNEL_STATE=/a\n", "/a" },
		{ "export=1\nBACKCHANNEL_STATE=/a\n", "/a" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		put_file(f, ".env", rows[i][0]);
		assert_quiet(f);
		assert_string_equal(f->s->state, rows[i][1]);
	}
}

static void a_broken_line_of_a_dotenv_is_an_error_only_if_it_is_ours(void **state)
{
	struct fixture *f = *state;

	put_file(f, ".env", "JSON={\n \"a\": 1\n}\nX=\"never closed\nBACKCHANNEL_STATE=/a\n");
	assert_loads(f);
	assert_string_equal(f->s->state, "/a");
	assert_says(f, "warning: .env:2: the line cannot be read");
	assert_says(f, "warning: .env:3: ");
	assert_says(f, "warning: .env:4: ");
	put_file(f, ".env", "X=\"\n\n\"\nBACKCHANNEL_STATE=\"/a\n");
	assert_refused(f);
	assert_says(f, "error: .env:4: the line cannot be read");
	put_file(f, ".env", "BACKCHANNEL_STATE /a\n");
	assert_refused(f);
	put_bytes(f, ".env", 0600, "BACKCHANNEL_STATE=/a\0b\n", 23);
	assert_refused(f);
}

static void a_dotenv_that_others_could_have_written_is_not_believed(void **state)
{
	struct fixture *f = *state;
	char path[160];

	path_in(f, ".env", path);
	put_bytes(f, ".env", 0620, "BACKCHANNEL_STATE=/evil\n", 24);
	assert_loads(f);
	assert_string_not_equal(f->s->state, "/evil");
	assert_says(f,
		    "warning: .env: the file is not used: others than its owner can write to it");
	assert_int_equal(chmod(path, 0602), 0);
	assert_loads(f);
	assert_string_not_equal(f->s->state, "/evil");
	assert_int_equal(chmod(path, 0600), 0);
	assert_quiet(f);
	assert_string_equal(f->s->state, "/evil");
	drop_file(f, ".env");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_loads(f);
	assert_says(f, "is not a regular file");
}

static void a_dotenv_of_somebody_else_is_not_believed(void **state)
{
	struct fixture *f = *state;
	char path[160];

	path_in(f, ".env", path);
	put_file(f, ".env", "BACKCHANNEL_STATE=/evil\n");
	if (chown(path, 12345, (gid_t)-1))
		skip(); /* only root can give a file away */
	assert_loads(f);
	assert_string_not_equal(f->s->state, "/evil");
	assert_says(f, "it belongs to neither this user nor root");
}

/* --- the settings file ----------------------------------------------------------------------- */

static void values_of_a_file_are_taken_to_the_end_of_the_line(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf",
		 "\xef\xbb\xbf; a comment\r\n# another\r\n[sovendus] # behind it\r\n"
		 "  api_key = a;b #c=d  \r\n  product_id: p\r\n");
	assert_loads(f);
	assert_secret(f->s->sovendus_api_key, "a;b #c=d");
	assert_string_equal(f->s->sovendus_product_id, "p");
	assert_says(f,
		    "warning: backchannel.conf:4: what looks like a comment is part of the value");
	assert_silent_about(f, "a;b");
}

static void lines_that_are_no_settings_are_refused_by_number(void **state)
{
	static char longest[9000];
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[click]\nttl\n",
		  "backchannel.conf:2: the line is neither a section nor name = value" },
		{ "\n = 5\n", "backchannel.conf:2: the line is neither" },
		{ "[click\nttl = 1s\n", "backchannel.conf:1: the section's name is not closed" },
		{ "[click] ttl = 1s\n",
		  "backchannel.conf:1: there is text behind the section's name" },
		{ "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
		  "backchannel.conf:1: the section's name is too long" },
		{ longest, "backchannel.conf:1: the line is too long" },
	};
	struct fixture *f = *state;

	memset(longest, 'x', sizeof(longest) - 1);
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		put_file(f, "backchannel.conf", rows[i].text);
		assert_refused(f);
		assert_says(f, rows[i].says);
		assert_int_equal(f->report.count, 1);
	}
	put_bytes(f, "backchannel.conf", 0600, "listen = a\0b\n", 13);
	assert_refused(f);
	assert_says(f, "NUL byte");
}

static void a_settings_file_found_in_the_working_directory_must_be_trustworthy(void **state)
{
	struct fixture *f = *state;

	put_file(f, "etc.conf", "[lane]\nconcurrency = 4\n");
	put_bytes(f, "backchannel.conf", 0622, "[lane]\nconcurrency = 3\n", 23);
	assert_refused(f);
	assert_says(f, "backchannel.conf: the file is not used: others than its owner can write");
	f->config = "backchannel.conf";
	assert_quiet(f);
	assert_int_equal(f->s->lane_concurrency, 3);
}

static void a_file_of_nonsense_gives_a_report_of_bounded_length(void **state)
{
	static char nonsense[100000];
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(nonsense); i++)
		nonsense[i] = i % 3 == 2 ? '\n' : 'x';
	put_bytes(f, "backchannel.conf", 0600, nonsense, sizeof(nonsense));
	assert_refused(f);
	assert_int_equal(f->report.count, 200);
	assert_int_equal(f->report.errors, sizeof(nonsense) / 3 + 1);
}

/* --- wrong names ----------------------------------------------------------------------------- */

static void a_wrong_name_is_a_warning_with_the_nearest_one(void **state)
{
	static const char *const rows[][3] = {
		{ "", "[click]\ntll = 1s\n", "did you mean \"click.ttl\"?" },
		{ "", "[clicks]\nttl = 1s\n", "did you mean \"click.ttl\"?" },
		{ "", "listn = x\n", "did you mean \"listen\"?" },
		{ "", "[hash]\nkey_fil = x\n", "did you mean \"hash.key_file\"?" },
		{ "", "[product a]\nidd = x\n", "did you mean \"id\"?" },
		{ "", "[weather]\ntomorrow = x\n",
		  "`backchannel config show` lists every setting" },
		{ "BACKCHANNEL_CLICK_TLL=1s", "", "did you mean \"BACKCHANNEL_CLICK_TTL\"?" },
		{ "BACKCHANNEL_CONFG=x", "", "did you mean \"BACKCHANNEL_CONFIG\"?" },
		{ "SOVENDUS_APIKEY=canary", "", "did you mean \"SOVENDUS_API_KEY\"?" },
		{ "SOVENDUS_PRODUCTID=x", "", "did you mean \"SOVENDUS_PRODUCT_ID\"?" },
		{ "BACKCHANNEL_PRODUCT_A=x", "", "a product's variables are" },
	};
	struct fixture *f = *state;
	struct bc_settings_source source;

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		clear_env(f);
		if (rows[i][0][0])
			set_env(f, "%s", rows[i][0]);
		put_file(f, "backchannel.conf", rows[i][1]);
		assert_loads(f);
		assert_says(f, "warning: ");
		assert_says(f, rows[i][2]);
		assert_silent_about(f, "canary");
		source = fixture_source(f);
		unload(f);
		assert_int_equal(bc_settings_lint(&source, NULL, &f->report, &f->err), BC_EINVAL);
		assert_says(f, "error: ");
		assert_says(f, rows[i][2]);
	}
}

static void variables_of_others_are_none_of_our_business(void **state)
{
	struct fixture *f = *state;

	set_env(f, "SOVENDUS_CHECKOUT_BANNER_COLOUR=x");
	set_env(f, "PATH=/bin");
	set_env(f, "BACKCHANNELS=x");
	set_env(f, "NONSENSE");
	assert_quiet(f);
}

/* --- lint ------------------------------------------------------------------------------------ */

static void lint_judges_one_file_without_its_surroundings(void **state)
{
	struct fixture *f = *state;
	struct bc_settings_source source;

	set_env(f, "BACKCHANNEL_LISTEN=nonsense");
	put_file(f, ".env", "BACKCHANNEL_STORE=nonsense\n");
	put_file(f, "a.conf", "[sovendus]\nproduct_id = p\n");
	source = fixture_source(f);
	assert_int_equal(bc_settings_lint(&source, "a.conf", &f->report, &f->err), 0);
	assert_string_equal(report_text(f), "");
	put_file(f, "a.conf", "[click]\nttl = 0\nnonsense = 1\n");
	assert_int_equal(bc_settings_lint(&source, "a.conf", &f->report, &f->err), BC_EINVAL);
	assert_says(f, "a.conf:2: \"click.ttl\" = \"0\" is too small");
	assert_says(f, "error: a.conf:3: there is no setting \"click.nonsense\"");
	assert_silent_about(f, "environment");
}

static void lint_of_all_says_whether_a_daemon_could_start(void **state)
{
	struct fixture *f = *state;
	struct bc_settings_source source = fixture_source(f);

	assert_int_equal(bc_settings_lint(&source, NULL, &f->report, &f->err), BC_EINVAL);
	assert_says(f, "SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY are missing");
	unload(f);
	set_env(f, "SOVENDUS_PRODUCT_ID=p");
	set_env(f, "SOVENDUS_API_KEY=k");
	assert_int_equal(bc_settings_lint(&source, NULL, &f->report, &f->err), 0);
	assert_string_equal(report_text(f), "");
}

static void lint_warns_of_secrets_that_every_user_can_read(void **state)
{
	struct fixture *f = *state;
	struct bc_settings_source source = fixture_source(f);

	put_bytes(f, "key", 0644, "key-of-the-file", 15);
	put_bytes(f, ".env", 0644, "SOVENDUS_PRODUCT_ID=p\nSOVENDUS_API_KEY_FILE=key\n", 48);
	put_bytes(f, "backchannel.conf", 0644,
		  "api_token = abcdefg\n[hash]\nkey = 0123456789abcdef\n", 50);
	assert_int_equal(bc_settings_lint(&source, NULL, &f->report, &f->err), 0);
	assert_says(f, "/key: the file holds a secret, and every user can read it");
	assert_says(f, "warning: backchannel.conf: the file holds a secret");
	assert_silent_about(f, ".env");
	assert_int_equal(f->report.count, 2);
	assert_quiet(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		settings_test(a_secret_may_stand_in_a_file_of_its_own),
		settings_test(systemd_credentials_are_read_by_the_secrets_names),
		settings_test(a_secrets_file_that_cannot_serve_is_refused_with_the_reason),
		settings_test(only_secrets_have_a_file),
		settings_test(a_dotenv_may_be_written_as_shells_and_containers_do),
		settings_test(a_broken_line_of_a_dotenv_is_an_error_only_if_it_is_ours),
		settings_test(a_dotenv_that_others_could_have_written_is_not_believed),
		settings_test(a_dotenv_of_somebody_else_is_not_believed),
		settings_test(values_of_a_file_are_taken_to_the_end_of_the_line),
		settings_test(lines_that_are_no_settings_are_refused_by_number),
		settings_test(a_settings_file_found_in_the_working_directory_must_be_trustworthy),
		settings_test(a_file_of_nonsense_gives_a_report_of_bounded_length),
		settings_test(a_wrong_name_is_a_warning_with_the_nearest_one),
		settings_test(variables_of_others_are_none_of_our_business),
		settings_test(lint_judges_one_file_without_its_surroundings),
		settings_test(lint_of_all_says_whether_a_daemon_could_start),
		settings_test(lint_warns_of_secrets_that_every_user_can_read),
	};

	return cmocka_run_group_tests_name("settings_files", tests, NULL, NULL);
}
