/* SPDX-License-Identifier: MIT */
/* The state directory: its modes, its lock, its hash key; and what is refused with which hint. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/state.h"
#include "failing_malloc.h"

static char folder[64];

static const char *path_of(const char *name)
{
	static char path[160];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text, size_t bytes)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, bytes, f), bytes);
	fclose(f);
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/bc-state-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

static void a_directory_is_made_private_with_its_parents(void **state)
{
	char path[160];
	(void)state;
	snprintf(path, sizeof(path), "%s", path_of("a/b/state"));
	assert_int_equal(bc_state_dir_make(path, NULL), 0);
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(bc_state_dir_make(path, NULL), 0);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(bc_state_dir_make(path, NULL), 0);
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
	static const mode_t modes[] = { 0777, 0770, 0702, 0720 };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(modes); i++) {
		struct bc_err err = { 0 };
		assert_int_equal(chmod(folder, modes[i]), 0);
		assert_int_equal(bc_state_dir_make(folder, &err), BC_EINVAL);
		assert_non_null(strstr(err.text, "may be written by others"));
		assert_non_null(strstr(err.hint, "chmod 700"));
	}
}

static void what_is_no_directory_is_refused(void **state)
{
	struct bc_err err = { 0 };
	(void)state;
	write_file("file", "x", 1);
	assert_int_equal(bc_state_dir_make(path_of("file"), &err), BC_EINVAL);
	assert_non_null(strstr(err.text, "is not a directory"));
	bc_err_clear(&err);
	assert_int_equal(bc_state_dir_make(path_of("file/below"), &err), BC_EIO);
	assert_non_null(strstr(err.text, "Not a directory"));
	assert_non_null(strstr(err.hint, "BACKCHANNEL_STATE"));
}

static void a_second_holder_is_told_who_the_first_is(void **state)
{
	struct bc_state_lock *first = NULL, *second = NULL;
	struct bc_err err = { 0 };
	char pid[32];
	(void)state;
	assert_int_equal(bc_state_lock(folder, &first, NULL), 0);
	assert_int_equal(mode_of(path_of("lock")), 0600);
	assert_int_equal(bc_state_lock(folder, &second, &err), BC_EBUSY);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(err.text, pid));
	bc_state_lock_note(first, "127.0.0.1:8787");
	bc_err_clear(&err);
	assert_int_equal(bc_state_lock(folder, &second, &err), BC_EBUSY);
	assert_non_null(strstr(err.text, "at 127.0.0.1:8787"));
	assert_non_null(strstr(err.hint, "one daemon a store"));
	assert_null(second);
	bc_state_unlock(first);
	assert_int_equal(bc_state_lock(folder, &second, NULL), 0);
	bc_state_unlock(second);
	bc_state_unlock(NULL);
}

static void a_shorter_note_leaves_nothing_of_the_longer_one(void **state)
{
	struct bc_state_lock *lock;
	struct bc_err err = { 0 };
	(void)state;
	assert_int_equal(bc_state_lock(folder, &lock, NULL), 0);
	bc_state_lock_note(lock, "unix:/run/a-very-long-path/backchannel.sock");
	bc_state_lock_note(lock, "");
	assert_int_equal(bc_state_lock(folder, &lock, &err), BC_EBUSY);
	assert_null(strstr(err.text, "sock"));
	bc_state_unlock(lock);
}

static void a_lock_that_is_a_link_is_not_followed(void **state)
{
	struct bc_state_lock *lock = NULL;
	char target[160];
	(void)state;
	snprintf(target, sizeof(target), "%s", path_of("elsewhere"));
	assert_int_equal(symlink(target, path_of("lock")), 0);
	assert_int_equal(bc_state_lock(folder, &lock, NULL), BC_EIO);
	assert_int_equal(access(target, F_OK), -1);
}

static void a_hash_key_is_made_once_and_kept(void **state)
{
	struct bc_secret *key, *again;
	(void)state;
	assert_int_equal(bc_state_hash_key(folder, &key, NULL), 0);
	assert_int_equal(bc_secret_len(key), 32);
	assert_int_equal(mode_of(path_of("hash.key")), 0600);
	assert_int_equal(access(path_of("hash.key.new"), F_OK), -1);
	assert_int_equal(bc_state_hash_key(folder, &again, NULL), 0);
	assert_true(bc_secret_equals(again, bc_secret_reveal(key), 32));
	bc_secret_unref(key);
	bc_secret_unref(again);
}

static void what_a_crash_left_of_a_key_is_replaced(void **state)
{
	struct bc_secret *key;
	(void)state;
	write_file("hash.key.new", "half", 4);
	assert_int_equal(bc_state_hash_key(folder, &key, NULL), 0);
	assert_int_equal(bc_secret_len(key), 32);
	bc_secret_unref(key);
}

static void a_damaged_hash_key_is_refused_and_left_alone(void **state)
{
	static const size_t lengths[] = { 0, 1, 31, 33, 64 };
	char bytes[64];
	(void)state;
	memset(bytes, 'k', sizeof(bytes));
	for (size_t i = 0; i < BC_COUNT(lengths); i++) {
		struct bc_secret *key = NULL;
		struct bc_err err = { 0 };
		struct stat st;
		write_file("hash.key", bytes, lengths[i]);
		assert_int_equal(bc_state_hash_key(folder, &key, &err), BC_EINVAL);
		assert_null(key);
		assert_non_null(strstr(err.text, "damaged"));
		assert_non_null(strstr(err.hint, "back-up"));
		assert_int_equal(stat(path_of("hash.key"), &st), 0);
		assert_int_equal(st.st_size, lengths[i]);
	}
}

static void a_key_that_cannot_be_written_says_so(void **state)
{
	struct bc_secret *key = NULL;
	struct bc_err err = { 0 };
	(void)state;
	assert_int_equal(mkdir(path_of("hash.key.new"), 0700), 0);
	assert_int_equal(bc_state_hash_key(folder, &key, &err), BC_EIO);
	assert_non_null(strstr(err.text, "cannot write"));
	assert_true(err.hint[0]);
}

static bool open_all(void *ctx)
{
	struct bc_state_lock *lock = NULL;
	struct bc_secret *key = NULL;
	bool ok = !bc_state_dir_make(ctx, NULL) && !bc_state_lock(ctx, &lock, NULL) &&
		  !bc_state_hash_key(ctx, &key, NULL);
	bc_secret_unref(key);
	bc_state_unlock(lock);
	return ok;
}

static void it_survives_each_refused_allocation(void **state)
{
	char path[160];
	(void)state;
	snprintf(path, sizeof(path), "%s", path_of("x/y"));
	each_allocation_failing(open_all, path);
}

#define STATE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(a_directory_is_made_private_with_its_parents),
		STATE_TEST(a_directory_that_others_may_write_is_refused),
		STATE_TEST(what_is_no_directory_is_refused),
		STATE_TEST(a_second_holder_is_told_who_the_first_is),
		STATE_TEST(a_shorter_note_leaves_nothing_of_the_longer_one),
		STATE_TEST(a_lock_that_is_a_link_is_not_followed),
		STATE_TEST(a_hash_key_is_made_once_and_kept),
		STATE_TEST(what_a_crash_left_of_a_key_is_replaced),
		STATE_TEST(a_damaged_hash_key_is_refused_and_left_alone),
		STATE_TEST(a_key_that_cannot_be_written_says_so),
		STATE_TEST(it_survives_each_refused_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
