/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the library's client share: a token endpoint and a Commerce in one server on a
 * thread of its own, both doing what the test says and counting who asks; and a client that calls
 * them, in either form. The client is used through its public header only.
 */
#ifndef BC_TESTS_CLIENT_FIXTURE_H
#define BC_TESTS_CLIENT_FIXTURE_H

#include <backchannel/client.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/tokens.h"
#include "net/http_server.h"

enum { GUARD_MS = 30000, REPLIES_MAX = 8, HELD_MAX = 64, SEEN_BYTES = 256 };

enum how { HOW_WHOLE, HOW_RESET, HOW_HOLD, HOW_CUT };

/* What Commerce answers to a request that has a good token. */
struct reply {
	int status;
	const char *head; /* whole header lines, or NULL */
	const char *body; /* NULL: "{}" */
	size_t bytes;	  /* instead: so many 'x' */
	enum how how;
};

/* Written by the test before the client asks, or with the lock held. */
static struct {
	struct bc_loop *loop;
	struct bc_loop_thread *thread;
	struct bc_http_server *server;
	struct bc_task close;
	atomic_bool closed;
	char base[96]; /* "http://127.0.0.1:PORT" */
	pthread_mutex_t lock;
	/* The token endpoint. */
	const char *secrets[2]; /* that it takes */
	int token_status;	/* instead of looking; 0: look */
	unsigned life_s;
	unsigned oldest; /* tokens before this one are dead */
	unsigned token_requests, issued;
	/* Commerce. Each request takes one reply, the last one stays. */
	struct reply replies[REPLIES_MAX];
	unsigned reply_count;
	unsigned requests;
	uint64_t came_ms[16]; /* the first requests */
	char target[SEEN_BYTES], method[16], authorization[SEEN_BYTES], api_key[SEEN_BYTES],
		org[SEEN_BYTES], store[SEEN_BYTES], type[SEEN_BYTES], accept[SEEN_BYTES],
		agent[SEEN_BYTES], own[SEEN_BYTES], body[SEEN_BYTES];
	unsigned most_at_once, at_once;
	struct bc_http_request *held[HELD_MAX];
	size_t held_count;
} shop;

static struct bc_client_options options;
static struct bc_client *client;
static FILE *log_file;

/* --- the other side -------------------------------------------------------------------------- */

static inline void note(char to[SEEN_BYTES], struct bc_str value)
{
	snprintf(to, SEEN_BYTES, "%.*s", (int)value.len, value.ptr ? value.ptr : "");
}

static inline void note_request(const struct bc_http_request *req)
{
	snprintf(shop.method, sizeof(shop.method), "%s", req->method);
	note(shop.target, req->target);
	note(shop.body, req->body);
	note(shop.authorization, bc_http_header(req, "authorization"));
	note(shop.api_key, bc_http_header(req, "x-api-key"));
	note(shop.org, bc_http_header(req, "x-gw-ims-org-id"));
	note(shop.store, bc_http_header(req, "store"));
	note(shop.type, bc_http_header(req, "content-type"));
	note(shop.accept, bc_http_header(req, "accept"));
	note(shop.agent, bc_http_header(req, "user-agent"));
	note(shop.own, bc_http_header(req, "x-own"));
}

static inline bool body_has(const struct bc_http_request *req, const char *secret)
{
	char wanted[128];
	int n = snprintf(wanted, sizeof(wanted), "client_secret=%s", secret);
	return req->body.ptr && memmem(req->body.ptr, req->body.len, wanted, (size_t)n);
}

static inline void serve_token(struct bc_http_request *req)
{
	static const char refused[] = "{\"error\":\"invalid_client\"}";
	char body[256];
	shop.token_requests++;
	bool good = (shop.secrets[0] && body_has(req, shop.secrets[0])) ||
		    (shop.secrets[1] && body_has(req, shop.secrets[1]));
	if (shop.token_status || !good) {
		int status = shop.token_status ? shop.token_status : 400;
		bc_http_respond(req, status, "application/json", NULL, refused,
				sizeof(refused) - 1);
		return;
	}
	int n = snprintf(body, sizeof(body),
			 "{\"access_token\":\"canary-token-%u\",\"token_type\":\"bearer\","
			 "\"expires_in\":%u}",
			 ++shop.issued, shop.life_s);
	bc_http_respond(req, 200, "application/json", NULL, body, (size_t)n);
}

