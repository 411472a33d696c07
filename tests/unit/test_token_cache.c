/* SPDX-License-Identifier: MIT */
/* The file that processes share: one request for all of them, and nothing that others could have
 * written, that is another credential's or that the clock contradicts is ever lent. */
#include "tokens_fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/token_cache.h"

enum { PROCESSES = 100, LOCK_TRY_MS = 20 };

static char directory[64], file[96];

static int setup_file(void **state)
{
	int result = setup(state);
	snprintf(directory, sizeof(directory), "/tmp/bc-token-cache-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/token", directory);
	config.cache_file = file;
	return result;
}

static char *beside(const char *end)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s%s", file, end);
	return path;
}

static int teardown_file(void **state)
{
	int result = teardown(state);
	unlink(file);
	unlink(beside(".lock"));
	unlink(beside(".new"));
	assert_int_equal(rmdir(directory), 0); /* nothing else was left there */
	return result;
}

static void write_file(const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static const char *read_file(void)
{
	static char text[65536];
	int fd = open(file, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* One run of a program: it wants one token. Returns its result. */
static int run_program(void)
{
	create(false);
	int result = wait_and_see(5 * SECOND_MS, NULL);
	bc_tokens_destroy(tokens);
	tokens = NULL;
	return result;
}

/* --- sharing --------------------------------------------------------------------------------- */

static struct bc_tokens *programs[PROCESSES];
static struct waiter waiters[PROCESSES];

static bool all_done(void *ctx)
{
	(void)ctx;
	return done_count == PROCESSES;
}

static void a_hundred_programs_at_once_cost_one_request(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++) {
		programs[i] = tokens = make(false);
		wait_for(&waiters[i], 5 * SECOND_MS, 0);
	}
	run_until(all_done, NULL);
	for (unsigned i = 0; i < PROCESSES; i++) {
		assert_int_equal(waiters[i].wait.result, 0);
		assert_string_equal(bc_secret_reveal(waiters[i].wait.token->secret),
				    "canary-token-1");
		bc_access_token_unref(waiters[i].wait.token);
		bc_tokens_destroy(programs[i]);
	}
	tokens = NULL;
	assert_int_equal(endpoint.requests, 1);
}

static void a_hundred_programs_one_after_the_other_cost_one_request(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++) {
		assert_int_equal(run_program(), 0);
		turn(MINUTE_MS);
	}
	assert_int_equal(endpoint.requests, 1);
	/* Stale: a program that lives for one call uses it and asks for none. */
	turn((uint64_t)LIFE_S * SECOND_MS / 100 * 80);
	assert_int_equal(run_program(), 0);
	assert_int_equal(endpoint.requests, 1);
	turn((uint64_t)LIFE_S * SECOND_MS / 100 * 20);
	assert_int_equal(run_program(), 0);
	assert_int_equal(endpoint.requests, 2);
}

static void a_young_process_is_content_with_a_stale_token_for_five_seconds(void **state)
{
	(void)state;
	assert_int_equal(run_program(), 0);
	turn((uint64_t)LIFE_S * SECOND_MS / 100 * 80);
	create(true);
	assert_int_equal(lent_generation(), 1);
	settle();
	assert_int_equal(endpoint.requests, 1);
	turn(5 * SECOND_MS);
	assert_int_equal(lent_generation(), 1);
	settle();
	assert_int_equal(lent_generation(), 2);
	assert_int_equal(endpoint.requests, 2);
}

static void a_daemon_takes_over_what_a_program_fetched(void **state)
{
	(void)state;
	create_with_token();
	struct bc_tokens *daemon = tokens;
	uint64_t left = look().expires_in_ms;
	turn((uint64_t)LIFE_S * SECOND_MS - MARGIN_MS);
	assert_int_equal(run_program(), 0);
	assert_int_equal(endpoint.requests, 2);
	tokens = daemon;
	assert_int_equal(wait_and_see(5 * SECOND_MS, NULL), 0);
	assert_int_equal(endpoint.requests, 2);
	assert_int_equal(look().expires_in_ms, left);
	assert_int_equal(look().generation, 2);
	assert_int_equal(times_logged("token.cached"), 1);
}

static void a_token_that_the_api_refused_is_not_taken_from_the_file_again(void **state)
{
	struct waiter w;
	(void)state;
	assert_int_equal(run_program(), 0);
	turn(HOUR_MS);
	create(false);
	assert_int_equal(lent_generation(), 1);
	assert_true(bc_tokens_refused(tokens, 1));
	wait_for(&w, 5 * SECOND_MS, 1);
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	assert_string_equal(bc_secret_reveal(w.wait.token->secret), "canary-token-2");
	bc_access_token_unref(w.wait.token);
	settle();
	assert_non_null(strstr(read_file(), "canary-token-2"));
}

/* --- the lock -------------------------------------------------------------------------------- */

static bool real_time_reached(void *ctx)
{
	return bc_elapsed_ms(&bc_clock_system) >= *(uint64_t *)ctx;
}

static void while_another_asks_it_waits_without_blocking_the_loop(void **state)
{
	struct waiter w;
	(void)state;
	create(false);
	int fd = open(beside(".lock"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	wait_for(&w, 5 * SECOND_MS, 0);
	uint64_t until_ms = bc_elapsed_ms(&bc_clock_system) + 5 * LOCK_TRY_MS;
	run_until(real_time_reached, &until_ms); /* the loop turns meanwhile */
	assert_true(look().in_flight);
	assert_int_equal(endpoint.requests, 0);
	close(fd);
	run_until(is_done, &w);
	assert_int_equal(w.wait.result, 0);
	bc_access_token_unref(w.wait.token);
	assert_int_equal(endpoint.requests, 1);
}

static void a_lock_held_for_longer_than_a_request_may_take_is_passed_by(void **state)
{
	(void)state;
	config.timeout_ms = 60;
	int fd = open(beside(".lock"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	create(false);
	assert_int_equal(wait_and_see(5 * SECOND_MS, NULL), 0);
	close(fd);
	assert_int_equal(endpoint.requests, 1);
}

static void the_lock_is_let_go_after_a_failure_too(void **state)
{
	(void)state;
	endpoint.status = 500;
	create(true);
	settle();
	assert_int_equal(look().failures, 1);
	int fd = open(beside(".lock"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

/* --- the file -------------------------------------------------------------------------------- */

static void it_is_for_this_user_alone_and_nothing_lies_beside_it(void **state)
{
	struct stat st;
	(void)state;
	umask(0);
	assert_int_equal(run_program(), 0);
	umask(022);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_non_null(strstr(read_file(), "\"access_token\":\"canary-token-1\""));
	assert_null(strstr(read_file(), "secret"));
	assert_int_equal(access(beside(".new"), F_OK), -1);
}

static void a_token_of_any_visible_ascii_comes_back_as_it_was(void **state)
{
	static const char odd[] = "a\"b\\c/d{}:,'~!";
	struct bc_token_cache *c = bc_token_cache_create(file);
	struct bc_secret *token = secret_of(odd);
	struct bc_cached_token in = { token, 1000, 2000, 3000 }, out;
	char key[1][BC_CACHE_KEY_BYTES];
	(void)state;
	assert_int_equal(bc_token_cache_key("u", "i", NULL, secret_one, key[0]), 0);
	assert_int_equal(bc_token_cache_write(c, key[0], &in, NULL), 0);
	const char(*keys)[BC_CACHE_KEY_BYTES] = (const char(*)[BC_CACHE_KEY_BYTES])key;
	assert_int_equal(bc_token_cache_read(c, keys, 1, 2999, &out, NULL), 1);
	assert_string_equal(bc_secret_reveal(out.token), odd);
	assert_int_equal(out.issued_ms + out.refresh_ms + out.expires_ms, 6000);
	bc_secret_unref(out.token);
	bc_secret_unref(token);
	assert_int_equal(bc_token_cache_read(c, keys, 1, 3000, &out, NULL), 0); /* expired */
	assert_int_equal(bc_token_cache_read(c, keys, 1, 999, &out, NULL), 0);	/* not yet */
	assert_int_equal(bc_token_cache_read(c, keys, 0, 2000, &out, NULL), 0);
	bc_token_cache_destroy(c);
}

static void no_two_credentials_have_the_same_key(void **state)
{
	char keys[5][BC_CACHE_KEY_BYTES];
	(void)state;
	assert_int_equal(bc_token_cache_key("u", "i", "s", secret_one, keys[0]), 0);
	assert_int_equal(bc_token_cache_key("u", "i", "s", secret_two, keys[1]), 0);
	assert_int_equal(bc_token_cache_key("u", "is", "", secret_one, keys[2]), 0);
	assert_int_equal(bc_token_cache_key("ui", "s", "", secret_one, keys[3]), 0);
	assert_int_equal(bc_token_cache_key("u", "i", "t", secret_one, keys[4]), 0);
	for (size_t a = 0; a < 5; a++)
		for (size_t b = 0; b < a; b++)
			assert_string_not_equal(keys[a], keys[b]);
}

/* What another process wrote is not used by this one: it asks for its own. */
static void expect_own_request(void)
{
	unsigned before = endpoint.requests;
	create(false);
	assert_null(bc_tokens_get(tokens));
	assert_int_equal(wait_and_see(5 * SECOND_MS, NULL), 0);
	bc_tokens_destroy(tokens);
	tokens = NULL;
	assert_int_equal(endpoint.requests, before + 1);
}

static void another_credential_does_not_see_it(void **state)
{
	(void)state;
	assert_int_equal(run_program(), 0);
	config.scope = "openid";
	expect_own_request();
	config.client_id = "another";
	expect_own_request();
	config.secret = secret_two;
	endpoint.secrets[1] = "canary-secret-two";
	expect_own_request();
	config.secret = secret_three; /* the second one finds what it fetched itself */
	config.secret_next = secret_two;
	unsigned before = endpoint.requests;
	assert_int_equal(run_program(), 0);
	assert_int_equal(endpoint.requests, before);
}

static void after_the_clock_was_set_back_it_is_not_used(void **state)
{
	(void)state;
	assert_int_equal(run_program(), 0);
	atomic_fetch_sub(&clock_of_test.wall_ms, 1);
	expect_own_request();
	atomic_fetch_sub(&clock_of_test.wall_ms, 365ull * 24 * HOUR_MS);
	expect_own_request();
}

static void broken_content_is_said_ignored_and_replaced(void **state)
{
	static const char *const broken[] = {
		"",
		"{",
		"[]",
		"{\"format\":1}",
		"{\"format\":2,\"credential\":\"x\",\"access_token\":\"canary\",\"issued_ms\":1,"
		"\"refresh_ms\":2,\"expires_ms\":3}",
		"{\"format\":1,\"credential\":\"x\",\"access_token\":\"a\\r\\nb\",\"issued_ms\":1,"
		"\"refresh_ms\":2,\"expires_ms\":3}",
		"{\"format\":1,\"credential\":\"x\",\"access_token\":7,\"issued_ms\":1,"
		"\"refresh_ms\":2,\"expires_ms\":3}",
		"{\"format\":1,\"credential\":\"x\",\"access_token\":\"canary\",\"issued_ms\":1,"
		"\"refresh_ms\":2,\"expires_ms\":9999999999999}",
	};
	(void)state;
	for (unsigned i = 0; i < BC_COUNT(broken); i++) {
		write_file(broken[i], 0600);
		expect_own_request();
		assert_int_equal(times_logged("token.cache_unusable"), i + 1);
		unsigned before = endpoint.requests;
		assert_int_equal(run_program(), 0);
		assert_int_equal(endpoint.requests, before);
	}
}

static void a_file_too_large_to_be_ours_is_ignored(void **state)
{
	static char large[128 * 1024];
	(void)state;
	memset(large, ' ', sizeof(large) - 1);
	write_file(large, 0600);
	expect_own_request();
}

static void expect_unused(const char *reason)
{
	unsigned before = endpoint.requests;
	assert_int_equal(run_program(), 0);
	assert_int_equal(run_program(), 0);
	assert_int_equal(endpoint.requests, before + 2);
	assert_int_equal(times_logged("token.cache_unusable"), 2); /* once a process */
	assert_non_null(strstr(logged(), reason));
}

static void a_directory_that_others_may_write_is_not_used(void **state)
{
	(void)state;
	assert_int_equal(chmod(directory, 0777), 0);
	expect_unused("may be written by others");
	assert_int_equal(access(file, F_OK), -1);
}

static void a_directory_that_is_not_there_is_said_with_what_to_do(void **state)
{
	char missing[128];
	(void)state;
	snprintf(missing, sizeof(missing), "%s/none/token", directory);
	config.cache_file = missing;
	expect_unused("make it (mode 0700)");
}

static void a_file_that_others_may_write_is_not_read(void **state)
{
	char text[4096];
	(void)state;
	assert_int_equal(run_program(), 0);
	snprintf(text, sizeof(text), "%s", read_file());
	write_file(text, 0622);
	expect_own_request();
	assert_int_equal(times_logged("token.cache_unusable"), 1);
	assert_non_null(strstr(logged(), "may be read or written by others"));
}

static void a_link_in_its_place_is_not_followed(void **state)
{
	char elsewhere[128];
	(void)state;
	assert_int_equal(run_program(), 0);
	snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", file);
	assert_int_equal(rename(file, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, file), 0);
	expect_own_request();
	struct stat st;
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode)); /* it was replaced, what it led to was not touched */
	unlink(elsewhere);
}

static void a_disk_that_takes_nothing_costs_only_the_sharing(void **state)
{
	(void)state;
	assert_int_equal(mkdir(beside(".new"), 0700), 0); /* in the temporary file's place */
	assert_int_equal(run_program(), 0);
	assert_int_equal(times_logged("token.cache_unusable"), 1);
	assert_int_equal(rmdir(beside(".new")), 0);
}

static bool round_trip(void *ctx)
{
	struct bc_cached_token in = { .issued_ms = 1000, .refresh_ms = 2000, .expires_ms = 3000 };
	struct bc_cached_token out = { 0 };
	char key[1][BC_CACHE_KEY_BYTES];
	int result = BC_ENOMEM;
	(void)ctx;
	struct bc_token_cache *c = bc_token_cache_create(file);
	in.token = bc_secret_create("token", 5);
	if (c && in.token)
		result = bc_token_cache_key("u", "i", "s", secret_one, key[0]);
	if (!result)
		result = bc_token_cache_lock(c, NULL);
	if (!result)
		result = bc_token_cache_write(c, key[0], &in, NULL);
	if (!result)
		result = bc_token_cache_read(c, (const char(*)[BC_CACHE_KEY_BYTES])key, 1, 2000,
					     &out, NULL);
	bc_secret_unref(out.token);
	bc_secret_unref(in.token);
	bc_token_cache_destroy(c);
	assert_true(result == 1 || result == BC_ENOMEM);
	return result == 1;
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	each_allocation_failing(round_trip, NULL);
}

#undef test
#define test(name) cmocka_unit_test_setup_teardown(name, setup_file, teardown_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_hundred_programs_at_once_cost_one_request),
		test(a_hundred_programs_one_after_the_other_cost_one_request),
		test(a_young_process_is_content_with_a_stale_token_for_five_seconds),
		test(a_daemon_takes_over_what_a_program_fetched),
		test(a_token_that_the_api_refused_is_not_taken_from_the_file_again),
		test(while_another_asks_it_waits_without_blocking_the_loop),
		test(a_lock_held_for_longer_than_a_request_may_take_is_passed_by),
		test(the_lock_is_let_go_after_a_failure_too),
		test(it_is_for_this_user_alone_and_nothing_lies_beside_it),
		test(a_token_of_any_visible_ascii_comes_back_as_it_was),
		test(no_two_credentials_have_the_same_key),
		test(another_credential_does_not_see_it),
		test(after_the_clock_was_set_back_it_is_not_used),
		test(broken_content_is_said_ignored_and_replaced),
		test(a_file_too_large_to_be_ours_is_ignored),
		test(a_directory_that_others_may_write_is_not_used),
		test(a_directory_that_is_not_there_is_said_with_what_to_do),
		test(a_file_that_others_may_write_is_not_read),
		test(a_link_in_its_place_is_not_followed),
		test(a_disk_that_takes_nothing_costs_only_the_sharing),
		test(each_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
