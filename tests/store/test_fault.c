/* SPDX-License-Identifier: MIT */
/*
 * The fault engine itself: which rules it takes, which calls they strike, and that nothing else
 * changes. What everything above makes of its faults is test_fault_history.c's.
 */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/batch.h"

/* --- rules --------------------------------------------------------------------------------- */

static int open_url(const char *url, struct bc_store **ret_store, struct bc_err *err)
{
	const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
	bc_err_clear(err);
	return bc_store_open(&options, ret_store, err);
}

static void a_rule_that_cannot_be_is_refused_and_named(void **state)
{
	static const struct {
		const char *url, *word;
	} bad[] = {
		{ "fault:", "faults could wrap" },
		{ "fault:commit@3=eio", "faults could wrap" },
		{ "fault::nothing:", "faults could wrap" },
		{ "fault:commit:memory:", "what happens" },
		{ "fault:commit@3:memory:", "what happens" },
		{ "fault:comit=eio:sqlite:/nowhere", "no place" },
		{ "fault:=eio:sqlite:/nowhere", "no place" },
		{ "fault:commit@=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@0=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@/0=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@x=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@3-=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@3-2=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@3-4+=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@/3-4=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@/3+=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit@+=eio:sqlite:/nowhere", "no call" },
		{ "fault:commit=eoi:sqlite:/nowhere", "no kind" },
		{ "fault:commit=:sqlite:/nowhere", "no kind" },
		{ "fault:commit=stall-3:sqlite:/nowhere", "stalls" },
		{ "fault:commit=stall-11m:sqlite:/nowhere", "stalls" },
		{ "fault:begin=unsure-lost:sqlite:/nowhere", "at that place" },
		{ "fault:commit=busy:sqlite:/nowhere", "at that place" },
		{ "fault:commit=damaged:sqlite:/nowhere", "at that place" },
		{ "fault:tend=full:sqlite:/nowhere", "at that place" },
		{ "fault:commit=eio:memory:", "undone" },
		{ "fault:accept-order=full:memory:", "undone" },
		{ "fault:commit=unsure-landed,commit=unsure-lost:memory:", "undone" },
	};
	struct bc_store *store = NULL;
	struct bc_err err;
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		assert_int_equal(open_url(bad[i].url, &store, &err), BC_EINVAL);
		assert_non_null(strstr(err.text, bad[i].word));
		if (!strstr(bad[i].word, "wrap"))
			assert_true(err.hint[0]);
		bc_err_clear(&err);
		assert_int_equal(bc_engine_faults.check(bad[i].url + 6, &err), BC_EINVAL);
	}
	assert_null(store);
}

static void every_place_and_kind_is_understood(void **state)
{
	char rest[256];
	struct bc_err err = { 0 };
	(void)state;
	for (int kind = 0; kind < BC_STORE_KINDS; kind++) {
		snprintf(rest, sizeof(rest), "%s@2+=nomem,any=stall-0,write@/7=refuse:memory:",
			 bc_store_kind_name((enum bc_store_kind)kind));
		assert_int_equal(bc_engine_faults.check(rest, &err), 0);
	}
	assert_int_equal(bc_engine_faults.check(":fault:commit@2-9=eio:sqlite:/x", &err), 0);
	assert_int_equal(bc_engine_faults.check(":fault:comit=eio:sqlite:/x", &err), BC_EINVAL);
}

static void an_open_that_is_to_fail_says_why(void **state)
{
	static const struct {
		const char *url;
		int code;
	} fails[] = {
		{ "fault:open=busy:memory:", BC_EBUSY },
		{ "fault:open=eio:memory:", BC_EIO },
		{ "fault:open=full:memory:", BC_ESTORE },
		{ "fault:open=damaged:memory:", BC_ESTORE },
		{ "fault:open=nomem:memory:", BC_ENOMEM },
		{ "fault::sqlite:/nowhere/x", BC_EIO },
	};
	struct bc_store *store = NULL;
	struct bc_err err;
	(void)state;
	for (size_t i = 0; i < BC_COUNT(fails); i++) {
		assert_int_equal(open_url(fails[i].url, &store, &err), fails[i].code);
		assert_true(err.text[0] && err.hint[0]);
		assert_int_equal(open_url(fails[i].url, &store, NULL), fails[i].code);
	}
	assert_null(store);
}

/* --- calls --------------------------------------------------------------------------------- */

static int probe(struct bc_batch_runner *r)
{
	struct bc_store_op op = { .kind = BC_STORE_PROBE };
	struct bc_op_list list = { 0 };
	bc_op_list_push(&list, &op);
	bc_batch_run(r, &list);
	return op.result;
}

