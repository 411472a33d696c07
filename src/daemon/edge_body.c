/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: bodies. Each has its route's ceiling, and all that are under way share one, so
 * that what strangers can make this process hold is bounded. Memory is taken as bytes come, not as
 * they are announced; who is slow with them is cut by the server.
 */
#include "base/err.h"
#include "daemon/edge_impl.h"

/* The connection does not outlive the answer: the rest is not read. */
static void refuse(struct edge_call *call, enum bc_problem problem, const char *detail,
		   const char *hint)
{
	call->too_large = true;
	if (call->route->takes_too_large)
		call->route->handler(call);
	else
		edge_problem(call, problem, detail, hint);
}

/* The call is gone when it says false. */
static bool take(void *ctx, struct bc_str bytes)
{
	struct edge_call *call = ctx;
	struct bc_edge *e = call->edge;
	if (call->bytes.len + bytes.len > call->route->body_max_bytes) {
		refuse(call, BC_PROBLEM_TOO_LARGE, "the body is too large", "send less");
		return false;
	}
	if (e->bodies_bytes + bytes.len > EDGE_BODIES_BYTES ||
	    bc_buf_add(&call->bytes, bytes.ptr, bytes.len)) {
		refuse(call, BC_PROBLEM_BUSY, "too much is under way", "try again");
		return false;
	}
	e->bodies_bytes += bytes.len;
	return true;
}

static void end(void *ctx, bool whole)
{
	struct edge_call *call = ctx;
	if (!whole) { /* nobody hears it */
		edge_empty(call, 400, NULL);
		return;
	}
	call->body = (struct bc_str){ call->bytes.data ? call->bytes.data : "", call->bytes.len };
	call->route->handler(call);
}

void edge_read_body(struct edge_call *call)
{
	const struct bc_http_body body = { .data = take, .end = end, .ctx = call };
	int64_t announced = bc_http_body_announced(call->http);
	size_t max = call->route->body_max_bytes;
	if (!max || !announced)
		call->route->handler(call);
	else if (announced > (int64_t)max)
		refuse(call, BC_PROBLEM_TOO_LARGE, "the body is too large", "send less");
	else
		bc_http_body_read(call->http, &body);
}
