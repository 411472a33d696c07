/* SPDX-License-Identifier: MIT */
/*
 * The store's queue and batches, over an engine that fails as told: who is answered what when a
 * part of a batch fails, and that everything is answered exactly once.
 */
#include "harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/engine.h"

/* --- the scripted engine ------------------------------------------------------------------- */

/* What the engine did, one letter a call: b begin, r read, w write, c commit, x rollback. */
static char trace[256];
static struct {
	struct bc_engine_fault begin, commit; /* err.code 0: none */
	const char *poison;		      /* key of the write that fails */
	struct bc_engine_fault poison_fault;
	bool hold; /* begin waits while it is set */
} script;
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t script_changed = PTHREAD_COND_INITIALIZER;
static bool holding;

static void note(char c)
{
	size_t len = strlen(trace);
	assert_true(len + 1 < sizeof(trace));
	trace[len] = c;
	trace[len + 1] = '\0';
}

static int fail_as(const struct bc_engine_fault *planned, struct bc_engine_fault *fault)
{
	if (planned->err.code)
		*fault = *planned;
	return planned->err.code;
}

static int stub_open(const char *rest, const struct bc_clock *clock, void **ret_engine,
		     struct bc_err *err)
{
	static int engine;
	(void)clock;
	if (strcmp(rest, "refuse") == 0)
		return bc_err_set(err, BC_EIO, "told to refuse");
	*ret_engine = &engine;
	return 0;
}

static void stub_close(void *engine)
{
	(void)engine;
}

static int stub_begin(void *engine, struct bc_engine_fault *fault)
{
	(void)engine;
	pthread_mutex_lock(&script_lock);
	holding = script.hold;
	pthread_cond_broadcast(&script_changed);
	while (script.hold)
		pthread_cond_wait(&script_changed, &script_lock);
	holding = false;
	note('b');
	int result = fail_as(&script.begin, fault);
	pthread_mutex_unlock(&script_lock);
	return result;
}

static int stub_commit(void *engine, struct bc_engine_fault *fault)
{
	(void)engine;
	note('c');
	return fail_as(&script.commit, fault);
}

static void stub_rollback(void *engine)
{
	(void)engine;
	note('x');
}

static int stub_apply(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	(void)engine;
	note(bc_store_kind_writes(op->kind) ? 'w' : 'r');
	if (script.poison && bc_str_eq(op->in.meta.key, script.poison))
		return fail_as(&script.poison_fault, fault);
	return 0;
}

static const struct bc_engine stub = {
	.name = "stub",
	.help = "does as told",
	.open = stub_open,
	.close = stub_close,
	.begin = stub_begin,
	.commit = stub_commit,
	.rollback = stub_rollback,
	.apply = stub_apply,
};

/* --- a batch of it ------------------------------------------------------------------------- */

enum { OPS_MAX = 16 };
struct batch {
	struct bc_store *store;
	struct mailbox box;
	struct bc_arena *arena;
	struct bc_store_op ops[OPS_MAX];
	unsigned n, done;
	char order[OPS_MAX * 2]; /* keys as they completed */
};

