/* SPDX-License-Identifier: MIT */
/* What the tests of the alerts share: a loop, a shop on the memory engine, scripted receivers, the
 * log in a file, and how to wait for what was raised to be settled. */
#ifndef BC_TESTS_ALERTS_FIXTURE_H
#define BC_TESTS_ALERTS_FIXTURE_H

#include "core/alerts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/err.h"
#include "base/log.h"
#include "failing_malloc.h"
#include "scripted_server.h"

enum { GUARD_MS = 20000, LOOK_MS = 1, BASE_MS = 5 };

#define OK	  "HTTP/1.1 204 No Content\r\n\r\n"
#define BUSY	  "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define ELSEWHERE "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"

static struct bc_loop *loop;
static struct bc_store *store;
static struct bc_secret *hash_key;
static struct bc_shop_config config, other;
static struct bc_shop shop;
static struct bc_alerts *alerts;
static struct server server, second;
static struct bc_timer *look;
static bool stopped;
static FILE *log_file;

/* --- the shop, its log, its receivers -------------------------------------------------------- */

static inline struct bc_secret *secret_of(const char *text)
{
	struct bc_secret *secret = bc_secret_create(text, strlen(text));

	assert_non_null(secret);
	return secret;
}

static inline void point_to(struct bc_shop_config *to, int port)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook-canary", port);
	bc_secret_unref(to->alert_url);
	to->alert_url = secret_of(url);
}

static inline int setup(void **state)
{
	const struct bc_store_options options = { .url = "memory:", .clock = &bc_clock_system };

	(void)state;
	memset(&server, 0, sizeof(server));
	memset(&second, 0, sizeof(second));
	config = other =
		(struct bc_shop_config){ .references = 1, .retry = { BASE_MS, 1000, 1000 } };
	stopped = false;
	hash_key = secret_of("0123456789abcdef");
	log_file = tmpfile();
	assert_non_null(log_file);
	bc_log_to_fd(fileno(log_file));
	if (bc_store_open(&options, &store, NULL) || bc_loop_create(&loop, NULL))
		return -1;
	shop = (struct bc_shop){
		.config = &config, .clock = &bc_clock_system, .store = store, .hash_key = hash_key
	};
	return 0;
}

static inline void create(void)
{
	struct bc_err err = { 0 };

	if (bc_alerts_create(loop, &shop, &alerts, &err))
		fail_msg("%s", err.text);
}

static inline bool is_stopped(void *ctx)
{
	(void)ctx;
	return stopped;
}

struct wait {
	bool (*met)(void *ctx);
	void *ctx;
	unsigned left;
};

static inline void look_again(void *ctx)
{
	struct wait *w = ctx;

	if (w->met(w->ctx) || w->left-- == 0)
		bc_loop_stop(loop);
	else
		bc_timer_start(look, LOOK_MS);
}

static inline void run_until(bool (*met)(void *ctx), void *ctx)
{
	struct wait w = { met, ctx, GUARD_MS / LOOK_MS };

	look = bc_timer_create(loop, look_again, &w);
	assert_non_null(look);
	bc_timer_start(look, LOOK_MS);
	bc_loop_run(loop);
	bc_timer_destroy(look);
	assert_true(met(ctx));
}

static inline void on_stopped(void *ctx)
{
	(void)ctx;
	assert_false(stopped);
	stopped = true;
}

static inline void stop(uint64_t grace_ms)
{
	bc_alerts_stop(alerts, grace_ms, on_stopped, NULL);
	assert_false(stopped); /* never inline */
	run_until(is_stopped, NULL);
}

static inline int teardown(void **state)
{
	(void)state;
	if (alerts && !stopped)
		stop(0);
	bc_alerts_destroy(alerts);
	alerts = NULL;
	bc_loop_destroy(loop);
	bc_store_close(store);
	bc_secret_unref(config.alert_url);
	bc_secret_unref(other.alert_url);
	bc_secret_unref(hash_key);
	if (server.step_count)
		server_stop(&server);
	if (second.step_count)
		server_stop(&second);
	bc_log_to_fd(STDERR_FILENO);
	fclose(log_file);
	assert_int_equal(config.references, 1);
	return 0;
}

/* serve(server, config, { step }, ...): listens, and points the config to it. */
#define serve(which, to, ...)                                                                      \
	do {                                                                                       \
		static const struct step steps_[] = { __VA_ARGS__ };                               \
		server_start(&which, steps_, BC_COUNT(steps_));                                    \
		point_to(&to, which.port);                                                         \
	} while (0)

static inline uint64_t counted(enum bc_alert_result result)
{
	uint64_t counts[BC_ALERT_RESULTS];

	bc_alerts_counts(alerts, counts);
	return counts[result];
}

static inline void assert_counts(uint64_t sent, uint64_t failed, uint64_t dropped)
{
	assert_int_equal(counted(BC_ALERT_SENT), sent);
	assert_int_equal(counted(BC_ALERT_FAILED), failed);
	assert_int_equal(counted(BC_ALERT_DROPPED), dropped);
}

static inline bool so_many_settled(void *ctx)
{
	const uint64_t *wanted = ctx;

	return counted(BC_ALERT_SENT) + counted(BC_ALERT_FAILED) + counted(BC_ALERT_DROPPED) >=
	       *wanted;
}

static inline void run_until_settled(uint64_t count)
{
	run_until(so_many_settled, &count);
}

static inline bool so_many_asked(void *ctx)
{
	return atomic_load(&server.requests) >= *(int *)ctx;
}

static inline void run_until_asked(int count)
{
	run_until(so_many_asked, &count);
}

static inline const char *logged(void)
{
	static char text[65536];
	ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static inline void raise_text(const char *text)
{
	bc_alerts_raise(alerts, &(struct bc_alert){ .event = "lane.state", .text = text });
}

/* The last request's body, parsed. */
static inline json_t *sent_body(void)
{
	const char *body = strstr(server.seen, "\r\n\r\n");
	json_t *json;

	assert_non_null(body);
	json = json_loads(body + 4, 0, NULL);
	assert_non_null(json);
	return json;
}

#endif
