/* SPDX-License-Identifier: MIT */
/* Routes of clicks: capture, and withdrawal of consent. */
#include "core/clicks.h"
#include "daemon/api_impl.h"

static json_t *captured_json(const struct bc_captured *c)
{
	if (!c->captured)
		return json_pack("{s:b, s:s}", "captured", 0, "reason", c->reason);
	json_t *j = json_pack("{s:b, s:s, s:s}", "captured", 1, "click", c->click, "kind",
			      bc_token_kind_name(c->kind));
	if (j && bc_json_set_time(j, "expires_at", c->expires_ms)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void captured(void *ctx, int result, const struct bc_err *err, const struct bc_captured *c)
{
	struct call *call = ctx;
	if (result)
		call_error(call, result, err);
	else
		call_json(call, 201, captured_json(c));
}

void post_click(struct call *call)
{
	struct bc_capture in = { 0 };
	if (!call_body(call) || !call_field(call, "url", &in.url) ||
	    !call_field(call, "token", &in.token) || !call_field(call, "session", &in.session) ||
	    !call_field(call, "click", &in.click) || !call_field(call, "product", &in.product))
		return;
	struct bc_captured now = { 0 };
	struct bc_err err = { 0 };
	const char *field = "url";
	int result = bc_clicks_capture(&call->api->desk, call->request->arena, &in, captured, call,
				       &now, &field, &err);
	if (result == 1)
		call_json(call, 200, captured_json(&now));
	else if (result)
		call_field_error(call, result, field, &err);
}

static void deleted(void *ctx, int result, const struct bc_err *err, const struct bc_captured *c)
{
	struct call *call = ctx;
	(void)c;
	if (result == BC_ENOENT)
		call_problem(call, BC_PROBLEM_NOT_FOUND, "no such click", "it may have expired");
	else if (result)
		call_error(call, result, err);
	else
		call_text(call, 204, NULL, (struct bc_str){ NULL, 0 });
}

void delete_click(struct call *call)
{
	struct bc_err err = { 0 };
	int result = bc_clicks_delete(&call->api->desk, call->request->arena, call->param, deleted,
				      call, &err);
	if (result)
		call_error(call, result, &err);
}
