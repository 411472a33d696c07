/* SPDX-License-Identifier: MIT */
/*
 * Events from behind the counter: what they say about themselves, which there are, and raw ones: as
 * they are sent in, or a great many from one template.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/events_rows.h"

enum { EMIT_MAX = 200000, SHOWN = 100, LIST_MAX_BYTES = 64 * 1024 * 1024 };

/* ---- settings ---- */

static bool read_text(char *slot, size_t bytes, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text || strlen(text) >= bytes)
		return false;
	snprintf(slot, bytes, "%s", text);
	return true;
}

static bool read_client_id(void *settings, const json_t *value)
{
	struct sandbox_events *e = settings;

	return read_text(e->client_id, sizeof(e->client_id), value);
}

static bool read_type(void *settings, const json_t *value)
{
	struct sandbox_events *e = settings;

	return read_text(e->type, sizeof(e->type), value);
}

static bool read_spelling(void *settings, const json_t *value)
{
	for (int i = 0; json_is_string(value) && i < SANDBOX_SPELLINGS; i++)
		if (strcmp(json_string_value(value),
			   bc_envelope_spelling((enum sandbox_spelling)i)) == 0) {
			((struct sandbox_events *)settings)->spelling = (enum sandbox_spelling)i;
			return true;
		}
	return false;
}

static const struct sandbox_member members[] = {
	{ "client_id", read_client_id, "a text: the recipient that events name" },
	{ "type", read_type,
	  "a text such as \"com.adobe.commerce.observer.sales_order_save_commit_after\"" },
	{ "spelling", read_spelling,
	  "\"both\" names of the ids, \"new\" (eventid) or \"old\" (event_id) alone" },
};

/* ---- the list ---- */

static int add_row(struct bc_buf *out, const struct sandbox_event *event, bool first)
{
	char at[BC_TIME_TEXT_BYTES];
	int rc = bc_buf_addf(out,
			     "%s{\"number\":%" PRIu64
			     ",\"at\":\"%s\",\"position\":\"%s\",\"id\":\"%s\",\"event\":",
			     first ? "\n" : ",\n", event->number, bc_time_format(event->at_ms, at),
			     event->position, event->id);

	if (rc == 0)
		rc = bc_events_text(event, out);
	return rc == 0 ? bc_buf_adds(out, "}") : rc;
}

static int add_rows(struct bc_buf *out, const struct sandbox_events *e, uint64_t since,
		    uint64_t limit)
{
	uint64_t first = e->count > 0 ? e->events[e->head].number : 1;
	size_t from = since >= first ? (size_t)(since - first + 1) : 0;
	int rc = 0;

	for (size_t i = from; rc == 0 && i < e->count && i - from < limit; i++)
		rc = add_row(out, &e->events[e->head + i], i == from);
	return rc;
}

static bool read_number(struct sandbox_call *call, const char *name, uint64_t *number)
{
	struct bc_str text;

	if (!bc_sandbox_query(call, name, &text) || bc_parse_u64(text, number) == 0)
		return true;
	bc_sandbox_answer_message(call, 400, "since and limit are numbers",
				  "since is the number of the last event you know");
	return false;
}

void bc_events_show(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;
	uint64_t since = 0, limit = SHOWN;
	bc_autofree char *head = NULL;
	json_t *settings;
	struct bc_buf out;
	int rc;

	if (!read_number(call, "since", &since) || !read_number(call, "limit", &limit))
		return;
	bc_events_age(e);
	settings = json_pack("{ss ss ss sI sI sI}", "client_id", e->client_id, "type", e->type,
			     "spelling", bc_envelope_spelling(e->spelling), "too_large",
			     (json_int_t)e->too_large, "count", (json_int_t)e->count, "last",
			     (json_int_t)e->last_number);
	head = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
	json_decref(settings);
	bc_buf_init(&out, LIST_MAX_BYTES);
	rc = head ? bc_buf_addf(&out, "%.*s,\"events\":[", (int)strlen(head) - 1, head) : BC_ENOMEM;
	if (rc == 0)
		rc = add_rows(&out, e, since, limit);
	if (rc == 0)
		rc = bc_buf_adds(&out, "]}");
	bc_sandbox_answer_buf(call, rc, "application/json", &out);
}

void bc_events_set(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events, next = *e;

	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next))
		return;
	*e = next;
	bc_events_show(call);
}

void bc_events_clear(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;

	bc_events_forget(e, SIZE_MAX);
	bc_events_settings_default(e);
	bc_sandbox_answer_nothing(call);
}

/* ---- emitting ---- */

