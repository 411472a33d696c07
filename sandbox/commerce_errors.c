/* SPDX-License-Identifier: MIT */
/*
 * Answers of the sandbox's Commerce, good and bad, in the shapes that Adobe documents or that
 * Magento's core is known for: "parameters" is an array for %1 and an object for %name. The table
 * by status is also what the fault "status" answers with.
 */
#include "sandbox/commerce.h"

#include <string.h>

static const struct {
	int status;
	const char *code; /* of the gateway before the shop */
	const char *message;
} by_status[] = {
	{ 401, "401013", "Oauth token is not valid" },
	{ 403, "403025", "Profile is not valid" },
	{ 404, NULL, "Request does not match any route." },
	{ 405, NULL, "Request method is not allowed." },
	{ 429, NULL, "Too Many Requests" },
	{ 500, NULL,
	  "Internal Error. Details are available in Magento log file. Report ID: "
	  "webapi-0000000000000" },
};

static const struct {
	const char *prefix, *resources;
} acl_names[] = {
	{ "/V1/products", "Magento_Catalog::products" },
	{ "/V1/orders", "Magento_Sales::actions_view" },
	{ "/V1/store", "Magento_Backend::store" },
	{ "/V1/async", "Magento_AsynchronousOperations::all" },
	{ "/V1/bulk", "Magento_Logging::system_magento_logging_bulk_operations" },
};

const char *bc_commerce_acl_name(struct bc_str resource)
{
	for (size_t i = 0; resource.ptr && i < BC_COUNT(acl_names); i++)
		if (bc_str_starts(resource, acl_names[i].prefix))
			return acl_names[i].resources;
	return "self";
}

/* Takes body. */
static void answer_dump(struct sandbox_call *call, int status, json_t *body)
{
	char *text = body ? json_dumps(body, COMMERCE_DUMP) : NULL;

	json_decref(body);
	if (!text) {
		bc_commerce_fail_memory(call);
		return;
	}
	bc_sandbox_answer(call, status, COMMERCE_JSON, bc_str_of(text));
	call->answer.owned = text;
}

void bc_commerce_answer(struct sandbox_call *call, int status, json_t *body)
{
	struct bc_str fields = bc_commerce_query_fields(call);
	json_t *trimmed;

	if (!body || !fields.ptr) {
		answer_dump(call, status, body);
		return;
	}
	trimmed = bc_commerce_trim(body, fields);
	json_decref(body);
	answer_dump(call, status, trimmed);
}

void bc_commerce_answer_item(struct sandbox_call *call, struct commerce_item *item)
{
	struct bc_str text;
	char *copy;

	if (call->req->query.ptr && bc_commerce_query_fields(call).ptr) {
		bc_commerce_answer(call, 200, json_incref(item->json));
		return;
	}
	/* A copy: the item may change while a slow answer is on its way. */
	text = bc_commerce_text(item);
	copy = text.ptr ? malloc(text.len) : NULL;
	if (!copy) {
		bc_commerce_fail_memory(call);
		return;
	}
	memcpy(copy, text.ptr, text.len);
	bc_sandbox_answer(call, 200, COMMERCE_JSON, (struct bc_str){ copy, text.len });
	call->answer.owned = copy;
}

void bc_commerce_fail(struct sandbox_call *call, int status, const char *message,
		      json_t *parameters)
{
	answer_dump(call, status,
		    json_pack("{ss so*}", "message", message, "parameters", parameters));
}

void bc_commerce_fail_memory(struct sandbox_call *call)
{
	bc_sandbox_answer(call, 500, COMMERCE_JSON, BC_STR("{\"message\":\"no memory\"}"));
}

void bc_commerce_describe(struct sandbox_call *call, int status, const char *message)
{
	const char *code = NULL, *text = bc_http_reason(status);
	json_t *body;

	for (size_t i = 0; i < BC_COUNT(by_status); i++)
		if (by_status[i].status == status) {
			code = by_status[i].code;
			text = by_status[i].message;
		}
	body = json_pack("{ss* ss}", "error_code", message ? NULL : code, "message",
			 message ? message : text);
	/* What Magento's own back-pressure says; a gateway names the time instead. */
	if (status == 429 && body && !call->fault.retry_after)
		json_object_set_new(body, "trace", json_null());
	answer_dump(call, status, body);
	if (status == 429)
		call->answer.extra = "Cache-Control: no-store\r\n";
}

void bc_commerce_fail_required(struct sandbox_call *call, const char *field)
{
	bc_commerce_fail(call, 400, "\"%fieldName\" is required. Enter and try again.",
			 json_pack("{ss}", "fieldName", field));
}

void bc_commerce_fail_missing(struct sandbox_call *call)
{
	bc_commerce_fail(
		call, 404,
		"The entity that was requested doesn't exist. Verify the entity and try again.",
		NULL);
}

/* This one puts its parameters in by itself. */
void bc_commerce_fail_type(struct sandbox_call *call, struct bc_str value, const char *type)
{
	const char *text = bc_arena_printf(call->req->arena,
					   "The \"%.*s\" value's type is invalid. The \"%s\" type "
					   "was expected. Verify and try again.",
					   (int)value.len, value.ptr, type);

	if (text)
		bc_commerce_fail(call, 400, text, NULL);
	else
		bc_commerce_fail_memory(call);
}

void bc_commerce_fail_acl(struct sandbox_call *call, const char *resources)
{
	bc_commerce_fail(call, 401, "The consumer isn't authorized to access %resources.",
			 json_pack("{ss}", "resources", resources));
}

json_t *bc_commerce_read(struct sandbox_call *call)
{
	struct bc_str body = call->req->body;
	json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);

	if (!json)
		bc_commerce_fail(call, 400, "Decoding error.", NULL);
	return json;
}

json_t *bc_commerce_member(struct sandbox_call *call, const json_t *body, const char *name)
{
	json_t *member = json_object_get(body, name);

	if (json_is_object(member))
		return member;
	bc_commerce_fail_required(call, name);
	return NULL;
}
