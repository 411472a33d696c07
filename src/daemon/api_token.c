/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/token: how the access token for Commerce stands. It only reports, unless ?show=1 asks for
 * the token itself: then it waits for one that may be sent. That is the one answer that has it.
 */
#include <string.h>

#include "daemon/api_impl.h"

enum { SHOW_WAIT_MS = 8 * 1000 };

struct shown {
	struct bc_token_wait wait;
	struct call *call;
};

/* When another one is asked for by itself; null: never. */
static bool add_refresh(struct call *call, json_t *j, const struct bc_tokens_view *v)
{
	char at[BC_TIME_TEXT_BYTES];
	uint64_t at_ms = bc_wall_ms(call->api->shop->clock) + v->refresh_in_ms;
	/* As a time it must not differ from look to look. */
	at_ms = (at_ms + 500) / 1000 * 1000;
	if (!v->refreshes)
		return api_put(j, "refresh_in", json_null()) &&
		       api_put(j, "refresh_at", json_null());
	return api_put(j, "refresh_in", json_integer((json_int_t)(v->refresh_in_ms / 1000))) &&
	       api_put(j, "refresh_at", json_string(bc_time_format(at_ms, at)));
}

json_t *api_token_json(struct call *call)
{
	struct bc_tokens_view v;
	bc_tokens_look(call->api->commerce.tokens, &v);
	json_t *j = json_pack(
		"{s:s, s:o, s:I}", "state", bc_token_state_name[v.state], "expires_in",
		v.expires_in_ms ? json_integer((json_int_t)(v.expires_in_ms / 1000)) : json_null(),
		"generation", (json_int_t)v.generation);
	int bad = !j;
	if (!bad && v.fingerprint[0])
		bad = json_object_set_new(j, "fingerprint", json_string(v.fingerprint));
	if (!bad && v.last.code)
		bad = json_object_set_new(j, "problem", bc_json_words(v.last.text)) ||
		      json_object_set_new(j, "hint", bc_json_words(v.last.hint));
	if (!bad)
		bad = !add_refresh(call, j, &v) ||
		      !api_put(j, "last_error",
			       v.last.code ? bc_json_words(v.last.text) : json_null());
	if (!bad && v.next_try_ms)
		bad = json_object_set_new(j, "next_try_in",
					  json_integer((json_int_t)((v.next_try_ms + 999) / 1000)));
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}

static const struct {
	int code;
	enum bc_problem problem;
} refusals[] = {
	{ BC_EAUTH, BC_PROBLEM_CREDENTIAL_REFUSED },
	{ BC_ETIMEDOUT, BC_PROBLEM_UPSTREAM_TIMEOUT },
	{ BC_EUNREACH, BC_PROBLEM_UPSTREAM_UNREACHABLE },
	{ BC_ESTATE, BC_PROBLEM_BUSY },
};

static void refuse(struct call *call, int code, const struct bc_err *err)
{
	enum bc_problem problem = BC_PROBLEM_BUSY;
	for (size_t i = 0; i < BC_COUNT(refusals); i++)
		if (refusals[i].code == code)
			problem = refusals[i].problem;
	call_problem(call, problem, err->text[0] ? err->text : "there is no access token",
		     err->hint);
}

static void show(struct call *call, const struct bc_access_token *token)
{
	json_t *j = api_token_json(call);
	json_t *text = json_stringn(bc_secret_reveal(token->secret), bc_secret_len(token->secret));
	if (j && json_object_set_new(j, "access_token", text)) {
		json_decref(j);
		j = NULL;
	}
	call_json(call, 200, j);
}

static void waited(struct bc_token_wait *wait)
{
	struct shown *s = BC_CONTAINER(wait, struct shown, wait);
	if (wait->result)
		refuse(s->call, wait->result, &wait->err);
	else
		show(s->call, wait->token);
	bc_access_token_unref(wait->token);
	free(s);
}

static void show_when_there(struct call *call)
{
	struct bc_api *api = call->api;
	struct bc_access_token *token = bc_tokens_get(api->commerce.tokens);
	if (token) {
		show(call, token);
		bc_access_token_unref(token);
		return;
	}
	struct shown *s = calloc(1, sizeof(*s));
	if (!s) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the request", "try again");
		return;
	}
	s->call = call;
	s->wait.loop = api->loop;
	s->wait.deadline_ms = bc_elapsed_ms(api->shop->clock) + SHOW_WAIT_MS;
	s->wait.done = waited;
	bc_tokens_wait(api->commerce.tokens, &s->wait);
}

void get_token(struct call *call)
{
	bool wanted;
	if (!call->api->commerce.tokens) {
		call_problem(call, BC_PROBLEM_NOT_FOUND, "Commerce is off: no OAuth client is set",
			     "set IMS_CLIENT_ID, IMS_CLIENT_SECRET and API_ENDPOINT");
		return;
	}
	if (!call_query_flag(call, "show", &wanted))
		return;
	if (wanted)
		show_when_there(call);
	else
		call_json(call, 200, api_token_json(call));
}
