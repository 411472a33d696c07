/* SPDX-License-Identifier: MIT */
/*
 * A real server on a loop's thread and plain blocking sockets as its clients, for the tests of the
 * HTTP server. Each test makes its server with start(), and stop() proves that it closes.
 *
 * The handler's paths: /echo (answers at once with "METHOD target body"), /later (the same in a
 * later turn), /hold (waits for release()), /nothing (204), /big (BIG_BYTES), /raw, /reset, /drop,
 * /stream.
 */
#ifndef BC_TESTS_HTTP_SERVER_FIXTURE_H
#define BC_TESTS_HTTP_SERVER_FIXTURE_H

#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "http_server_peer.h"

#include "base/err.h"
#include "net/http_server_impl.h"

enum { BIG_BYTES = 8 * 1024 * 1024, HELD_MAX = 16 };

static struct {
	struct bc_loop *loop;
	struct bc_loop_thread *thread;
	struct bc_http_server *server;
	char address[160];
	int port;
	/* Touched on the loop only; read through on_loop. */
	struct bc_http_request *held[HELD_MAX];
	unsigned int held_count;
	unsigned int handled;
	unsigned int smuggled; /* requests for /smuggled: there must be none */
	bool accepts;
	unsigned int done_calls;
	char last_peer[64];
	bool last_peer_local;
	char *big; /* owned */
} fixture;

/* ---- the loop's side ---- */

struct errand {
	struct bc_task task;
	void (*run)(void *ctx);
	void *ctx;
	sem_t done;
};

static void run_errand(struct bc_task *task)
{
	struct errand *errand = BC_CONTAINER(task, struct errand, task);

	errand->run(errand->ctx);
	sem_post(&errand->done);
}

/* Runs something on the loop's thread and waits for it. */
static inline void on_loop(void (*run)(void *ctx), void *ctx)
{
	struct errand errand = { .task.run = run_errand, .run = run, .ctx = ctx };

	sem_init(&errand.done, 0, 0);
	bc_loop_post(fixture.loop, &errand.task);
	while (sem_wait(&errand.done) < 0)
		assert_int_equal(errno, EINTR);
	sem_destroy(&errand.done);
}

static void answer_echo(struct bc_http_request *req)
{
	const char *text = bc_arena_printf(req->arena, "%s %.*s %.*s", req->method,
					   (int)req->target.len, req->target.ptr,
					   (int)req->body.len, req->body.ptr ? req->body.ptr : "");

	BC_ASSERT(text);
	bc_http_respond(req, 200, "text/plain", "X-Extra: yes\r\n", text, strlen(text));
}

struct delayed {
	struct bc_task task;
	struct bc_http_request *req;
};

static void run_delayed(struct bc_task *task)
{
	struct delayed *delayed = BC_CONTAINER(task, struct delayed, task);

	answer_echo(delayed->req);
}

static void handle_later(struct bc_http_request *req)
{
	struct delayed *delayed = bc_arena_alloc(req->arena, sizeof(*delayed));

	BC_ASSERT(delayed);
	delayed->task.run = run_delayed;
	delayed->req = req;
	bc_loop_post(fixture.loop, &delayed->task);
}

static void handle_hold(struct bc_http_request *req)
{
	BC_ASSERT(fixture.held_count < HELD_MAX);
	fixture.held[fixture.held_count++] = req;
}

static void handle_nothing(struct bc_http_request *req)
{
	bc_http_respond(req, 204, NULL, NULL, NULL, 0);
}

static void handle_big(struct bc_http_request *req)
{
	bc_http_respond(req, 200, "application/octet-stream", NULL, fixture.big, BIG_BYTES);
}

static void handle_raw(struct bc_http_request *req)
{
	bc_http_send_raw(req, "HTTP/1.1 200", 12);
	bc_http_send_raw(req, " Odd\r\n\r\nhalf", 12);
	bc_http_close_raw(req, false);
}

static void handle_reset(struct bc_http_request *req)
{
	bc_http_send_raw(req, "HTTP/1.1 200 OK\r\n", 17);
	bc_http_close_raw(req, true);
}

static void handle_drop(struct bc_http_request *req)
{
	bc_http_close_raw(req, false);
}

static void handle_stream(struct bc_http_request *req)
{
	bc_http_send_raw(req, "HTTP/1.1 200 OK\r\n\r\n:hello\n\n", 27);
	handle_hold(req);
}

static void handle_smuggled(struct bc_http_request *req)
{
	fixture.smuggled++;
	handle_nothing(req);
}

static const struct {
	const char *path;
	void (*handle)(struct bc_http_request *req);
} fixture_routes[] = {
	{ "/echo", answer_echo },	  { "/later", handle_later }, { "/hold", handle_hold },
	{ "/nothing", handle_nothing },	  { "/big", handle_big },     { "/raw", handle_raw },
	{ "/reset", handle_reset },	  { "/drop", handle_drop },   { "/stream", handle_stream },
	{ "/smuggled", handle_smuggled },
};

