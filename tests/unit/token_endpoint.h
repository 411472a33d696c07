/* SPDX-License-Identifier: MIT */
/* A clock that tests turn, and a token endpoint on their own loop that does what the test says and
 * counts who asks. */
#ifndef BC_TESTS_TOKEN_ENDPOINT_H
#define BC_TESTS_TOKEN_ENDPOINT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http_server.h"

enum { HELD_MAX = 8 };

/* --- a clock to turn ------------------------------------------------------------------------- */

struct turned_clock {
	struct bc_clock base;
	atomic_uint_fast64_t elapsed_ms, wall_ms;
};

static inline uint64_t turned_elapsed(const struct bc_clock *c)
{
	return atomic_load(&((struct turned_clock *)(uintptr_t)c)->elapsed_ms);
}

static inline uint64_t turned_wall(const struct bc_clock *c)
{
	return atomic_load(&((struct turned_clock *)(uintptr_t)c)->wall_ms);
}

static struct turned_clock clock_of_test;

static inline uint64_t now_ms(void)
{
	return atomic_load(&clock_of_test.elapsed_ms);
}

/* Time passes; nothing but the clock sees it, as in a suspend. */
static inline void turn(uint64_t ms)
{
	atomic_fetch_add(&clock_of_test.elapsed_ms, ms);
	atomic_fetch_add(&clock_of_test.wall_ms, ms);
}

/* --- the endpoint ---------------------------------------------------------------------------- */

struct endpoint {
	struct bc_http_server *server;
	char url[128];
	const char *secrets[2];	 /* those that it takes; NULL: none */
	int status;		 /* instead of looking at the secret; 0: look */
	const char *body, *head; /* of that; head: whole header lines, or NULL */
	bool hold;		 /* keeps requests until release */
	const char *life;	 /* expires_in as it stands in JSON; NULL: left out */
	bool keep_token;	 /* the same one again and again */
	unsigned requests, issued, hooks;
	char last_hook[2048];
	uint64_t asked_ms; /* the last request came */
	struct bc_http_request *held[HELD_MAX];
	size_t held_count;
};

static struct bc_loop *loop;
static struct endpoint endpoint;
static bool endpoint_is_down; /* a reset is all it has to say */

static inline bool body_has(const struct bc_http_request *req, const char *secret)
{
	char wanted[128];
	int n = snprintf(wanted, sizeof(wanted), "client_secret=%s", secret);
	return req->body.ptr && memmem(req->body.ptr, req->body.len, wanted, (size_t)n);
}

static inline void grant(struct bc_http_request *req)
{
	char body[512];
	unsigned serial = endpoint.keep_token ? 1 : endpoint.issued + 1;
	endpoint.issued++;
	int n = snprintf(body, sizeof(body),
			 "{\"access_token\":\"canary-token-%u\",\"token_type\":\"bearer\"%s%s}",
			 serial, endpoint.life ? ",\"expires_in\":" : "",
			 endpoint.life ? endpoint.life : "");
	bc_http_respond(req, 200, "application/json", NULL, body, (size_t)n);
}

static inline void answer(struct bc_http_request *req)
{
	static const char refused[] = "{\"error\":\"invalid_client\","
				      "\"error_description\":\"invalid client_secret parameter\"}";
	if (endpoint.status) {
		bc_http_respond(req, endpoint.status, "application/json", endpoint.head,
				endpoint.body, endpoint.body ? strlen(endpoint.body) : 0);
		return;
	}
	for (size_t i = 0; i < BC_COUNT(endpoint.secrets); i++)
		if (endpoint.secrets[i] && body_has(req, endpoint.secrets[i])) {
			grant(req);
			return;
		}
	bc_http_respond(req, 400, "application/json", NULL, refused, sizeof(refused) - 1);
}

static inline void on_request(void *ctx, struct bc_http_request *req)
{
	(void)ctx;
	if (bc_str_eq(req->path, "/hook")) {
		endpoint.hooks++;
		snprintf(endpoint.last_hook, sizeof(endpoint.last_hook), "%.*s", (int)req->body.len,
			 req->body.ptr);
		bc_http_respond(req, 204, NULL, NULL, NULL, 0);
		return;
	}
	endpoint.requests++;
	endpoint.asked_ms = now_ms();
	if (endpoint_is_down) {
		bc_http_close_raw(req, true);
		return;
	}
	if (!endpoint.hold) {
		answer(req);
		return;
	}
	assert_true(endpoint.held_count < HELD_MAX);
	endpoint.held[endpoint.held_count++] = req;
}

static inline void release(void)
{
	endpoint.hold = false;
	for (size_t i = 0; i < endpoint.held_count; i++)
		answer(endpoint.held[i]);
	endpoint.held_count = 0;
}

static inline bool on_connection(void *ctx)
{
	(void)ctx;
	return !endpoint_is_down;
}

static inline void serve(void)
{
	struct bc_err err = { 0 };
	struct bc_http_server_options options = { .listen = "127.0.0.1:0",
						  .handler = on_request,
						  .accept = on_connection };
	if (bc_http_server_create(loop, &options, &endpoint.server, &err))
		fail_msg("%s", err.text);
	snprintf(endpoint.url, sizeof(endpoint.url), "http://%s/ims/token/v3",
		 bc_http_server_address(endpoint.server));
}

#endif