static int setup(void **state)
{
	struct batch *b = calloc(1, sizeof(*b));
	const struct bc_store_options options = { .url = "",
						  .clock = &bc_clock_system,
						  .queue_max = 8 };
	memset(&script, 0, sizeof(script));
	trace[0] = '\0';
	mailbox_init(&b->box);
	b->arena = bc_arena_create(1024, 65536);
	assert_int_equal(bc_store_open_engine(&stub, &options, &b->store, NULL), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct batch *b = *state;
	bc_store_close(b->store);
	mailbox_finish(&b->box);
	bc_arena_destroy(b->arena);
	free(b);
	return 0;
}

static void hold(bool on)
{
	pthread_mutex_lock(&script_lock);
	script.hold = on;
	pthread_cond_broadcast(&script_changed);
	pthread_mutex_unlock(&script_lock);
}

static void op_done(struct bc_store_op *op)
{
	struct batch *b = op->ctx;
	b->done++;
	strncat(b->order, op->in.meta.key.ptr, 1);
}

static void submit(struct batch *b, const char *key, bool write)
{
	struct bc_store_op *op = &b->ops[b->n++];
	op->kind = write ? BC_STORE_PUT_META : BC_STORE_GET_META;
	op->arena = b->arena;
	op->in.meta.key = bc_str_of(key);
	op->done = op_done;
	op->ctx = b;
	bc_store_submit(b->store, &b->box.base, op);
}

/* The engine stands in begin with one write ("0"), so what follows waits together. */
static void submit_first_and_hold(struct batch *b)
{
	hold(true);
	submit(b, "0", true);
	pthread_mutex_lock(&script_lock);
	while (!holding)
		pthread_cond_wait(&script_changed, &script_lock);
	pthread_mutex_unlock(&script_lock);
}

static void let_go(struct batch *b)
{
	hold(false);
	while (b->done < b->n)
		mailbox_serve(&b->box);
}

static struct bc_store_stats stats_of(const struct batch *b)
{
	struct bc_store_stats stats;
	bc_store_stats(b->store, &stats);
	return stats;
}

static struct bc_engine_fault fault_of(enum bc_reach reach, int code)
{
	struct bc_engine_fault fault = { .reach = reach };
	bc_err_set(&fault.err, code, "told to fail");
	return fault;
}

/* --- tests --------------------------------------------------------------------------------- */

static void what_waits_together_is_one_transaction_and_one_wake_up(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	submit(b, "1", true);
	submit(b, "2", false);
	submit(b, "3", true);
	let_go(b);
	assert_string_equal(trace, "bwcbwrwc");
	assert_string_equal(b->order, "0123");
	assert_int_equal(mailbox_posts(&b->box), 2);
	struct bc_store_stats stats = stats_of(b);
	assert_int_equal(stats.commits, 2);
	assert_int_equal(stats.operations, 4);
	assert_int_equal(stats.batch_max, 3);
	assert_int_equal(stats.batch_bucket[0], 1);
	assert_int_equal(stats.batch_bucket[2], 1);
	assert_true(stats.writable);
}

static void reads_alone_need_no_transaction(void **state)
{
	struct batch *b = *state;
	submit(b, "1", false);
	let_go(b);
	assert_string_equal(trace, "r");
	assert_int_equal(stats_of(b).commits, 0);
}

static void a_poisoned_operation_fails_alone(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	script.poison = "2";
	script.poison_fault = fault_of(BC_REACH_OPERATION, BC_ENOMEM);
	submit(b, "1", true);
	submit(b, "2", true);
	submit(b, "3", false);
	submit(b, "4", true);
	let_go(b);
	assert_string_equal(trace, "bwcbwwxbwcbwxrbwc");
	assert_string_equal(b->order, "01234");
	assert_int_equal(b->ops[1].result, 0);
	assert_int_equal(b->ops[2].result, BC_ENOMEM);
	assert_string_equal(b->ops[2].err.text, "told to fail");
	assert_int_equal(b->ops[3].result, 0);
	assert_int_equal(b->ops[4].result, 0);
	assert_true(stats_of(b).writable);
}

static void a_full_disk_fails_every_write_and_no_read(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	script.commit = fault_of(BC_REACH_WRITES, BC_ESTORE);
	submit(b, "1", true);
	submit(b, "2", false);
	submit(b, "3", true);
	let_go(b);
	assert_string_equal(trace, "bwcxbwrwcxr");
	assert_int_equal(b->ops[1].result, BC_ESTORE);
	assert_int_equal(b->ops[2].result, 0);
	assert_int_equal(b->ops[3].result, BC_ESTORE);
	assert_false(stats_of(b).writable);
	assert_false(stats_of(b).broken);
	script.commit.err.code = 0;
	submit(b, "4", true);
	let_go(b);
	assert_int_equal(b->ops[4].result, 0);
	assert_true(stats_of(b).writable);
}

static void a_fault_that_turns_up_while_salvaging_ends_it(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	script.poison = "1";
	script.poison_fault = fault_of(BC_REACH_OPERATION, BC_ETOOBIG);
	script.commit = fault_of(BC_REACH_WRITES, BC_ESTORE);
	submit(b, "1", true);
	submit(b, "2", true);
	submit(b, "3", true);
	let_go(b);
	assert_string_equal(trace, "bwcxbwxbwxbwcx");
	assert_int_equal(b->ops[1].result, BC_ETOOBIG);
	assert_int_equal(b->ops[2].result, BC_ESTORE);
	assert_int_equal(b->ops[3].result, BC_ESTORE);
}

static void a_failed_fsync_is_final(void **state)
{
	struct batch *b = *state;
	script.commit = fault_of(BC_REACH_FINAL, BC_EUNSURE);
	submit(b, "1", true);
	let_go(b);
	assert_int_equal(b->ops[0].result, BC_EUNSURE);
	assert_true(stats_of(b).broken);
	script.commit.err.code = 0;
	trace[0] = '\0';
	submit(b, "2", true);
	submit(b, "3", false);
	let_go(b);
	assert_int_equal(b->ops[1].result, BC_ESTORE);
	assert_int_equal(b->ops[2].result, 0);
	assert_string_equal(trace, "r");
	assert_true(stats_of(b).broken);
	assert_false(stats_of(b).writable);
}

static void a_transaction_that_cannot_begin_is_no_success(void **state)
{
	struct batch *b = *state;
	script.begin = fault_of(BC_REACH_WRITES, BC_ESTORE);
	submit(b, "1", true);
	let_go(b);
	assert_string_equal(trace, "bx");
	assert_int_equal(b->ops[0].result, BC_ESTORE);
	assert_int_equal(stats_of(b).commit_errors, 1);
}

static void what_goes_beyond_the_queue_is_refused_through_the_same_door(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	for (int i = 0; i < 8; i++)
		submit(b, "w", true);
	submit(b, "b", true);
	while (b->done < 1)
		mailbox_serve(&b->box);
	assert_string_equal(b->order, "b");
	assert_int_equal(b->ops[9].result, BC_EBUSY);
	let_go(b);
	assert_string_equal(b->order, "b0wwwwwwww");
	assert_int_equal(b->ops[8].result, 0);
}

static void closing_answers_everything_first(void **state)
{
	struct batch *b = *state;
	submit_first_and_hold(b);
	for (int i = 0; i < 5; i++)
		submit(b, "w", true);
	hold(false);
	bc_store_close(b->store);
	b->store = NULL;
	while (b->done < b->n)
		mailbox_serve(&b->box);
	assert_int_equal(b->done, 6);
	assert_string_equal(trace, "bwcbwwwwwc");
}

static void an_operation_out_of_shape_reaches_no_engine(void **state)
{
	struct batch *b = *state;
	struct bc_store_op *op = &b->ops[b->n++];
	op->kind = BC_STORE_CANCEL;
	op->arena = b->arena;
	op->done = op_done;
	op->ctx = b;
	op->in.meta.key = BC_STR("");
	bc_store_submit(b->store, &b->box.base, op);
	let_go(b);
	assert_int_equal(op->result, BC_EINVAL);
	assert_string_equal(trace, "bc");
}

static void a_store_of_no_known_kind_is_refused_with_a_hint(void **state)
{
	static const char *const urls[] = { "mysql:x", "sqlite", "", "memoryx:", ":", NULL };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(urls); i++) {
		struct bc_store *store = NULL;
		struct bc_err err = { 0 };
		const struct bc_store_options options = { .url = urls[i],
							  .clock = &bc_clock_system };
		assert_int_equal(bc_store_open(&options, &store, &err), BC_EINVAL);
		assert_null(store);
		assert_non_null(strstr(err.hint, "sqlite:PATH"));
	}
	bc_store_close(NULL);
}

