/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's own routes: what it was asked, and how it is to go wrong. Services bring theirs
 * along in their own files.
 */
#include "sandbox/events.h"
#include "sandbox/service.h"

enum { LIST_MAX_BYTES = 512 * 1024 * 1024, HELP_MAX_BYTES = 64 * 1024 };

void bc_control_help(struct sandbox_call *call)
{
	struct bc_buf text;
	int rc;

	bc_buf_init(&text, HELP_MAX_BYTES);
	rc = bc_sandbox_help(&text);
	bc_sandbox_answer_buf(call, rc, "text/plain; charset=utf-8", &text);
}

void bc_control_health(struct sandbox_call *call)
{
	const struct bc_sandbox *s = call->sandbox;

	bc_sandbox_answer_json(call, 200,
			       json_pack("{sssssIsI}", "status", "ok", "version", BC_VERSION,
					 "requests", (json_int_t)bc_requests_last(s->requests),
					 "faults", (json_int_t)bc_faults_count(s->faults)));
}

void bc_control_requests(struct sandbox_call *call)
{
	struct bc_str path = BC_STR(""), text;
	uint64_t since = 0;
	struct bc_buf list;
	int rc;

	bc_sandbox_query(call, "path", &path);
	if (bc_sandbox_query(call, "since", &text) && bc_parse_u64(text, &since) < 0) {
		bc_sandbox_answer_message(call, 400, "\"since\" is no number",
					  "give the n of the last request you know");
		return;
	}
	bc_buf_init(&list, LIST_MAX_BYTES);
	rc = bc_requests_list(call->sandbox->requests, path, since, &list);
	bc_sandbox_answer_buf(call, rc, "application/json", &list);
}

void bc_control_requests_clear(struct sandbox_call *call)
{
	bc_requests_clear(call->sandbox->requests);
	bc_sandbox_answer_nothing(call);
}

void bc_control_calls(struct sandbox_call *call)
{
	bc_sandbox_answer_json(call, 200, bc_tally_json(call->sandbox->tally));
}

void bc_control_calls_clear(struct sandbox_call *call)
{
	bc_tally_clear(call->sandbox->tally);
	bc_sandbox_answer_nothing(call);
}

void bc_control_faults(struct sandbox_call *call)
{
	const struct bc_sandbox *s = call->sandbox;
	json_t *rules = json_array();

	for (size_t i = 0; i < bc_faults_count(s->faults); i++) {
		struct bc_fault_view v;

		bc_faults_view(s->faults, i, bc_elapsed_ms(s->clock), &v);
		json_array_append_new(rules,
				      json_pack("{ss%sIsIsb}", "rule", v.text.ptr, v.text.len,
						"seen", (json_int_t)v.seen, "fired",
						(json_int_t)v.fired, "over", (int)v.over));
	}
	bc_sandbox_answer_json(call, 200, json_pack("{so}", "faults", rules));
}

/* The spec in a body: the text itself, or {"faults":"..."}; no rule begins with a brace. */
static bool faults_text(struct sandbox_call *call, json_t **ret_object, struct bc_str *ret_spec)
{
	struct bc_str body = bc_str_trim(call->req->body);
	const json_t *text;

	*ret_object = NULL;
	*ret_spec = body;
	if (body.len == 0 || body.ptr[0] != '{')
		return true;
	*ret_object = bc_sandbox_read_object(call);
	if (!*ret_object)
		return false;
	text = json_object_get(*ret_object, "faults");
	if (!json_is_string(text)) {
		bc_sandbox_answer_message(call, 400, "\"faults\" is missing or no text",
					  "send {\"faults\":\"status=503 first=3\"}");
		return false;
	}
	*ret_spec = (struct bc_str){ json_string_value(text), json_string_length(text) };
	return true;
}

static void faults_replace(struct sandbox_call *call, struct bc_str spec)
{
	struct bc_sandbox *s = call->sandbox;
	struct bc_err err = { 0 };
	struct bc_faults *faults;

	if (bc_faults_create(spec, bc_elapsed_ms(s->clock), &faults, &err) < 0) {
		bc_sandbox_answer_message(call, 400, err.text, err.hint);
		return;
	}
	bc_faults_destroy(s->faults);
	s->faults = faults;
	bc_control_faults(call);
}

void bc_control_faults_set(struct sandbox_call *call)
{
	json_t *object;
	struct bc_str spec;

	if (faults_text(call, &object, &spec))
		faults_replace(call, spec);
	json_decref(object);
}

void bc_control_faults_clear(struct sandbox_call *call)
{
	faults_replace(call, BC_STR(""));
	if (call->answer.status == 200)
		bc_sandbox_answer_nothing(call);
}

void bc_control_reset(struct sandbox_call *call)
{
	struct bc_sandbox *s = call->sandbox;

	bc_requests_clear(s->requests);
	bc_tally_clear(s->tally);
	bc_commerce_reset(s->commerce);
	bc_events_reset(s->events);
	if (bc_sovendus_reset(s->sovendus) && bc_ims_reset(s->ims))
		bc_control_faults_clear(call);
	else
		bc_sandbox_answer_json(call, 500, NULL);
}
