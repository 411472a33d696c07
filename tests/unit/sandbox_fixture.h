/* SPDX-License-Identifier: MIT */
/*
 * A sandbox without a socket: its services, a clock that the test turns, and a request that is made
 * of texts. What a handler answers stays in desk.call.answer until the next request.
 */
#ifndef BC_TESTS_SANDBOX_FIXTURE_H
#define BC_TESTS_SANDBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "sandbox/commerce.h"
#include "sandbox/ims.h"

enum { DESK_HEADERS_MAX = 4, DESK_NOW_MS = 5000 };
#define DESK_WALL_MS 1795335551325ull /* 2026-11-22 */
#define DESK_FORM    "application/x-www-form-urlencoded"

static struct {
	struct bc_sandbox s;
	struct bc_clock clock;
	uint64_t now_ms;
	struct bc_http_field headers[DESK_HEADERS_MAX];
	struct bc_http_request req;
	struct sandbox_call call;
} desk;

static inline uint64_t desk_wall_ms(const struct bc_clock *clock)
{
	(void)clock;
	return DESK_WALL_MS + desk.now_ms - DESK_NOW_MS;
}

static inline uint64_t desk_elapsed_ms(const struct bc_clock *clock)
{
	(void)clock;
	return desk.now_ms;
}

static inline void desk_close(void)
{
	free(desk.call.answer.owned);
	desk.call.answer.owned = NULL;
	bc_ims_destroy(desk.s.ims);
	bc_commerce_destroy(desk.s.commerce);
	bc_arena_destroy(desk.req.arena);
	desk.s = (struct bc_sandbox){ 0 };
	desk.req = (struct bc_http_request){ 0 };
}

/* False without memory. */
static inline bool desk_open(const struct bc_sandbox_options *options)
{
	memset(&desk, 0, sizeof(desk));
	desk.now_ms = DESK_NOW_MS;
	desk.clock = (struct bc_clock){ desk_wall_ms, desk_elapsed_ms };
	desk.s.clock = &desk.clock;
	desk.s.ims = bc_ims_create(options);
	desk.s.commerce = bc_commerce_create();
	desk.req.arena = bc_arena_create(4096, 8 * 1024 * 1024);
	if (desk.s.ims && desk.s.commerce && desk.req.arena)
		return true;
	desk_close();
	return false;
}

/* "Name: value" for each; the texts have to live on. */
static inline void desk_headers(const char *const *lines)
{
	desk.req.header_count = 0;
	for (; lines && *lines; lines++) {
		struct bc_str value = bc_str_of(*lines), name = bc_str_split(&value, ':');

		desk.headers[desk.req.header_count++] =
			(struct bc_http_field){ name, bc_str_trim(value) };
	}
	desk.req.headers = desk.headers;
}

/* Serves one request, as answer.c does; returns the status. */
static inline int desk_ask_bytes(const char *method, const char *target, const char *const *headers,
				 struct bc_str body)
{
	free(desk.call.answer.owned);
	bc_arena_reset(desk.req.arena);
	desk_headers(headers);
	desk.req.method = method;
	desk.req.target = bc_str_of(target);
	desk.req.query = desk.req.target;
	desk.req.path = bc_str_split(&desk.req.query, '?');
	desk.req.body = body;
	desk.call = (struct sandbox_call){ .sandbox = &desk.s, .req = &desk.req };
	bc_sandbox_route(&desk.call);
	if (!desk.call.service->guard || desk.call.service->guard(&desk.call)) {
		if (desk.call.route)
			desk.call.route->handle(&desk.call);
		else
			desk.call.service->refuse(&desk.call);
	}
	return desk.call.answer.status;
}

static inline int desk_ask(const char *method, const char *target, const char *const *headers,
			   const char *body)
{
	return desk_ask_bytes(method, target, headers, bc_str_of(body));
}

/* The answer's body, as a text until the next request. */
static inline const char *desk_text(void)
{
	struct bc_str body = desk.call.answer.body;
	char *text = bc_arena_dup(desk.req.arena, body.ptr, body.len);

	assert_non_null(text);
	return text;
}

/* The answer's body as JSON, which the caller drops; the test fails when it is none. */
static inline json_t *desk_json(void)
{
	struct bc_str body = desk.call.answer.body;
	json_t *json = json_loadb(body.ptr, body.len, JSON_DECODE_ANY, NULL);

	if (!json)
		fail_msg("no JSON: %.*s", (int)body.len, body.ptr);
	return json;
}

static inline int get(const char *target)
{
	return desk_ask("GET", target, NULL, NULL);
}

static inline void assert_get(const char *target, int status, const char *body)
{
	if (get(target) != status || strcmp(desk_text(), body) != 0)
		fail_msg("%s: %d %s", target, desk.call.answer.status, desk_text());
}

#endif
