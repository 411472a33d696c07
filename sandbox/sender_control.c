/* SPDX-License-Identifier: MIT */
/*
 * The sender from behind the counter: its settings, one reader a member, and its books. Settings
 * are all or nothing; naming the URL, also the same one again, begins the registration anew.
 */
#include <string.h>

#include "net/http_url.h"
#include "sandbox/sender.h"

enum {
	HOUR_MS = 60 * 60 * 1000,
	YEAR_HOURS = 366 * 24,
	DUPLICATES_MAX = 100,
	CONCURRENCY_MAX = 64
};
#define YEAR_MS (YEAR_HOURS * (uint64_t)HOUR_MS)

/* ---- the settings ---- */

/* Printable ASCII, or null for none. */
static bool read_text(char *slot, size_t bytes, const json_t *value)
{
	struct bc_str text = { json_string_value(value), json_string_length(value) };

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < ' ' || text.ptr[i] > '~')
			return false;
	if (json_is_null(value))
		text = BC_STR("");
	return text.ptr && bc_str_copy(slot, bytes, text) == 0;
}

static bool read_number(uint64_t *slot, const json_t *value, uint64_t min, uint64_t max)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number < min ||
	    (uint64_t)number > max)
		return false;
	*slot = (uint64_t)number;
	return true;
}

static bool read_bool(bool *slot, const json_t *value)
{
	*slot = json_is_true(value);
	return json_is_boolean(value);
}

/* The index of the value among names; -1 = none. */
static int read_name(const char *const *names, size_t count, const json_t *value)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; text && i < count; i++)
		if (strcmp(names[i], text) == 0)
			return (int)i;
	return -1;
}

static bool read_url(void *settings, const json_t *value)
{
	struct sender_settings *s = settings;

	s->named_url = true;
	return read_text(s->url, sizeof(s->url), value) &&
	       (!s->url[0] || bc_http_url_check(s->url, "url", NULL) == 0);
}

static bool read_client_id(void *settings, const json_t *value)
{
	struct sender_settings *s = settings;

	s->named_client = true;
	return json_string_length(value) > 0 &&
	       read_text(s->client_id, sizeof(s->client_id), value);
}

static bool read_key_path(void *settings, const json_t *value)
{
	struct sender_settings *s = settings;

	return read_text(s->key_path, sizeof(s->key_path), value);
}

static bool read_batch(void *settings, const json_t *value)
{
	return read_bool(&((struct sender_settings *)settings)->batch, value);
}

static bool read_reorder(void *settings, const json_t *value)
{
	return read_bool(&((struct sender_settings *)settings)->reorder, value);
}

static bool read_schedule(void *settings, const json_t *value)
{
	struct sender_settings *s = settings;
	const json_t *item;
	size_t i;

	if (json_array_size(value) < 1 || json_array_size(value) > SENDER_SCHEDULE_MAX)
		return false;
	json_array_foreach(value, i, item) if (!read_number(&s->schedule_ms[i], item, 1,
							    24 * HOUR_MS)) return false;
	s->schedule_count = json_array_size(value);
	return true;
}

static bool read_duplicates(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->duplicates, value, 0,
			   DUPLICATES_MAX);
}

static bool read_concurrency(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->concurrency, value, 1,
			   CONCURRENCY_MAX);
}

static bool read_timeout(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->timeout_ms, value, 1, HOUR_MS);
}

static bool read_give_up(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->give_up_ms, value, 1, YEAR_MS);
}

static bool read_validate(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->validate_ms, value, 1, HOUR_MS);
}

static bool read_grace(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->grace_ms, value, 0, YEAR_MS);
}

static bool read_slow(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->slow_ms, value, 1, HOUR_MS);
}

static bool read_queue_bytes(void *settings, const json_t *value)
{
	return read_number(&((struct sender_settings *)settings)->queue_bytes, value, 0, SIZE_MAX);
}

