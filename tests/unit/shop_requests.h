/* SPDX-License-Identifier: MIT */
/* How a test speaks to the shop of shop_fixture.h: API requests as a listener makes them, the
 * sandbox's own routes, what a lane says of itself. */
#ifndef BC_TESTS_SHOP_REQUESTS_H
#define BC_TESTS_SHOP_REQUESTS_H

#include "shop_fixture.h"

/* --- API requests --- */

/* A request as a listener makes it: its arena is gone as soon as it is answered. */
struct rig_call {
	struct bc_api_request request;
	struct bc_arena *arena;
	bool answered;
	int status;
	bool retry_after;
	char *text;
	json_t *json;
};

static inline void rig_answered(struct bc_api_request *request, const struct bc_api_answer *a)
{
	struct rig_call *c = BC_CONTAINER(request, struct rig_call, request);
	assert_false(c->answered);
	c->answered = true;
	c->status = a->status;
	c->retry_after = a->extra && strstr(a->extra, "Retry-After:");
	c->text = bc_str_dup(a->body.ptr ? a->body : BC_STR(""));
	c->json = json_loads(c->text, 0, NULL);
	bc_arena_destroy(c->arena);
	c->arena = NULL;
}

static inline struct rig_call *api_begin(const char *method, const char *path_and_query,
					 const char *body)
{
	struct rig_call *c = calloc(1, sizeof(*c));
	struct bc_str query = bc_str_of(path_and_query);
	assert_non_null(c);
	/* A small first block: nearly all of it is freed, not only zeroed, at the answer. */
	c->arena = bc_arena_create(64, 4 * 1024 * 1024);
	c->request = (struct bc_api_request){ .method = method,
					      .path = bc_str_split(&query, '?'),
					      .query = query,
					      .body = bc_str_of(body),
					      .arena = c->arena,
					      .answer = rig_answered };
	bc_api_handle(rig.api, &c->request);
	return c;
}

static inline void api_end(struct rig_call *c)
{
	assert_true(c->answered);
	free(c->text);
	json_decref(c->json);
	free(c);
}

static inline void api_wait(struct rig_call *c)
{
	run_until(is_set, &c->answered);
}

static inline struct rig_call *api(const char *method, const char *path_and_query, const char *body)
{
	struct rig_call *c = api_begin(method, path_and_query, body);
	api_wait(c);
	return c;
}

static inline const char *text_of(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));
	return text ? text : "";
}

/* One request whose status must be this one. */
static inline void expect(int status, const char *method, const char *path, const char *body)
{
	struct rig_call *c = api(method, path, body);
	if (c->status != status)
		fail_msg("%s %s: %d, not %d: %s", method, path, c->status, status, c->text);
	api_end(c);
}

/* One request that is refused with this status and type. */
static inline void expect_problem(int status, const char *type, const char *method,
				  const char *path, const char *body)
{
	struct rig_call *c = api(method, path, body);
	char wanted[80];
	snprintf(wanted, sizeof(wanted), "urn:backchannel:%s", type);
	if (c->status != status || strcmp(text_of(c->json, "type"), wanted) != 0 ||
	    !text_of(c->json, "detail")[0])
		fail_msg("%s %s: %d %s, not %d %s", method, path, c->status, c->text, status, type);
	assert_int_equal(c->retry_after, status == 503);
	api_end(c);
}

static inline void report_as(const char *order, const char *token, const char *product)
{
	char body[400];
	snprintf(body, sizeof(body), "{\"order\":\"%s\",\"token\":\"%s\",\"product\":\"%s\"}",
		 order, token, product);
	expect(202, "POST", "/v1/orders", body);
}

static inline void report(const char *order, const char *token)
{
	report_as(order, token, "default");
}

/* The order's story; the caller ends the call. */
static inline struct rig_call *story(const char *order)
{
	char path[200];
	snprintf(path, sizeof(path), "/v1/orders/%s", order);
	return api("GET", path, NULL);
}

struct wanted_state {
	const char *order, *state;
	struct rig_call *call;
};

/* Asks again and again, one question at a time. */
static inline bool has_state(void *ctx)
{
	struct wanted_state *w = ctx;
	char path[200];
	bool met = false;
	if (w->call && !w->call->answered)
		return false;
	if (w->call) {
		met = strcmp(text_of(w->call->json, "state"), w->state) == 0;
		api_end(w->call);
		w->call = NULL;
	}
	snprintf(path, sizeof(path), "/v1/orders/%s", w->order);
	if (!met)
		w->call = api_begin("GET", path, NULL);
	return met;
}

static inline void await_state(const char *order, const char *state)
{
	struct wanted_state w = { order, state, NULL };
	if (run_until_within(has_state, &w, RIG_GUARD_MS))
		return;
	if (w.call && w.call->answered)
		fail_msg("order %s does not become %s: %s", order, state, w.call->text);
	fail_msg("order %s does not become %s", order, state);
}

/* --- the sandbox's own routes --- */

struct ask {
	bool done;
	json_t *json;
};

static inline void asked(void *ctx, const struct bc_http_answer *answer)
{
	struct ask *a = ctx;
	a->done = true;
	assert_int_equal(answer->status / 100, 2);
	a->json = answer->body.len ? json_loadb(answer->body.ptr, answer->body.len, 0, NULL) : NULL;
}

/* The answer's JSON; the caller's. */
static inline json_t *ask_sandbox(const char *method, const char *path, const char *body)
{
	char url[400];
	struct ask a = { 0 };
	snprintf(url, sizeof(url), "http://%s%s", bc_sandbox_address(rig.sandbox), path);
	struct bc_http_exchange x = { .method = method,
				      .url = url,
				      .body = body,
				      .body_bytes = body ? strlen(body) : 0,
				      .timeout_ms = 10000,
				      .answer_max_bytes = 1 << 20 };
	assert_int_equal(bc_http_call_start(rig.client, &x, asked, &a, NULL, NULL), 0);
	run_until(is_set, &a.done);
	return a.json;
}

static inline void set_faults(const char *spec)
{
	json_decref(ask_sandbox(spec[0] ? "POST" : "DELETE", "/_sandbox/faults",
				spec[0] ? spec : NULL));
}

/* How often the partner was asked to take that token, or took it. */
static inline int partner_count(const char *token, const char *what)
{
	char path[200];
	snprintf(path, sizeof(path), "/_sandbox/counts?token=%s", token);
	json_t *j = ask_sandbox("GET", path, NULL);
	const json_t *row = json_object_get(json_object_get(j, "tokens"), token);
	int n = (int)json_integer_value(json_object_get(row, what));
	json_decref(j);
	return n;
}

/* --- lanes --- */

static inline struct bc_lane_status lane_status(size_t i)
{
	struct bc_lane_status lanes[2];
	assert_int_equal(bc_delivery_lanes(rig.delivery, lanes, 2), 2);
	return lanes[i];
}

struct wanted_lane {
	size_t i;
	enum bc_lane_state state;
};

static inline bool lane_is(void *ctx)
{
	const struct wanted_lane *w = ctx;
	return lane_status(w->i).state == w->state;
}

static inline void await_lane(size_t i, enum bc_lane_state state)
{
	struct wanted_lane w = { i, state };
	run_until(lane_is, &w);
}

#endif
