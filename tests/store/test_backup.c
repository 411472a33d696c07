/* SPDX-License-Identifier: MIT */
/* Copies of a store: while it works, of one that nobody has open, and what is refused. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "store/backup.h"

enum { FIRST = 400, MORE = 200 };

static const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static struct bc_backup_view wish(struct rig *r, enum bc_backup_wish what, int expected)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_BACKUP);
	op->in.backup.wish = what;
	assert_int_equal(rig_run(r, op), expected);
	return op->out.backup;
}

static struct bc_backup_view await_end(struct rig *r)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct bc_backup_view v = wish(r, BC_BACKUP_LOOK, 0);
	for (int i = 0; v.state == BC_BACKUP_RUNNING && i < 10000; i++) {
		nanosleep(&pause, NULL);
		v = wish(r, BC_BACKUP_LOOK, 0);
	}
	return v;
}

static void convert_many(struct rig *r, const char *name, int count)
{
	for (int i = 0; i < count; i++) {
		char order[40];
		snprintf(order, sizeof(order), "%s-%d", name, i);
		convert(r, order, 100);
	}
}

static struct bc_backup_facts facts_of(const char *path)
{
	struct bc_backup_facts f;
	struct bc_err err = { 0 };
	if (bc_backup_inspect(path, NULL, &f, &err))
		fail_msg("%s (%s)", err.text, err.hint);
	return f;
}

static void a_copy_has_what_was_committed_before_it_and_what_came_while_it_was_made(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[160];
	convert_many(r, "before", FIRST);
	struct bc_backup_view v = wish(r, BC_BACKUP_BEGIN, 0);
	assert_int_equal(v.state, BC_BACKUP_RUNNING);
	snprintf(path, sizeof(path), "%.*s", (int)v.path.len, v.path.ptr);
	convert_many(r, "while", MORE);
	v = await_end(r);
	assert_int_equal(v.state, BC_BACKUP_DONE);
	assert_true(v.pages == v.of && v.of > 0);
	struct bc_backup_facts f = facts_of(path);
	assert_true(f.orders[BC_ORDER_PENDING] >= FIRST);
	assert_true(f.orders[BC_ORDER_PENDING] <= FIRST + MORE);
	assert_int_equal(f.layout, bc_backup_layout_now);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(wish(r, BC_BACKUP_DROP, 0).state, BC_BACKUP_NONE);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(counts(r).orders[BC_ORDER_PENDING], FIRST + MORE);
}

static void one_copy_at_a_time_is_made_and_a_new_one_replaces_an_old_one(void **state)
{
	struct rig *r = *state;
	convert_many(r, "o", FIRST);
	(void)wish(r, BC_BACKUP_BEGIN, 0);
	struct bc_store_op *op = rig_op(r, BC_STORE_BACKUP);
	op->in.backup.wish = BC_BACKUP_BEGIN;
	int result = rig_run(r, op); /* unless the first one has ended meanwhile */
	assert_true(result == 0 || result == BC_ESTATE);
	assert_true(result == 0 || op->err.hint[0]);
	assert_int_equal(await_end(r).state, BC_BACKUP_DONE);
	(void)wish(r, BC_BACKUP_BEGIN, 0);
	assert_int_equal(await_end(r).state, BC_BACKUP_DONE);
	(void)wish(r, BC_BACKUP_BEGIN, 0); /* and the store is closed in the middle of it */
}

static void a_copy_that_cannot_be_made_says_why_and_harms_nothing(void **state)
{
	struct rig *r = *state;
	char blocked[160], inner[170];
	snprintf(blocked, sizeof(blocked), "%s" BC_BACKUP_SUFFIX, path_of(r));
	snprintf(inner, sizeof(inner), "%s/x", blocked);
	assert_int_equal(mkdir(blocked, 0700), 0);
	assert_int_equal(mkdir(inner, 0700), 0);
	struct bc_backup_view v = wish(r, BC_BACKUP_BEGIN, 0);
	assert_int_equal(v.state, BC_BACKUP_FAILED);
	assert_true(v.problem.len && v.hint.len);
	convert(r, "o", 100);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(blocked), 0);
	(void)wish(r, BC_BACKUP_BEGIN, 0);
	assert_int_equal(await_end(r).state, BC_BACKUP_DONE);
}

static void a_store_that_nobody_has_open_is_copied_as_it_is(void **state)
{
	struct rig *r = *state;
	char copy[160];
	long layout = 0;
	struct bc_err err = { 0 };
	snprintf(copy, sizeof(copy), "%s/copy", r->folder);
	convert_many(r, "o", 10);
	assert_int_equal(bc_backup_copy(path_of(r), copy, NULL, &err), BC_EBUSY);
	assert_int_equal(unlink(copy), 0);
	bc_store_close(r->store);
	r->store = NULL;
	bc_err_clear(&err);
	assert_int_equal(bc_backup_copy(path_of(r), copy, NULL, &err), 0);
	assert_int_equal(bc_backup_mark(copy, "2026-11-22T00:00:00.000Z", &err), 0);
	struct bc_backup_facts f = facts_of(copy);
	assert_int_equal(f.orders[BC_ORDER_PENDING], 10);
	assert_string_equal(f.made_at, "2026-11-22T00:00:00.000Z");
	assert_int_equal(bc_backup_layout(copy, &layout), 0);
	assert_int_equal(layout, bc_backup_layout_now);
	assert_int_equal(bc_backup_copy(path_of(r), copy, NULL, &err), BC_EIO); /* it is there */
	assert_int_equal(unlink(copy), 0);
}

static void a_store_in_memory_makes_none(void **state)
{
	(void)wish(*state, BC_BACKUP_BEGIN, BC_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_copy_has_what_was_committed_before_it_and_what_came_while_it_was_made),
		STORE_TEST(one_copy_at_a_time_is_made_and_a_new_one_replaces_an_old_one),
		STORE_TEST(a_copy_that_cannot_be_made_says_why_and_harms_nothing),
		STORE_TEST(a_store_that_nobody_has_open_is_copied_as_it_is),
	};
	const struct CMUnitTest in_memory[] = { STORE_TEST(a_store_in_memory_makes_none) };
	rig_engine = "sqlite";
	int failed = cmocka_run_group_tests_name("copies", tests, NULL, NULL);
	rig_engine = "memory";
	return failed + cmocka_run_group_tests_name("copies in memory", in_memory, NULL, NULL);
}
