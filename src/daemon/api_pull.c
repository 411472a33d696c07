/* SPDX-License-Identifier: MIT */
/* POST /v1/pull begins to fetch orders from Commerce, GET /v1/pull says how far it came. */
#include "daemon/api_impl.h"

static json_t *time_json(uint64_t ms)
{
	char text[BC_TIME_TEXT_BYTES];
	return ms ? json_string(bc_time_format(ms, text)) : json_null();
}

static json_t *results_json(const struct bc_pull_view *v)
{
	json_t *results = json_object();
	for (size_t i = 0; i < BC_INTAKE_RESULTS; i++)
		if (json_object_set_new(results, bc_intake_result_name[i],
					json_integer((json_int_t)v->counts[i])))
			return json_decref(results), NULL;
	return results;
}

static json_t *unknown_json(const struct bc_pull_view *v)
{
	json_t *list = json_array();
	for (uint64_t i = 0; i < v->unknown && i < BC_PULL_UNKNOWN_MAX; i++)
		if (json_array_append_new(list, bc_json_words(v->unknown_orders[i])))
			return json_decref(list), NULL;
	return list;
}

static json_t *view_json(const struct bc_pull_view *v)
{
	json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "state",
			      bc_pull_state_name[v->state], "since", time_json(v->since_ms),
			      "started_at", time_json(v->started_ms), "finished_at",
			      time_json(v->finished_ms), "total", (json_int_t)v->total, "seen",
			      (json_int_t)v->seen, "pages", (json_int_t)v->pages, "results",
			      results_json(v), "checked", (json_int_t)v->checked, "unknown",
			      (json_int_t)v->unknown, "unknown_orders", unknown_json(v));
	if (!j || v->state != BC_PULL_FAILED)
		return j;
	if (!json_object_set_new(j, "problem", bc_json_words(v->err.text)) &&
	    !json_object_set_new(j, "hint", bc_json_words(v->err.hint)))
		return j;
	json_decref(j);
	return NULL;
}

/* False: it has answered, for there is no Commerce. */
static bool there_is_one(struct call *call)
{
	if (call->api->commerce.pull)
		return true;
	call_problem(call, BC_PROBLEM_NOT_FOUND, "Commerce is off",
		     "set IMS_CLIENT_ID, IMS_CLIENT_SECRET and API_ENDPOINT");
	return false;
}

static void tell(struct call *call, int status)
{
	struct bc_pull_view *view = bc_arena_alloc(call->request->arena, sizeof(*view));
	if (!view) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
		return;
	}
	bc_pull_look(call->api->commerce.pull, view);
	call_json(call, status, view_json(view));
}

void get_pull(struct call *call)
{
	if (there_is_one(call))
		tell(call, 200);
}

void post_pull(struct call *call)
{
	uint64_t since_ms;
	if (!there_is_one(call) || !call_query_time(call, "since", &since_ms))
		return;
	bc_pull_begin(call->api->commerce.pull, since_ms);
	tell(call, 202);
}
