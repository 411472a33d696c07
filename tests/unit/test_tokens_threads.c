/* SPDX-License-Identifier: MIT */
/* The token manager under readers on other threads, while tokens are renewed and configurations
 * swapped. Worth most in a build with the thread sanitizer, which must stay silent. */
#include "tokens_fixture.h"

#include <pthread.h>
#include <sched.h>

enum { READERS = 4, LOOPS = 2, PER_LOOP = 1000, GENERATIONS = 120, REAL_MS = 1500 };

/* --- readers --------------------------------------------------------------------------------- */

struct reader {
	pthread_t thread;
	uint64_t generation, lent, waited;
	unsigned failed;
};

static atomic_bool stop;
static atomic_uint finished;

struct thread_wait {
	struct bc_token_wait wait;
	atomic_bool done;
};

static void thread_wait_done(struct bc_token_wait *wait)
{
	atomic_store(&BC_CONTAINER(wait, struct thread_wait, wait)->done, true);
}

/* A token is whole while it is held, and no thread sees an older one after a newer. */
static void use(struct reader *r, struct bc_access_token *token)
{
	r->failed += strncmp(bc_secret_reveal(token->secret), "canary-token-", 13) != 0;
	r->failed += token->generation < r->generation;
	r->generation = token->generation;
	bc_access_token_unref(token);
}

static void wait_for_one(struct reader *r)
{
	struct thread_wait w = { .wait = { .loop = loop,
					   .deadline_ms = now_ms() + 15 * SECOND_MS,
					   .done = thread_wait_done } };
	bc_tokens_wait(tokens, &w.wait);
	while (!atomic_load(&w.done))
		sched_yield();
	r->waited++;
	if (w.wait.token)
		use(r, w.wait.token);
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	struct bc_tokens_view view;
	while (!atomic_load(&stop)) {
		struct bc_access_token *token = bc_tokens_get(tokens);
		if (token) {
			use(r, token);
			r->lent++;
		} else {
			wait_for_one(r);
		}
		if (r->lent % 64 == 0)
			(void)bc_tokens_refused(tokens, r->generation);
		if (r->lent % 256 == 0)
			bc_tokens_look(tokens, &view);
		if (r->lent % 1024 == 0)
			(void)bc_tokens_probe(tokens);
	}
	atomic_fetch_add(&finished, 1);
	return NULL;
}

/* --- what the loop does meanwhile ------------------------------------------------------------ */

static uint64_t until_ms;

static void churn(void)
{
	static unsigned turns;
	static const char *const scopes[] = { "openid", "openid,commerce.accs" };
	if (++turns % 16 == 0)
		turn(turns % 5 ? HOUR_MS * 20 : SECOND_MS);
	if (turns % 200 == 0) {
		config.secret = turns % 400 ? secret_two : secret_one;
		reconfigure();
	}
	if (turns % 900 == 0) {
		config.scope = scopes[turns / 900 % 2];
		reconfigure();
	}
	if (look().generation >= GENERATIONS && bc_elapsed_ms(&bc_clock_system) >= until_ms)
		atomic_store(&stop, true);
}

static bool all_finished(void *ctx)
{
	(void)ctx;
	return atomic_load(&finished) == READERS;
}

static void readers_meet_no_race_with_renewals_and_reloads(void **state)
{
	struct reader readers[READERS] = { 0 };
	uint64_t lent = 0, waited = 0;
	(void)state;
	endpoint.secrets[1] = "canary-secret-two";
	atomic_store(&stop, false);
	atomic_store(&finished, 0);
	until_ms = bc_elapsed_ms(&bc_clock_system) + REAL_MS;
	create(true);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	run_doing(churn, all_finished, NULL);
	for (size_t i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].failed, 0);
		lent += readers[i].lent;
		waited += readers[i].waited;
	}
	print_message("%u generations; lent %.1f million times, waited for %u times\n",
		      (unsigned)look().generation, (double)lent / 1e6, (unsigned)waited);
	assert_true(lent > 0 && waited > 0);
}

/* --- several loops --------------------------------------------------------------------------- */

static struct other_loop {
	struct bc_loop *loop;
	struct bc_loop_thread *thread;
	struct bc_task name;
	pthread_t id;
	atomic_bool named;
} others[LOOPS];

static struct loop_wait {
	struct bc_token_wait wait;
	struct other_loop *owner;
	bool right_thread;
	unsigned place;
} loop_waits[LOOPS * PER_LOOP];

static atomic_uint served[LOOPS];

static void take_name(struct bc_task *task)
{
	struct other_loop *o = BC_CONTAINER(task, struct other_loop, name);
	o->id = pthread_self();
	atomic_store(&o->named, true);
}

static void served_on_loop(struct bc_token_wait *wait)
{
	struct loop_wait *w = BC_CONTAINER(wait, struct loop_wait, wait);
	w->right_thread = pthread_equal(pthread_self(), w->owner->id);
	bc_access_token_unref(wait->token);
	w->place = atomic_fetch_add(&served[w->owner - others], 1);
}

static bool all_served(void *ctx)
{
	(void)ctx;
	return atomic_load(&served[0]) + atomic_load(&served[1]) == LOOPS * PER_LOOP;
}

static void start_loops(void)
{
	for (size_t i = 0; i < LOOPS; i++) {
		struct other_loop *o = &others[i];
		*o = (struct other_loop){ .name = { .run = take_name } };
		assert_int_equal(bc_loop_create(&o->loop, NULL), 0);
		assert_int_equal(bc_loop_thread_start(o->loop, "other", &o->thread, NULL), 0);
		bc_loop_post(o->loop, &o->name);
		while (!atomic_load(&o->named))
			sched_yield();
	}
}

static void each_waiter_is_served_on_its_own_loop_in_its_turn(void **state)
{
	(void)state;
	start_loops();
	endpoint.hold = true;
	create(true);
	for (unsigned i = 0; i < LOOPS * PER_LOOP; i++) {
		struct loop_wait *w = &loop_waits[i];
		*w = (struct loop_wait){ .owner = &others[i % LOOPS],
					 .wait = { .loop = others[i % LOOPS].loop,
						   .deadline_ms = now_ms() + HOUR_MS,
						   .done = served_on_loop } };
		bc_tokens_wait(tokens, &w->wait);
	}
	run_until_asked(1);
	release();
	run_until(all_served, NULL);
	for (size_t i = 0; i < LOOPS; i++) {
		bc_loop_thread_join(others[i].thread);
		bc_loop_destroy(others[i].loop);
	}
	for (unsigned i = 0; i < LOOPS * PER_LOOP; i++) {
		assert_true(loop_waits[i].right_thread);
		assert_int_equal(loop_waits[i].wait.result, 0);
		assert_int_equal(loop_waits[i].place, i / LOOPS);
	}
	assert_int_equal(endpoint.requests, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(readers_meet_no_race_with_renewals_and_reloads),
		test(each_waiter_is_served_on_its_own_loop_in_its_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