static void fixture_handler(void *ctx, struct bc_http_request *req)
{
	BC_ASSERT(ctx == &fixture);
	BC_ASSERT(req->id[0] && req->started_ms > 0);
	fixture.handled++;
	snprintf(fixture.last_peer, sizeof(fixture.last_peer), "%s", req->peer);
	fixture.last_peer_local = req->peer_local;
	for (size_t i = 0; i < BC_COUNT(fixture_routes); i++)
		if (bc_str_starts(req->path, fixture_routes[i].path)) {
			fixture_routes[i].handle(req);
			return;
		}
	bc_http_respond(req, 404, NULL, NULL, "", 0);
}

static void fixture_describe(void *ctx, int status, const char *why, struct bc_str *ret_body,
			     const char **ret_content_type)
{
	static char text[256];

	(void)ctx;
	snprintf(text, sizeof(text), "%d %s", status, why);
	*ret_body = bc_str_of(text);
	*ret_content_type = "text/plain";
}

static bool fixture_accept(void *ctx)
{
	(void)ctx;
	return fixture.accepts;
}

/* ---- start and stop ---- */

static inline struct bc_http_server_options standard_options(void)
{
	return (struct bc_http_server_options){
		.listen = "127.0.0.1:0",
		.head_max_bytes = 4096,
		.body_max_bytes = 8192,
		.connections_max = 64,
		.head_timeout_ms = 10000,
		.handler = fixture_handler,
		.describe_error = fixture_describe,
		.accept = fixture_accept,
		.ctx = &fixture,
	};
}

static inline void start(const struct bc_http_server_options *options)
{
	struct bc_err err = { 0 };

	memset(&fixture, 0, sizeof(fixture));
	fixture.accepts = true;
	fixture.big = malloc(BIG_BYTES);
	assert_non_null(fixture.big);
	for (size_t i = 0; i < BIG_BYTES; i++)
		fixture.big[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(bc_loop_create(&fixture.loop, NULL), 0);
	if (bc_http_server_create(fixture.loop, options, &fixture.server, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(fixture.address, sizeof(fixture.address), "%s",
		 bc_http_server_address(fixture.server));
	fixture.port = atoi(strrchr(fixture.address, ':') + 1);
	assert_int_equal(bc_loop_thread_start(fixture.loop, "server", &fixture.thread, NULL), 0);
}

static inline void count_done(void *ctx)
{
	BC_ASSERT(ctx == &fixture);
	fixture.done_calls++;
	fixture.server = NULL;
}

static inline void close_now(void *grace_ms)
{
	bc_http_server_close(fixture.server, *(uint64_t *)grace_ms, count_done, &fixture);
}

static inline void close_server(uint64_t grace_ms)
{
	on_loop(close_now, &grace_ms);
}

static inline void look_done(void *ctx)
{
	*(bool *)ctx = fixture.done_calls > 0;
}

/* ---- waiting for conditions ---- */

/* Asks on the loop until look says true. */
static inline void wait_until(void (*look)(void *ctx))
{
	uint64_t deadline = now_ms() + PATIENCE_MS;
	bool is_so = false;

	for (on_loop(look, &is_so); !is_so; on_loop(look, &is_so)) {
		assert_true(now_ms() < deadline);
		poll(NULL, 0, 2);
	}
}

static inline void look_no_connection(void *ctx)
{
	*(bool *)ctx = bc_http_server_connections(fixture.server) == 0;
}

static inline void look_held(void *ctx)
{
	*(bool *)ctx = fixture.held_count > 0;
}

static inline void look_peer_gone(void *ctx)
{
	*(bool *)ctx = fixture.held_count > 0 && bc_http_peer_gone(fixture.held[0]);
}

static inline void answer_held(void *ctx)
{
	(void)ctx;
	while (fixture.held_count > 0) {
		struct bc_http_request *req = fixture.held[--fixture.held_count];
		if (bc_str_starts(req->path, "/stream"))
			bc_http_close_raw(req, false);
		else
			answer_echo(req);
	}
}

static inline void release(void)
{
	on_loop(answer_held, NULL);
}

static inline void stop(void)
{
	if (fixture.server)
		close_server(0);
	wait_until(look_done);
	assert_int_equal(fixture.done_calls, 1);
	assert_int_equal(fixture.smuggled, 0);
	release();
	bc_loop_thread_join(fixture.thread);
	bc_loop_destroy(fixture.loop);
	free(fixture.big);
}

static inline void read_handled(void *ctx)
{
	*(unsigned int *)ctx = fixture.handled;
}

static inline unsigned int handled(void)
{
	unsigned int n = 0;

	on_loop(read_handled, &n);
	return n;
}

/* ---- the peer's side (http_server_peer.h), towards this server ---- */

static inline int dial(void)
{
	return dial_port(fixture.port);
}

/* The server is alive and serves others. */
static inline void expect_service(void)
{
	int fd = dial();

	assert_true(put(fd, GET("/echo/alive") "\r\n"));
	expect_reply(fd, 200, "GET /echo/alive ");
	close(fd);
}

#endif
