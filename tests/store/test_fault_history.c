/* SPDX-License-Identifier: MIT */
/*
 * Every call of a history fails once, in every way there is. After each failure three things hold:
 * what was acknowledged is there, of what was refused nothing is, and what is unsure is there whole
 * or not at all; and when all of it was put again, each order stands once.
 *
 * "There" is decided by an oracle: a plain memory engine that is given exactly the operations that
 * count, and whose rows are compared field by field. The history is cut into batches, as a busy
 * store would; a batch's size is part of the case. Nothing here has a thread: the batch runner that
 * store.c uses is called directly, so that the nth call is the same one each time.
 */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "store/fault_impl.h"

/* --- the oracle ---------------------------------------------------------------------------- */

enum { PUTS_MAX = 4 * HISTORY_LINES };

/* Lines of the history, in the order in which they took effect. */
struct puts {
	size_t count;
	const struct line *lines[PUTS_MAX];
};

static void note(struct puts *p, const struct line *l)
{
	assert_true(p->count < PUTS_MAX);
	p->lines[p->count++] = l;
}

static void ask_oracle(const struct puts *p, struct bc_arena *arena, struct dump *d)
{
	struct bc_batch_runner oracle = { .engine = &bc_engine_memory };
	assert_int_equal(oracle.engine->open("", &bc_clock_system, &oracle.handle, NULL), 0);
	for (size_t i = 0; i < p->count; i++)
		run_alone(&oracle, history_op(arena, p->lines[i]));
	take_dump(&oracle, arena, d);
	oracle.engine->close(oracle.handle);
}

/* --- one case ------------------------------------------------------------------------------ */

struct setting {
	const char *engine;
	const char *where, *what; /* the rule: WHERE@WHEN=WHAT */
	unsigned batch;
	/* How it goes on: the failure lasts until a restart; or it passes after so many calls. */
	bool restarts;
	unsigned calls;
};

struct run {
	const struct setting *setting;
	unsigned nth;
	char folder[64], path[96];
	struct bc_batch_runner runner;
	struct bc_arena *arena;
	struct puts waiting, applied;
	unsigned failures; /* seen by a caller or by the statistics */
	uint64_t errors_seen;
	struct dump is, should;
	char name[96];
};

static bool is_sqlite(const struct run *r)
{
	return strcmp(r->setting->engine, "sqlite") == 0;
}

static bool is_final(const struct setting *s)
{
	return strncmp(s->what, "fsync", 5) == 0;
}

static void open_run(struct run *r, const char *rule)
{
	char url[256];
	struct bc_err err = { 0 };
	snprintf(url, sizeof(url), "%s:%s:%s", rule, r->setting->engine, r->path);
	r->runner = (struct bc_batch_runner){ .engine = &bc_engine_faults };
	r->errors_seen = 0;
	if (bc_engine_faults.open(url, &bc_clock_system, &r->runner.handle, &err))
		fail_msg("%s: %s", url, err.text);
}

static void close_run(struct run *r)
{
	bc_engine_faults.close(r->runner.handle);
	r->runner.handle = NULL;
}

/* Past the faults: what they left. */
static void dump_inner(struct run *r, struct dump *d)
{
	struct bc_batch_runner inner = { 0 };
	inner.engine = bc_fault_inner(r->runner.handle, &inner.handle);
	take_dump(&inner, r->arena, d);
}

static bool same_as(struct run *r, const struct puts *p)
{
	ask_oracle(p, r->arena, &r->should);
	return strcmp(r->is.text, r->should.text) == 0;
}

/* Names the first line that differs. */
static void assert_same(struct run *r, const struct puts *p, const char *when)
{
	const char *is = r->is.text, *should = r->should.text;
	if (same_as(r, p))
		return;
	for (size_t i = 0; r->is.text[i] && r->is.text[i] == r->should.text[i]; i++) {
		if (r->is.text[i] != '\n')
			continue;
		is = r->is.text + i + 1;
		should = r->should.text + i + 1;
	}
	fail_msg("%s, %s: there is\n%.*s\nand should be\n%.*s", r->name, when,
		 (int)strcspn(is, "\n"), is, (int)strcspn(should, "\n"), should);
}

static bool is_refused(const struct bc_store_op *op)
{
	return op->result == BC_ESTORE || op->result == BC_ENOMEM || op->result == BC_EUNSURE;
}

/* A broken handle takes no write, and nothing of one. */
static void assert_takes_nothing(struct run *r)
{
	struct bc_store_op *op =
		history_op(r->arena, &(struct line){ BC_STORE_ACCEPT_ORDER, 200, .order = "late",
						     .token = "t9" });
	run_alone(&r->runner, op);
	assert_int_equal(op->result, BC_ESTORE);
	dump_inner(r, &r->is);
	assert_same(r, &r->applied, "broken");
}

