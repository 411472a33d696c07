/* SPDX-License-Identifier: MIT */
/*
 * The webhook caller from behind the counter: its hook, its public key (for whoever checks the
 * signature) and its books. Settings are all or nothing.
 */
#include <string.h>

#include "net/http_url.h"
#include "sandbox/webhook.h"

enum { HOUR_MS = 60 * 60 * 1000 };

static const char *const kind_names[] = {
	[WEBHOOK_PLUGIN] = "plugin",
	[WEBHOOK_OBSERVER] = "observer",
};
static const char *const result_names[WEBHOOK_RESULTS] = {
	[WEBHOOK_SUCCESS] = "success", [WEBHOOK_EXCEPTION] = "exception",
	[WEBHOOK_STATUS] = "status",   [WEBHOOK_MALFORMED] = "malformed",
	[WEBHOOK_TIMEOUT] = "timeout", [WEBHOOK_NO_ANSWER] = "no answer",
};

/* ---- the settings ---- */

static bool read_url(void *settings, const json_t *value)
{
	struct webhook_settings *s = settings;
	struct bc_str text = json_is_null(value) ? BC_STR("")
						 : (struct bc_str){ json_string_value(value),
								    json_string_length(value) };

	return text.ptr && bc_str_copy(s->url, sizeof(s->url), text) == 0 &&
	       (text.len == 0 || bc_http_url_check(s->url, "url", NULL) == 0);
}

static bool read_kind(void *settings, const json_t *value)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; text && i < BC_COUNT(kind_names); i++)
		if (strcmp(kind_names[i], text) == 0) {
			((struct webhook_settings *)settings)->kind = (enum webhook_kind)i;
			return true;
		}
	return false;
}

static bool read_required(void *settings, const json_t *value)
{
	((struct webhook_settings *)settings)->required = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_signed(void *settings, const json_t *value)
{
	((struct webhook_settings *)settings)->sign = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_ms(uint64_t *slot, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > HOUR_MS)
		return false;
	*slot = (uint64_t)number;
	return true;
}

static bool read_timeout(void *settings, const json_t *value)
{
	return read_ms(&((struct webhook_settings *)settings)->timeout_ms, value);
}

static bool read_soft_timeout(void *settings, const json_t *value)
{
	return read_ms(&((struct webhook_settings *)settings)->soft_timeout_ms, value);
}

static const struct sandbox_member members[] = {
	{ "url", read_url, "https anywhere, http on loopback; null for none" },
	{ "kind", read_kind, "plugin or observer" },
	{ "required", read_required, "true: an order is not placed when the hook fails" },
	{ "signed", read_signed, "false: no signature is sent" },
	{ "timeout_ms", read_timeout, "a number, or 0 for none" },
	{ "soft_timeout_ms", read_soft_timeout, "a number, or 0 for none: what is slower counts" },
};

/* ---- showing ---- */

static json_t *settings_json(const struct webhook_settings *o)
{
	return json_pack("{so ss sb sb sI sI}", "url",
			 o->url[0] ? json_string(o->url) : json_null(), "kind", kind_names[o->kind],
			 "required", (int)o->required, "signed", (int)o->sign, "timeout_ms",
			 (json_int_t)o->timeout_ms, "soft_timeout_ms",
			 (json_int_t)o->soft_timeout_ms);
}

static json_t *counts_json(const struct sandbox_webhook *w)
{
	json_t *results = json_object();

	for (size_t i = 0; i < WEBHOOK_RESULTS; i++)
		json_object_set_new(results, result_names[i],
				    json_integer((json_int_t)w->results[i]));
	return json_pack("{sI sI sI sI so}", "asked", (json_int_t)w->asked, "allowed",
			 (json_int_t)w->allowed, "refused", (json_int_t)w->refused, "slow",
			 (json_int_t)w->slow, "results", results);
}

static json_t *record_json(const struct webhook_record *r)
{
	char at[BC_TIME_TEXT_BYTES];

	return json_pack("{ss ss ss si sb sI}", "at", bc_time_format(r->at_ms, at), "request_id",
			 r->request_id, "result", result_names[r->result], "status", r->status,
			 "allowed", (int)r->allowed, "duration_ms", (json_int_t)r->duration_ms);
}

static json_t *records_json(const struct sandbox_webhook *w)
{
	uint64_t first = w->record_count > WEBHOOK_RECORDS ? w->record_count - WEBHOOK_RECORDS : 0;
	json_t *list = json_array();

	for (; first < w->record_count; first++)
		json_array_append_new(list, record_json(&w->records[first % WEBHOOK_RECORDS]));
	return list;
}

/* The key pair is made when somebody asks for it: the hook's owner may want the key first. */
void bc_webhook_show(struct sandbox_call *call)
{
	struct sandbox_webhook *w = call->sandbox->events->webhook;

	if (!w->signer)
		w->signer = bc_signer_create();
	if (!w->signer) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	bc_sandbox_answer_json(call, 200,
			       json_pack("{so ss so so}", "settings", settings_json(&w->settings),
					 "public_key", bc_signer_public_pem(w->signer), "counts",
					 counts_json(w), "calls", records_json(w)));
}

/* ---- changing ---- */

void bc_webhook_set(struct sandbox_call *call)
{
	struct sandbox_webhook *w = call->sandbox->events->webhook;
	struct webhook_settings next = w->settings;

	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next))
		return;
	if (next.url[0] && !bc_webhook_ready(w)) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	w->settings = next;
	bc_webhook_show(call);
}

void bc_webhook_clear(struct sandbox_call *call)
{
	bc_webhook_reset(call->sandbox->events->webhook);
	bc_sandbox_answer_nothing(call);
}

void bc_webhook_rotate(struct sandbox_call *call)
{
	struct sandbox_webhook *w = call->sandbox->events->webhook;
	struct bc_signer *signer = bc_signer_create();

	if (!signer) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	bc_signer_destroy(w->signer);
	w->signer = signer;
	bc_webhook_show(call);
}
