/* SPDX-License-Identifier: MIT */
/*
 * Asks the hook about an order and waits, as Commerce does: the shopper waits too. The body is
 * written as PHP writes JSON, with its slashes escaped, so that whoever checks the signature over
 * anything but the bytes as they came finds it wrong.
 *
 * An exception stops the order whether the hook is required or not; a hook that fails (another
 * status, no operation, too slow, not there) stops it only when it is required.
 */
#include "sandbox/webhook.h"

#include <string.h>

#include "sandbox/commerce.h"

enum { ANSWER_MAX = 64 * 1024, ARENA_BLOCK = 4096, ARENA_MAX = 64 * 1024, HEADERS_MAX = 4 };

static const char failed_message[] = "Cannot perform the operation due to an error.";

struct webhook_ask {
	struct sandbox_webhook *webhook; /* borrowed */
	struct webhook_ask *next, **link;
	struct bc_http_call *call;
	void (*done)(void *ctx, bool allowed, const char *message);
	void *ctx;
	char *body;		/* owned */
	struct bc_arena *arena; /* owned; URL and headers */
	const char *headers[HEADERS_MAX];
	char request_id[BC_UUID_BYTES];
	bool required;
	uint64_t soft_timeout_ms, at_ms;
};

void bc_webhook_settings_default(struct webhook_settings *s)
{
	*s = (struct webhook_settings){ .kind = WEBHOOK_PLUGIN, .required = true, .sign = true };
}

/* ---- what is said about the order ---- */

/* [{attribute_code, value}...] as a map; an empty list, as PHP has it, when there are none. */
static json_t *attributes_map(const json_t *list)
{
	json_t *map = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *code = json_string_value(json_object_get(item, "attribute_code"));

		if (code)
			json_object_set(map, code, json_object_get(item, "value"));
	}
	if (json_object_size(map) > 0)
		return map;
	json_decref(map);
	return json_array();
}

/* The order before it is placed: it has its number, but was never saved. NULL without memory. */
static json_t *order_before(const json_t *order)
{
	static const char *const later[] = { "entity_id", "created_at", "updated_at",
					     "state",	  "status",	"custom_attributes",
					     "_isNew",	  "_origData" };
	json_t *before = json_copy((json_t *)order);

	if (!before)
		return NULL;
	for (size_t i = 0; i < BC_COUNT(later); i++)
		json_object_del(before, later[i]);
	if (json_object_set_new(before, "custom_attributes_serializable",
				attributes_map(json_object_get(order, "custom_attributes"))) == 0)
		return before;
	json_decref(before);
	return NULL;
}

static char *body_make(const struct sandbox_webhook *w, const json_t *order)
{
	json_t *before = order_before(order), *json = NULL;
	char *text;

	if (before && w->settings.kind == WEBHOOK_PLUGIN)
		json = json_pack("{so}", "order", before);
	else if (before)
		json = json_pack("{s[] ss s{so}}", "subject", "eventName",
				 "sales_order_place_before", "data", "order", before);
	text = json ? json_dumps(json, COMMERCE_DUMP) : NULL;
	json_decref(json);
	return text;
}

/* ---- the request ---- */

static void ask_free(struct webhook_ask *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	bc_arena_destroy(a->arena);
	free(a->body);
	free(a);
}

static void record(const struct webhook_ask *a, enum webhook_result result, bool allowed,
		   const struct bc_http_answer *answer)
{
	struct sandbox_webhook *w = a->webhook;
	struct webhook_record *r = &w->records[w->record_count++ % WEBHOOK_RECORDS];

	*r = (struct webhook_record){
		.at_ms = a->at_ms,
		.result = result,
		.allowed = allowed,
		.status = answer ? answer->status : 0,
		.duration_ms = answer ? answer->duration_ms : 0,
	};
	memcpy(r->request_id, a->request_id, sizeof(r->request_id));
	w->results[result]++;
	if (allowed)
		w->allowed++;
	else
		w->refused++;
	if (a->soft_timeout_ms && r->duration_ms > a->soft_timeout_ms)
		w->slow++;
}

/* One operation, or a list of them: the exception in it, or success. */
static enum webhook_result judge_operations(const json_t *json, const char **ret_message)
{
	static const char *const known[] = { "success", "add", "replace", "remove" };
	const char *op = json_string_value(json_object_get(json, "op"));
	const json_t *item;
	size_t i;

	json_array_foreach(json, i, item)
	{
		enum webhook_result result = json_is_object(item)
						     ? judge_operations(item, ret_message)
						     : WEBHOOK_MALFORMED;

		if (result != WEBHOOK_SUCCESS)
			return result;
	}
	if (json_is_array(json))
		return WEBHOOK_SUCCESS;
	if (op && strcmp(op, "exception") == 0) {
		*ret_message = json_string_value(json_object_get(json, "message"));
		return WEBHOOK_EXCEPTION;
	}
	for (i = 0; op && i < BC_COUNT(known); i++)
		if (strcmp(op, known[i]) == 0)
			return WEBHOOK_SUCCESS;
	return WEBHOOK_MALFORMED;
}