static inline void reply_with(struct bc_http_request *req, const struct reply *r)
{
	static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":";
	const char *body = r->body ? r->body : "{}";
	if (r->how == HOW_RESET) {
		bc_http_close_raw(req, true);
	} else if (r->how == HOW_CUT) {
		bc_http_send_raw(req, cut, sizeof(cut) - 1);
		bc_http_close_raw(req, false);
	} else if (r->bytes) {
		char *many = malloc(r->bytes);
		memset(many, 'x', r->bytes);
		bc_http_respond(req, r->status, "text/plain", r->head, many, r->bytes);
		free(many);
	} else {
		bc_http_respond(req, r->status, "application/json", r->head, body, strlen(body));
	}
}

static inline bool token_is_dead(const struct bc_http_request *req)
{
	unsigned serial = 0;
	struct bc_str bearer = bc_http_header(req, "authorization");
	char text[SEEN_BYTES];
	note(text, bearer);
	return sscanf(text, "Bearer canary-token-%u", &serial) == 1 && serial < shop.oldest;
}

static inline void serve_api(struct bc_http_request *req)
{
	static const char dead[] = "{\"error_code\":\"401013\",\"message\":\"Oauth token is not "
				   "valid\"}";
	unsigned n = shop.requests++;
	if (n < BC_COUNT(shop.came_ms))
		shop.came_ms[n] = bc_elapsed_ms(&bc_clock_system);
	note_request(req);
	if (token_is_dead(req)) {
		bc_http_respond(req, 401, "application/json", NULL, dead, sizeof(dead) - 1);
		return;
	}
	const struct reply *r = &shop.replies[n < shop.reply_count ? n : shop.reply_count - 1];
	if (r->how != HOW_HOLD) {
		reply_with(req, r);
		return;
	}
	if (shop.held_count == HELD_MAX)
		abort();
	shop.held[shop.held_count++] = req;
	shop.at_once = (unsigned)shop.held_count;
	if (shop.at_once > shop.most_at_once)
		shop.most_at_once = shop.at_once;
}

static inline void on_request(void *ctx, struct bc_http_request *req)
{
	(void)ctx;
	pthread_mutex_lock(&shop.lock);
	if (bc_str_eq(req->path, "/ims/token/v3"))
		serve_token(req);
	else
		serve_api(req);
	pthread_mutex_unlock(&shop.lock);
}

/* Answers all that are held with 200; on the server's thread. */
static inline void release_held(struct bc_task *task)
{
	(void)task;
	pthread_mutex_lock(&shop.lock);
	for (size_t i = 0; i < shop.held_count; i++)
		reply_with(shop.held[i], &(struct reply){ .status = 200 });
	shop.held_count = 0;
	pthread_mutex_unlock(&shop.lock);
}

static inline void server_closed(void *ctx)
{
	(void)ctx;
	atomic_store(&shop.closed, true);
}

static inline void close_server(struct bc_task *task)
{
	release_held(task);
	bc_http_server_close(shop.server, 0, server_closed, NULL);
}

static inline void open_shop(void)
{
	struct bc_err err = { 0 };
	struct bc_http_server_options o = { .listen = "127.0.0.1:0", .handler = on_request };
	memset(&shop, 0, sizeof(shop));
	pthread_mutex_init(&shop.lock, NULL);
	shop.secrets[0] = "canary-secret-one";
	shop.life_s = 3600;
	shop.replies[0] = (struct reply){ .status = 200 };
	shop.reply_count = 1;
	if (bc_loop_create(&shop.loop, &err) ||
	    bc_http_server_create(shop.loop, &o, &shop.server, &err) ||
	    bc_loop_thread_start(shop.loop, "shop", &shop.thread, &err))
		fail_msg("%s", err.text);
	snprintf(shop.base, sizeof(shop.base), "http://%s", bc_http_server_address(shop.server));
}

static inline void close_shop(void)
{
	shop.close.run = close_server;
	bc_loop_post(shop.loop, &shop.close);
	while (!atomic_load(&shop.closed))
		sched_yield();
	bc_loop_thread_join(shop.thread);
	bc_loop_destroy(shop.loop);
	pthread_mutex_destroy(&shop.lock);
}

