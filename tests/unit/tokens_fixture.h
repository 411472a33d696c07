/* SPDX-License-Identifier: MIT */
/* What the tests of the token manager share: a loop with a token endpoint, the log in a file, how
 * to run until something is so, and somebody who waits. */
#ifndef BC_TESTS_TOKENS_FIXTURE_H
#define BC_TESTS_TOKENS_FIXTURE_H

#include "core/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "failing_malloc.h"
#include "token_endpoint.h"

enum { GUARD_MS = 30000, LIFE_S = 86400, SECOND_MS = 1000, MINUTE_MS = 60 * 1000 };
enum { SETTLED_TURNS = 8, SETTLED_MS = 4 };
enum { HOUR_MS = 60 * MINUTE_MS, MARGIN_MS = 60 * 1000 };

static struct bc_tokens *tokens;
static struct bc_secret *secret_one, *secret_two, *secret_three;
static struct bc_oauth_config config;
static FILE *log_file;

/* --- running --------------------------------------------------------------------------------- */

struct run {
	struct bc_task task;
	bool (*met)(void *ctx);
	void (*each)(void);
	void *ctx;
	struct bc_timer *guard;
};

static inline void guard_fired(void *ctx)
{
	(void)ctx;
	fail_msg("nothing came of it in %d ms", GUARD_MS);
}

static inline void run_look(struct bc_task *task)
{
	struct run *r = BC_CONTAINER(task, struct run, task);
	if (r->met(r->ctx)) {
		bc_loop_stop(loop);
		return;
	}
	if (r->each)
		r->each();
	bc_loop_post(loop, &r->task);
}

/* Turn after turn of the loop until it is met; each, if any, is done in every turn. */
static inline void run_doing(void (*each)(void), bool (*met)(void *ctx), void *ctx)
{
	struct run r = { .task = { .run = run_look }, .met = met, .each = each, .ctx = ctx };
	r.guard = bc_timer_create(loop, guard_fired, NULL);
	assert_non_null(r.guard);
	bc_timer_start(r.guard, GUARD_MS);
	bc_loop_post(loop, &r.task);
	bc_loop_run(loop);
	bc_timer_destroy(r.guard);
}

static inline void run_until(bool (*met)(void *ctx), void *ctx)
{
	run_doing(NULL, met, ctx);
}

static inline struct bc_tokens_view look(void)
{
	struct bc_tokens_view view;
	bc_tokens_look(tokens, &view);
	return view;
}

struct quiet {
	unsigned turns;
	uint64_t since_ms;
};

static inline bool is_quiet(void *ctx)
{
	struct quiet *q = ctx;
	uint64_t real_ms = bc_elapsed_ms(&bc_clock_system);
	if (look().in_flight || !q->since_ms)
		q->since_ms = real_ms;
	/* Time first, then turns: a loop that was kept from running has its timers before it. */
	if (real_ms < q->since_ms + SETTLED_MS)
		q->turns = 0;
	return q->turns++ > SETTLED_TURNS;
}

/* Until no request is under way, nor begun by what was posted and the timers that are due. */
static inline void settle(void)
{
	struct quiet q = { 0 };
	run_until(is_quiet, &q);
}

static inline bool so_many_requests(void *ctx)
{
	return endpoint.requests >= *(unsigned *)ctx;
}

static inline void run_until_asked(unsigned requests)
{
	run_until(so_many_requests, &requests);
}

/* --- waiting --------------------------------------------------------------------------------- */

struct waiter {
	struct bc_token_wait wait;
	int count;
	unsigned place; /* among all that were done */
};

static unsigned done_count;

static inline void on_done(struct bc_token_wait *wait)
{
	struct waiter *w = BC_CONTAINER(wait, struct waiter, wait);
	w->count++;
	w->place = done_count++;
	assert_int_equal(wait->result != 0, wait->token == NULL);
}

static inline void wait_for(struct waiter *w, uint64_t timeout_ms, uint64_t not_generation)
{
	*w = (struct waiter){ .wait = { .loop = loop,
					.deadline_ms = now_ms() + timeout_ms,
					.not_generation = not_generation,
					.done = on_done } };
	bc_tokens_wait(tokens, &w->wait);
	assert_int_equal(w->count, 0); /* never inline */
}

