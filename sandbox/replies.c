/* SPDX-License-Identifier: MIT */
/* Setting answers and reading bodies: what the handlers of all services share. */
#include <string.h>

#include "sandbox/service.h"

void bc_sandbox_answer(struct sandbox_call *call, int status, const char *content_type,
		       struct bc_str body)
{
	free(call->answer.owned);
	call->answer = (struct sandbox_answer){ .status = status,
						.content_type = content_type,
						.body = body };
}

void bc_sandbox_answer_json(struct sandbox_call *call, int status, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (!text) {
		bc_sandbox_answer(call, 500, "application/json",
				  BC_STR("{\"message\":\"no memory\"}"));
		return;
	}
	bc_sandbox_answer(call, status, "application/json", bc_str_of(text));
	call->answer.owned = text;
}

void bc_sandbox_answer_buf(struct sandbox_call *call, int rc, const char *content_type,
			   struct bc_buf *b)
{
	size_t len = b->len;
	char *text = rc == 0 ? bc_buf_take(b) : NULL;

	bc_buf_finish(b);
	if (!text) {
		bc_sandbox_answer_message(call, 500, "no memory for so long an answer",
					  "ask for less");
		return;
	}
	bc_sandbox_answer(call, 200, content_type, (struct bc_str){ text, len });
	call->answer.owned = text;
}

void bc_sandbox_answer_message(struct sandbox_call *call, int status, const char *text,
			       const char *hint)
{
	bc_sandbox_answer_json(call, status,
			       hint && *hint ? json_pack("{ssss}", "message", text, "hint", hint)
					     : json_pack("{ss}", "message", text));
}

void bc_sandbox_answer_nothing(struct sandbox_call *call)
{
	bc_sandbox_answer(call, 204, NULL, BC_STR(""));
}

json_t *bc_sandbox_read_object(struct sandbox_call *call)
{
	struct bc_str body = call->req->body;
	json_error_t error;
	json_t *object = json_loadb(body.ptr ? body.ptr : "", body.len, 0, &error);

	if (json_is_object(object))
		return object;
	bc_sandbox_answer_message(call, 400, "the body is no JSON object",
				  object ? "" : error.text);
	json_decref(object);
	return NULL;
}

static const struct sandbox_member *member_find(const struct sandbox_member *members, size_t count,
						const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

static void member_refuse(struct sandbox_call *call, const char *name,
			  const struct sandbox_member *member)
{
	const char *text = bc_arena_printf(call->req->arena, "\"%s\" %s", name,
					   member ? "does not fit" : "is no setting");

	bc_sandbox_answer_message(call, 400, text ? text : "a setting does not fit",
				  member ? member->hint : "GET shows what there is");
}

bool bc_sandbox_read_settings(struct sandbox_call *call, const struct sandbox_member *members,
			      size_t count, void *settings)
{
	json_t *object = bc_sandbox_read_object(call), *value;
	const char *name;
	bool good = object != NULL;

	json_object_foreach(object, name, value)
	{
		const struct sandbox_member *member = member_find(members, count, name);

		if (member && member->read(settings, value))
			continue;
		member_refuse(call, name, member);
		good = false;
		break;
	}
	json_decref(object);
	return good;
}