/* One number of the shop's, read with the lock. */
static inline unsigned shop_count(const unsigned *number)
{
	pthread_mutex_lock(&shop.lock);
	unsigned value = *number;
	pthread_mutex_unlock(&shop.lock);
	return value;
}

/* answers((struct reply){...}, ...) */
#define answers(...)                                                                               \
	do {                                                                                       \
		const struct reply replies_[] = { __VA_ARGS__ };                                   \
		pthread_mutex_lock(&shop.lock);                                                    \
		memcpy(shop.replies, replies_, sizeof(replies_));                                  \
		shop.reply_count = BC_COUNT(replies_);                                             \
		pthread_mutex_unlock(&shop.lock);                                                  \
	} while (0)

/* --- this side ------------------------------------------------------------------------------- */

static inline void create(void)
{
	struct bc_err err = { 0 };
	if (bc_client_create(&options, &client, &err))
		fail_msg("%s", err.text);
}

static inline void destroy(void)
{
	bc_client_destroy(client);
	client = NULL;
}

struct outcome {
	int result;
	struct bc_client_answer answer; /* body is in text */
	char text[512];
	struct bc_err err;
	int count; /* of completions */
};

/* One call in the blocking form. */
static inline struct outcome call(const struct bc_client_request *request)
{
	struct outcome o = { 0 };
	o.result = bc_client_call(client, request, &o.answer, &o.err);
	o.count = 1;
	if (!o.result) {
		assert_non_null(o.answer.body);
		assert_int_equal(o.answer.body[o.answer.body_bytes], '\0');
		snprintf(o.text, sizeof(o.text), "%s", o.answer.body);
		assert_int_equal(o.err.code, 0);
	} else {
		assert_int_equal(o.err.code, o.result);
		assert_null(strstr(o.err.text, "canary"));
		assert_null(strstr(o.err.hint, "canary"));
	}
	free(o.answer.body);
	o.answer.body = NULL;
	return o;
}

static inline struct outcome get(const char *path)
{
	return call(&(struct bc_client_request){ .path = path });
}

static inline void keep_outcome(void *ctx, int result, struct bc_client_answer *answer,
				const struct bc_err *err)
{
	struct outcome *o = ctx;
	o->count++;
	o->result = result;
	o->err = *err;
	assert_int_equal(result == 0, answer != NULL);
	if (!answer)
		return;
	o->answer = *answer;
	o->answer.body = NULL;
	snprintf(o->text, sizeof(o->text), "%s", answer->body);
}

/* One turn of a loop that has nothing but the client's fd and time. */
static inline void turn(void)
{
	struct pollfd fd = { .fd = bc_client_fd(client), .events = POLLIN };
	int timeout_ms = bc_client_timeout_ms(client);
	int ready = poll(&fd, 1, timeout_ms < 0 ? GUARD_MS : timeout_ms);
	if (ready == 0 && timeout_ms < 0)
		fail_msg("the client is never heard of again");
	bc_client_dispatch(client);
}

static inline void turn_until(const int *count, int wanted)
{
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	while (*count < wanted) {
		turn();
		if (bc_elapsed_ms(&bc_clock_system) - began > GUARD_MS)
			fail_msg("%d of %d completions in %d ms", *count, wanted, GUARD_MS);
	}
}

static inline void wait_for_count(const unsigned *number, unsigned wanted)
{
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	while (shop_count(number) < wanted) {
		if (bc_elapsed_ms(&bc_clock_system) - began > GUARD_MS)
			fail_msg("%u of %u after %d ms", shop_count(number), wanted, GUARD_MS);
		sched_yield();
	}
}

static inline const char *logged(void)
{
	static char text[65536];
	ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static inline int setup(void **state)
{
	(void)state;
	log_file = tmpfile();
	assert_non_null(log_file);
	bc_log_to_fd(fileno(log_file));
	open_shop();
	options = (struct bc_client_options){ .run_thread = true,
					      .oauth_base_url = shop.base,
					      .oauth_client_id = "client",
					      .oauth_client_secret = "canary-secret-one",
					      .oauth_org_id = "org@AdobeOrg",
					      .commerce_base_url = shop.base };
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	destroy();
	close_shop();
	/* A guest in somebody else's program says nothing. */
	assert_string_equal(logged(), "");
	bc_log_to_fd(STDERR_FILENO);
	fclose(log_file);
	return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