static inline bool is_done(void *ctx)
{
	return ((struct waiter *)ctx)->count > 0;
}

/* The result; a token is given back. */
static inline int wait_and_see(uint64_t timeout_ms, struct bc_err *ret_err)
{
	struct waiter w;
	wait_for(&w, timeout_ms, 0);
	run_until(is_done, &w);
	assert_int_equal(w.count, 1);
	bc_access_token_unref(w.wait.token);
	if (ret_err)
		*ret_err = w.wait.err;
	return w.wait.result;
}

static inline uint64_t lent_generation(void)
{
	struct bc_access_token *token = bc_tokens_get(tokens);
	uint64_t generation = token ? token->generation : 0;
	if (token)
		assert_true(now_ms() < token->times.expires_ms);
	bc_access_token_unref(token);
	return generation;
}

/* --- setting up ------------------------------------------------------------------------------ */

static inline struct bc_secret *secret_of(const char *text)
{
	struct bc_secret *secret = bc_secret_create(text, strlen(text));
	assert_non_null(secret);
	return secret;
}

static inline int setup(void **state)
{
	(void)state;
	clock_of_test = (struct turned_clock){ .base = { turned_wall, turned_elapsed },
					       .elapsed_ms = 7 * HOUR_MS,
					       .wall_ms = 1795312471000 };
	endpoint = (struct endpoint){ .secrets = { "canary-secret-one" }, .life = "86400" };
	endpoint_is_down = false;
	done_count = 0;
	log_file = tmpfile();
	assert_non_null(log_file);
	bc_log_to_fd(fileno(log_file));
	secret_one = secret_of("canary-secret-one");
	secret_two = secret_of("canary-secret-two");
	secret_three = secret_of("canary-secret-three");
	if (bc_loop_create(&loop, NULL))
		return -1;
	serve();
	config = (struct bc_oauth_config){ .token_url = endpoint.url,
					   .client_id = "client",
					   .secret = secret_one,
					   .scope = "openid,commerce.accs",
					   .timeout_ms = 10 * SECOND_MS };
	return 0;
}

static inline struct bc_tokens *make(bool eager)
{
	struct bc_tokens_options options = { .clock = &clock_of_test.base, .eager = eager };
	struct bc_tokens *made = NULL;
	struct bc_err err = { 0 };
	if (bc_tokens_create(loop, &config, &options, &made, &err))
		fail_msg("%s", err.text);
	return made;
}

static inline bool has_token(void *ctx)
{
	(void)ctx;
	return look().generation > 0;
}

static inline void create(bool eager)
{
	tokens = make(eager);
}

static inline void create_with_token(void)
{
	create(true);
	run_until(has_token, NULL);
	settle();
	assert_int_equal(endpoint.requests, 1);
}

static inline void reconfigure(void)
{
	struct bc_err err = { 0 };
	if (bc_tokens_reconfigure(tokens, &config, &err))
		fail_msg("%s", err.text);
}

static inline const char *logged(void)
{
	static char text[262144];
	ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static inline unsigned times_logged(const char *event)
{
	unsigned n = 0;
	char wanted[64];
	snprintf(wanted, sizeof(wanted), " %s ", event);
	for (const char *at = logged(); (at = strstr(at, wanted)); at++)
		n++;
	return n;
}

static inline void server_gone(void *ctx)
{
	(void)ctx;
	bc_loop_stop(loop);
}

static inline int teardown(void **state)
{
	(void)state;
	bc_tokens_destroy(tokens);
	tokens = NULL;
	release();
	bc_http_server_close(endpoint.server, 0, server_gone, NULL);
	bc_loop_run(loop);
	bc_loop_destroy(loop);
	/* The log writer replaces a line that holds a secret: none was even tried. */
	assert_null(strstr(logged(), "canary"));
	assert_null(strstr(logged(), "log.refused"));
	bc_secret_unref(secret_one);
	bc_secret_unref(secret_two);
	bc_secret_unref(secret_three);
	bc_log_to_fd(STDERR_FILENO);
	fclose(log_file);
	return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