static void an_engine_that_refuses_to_open_says_why(void **state)
{
	struct bc_store *store = NULL;
	struct bc_err err = { 0 };
	const struct bc_store_options options = { .url = "refuse", .clock = &bc_clock_system };
	(void)state;
	assert_int_equal(bc_store_open_engine(&stub, &options, &store, &err), BC_EIO);
	assert_string_equal(err.text, "told to refuse");
}

static void names_read_back_as_what_they_name(void **state)
{
	enum bc_order_state parsed;
	(void)state;
	for (int i = 0; i < BC_ORDER_STATES; i++) {
		const char *name = bc_order_state_name((enum bc_order_state)i);
		assert_int_equal(bc_order_state_parse(bc_str_of(name), &parsed), 0);
		assert_int_equal(parsed, i);
	}
	assert_int_equal(bc_order_state_parse(BC_STR("Pending"), &parsed), BC_EINVAL);
	assert_int_equal(bc_order_state_parse(BC_STR(""), &parsed), BC_EINVAL);
	for (int i = 0; i < BC_STORE_KINDS; i++)
		assert_non_null(bc_store_kind_name((enum bc_store_kind)i));
}

int main(void)
{
#define QUEUE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		QUEUE_TEST(what_waits_together_is_one_transaction_and_one_wake_up),
		QUEUE_TEST(reads_alone_need_no_transaction),
		QUEUE_TEST(a_poisoned_operation_fails_alone),
		QUEUE_TEST(a_full_disk_fails_every_write_and_no_read),
		QUEUE_TEST(a_fault_that_turns_up_while_salvaging_ends_it),
		QUEUE_TEST(a_failed_fsync_is_final),
		QUEUE_TEST(a_transaction_that_cannot_begin_is_no_success),
		QUEUE_TEST(what_goes_beyond_the_queue_is_refused_through_the_same_door),
		QUEUE_TEST(closing_answers_everything_first),
		QUEUE_TEST(an_operation_out_of_shape_reaches_no_engine),
		cmocka_unit_test(a_store_of_no_known_kind_is_refused_with_a_hint),
		cmocka_unit_test(an_engine_that_refuses_to_open_says_why),
		cmocka_unit_test(names_read_back_as_what_they_name),
	};
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
