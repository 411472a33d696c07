/* SPDX-License-Identifier: MIT */
/*
 * The asynchronous routes: each is the plain route of the same name behind "/V1/async" or
 * "/V1/async/bulk", answered 202 with a number to ask about. The work is done at once, by the plain
 * route's own handler; its answer is what the status tells then.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

enum { COMPLETE = 1, FAILED = 3 };

/* "5f0f5f1c-8a0e-4c58-9b7a-3f1f4a2f8d10" */
static void uuid_make(char text[37])
{
	uint8_t bytes[16];
	char hex[33];

	bc_random(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));
	bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
	bc_hex(bytes, sizeof(bytes), hex);
	snprintf(text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static json_t *request_item(size_t index, struct bc_str body)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];

	SHA256((const unsigned char *)body.ptr, body.len, digest);
	bc_hex(digest, sizeof(digest), hex);
	return json_pack("{sIssss}", "id", (json_int_t)index, "data_hash", hex, "status",
			 "accepted");
}

/* Does the plain route's work with this body; what it answered. Routes that stream, and those that
 * are asynchronous themselves, are not for here. */
static void plain_run(struct sandbox_call *call, struct bc_str body, struct sandbox_call *inner,
		      struct bc_http_request *req)
{
	struct bc_str path = bc_sandbox_part(call, "path");
	const char *resource =
		bc_arena_printf(call->req->arena, "/V1/%.*s", (int)path.len, path.ptr);

	*req = *call->req;
	req->body = body;
	req->query = (struct bc_str){ 0 };
	*inner = (struct sandbox_call){ .sandbox = call->sandbox,
					.req = req,
					.service = call->service,
					.resource = bc_str_of(resource) };
	bc_sandbox_find(inner);
	if (inner->route && !inner->route->streams && !bc_str_starts(path, "async/"))
		inner->route->handle(inner);
	else
		bc_commerce_describe(inner, 404, NULL);
	call->accepted |= inner->accepted;
}

static json_t *operation_run(struct sandbox_call *call, size_t index, struct bc_str body)
{
	struct bc_http_request req;
	struct sandbox_call inner;
	json_t *answer, *operation;
	const char *message;
	bool good;

	plain_run(call, body, &inner, &req);
	good = inner.answer.status < 400;
	answer = json_loadb(inner.answer.body.ptr, inner.answer.body.len, JSON_DECODE_ANY, NULL);
	message = json_string_value(json_object_get(answer, "message"));
	operation = json_pack("{sI si ss so}", "id", (json_int_t)index, "status",
			      good ? COMPLETE : FAILED, "result_message",
			      good	? "Service execution success"
			      : message ? message
					: "",
			      "error_code", good ? json_null() : json_integer(inner.answer.status));
	json_decref(answer);
	free(inner.answer.owned);
	return operation;
}

static void bulk_keep(struct commerce *m, const char *uuid, json_t *operations, const char *time)
{
	json_int_t count = (json_int_t)json_array_size(operations);

	if (json_object_size(m->bulks) >= COMMERCE_BULKS_MAX)
		json_object_del(m->bulks, json_object_iter_key(json_object_iter(m->bulks)));
	json_object_set_new(m->bulks, uuid,
			    json_pack("{so s[] ss ss ss sn sI}", "operations_list", operations,
				      "extension_attributes", "bulk_id", uuid, "description",
				      "Topic async", "start_time", time, "user_id",
				      "operation_count", count));
}

/* Takes both lists. */
static void bulk_answer(struct sandbox_call *call, json_t *items, json_t *operations)
{
	char uuid[37], time[COMMERCE_TIME_BYTES];

	uuid_make(uuid);
	bc_commerce_time(bc_wall_ms(call->sandbox->clock), time);
	bulk_keep(call->sandbox->commerce, uuid, operations, time);
	bc_commerce_answer(
		call, 202,
		json_pack("{ss so sb}", "bulk_uuid", uuid, "request_items", items, "errors", 0));
}

void bc_commerce_async(struct sandbox_call *call)
{
	json_t *items = json_array(), *operations = json_array();
	struct bc_str body = call->req->body.ptr ? call->req->body : BC_STR("");

	if (!bc_commerce_of(call)) {
		json_decref(items);
		json_decref(operations);
		return;
	}
	json_array_append_new(items, request_item(0, body));
	json_array_append_new(operations, operation_run(call, 0, body));
	bulk_answer(call, items, operations);
}

void bc_commerce_async_bulk(struct sandbox_call *call)
{
	json_t *body = bc_commerce_of(call) ? bc_commerce_read(call) : NULL, *element;
	json_t *items = json_array(), *operations = json_array();
	size_t i;

	json_array_foreach(body, i, element)
	{
		bc_autofree char *text = json_dumps(element, JSON_COMPACT | JSON_ENCODE_ANY);
		struct bc_str one = bc_str_of(text ? text : "");

		json_array_append_new(items, request_item(i, one));
		json_array_append_new(operations, operation_run(call, i, one));
	}
	if (json_array_size(items) > 0) {
		bulk_answer(call, items, operations);
	} else {
		if (body)
			bc_commerce_fail(call, 400, "Request body must be an array", NULL);
		json_decref(items);
		json_decref(operations);
	}
	json_decref(body);
}

void bc_commerce_bulk_status(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);
	struct bc_str uuid = bc_sandbox_part(call, "uuid");
	json_t *bulk = m ? json_object_getn(m->bulks, uuid.ptr, uuid.len) : NULL;

	if (bulk)
		bc_commerce_answer(call, 200, json_incref(bulk));
	else if (m)
		bc_commerce_fail(call, 404, "Bulk uuid %bulkUuid not exist",
				 json_pack("{ss%}", "bulkUuid", uuid.ptr, uuid.len));
}