static void open_runner(struct bc_batch_runner *r, const char *rest)
{
	*r = (struct bc_batch_runner){ .engine = &bc_engine_faults };
	assert_int_equal(bc_engine_faults.open(rest, &bc_clock_system, &r->handle, NULL), 0);
}

static void the_calls_that_a_rule_names_fail_and_no_others(void **state)
{
	static const struct {
		const char *rest, *calls; /* x: failed */
	} cases[] = {
		{ "begin=full:memory:", "xxxxxxxx" },
		{ "begin@3=full:memory:", "..x....." },
		{ "begin@3+=full:memory:", "..xxxxxx" },
		{ "begin@3-5=full:memory:", "..xxx..." },
		{ "begin@/3=full:memory:", "..x..x.." },
		{ "begin@2=full,begin@/4=eio:memory:", ".x.x...x" },
		{ "probe@2=nomem,lease=nomem:memory:", ".x......" },
		{ ":memory:", "........" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++) {
		struct bc_batch_runner r;
		char calls[9] = "";
		open_runner(&r, cases[i].rest);
		for (int n = 0; n < 8; n++)
			calls[n] = probe(&r) ? 'x' : '.';
		assert_string_equal(calls, cases[i].calls);
		assert_int_equal(r.stats.writable, calls[7] == '.');
		bc_engine_faults.close(r.handle);
	}
}

static void house_keeping_may_meet_the_final_fault(void **state)
{
	struct bc_batch_runner r;
	(void)state;
	open_runner(&r, "tend@2=fsync:memory:");
	assert_int_equal(probe(&r), 0);
	assert_int_equal(bc_batch_tend(&r, true), BC_TEND_NEVER);
	assert_false(r.stats.broken);
	assert_int_equal(bc_batch_tend(&r, true), BC_TEND_NEVER);
	assert_true(r.stats.broken);
	assert_non_null(strstr(r.stats.broken_err.text, "failed to reach the disk"));
	assert_int_equal(probe(&r), BC_ESTORE);
	bc_engine_faults.close(r.handle);
}

static uint64_t now_ms(void)
{
	return bc_elapsed_ms(&bc_clock_system);
}

static void a_stall_takes_its_time_and_fails_nothing(void **state)
{
	struct bc_batch_runner r;
	(void)state;
	open_runner(&r, "begin@2=stall-60ms,probe@2=stall-40ms:memory:");
	uint64_t start = now_ms();
	assert_int_equal(probe(&r), 0);
	uint64_t first = now_ms();
	assert_int_equal(probe(&r), 0);
	assert_true(now_ms() - first >= 99);
	assert_int_equal(r.stats.commit_errors, 0);
	assert_true(first - start < now_ms() - first || first - start > 99);
	bc_engine_faults.close(r.handle);
}

/* --- through the whole store --------------------------------------------------------------- */

static void a_store_on_faults_answers_and_goes_on(void **state)
{
	struct rig r = { 0 };
	struct bc_store_stats stats;
	(void)state;
	mailbox_init(&r.box);
	r.arena = bc_arena_create(64 * 1024, 1024 * 1024);
	snprintf(r.url, sizeof(r.url), "fault:begin@2=full,get-order@1=nomem:memory:");
	rig_open(&r);
	convert(&r, "1001", 10);
	struct bc_store_op *op = rig_op(&r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = BC_STR("1002");
	assert_int_equal(rig_run(&r, op), BC_ESTORE);
	assert_non_null(strstr(op->err.hint, "goes on by itself"));
	bc_store_stats(r.store, &stats);
	assert_false(stats.writable || stats.broken);
	assert_int_equal(story(&r, "1001")->result, BC_ENOMEM);
	assert_int_equal(rig_run(&r, op), 0);
	bc_store_stats(r.store, &stats);
	assert_true(stats.writable);
	assert_counts(&r, "unattributed=1 pending=1");
	bc_store_close(r.store);
	mailbox_finish(&r.box);
	bc_arena_destroy(r.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_that_cannot_be_is_refused_and_named),
		cmocka_unit_test(every_place_and_kind_is_understood),
		cmocka_unit_test(an_open_that_is_to_fail_says_why),
		cmocka_unit_test(the_calls_that_a_rule_names_fail_and_no_others),
		cmocka_unit_test(house_keeping_may_meet_the_final_fault),
		cmocka_unit_test(a_stall_takes_its_time_and_fails_nothing),
		cmocka_unit_test(a_store_on_faults_answers_and_goes_on),
	};
	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