/* json: what the answer was read into, for the message to live in. */
static enum webhook_result judge(const struct bc_http_answer *answer, json_t **ret_json,
				 const char **ret_message)
{
	if (answer->error == BC_ETIMEDOUT)
		return WEBHOOK_TIMEOUT;
	if (answer->error)
		return WEBHOOK_NO_ANSWER;
	if (answer->status != 200)
		return WEBHOOK_STATUS;
	*ret_json = json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, 0, NULL);
	return judge_operations(*ret_json, ret_message);
}

/* Ends the ask; answer NULL: nothing was sent. */
static void ask_end(struct webhook_ask *a, const struct bc_http_answer *answer)
{
	void (*done)(void *, bool, const char *) = a->done;
	void *ctx = a->ctx;
	const char *message = NULL;
	json_t *json = NULL;
	enum webhook_result result = answer ? judge(answer, &json, &message) : WEBHOOK_NO_ANSWER;
	bool allowed = result == WEBHOOK_SUCCESS || (result != WEBHOOK_EXCEPTION && !a->required);

	record(a, result, allowed, answer);
	ask_free(a);
	done(ctx, allowed, allowed ? NULL : message ? message : failed_message);
	json_decref(json);
}

static void on_done(void *ctx, const struct bc_http_answer *answer)
{
	ask_end(ctx, answer);
}

static bool headers_make(struct webhook_ask *a)
{
	const struct sandbox_webhook *w = a->webhook;
	char signature[BC_SIGNATURE_TEXT_BYTES];
	size_t count = 0;

	a->headers[count++] = "Content-Type: application/json";
	a->headers[count++] = bc_arena_printf(a->arena, "x-adobe-commerce-request-id: %s",
					      bc_uuid_make(a->request_id));
	if (!w->settings.sign)
		return a->headers[1] != NULL;
	if (!bc_signer_sign_base64(w->signer, bc_str_of(a->body), signature))
		return false;
	a->headers[count] =
		bc_arena_printf(a->arena, "x-adobe-commerce-webhook-signature: %s", signature);
	return a->headers[1] && a->headers[2];
}

static bool ask_send(struct webhook_ask *a, const json_t *order)
{
	const struct webhook_settings *o = &a->webhook->settings;
	struct bc_http_exchange exchange = {
		.method = "POST",
		.timeout_ms = (uint32_t)o->timeout_ms,
		.answer_max_bytes = ANSWER_MAX,
	};

	a->arena = bc_arena_create(ARENA_BLOCK, ARENA_MAX);
	a->body = body_make(a->webhook, order);
	if (!a->arena || !a->body || !headers_make(a))
		return false;
	/* The settings may change while the call is under way. */
	exchange.url = bc_arena_dup(a->arena, o->url, strlen(o->url));
	exchange.headers = a->headers;
	exchange.body = a->body;
	exchange.body_bytes = strlen(a->body);
	return exchange.url &&
	       bc_http_call_start(a->webhook->client, &exchange, on_done, a, &a->call, NULL) == 0;
}

void bc_webhook_ask(struct sandbox_webhook *w, const json_t *order,
		    void (*done)(void *ctx, bool allowed, const char *message), void *ctx)
{
	struct webhook_ask *a = w->settings.url[0] ? calloc(1, sizeof(*a)) : NULL;

	if (!a) {
		bool allowed = !w->settings.url[0] || !w->settings.required;

		done(ctx, allowed, allowed ? NULL : failed_message);
		return;
	}
	*a = (struct webhook_ask){
		.webhook = w,
		.done = done,
		.ctx = ctx,
		.next = w->asks,
		.link = &w->asks,
		.required = w->settings.required,
		.soft_timeout_ms = w->settings.soft_timeout_ms,
		.at_ms = bc_wall_ms(w->sandbox->clock),
	};
	if (a->next)
		a->next->link = &a->next;
	w->asks = a;
	w->asked++;
	if (!ask_send(a, order))
		ask_end(a, NULL);
}

/* ---- its life ---- */

bool bc_webhook_ready(struct sandbox_webhook *w)
{
	struct bc_http_client_options options = { .user_agent = "GuzzleHttp/7" };

	if (!w->signer)
		w->signer = bc_signer_create();
	return w->signer && (w->client || bc_http_client_create(w->sandbox->loop, &options,
								&w->client, NULL) == 0);
}

struct sandbox_webhook *bc_webhook_create(struct bc_sandbox *sandbox)
{
	struct sandbox_webhook *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sandbox = sandbox;
	bc_webhook_settings_default(&w->settings);
	return w;
}

/* Those that wait are told that it came to nothing. */
static void asks_drop(struct sandbox_webhook *w)
{
	while (w->asks) {
		struct webhook_ask *a = w->asks;
		void (*done)(void *, bool, const char *) = a->done;
		void *ctx = a->ctx;

		bc_http_call_cancel(a->call);
		ask_free(a);
		done(ctx, false, failed_message);
	}
}

void bc_webhook_destroy(struct sandbox_webhook *w)
{
	if (!w)
		return;
	asks_drop(w);
	bc_http_client_destroy(w->client);
	bc_signer_destroy(w->signer);
	free(w);
}

/* The key pair stays until it is rotated. */
void bc_webhook_reset(struct sandbox_webhook *w)
{
	bc_webhook_settings_default(&w->settings);
	asks_drop(w);
	w->asked = w->allowed = w->refused = w->slow = 0;
	memset(w->results, 0, sizeof(w->results));
	w->record_count = 0;
}