static const char *const signing_names[] = {
	[SENDER_KEYS_OK] = "ok",
	[SENDER_KEYS_SECOND_ONLY] = "second-only",
	[SENDER_KEYS_WRONG] = "wrong",
	[SENDER_KEYS_NONE] = "missing",
};
static const char *const host_names[] = {
	[SENDER_HOST_OK] = "ok",
	[SENDER_HOST_DOWN] = "down",
	[SENDER_HOST_SLOW] = "slow",
	[SENDER_HOST_GARBAGE] = "garbage",
};
static const char *const validation_names[] = {
	[SENDER_VALIDATE_GET] = "get",
	[SENDER_VALIDATE_POST] = "post",
};

static bool read_keys(void *settings, const json_t *value)
{
	int index = read_name(signing_names, BC_COUNT(signing_names), value);

	((struct sender_settings *)settings)->keys = (enum sender_signing)(index < 0 ? 0 : index);
	return index >= 0;
}

static bool read_key_host(void *settings, const json_t *value)
{
	int index = read_name(host_names, BC_COUNT(host_names), value);

	((struct sender_settings *)settings)->key_host = (enum sender_host)(index < 0 ? 0 : index);
	return index >= 0;
}

static bool read_validation(void *settings, const json_t *value)
{
	int index = read_name(validation_names, BC_COUNT(validation_names), value);

	((struct sender_settings *)settings)->validation =
		(enum sender_validation)(index < 0 ? 0 : index);
	return index >= 0;
}

static const struct sandbox_member members[] = {
	{ "url", read_url, "https anywhere, http on loopback; null for none" },
	{ "client_id", read_client_id, "a text: whose events these are" },
	{ "batch", read_batch, "true: up to 20 events in an array" },
	{ "reorder", read_reorder, "true: events overtake each other" },
	{ "duplicates", read_duplicates, "0 to 100: so often each event goes out again" },
	{ "schedule_ms", read_schedule, "up to 16 numbers: the wait before each retry" },
	{ "concurrency", read_concurrency, "1 to 64 requests at once" },
	{ "timeout_ms", read_timeout, "a number: of a request in all" },
	{ "give_up_ms", read_give_up, "a number: no retry later than that after the first" },
	{ "validation", read_validation, "get or post" },
	{ "validate_ms", read_validate, "a number: how long the validation URL is good" },
	{ "grace_ms", read_grace, "a number: Unstable for so long is Disabled" },
	{ "keys", read_keys, "ok, second-only, wrong or missing" },
	{ "key_path", read_key_path, "what the headers say in place of the keys' paths; or null" },
	{ "key_host", read_key_host, "ok, down, slow or garbage" },
	{ "slow_ms", read_slow, "a number: how slow a slow key host is" },
	{ "queue_bytes", read_queue_bytes, "a number: so many bytes of events may wait" },
};

/* ---- showing ---- */

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *settings_json(const struct sandbox_sender *s)
{
	const struct sender_settings *o = &s->settings;
	json_t *schedule = json_array();

	for (size_t i = 0; i < o->schedule_count; i++)
		json_array_append_new(schedule, json_integer((json_int_t)o->schedule_ms[i]));
	return json_pack(
		"{so ss sb sb sI so sI sI sI ss sI sI ss so ss sI sI}", "url", text_or_null(o->url),
		"client_id", s->events->client_id, "batch", (int)o->batch, "reorder",
		(int)o->reorder, "duplicates", (json_int_t)o->duplicates, "schedule_ms", schedule,
		"concurrency", (json_int_t)o->concurrency, "timeout_ms", (json_int_t)o->timeout_ms,
		"give_up_ms", (json_int_t)o->give_up_ms, "validation",
		validation_names[o->validation], "validate_ms", (json_int_t)o->validate_ms,
		"grace_ms", (json_int_t)o->grace_ms, "keys", signing_names[o->keys], "key_path",
		text_or_null(o->key_path), "key_host", host_names[o->key_host], "slow_ms",
		(json_int_t)o->slow_ms, "queue_bytes", (json_int_t)o->queue_bytes);
}