/* To the sender, which gets the text whole; it is put together in text. */
static bool send(struct sandbox_events *e, const struct sandbox_event *event, struct bc_buf *text)
{
	struct sandbox_event copy = *event;

	bc_buf_reset(text);
	if (bc_events_text(event, text) < 0)
		return false;
	copy.text = text->data;
	copy.text_bytes = text->len;
	copy.mould = NULL;
	bc_sender_queue(e->sender, &copy);
	return true;
}

static void take_id(struct sandbox_event *event, const json_t *envelope)
{
	const json_t *id = json_object_get(envelope, "eventid");

	if (!id)
		id = json_object_get(envelope, "event_id");
	if (json_string_length(id) > 0 && json_string_length(id) < sizeof(event->id))
		snprintf(event->id, sizeof(event->id), "%s", json_string_value(id));
}

static bool emit_raw(struct sandbox_events *e, const json_t *envelope)
{
	struct sandbox_event event;

	bc_events_next(e, &event);
	take_id(&event, envelope);
	event.text = json_dumps(envelope, COMMERCE_DUMP);
	if (!event.text)
		return false;
	event.text_bytes = strlen(event.text);
	if (!bc_events_add(e, &event))
		return false;
	bc_sender_queue(e->sender, &event);
	return true;
}

static bool emit_list(struct sandbox_events *e, const json_t *list)
{
	const json_t *envelope;
	size_t i;

	json_array_foreach(list, i, envelope) if (!emit_raw(e, envelope)) return false;
	return true;
}

/* text: NULL = it is not sent. */
static bool emit_mould(struct sandbox_events *e, struct sandbox_mould *mould, uint32_t number,
		       struct bc_buf *text)
{
	struct sandbox_event event;

	bc_events_next(e, &event);
	event.mould = bc_mould_ref(mould);
	event.mould_number = number;
	return bc_events_add(e, &event) && (!text || send(e, &event, text));
}

/* What stands beside a template. */
struct emission {
	json_int_t count, first;
	json_t *template; /* borrowed */
	int send;
};

static bool emission_read(const json_t *body, struct emission *ret_emission)
{
	*ret_emission = (struct emission){ .first = 1, .send = 1 };
	return json_unpack((json_t *)body, "{sI s?o s?I s?b !}", "count", &ret_emission->count,
			   "template", &ret_emission->template, "first", &ret_emission->first,
			   "send", &ret_emission->send) == 0 &&
	       ret_emission->count >= 1 && ret_emission->count <= EMIT_MAX &&
	       ret_emission->first >= 0 &&
	       ret_emission->first <= MOULD_NUMBER_MAX - ret_emission->count &&
	       (!ret_emission->template || json_is_object(ret_emission->template));
}

static bool emit_many(struct sandbox_events *e, const struct emission *emission)
{
	json_t *changes = emission->template ? json_incref(emission->template) : json_object();
	json_t *envelope = bc_envelope_blank(e, changes);
	struct sandbox_mould *mould = bc_mould_create(envelope);
	bool good = mould != NULL;
	struct bc_buf text;

	bc_buf_init(&text, LIST_MAX_BYTES);
	for (json_int_t i = 0; good && i < emission->count; i++)
		good = emit_mould(e, mould, (uint32_t)(emission->first + i),
				  emission->send ? &text : NULL);
	bc_buf_finish(&text);
	bc_mould_unref(mould);
	json_decref(envelope);
	json_decref(changes);
	return good;
}

static bool are_objects(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) if (!json_is_object(item)) return false;
	return true;
}

static void emit_answer(struct sandbox_call *call, uint64_t before, bool good)
{
	struct sandbox_events *e = call->sandbox->events;

	if (good)
		bc_sandbox_answer_json(call, 200,
				       json_pack("{sI sI sI}", "emitted",
						 (json_int_t)(e->last_number - before), "first",
						 (json_int_t)before + 1, "last",
						 (json_int_t)e->last_number));
	else
		bc_sandbox_answer_json(call, 500, NULL);
}

void bc_events_emit(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;
	uint64_t before = e->last_number;
	struct bc_str body = call->req->body;
	json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
	struct emission emission;

	if (json_is_array(json) && are_objects(json))
		emit_answer(call, before, emit_list(e, json));
	else if (json_is_object(json) && !json_object_get(json, "count"))
		emit_answer(call, before, emit_raw(e, json));
	else if (json_is_object(json) && emission_read(json, &emission))
		emit_answer(call, before, emit_many(e, &emission));
	else
		bc_sandbox_answer_message(
			call, 400, "the body is no event, no list of events and no template",
			"send an envelope, an array of them, or {\"count\":1 to 200000,"
			"\"template\":{\"data\":{\"value\":{...}}},\"first\":1,\"send\":true}");
	json_decref(json);
}
