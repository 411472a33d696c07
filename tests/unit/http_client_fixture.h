/* SPDX-License-Identifier: MIT */
/* A loop, a client and a scripted server for the HTTP client's tests, and what came of each call.
 */
#ifndef BC_TESTS_HTTP_CLIENT_FIXTURE_H
#define BC_TESTS_HTTP_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http_client.h"
#include "scripted_server.h"

enum { GUARD_MS = 20000, URL_BYTES = 128 };

static struct bc_loop *loop;
static struct bc_http_client *client;
static struct server server;
static int waiting; /* completions that the loop runs for */

/* An answer whose slices outlive the completion. */
struct result {
	int count; /* of completions */
	struct bc_http_answer a;
	char body[512];
	char retry_after[64];
	char content_type[64];
	char link[128];
};

static inline void guard(void *ctx)
{
	(void)ctx;
	fail_msg("%d completions are missing after %d ms", waiting, GUARD_MS);
}

static inline void keep_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "(none)");
}

static inline void on_done(void *ctx, const struct bc_http_answer *a)
{
	struct result *r = ctx;
	size_t n = a->body.len < sizeof(r->body) ? a->body.len : sizeof(r->body) - 1;

	r->count++;
	r->a = *a;
	memcpy(r->body, a->body.ptr, n);
	r->body[n] = '\0';
	keep_text(r->retry_after, sizeof(r->retry_after), a->retry_after);
	keep_text(r->content_type, sizeof(r->content_type), a->content_type);
	keep_text(r->link, sizeof(r->link), a->link);
	if (--waiting == 0)
		bc_loop_stop(loop);
}

static inline void run_until_done(void)
{
	struct bc_timer *timer = bc_timer_create(loop, guard, NULL);

	bc_timer_start(timer, GUARD_MS);
	if (waiting > 0)
		bc_loop_run(loop);
	bc_timer_destroy(timer);
	assert_int_equal(waiting, 0);
}

static inline const char *url_of(char *url, const char *scheme, const char *path)
{
	snprintf(url, URL_BYTES, "%s://127.0.0.1:%d%s", scheme, server.port, path);
	return url;
}

/* The url's path, which no failure's text may show. */
#define SECRET_PATH "/sesame-path"

static inline struct bc_http_exchange exchange_of(const char *method, const char *url)
{
	return (struct bc_http_exchange){ .method = method,
					  .url = url,
					  .connect_timeout_ms = 5000,
					  .timeout_ms = 10000,
					  .answer_max_bytes = 256 };
}

static inline struct bc_http_call *start(const struct bc_http_exchange *x, struct result *r)
{
	struct bc_http_call *call = NULL;
	struct bc_err err = { 0 };
	int before = r->count;

	if (bc_http_call_start(client, x, on_done, r, &call, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(r->count, before); /* never inline */
	waiting++;
	return call;
}

static inline struct result run_exchange(const struct bc_http_exchange *x)
{
	struct result r = { 0 };

	start(x, &r);
	run_until_done();
	assert_int_equal(r.count, 1);
	assert_null(strstr(r.a.error_text, "sesame"));
	assert_null(strstr(r.a.error_text, "127.0.0.1"));
	return r;
}

static inline struct result get(void)
{
	char url[URL_BYTES];
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", SECRET_PATH));

	return run_exchange(&x);
}

static inline struct result post(void)
{
	char url[URL_BYTES];
	struct bc_http_exchange x = exchange_of("POST", url_of(url, "http", SECRET_PATH));

	x.body = "sesame-body";
	x.body_bytes = 11;
	return run_exchange(&x);
}

static inline void open_client(const struct bc_http_client_options *options)
{
	struct bc_err err = { 0 };

	if (bc_http_client_create(loop, options, &client, &err) < 0)
		fail_msg("%s", err.text);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	waiting = 0;
	if (bc_loop_create(&loop, NULL) < 0)
		return -1;
	open_client(&(struct bc_http_client_options){ .user_agent = "test/1" });
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	bc_http_client_destroy(client);
	client = NULL;
	bc_loop_destroy(loop);
	if (server.step_count > 0)
		server_stop(&server);
	return 0;
}

/* serve((struct step){...}, ...) */
#define serve(...)                                                                                 \
	do {                                                                                       \
		static const struct step steps_[] = { __VA_ARGS__ };                               \
		server_start(&server, steps_, BC_COUNT(steps_));                                   \
	} while (0)

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