static json_t *by_status(const uint64_t counts[SENDER_STATUSES])
{
	json_t *object = json_object();
	char name[8];

	for (unsigned i = 0; i < SENDER_STATUSES; i++) {
		if (!counts[i])
			continue;
		snprintf(name, sizeof(name), "%u", i);
		json_object_set_new(object, name, json_integer((json_int_t)counts[i]));
	}
	return object;
}

static json_t *counts_json(const struct sandbox_sender *s)
{
	const struct sender_counts *c = &s->counts;

	return json_pack("{sI sI sI sI sI sI so so sI sI sI sI sI sI sI sI}", "events",
			 (json_int_t)c->events, "deliveries", (json_int_t)c->deliveries, "pending",
			 (json_int_t)s->queue.letters, "attempts", (json_int_t)c->attempts,
			 "retries", (json_int_t)c->retries, "acknowledged",
			 (json_int_t)c->acknowledged, "dropped", by_status(c->dropped), "answers",
			 by_status(c->answers), "expired", (json_int_t)c->expired, "skipped",
			 (json_int_t)c->skipped, "overflow", (json_int_t)c->overflow, "disabled",
			 (json_int_t)c->disabled, "challenges", (json_int_t)c->challenges,
			 "validations", (json_int_t)c->validations, "queued_bytes",
			 (json_int_t)s->queue.bytes, "strange_fetches",
			 (json_int_t)s->strange_fetches);
}

static json_t *keys_json(const struct sandbox_sender *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < SENDER_KEYS && s->keys[i].signer; i++)
		json_array_append_new(list,
				      json_pack("{ss sI ss}", "path", s->keys[i].path, "fetches",
						(json_int_t)s->keys[i].fetches, "pem",
						bc_signer_public_pem(s->keys[i].signer)));
	return list;
}

static json_t *record_json(const struct sender_record *r)
{
	char at[BC_TIME_TEXT_BYTES];

	return json_pack("{ss ss ss sI sI si sI}", "at", bc_time_format(r->at_ms, at), "event_id",
			 r->event_id, "delivery_id", r->delivery_id, "retry", (json_int_t)r->retry,
			 "events", (json_int_t)r->events, "status", r->status, "duration_ms",
			 (json_int_t)r->duration_ms);
}

static json_t *records_json(const struct sandbox_sender *s)
{
	uint64_t first = s->record_count > SENDER_RECORDS ? s->record_count - SENDER_RECORDS : 0;
	json_t *list = json_array();

	for (; first < s->record_count; first++)
		json_array_append_new(list, record_json(&s->records[first % SENDER_RECORDS]));
	return list;
}

void bc_sender_show(struct sandbox_call *call)
{
	const struct sandbox_sender *s = call->sandbox->events->sender;
	const struct sender_registration *r = &s->registration;

	bc_sandbox_answer_json(
		call, 200,
		json_pack("{ss so so so so so}", "state", bc_sender_state_name(r->state), "reason",
			  text_or_null(r->reason), "settings", settings_json(s), "counts",
			  counts_json(s), "keys", keys_json(s), "attempts", records_json(s)));
}

/* ---- changing ---- */

void bc_sender_set(struct sandbox_call *call)
{
	struct sandbox_events *events = call->sandbox->events;
	struct sandbox_sender *s = events->sender;
	struct sender_settings next = s->settings;

	next.named_url = next.named_client = false;
	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next))
		return;
	if (next.url[0] && !bc_sender_ready(s)) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	s->settings = next;
	if (next.named_client)
		memcpy(events->client_id, next.client_id, sizeof(events->client_id));
	if (next.named_url)
		bc_sender_register(s);
	bc_sender_wake(s);
	bc_sender_show(call);
}

void bc_sender_clear(struct sandbox_call *call)
{
	bc_sender_reset(call->sandbox->events->sender);
	bc_sandbox_answer_nothing(call);
}
