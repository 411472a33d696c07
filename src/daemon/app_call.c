/* SPDX-License-Identifier: MIT */
/* See app.h: one API request in process, for the command line when no daemon runs. */
#include "daemon/app_impl.h"

enum { ARENA_BYTES = 8192, ARENA_MAX_BYTES = 16 * 1024 * 1024 };

struct local_call {
	struct bc_api_request request;
	struct bc_app *app;
	int status;
	struct bc_buf *body;
	bool failed;
	bool awaited; /* the loop runs until the answer; a stop of one at rest would end its next
			 run */
};

static void local_answered(struct bc_api_request *request, const struct bc_api_answer *a)
{
	struct local_call *c = BC_CONTAINER(request, struct local_call, request);
	c->status = a->status;
	c->failed = a->body.len && bc_buf_add(c->body, a->body.ptr, a->body.len);
	if (c->awaited)
		bc_loop_stop(c->app->loop);
}

int bc_app_call(struct bc_app *app, const char *method, const char *path_and_query,
		const char *body, int *ret_status, struct bc_buf *ret_body)
{
	struct bc_arena *arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	if (!arena)
		return BC_ENOMEM;
	struct bc_str query = bc_str_of(path_and_query);
	struct bc_str path = bc_str_split(&query, '?');
	struct local_call c = { .app = app,
				.body = ret_body,
				.request = { .method = method,
					     .path = path,
					     .query = query,
					     .body = bc_str_of(body),
					     .arena = arena,
					     .answer = local_answered } };
	bc_api_handle(app->api, &c.request);
	c.awaited = !c.status;
	if (c.awaited)
		bc_loop_run(app->loop);
	bc_arena_destroy(arena);
	*ret_status = c.status;
	return c.failed ? BC_ENOMEM : 0;
}