/* Returns whether the run goes on. */
static bool recover(struct run *r)
{
	bool broken = r->runner.stats.broken;
	assert_int_equal(broken, is_final(r->setting));
	if (broken) {
		assert_non_null(strstr(r->runner.stats.broken_err.hint, "restart"));
		assert_takes_nothing(r);
	}
	if (!is_sqlite(r))
		return !broken; /* a restart would forget everything */
	if (!broken && !r->setting->restarts)
		return true;
	close_run(r);
	open_run(r, "");
	dump_inner(r, &r->is);
	assert_same(r, &r->applied, "after the restart");
	return true;
}

/* Decides what of a batch took effect, and holds the engine to it. */
static void judge(struct run *r, struct bc_store_op *const *ops, const struct line *const *lines,
		  unsigned n)
{
	bool lands = strstr(r->setting->what, "landed") != NULL;
	for (unsigned i = 0; i < n; i++) {
		bool unsure = ops[i]->result == BC_EUNSURE;
		if (!is_refused(ops[i]) || (unsure && lands))
			note(&r->applied, lines[i]);
		if (is_refused(ops[i])) {
			assert_true(ops[i]->err.text[0] && ops[i]->err.hint[0]);
			r->failures++;
		}
	}
	dump_inner(r, &r->is);
	assert_same(r, &r->applied, "after the fault");
}

/* What was not acknowledged goes back to the head of what waits, to be put again in its order. */
static void wait_again(struct run *r, struct bc_store_op *const *ops,
		       const struct line *const *lines, unsigned n)
{
	struct puts again = { 0 };
	for (unsigned i = 0; i < n; i++) {
		if (is_refused(ops[i]))
			note(&again, lines[i]);
	}
	for (size_t i = 0; i < r->waiting.count; i++)
		note(&again, r->waiting.lines[i]);
	r->waiting = again;
}

static unsigned take_batch(struct run *r, struct bc_store_op **ops, const struct line **lines)
{
	unsigned n = 0;
	while (n < r->setting->batch && n < r->waiting.count) {
		lines[n] = r->waiting.lines[n];
		ops[n] = history_op(r->arena, lines[n]);
		n++;
	}
	r->waiting.count -= n;
	memmove(r->waiting.lines, r->waiting.lines + n,
		r->waiting.count * sizeof(r->waiting.lines[0]));
	return n;
}

/* Returns false when the history ended, or cannot go on. */
static bool step(struct run *r)
{
	struct bc_store_op *ops[8];
	const struct line *lines[8];
	struct bc_op_list list = { 0 };
	unsigned n = take_batch(r, ops, lines), failures = r->failures;
	for (unsigned i = 0; i < n; i++)
		bc_op_list_push(&list, ops[i]);
	bc_batch_run(&r->runner, &list);
	bool failed = r->runner.stats.commit_errors > r->errors_seen;
	r->errors_seen = r->runner.stats.commit_errors;
	for (unsigned i = 0; i < n; i++)
		failed |= is_refused(ops[i]);
	if (!failed) {
		for (unsigned i = 0; i < n; i++)
			note(&r->applied, lines[i]);
		return r->waiting.count > 0;
	}
	judge(r, ops, lines, n);
	wait_again(r, ops, lines, n);
	r->failures += r->failures == failures; /* one that trying again has mended */
	return recover(r) && r->waiting.count > 0;
}

static void plan(struct run *r)
{
	const struct setting *s = r->setting;
	char rule[64];
	snprintf(r->name, sizeof(r->name), "%s in batches of %u, %s@%u=%s, %s", s->engine, s->batch,
		 s->where, r->nth, s->what, s->restarts ? "restarted" : "going on");
	if (s->restarts)
		snprintf(rule, sizeof(rule), "%s@%u+=%s", s->where, r->nth, s->what);
	else
		snprintf(rule, sizeof(rule), "%s@%u-%u=%s", s->where, r->nth, r->nth + s->calls - 1,
			 s->what);
	for (size_t i = 0; i < HISTORY_LINES; i++)
		note(&r->waiting, &history[i]);
	open_run(r, rule);
}

/* Every order once, in the state that it would have reached without any fault: nobody was lost and
 * nobody doubled by being put again. */
static void assert_as_without_faults(struct run *r)
{
	struct puts whole = { 0 };
	for (size_t i = 0; i < HISTORY_LINES; i++)
		note(&whole, &history[i]);
	assert_same(r, &whole, "in the end");
}

static void remove_store(const struct run *r)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char path[128];
	for (size_t i = 0; i < BC_COUNT(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", r->path, suffixes[i]);
		(void)unlink(path);
	}
}

/* Returns whether the fault met anything: one beyond the history's last call does not. */
static bool run_case(struct run *r, const struct setting *setting, unsigned nth)
{
	r->setting = setting;
	r->nth = nth;
	r->waiting.count = r->applied.count = 0;
	r->failures = 0;
	bc_arena_reset(r->arena);
	plan(r);
	while (step(r))
		continue;
	if (is_sqlite(r)) {
		close_run(r);
		open_run(r, "");
	}
	dump_inner(r, &r->is);
	assert_same(r, &r->applied, "opened again");
	if (setting->batch == 1 && r->waiting.count == 0)
		assert_as_without_faults(r);
	close_run(r);
	remove_store(r);
	return r->failures > 0;
}

/* --- all cases ----------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct run *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	/* In memory where there is such a place: what is asked here is not the disk's to answer. */
	snprintf(r->folder, sizeof(r->folder), "%s/bc-fault-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(r->folder));
	snprintf(r->path, sizeof(r->path), "%s/test.db", r->folder);
	r->arena = bc_arena_create(256 * 1024, 64 * 1024 * 1024);
	assert_non_null(r->arena);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct run *r = *state;
	if (r->runner.handle)
		close_run(r);
	remove_store(r);
	rmdir(r->folder);
	bc_arena_destroy(r->arena);
	free(r);
	return 0;
}

static const struct rule {
	const char *where, *what;
} rules[] = {
	{ "begin", "refuse" },	       { "begin", "nomem" },
	{ "begin", "full" },	       { "begin", "eio" },
	{ "begin", "fsync" },	       { "commit", "refuse" },
	{ "commit", "nomem" },	       { "commit", "full" },
	{ "commit", "eio" },	       { "commit", "unsure-lost" },
	{ "commit", "unsure-landed" }, { "commit", "fsync" },
	{ "commit", "fsync-landed" },  { "write", "refuse" },
	{ "write", "nomem" },	       { "write", "damaged" },
	{ "write", "full" },	       { "write", "eio" },
	{ "write", "fsync" },	       { "any", "nomem" },
	{ "read", "refuse" },	       { "read", "eio" },
};

static bool applies(const struct rule *rule, const char *engine)
{
	struct fault_rules parsed;
	char text[64];
	snprintf(text, sizeof(text), "%s=%s", rule->where, rule->what);
	assert_int_equal(fault_parse(bc_str_of(text), &parsed, NULL), 0);
	return strcmp(engine, "memory") != 0 ||
	       fault_check_undo(&parsed, &bc_engine_memory, NULL) == 0;
}

/* Each rule, at the first call, the second and so on until it meets none. */
static void fail_every_call(struct run *r, struct setting s)
{
	unsigned cases = 0;
	for (size_t i = 0; i < BC_COUNT(rules); i++) {
		unsigned n = 1;
		s.where = rules[i].where;
		s.what = rules[i].what;
		if (!applies(&rules[i], s.engine))
			continue;
		/* What is final is not over before a restart. */
		if (is_final(&s) && !s.restarts && is_sqlite(&(struct run){ .setting = &s }))
			continue;
		while (run_case(r, &s, n))
			n++;
		assert_true(n > (strcmp(s.where, "read") == 0 ? 3 : HISTORY_LINES / 8));
		cases += n - 1;
	}
	print_message("%s, batches of %u, %s: %u failures\n", s.engine, s.batch,
		      s.restarts ? "until a restart" : "passing", cases);
}

static void every_failure_that_passes_loses_and_doubles_nothing(void **state)
{
	fail_every_call(*state, (struct setting){ "sqlite", .batch = 1, .calls = 1 });
}

static void every_failure_that_lasts_until_a_restart_loses_and_doubles_nothing(void **state)
{
	fail_every_call(*state, (struct setting){ "sqlite", .batch = 1, .restarts = true });
}

static void a_failure_in_a_batch_keeps_what_was_acknowledged_and_no_more(void **state)
{
	fail_every_call(*state, (struct setting){ "sqlite", .batch = 4, .calls = 3 });
	fail_every_call(*state, (struct setting){ "sqlite", .batch = 7, .restarts = true });
}

static void an_engine_that_undoes_nothing_holds_to_the_same(void **state)
{
	fail_every_call(*state, (struct setting){ "memory", .batch = 1, .calls = 1 });
	fail_every_call(*state, (struct setting){ "memory", .batch = 1, .calls = 3 });
	fail_every_call(*state, (struct setting){ "memory", .batch = 4, .calls = 1 });
}

int main(void)
{
#define CASES(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASES(every_failure_that_passes_loses_and_doubles_nothing),
		CASES(every_failure_that_lasts_until_a_restart_loses_and_doubles_nothing),
		CASES(a_failure_in_a_batch_keeps_what_was_acknowledged_and_no_more),
		CASES(an_engine_that_undoes_nothing_holds_to_the_same),
	};
	return cmocka_run_group_tests_name("fault-history", tests, NULL, NULL);
}
