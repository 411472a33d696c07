/* SPDX-License-Identifier: MIT */
/*
 * Envelopes of Adobe I/O Events and pages of its journal, see events.h. The data inside is a
 * shop's, and a page that cannot be read would stop a journal for good: a field of a wrong type is
 * a field that is not there, and numbers and texts that JSON allows but C does not love are read
 * too.
 */
#include "protocol/events.h"

#include <string.h>

#include "base/err.h"

enum { POSITION_MAX = 512 };

static struct bc_str text_of(const json_t *value)
{
	return (struct bc_str){ json_string_value(value), json_string_length(value) };
}

/* The first of two fields that is a text with something in it. */
static struct bc_str either(const json_t *object, const char *name, const char *former)
{
	struct bc_str text = text_of(json_object_get(object, name));
	return text.len > 0 || !former ? text : text_of(json_object_get(object, former));
}

bool bc_event_is_order(struct bc_str type)
{
	static const char *const names[] = {
		"observer.sales_order_save_commit_after",
		"observer.sales_order_save_after",
		"observer.checkout_submit_all_after",
		"plugin.sales.api.order_management.place",
		"plugin.sales.api.order_repository.save",
		"plugin.magento.sales.api.order_management.place",
		"plugin.magento.sales.api.order_repository.save",
	};
	for (size_t i = 0; i < BC_COUNT(names); i++) {
		size_t len = strlen(names[i]);
		if (type.len < len || memcmp(type.ptr + type.len - len, names[i], len) != 0)
			continue;
		if (type.len == len || type.ptr[type.len - len - 1] == '.')
			return true;
	}
	return false;
}

static struct bc_event read_event(const json_t *json)
{
	const json_t *value = json_object_get(json_object_get(json, "data"), "value");
	struct bc_event event = { .id = either(json, "eventid", "event_id"),
				  .client_id =
					  either(json, "recipientclientid", "recipient_client_id"),
				  .type = either(json, "type", NULL),
				  .time = either(json, "time", NULL) };
	if (event.id.len == 0)
		event.id = either(json, "id", NULL);
	if (json_is_object(value) && bc_event_is_order(event.type))
		event.order = value;
	return event;
}

/* What stands around the error is not told: it may be somebody's click. */
static int not_json(const json_error_t *wrong, struct bc_err *err)
{
	if (json_error_code(wrong) == json_error_out_of_memory)
		return bc_err_nomem(err);
	return bc_err_tell(err, BC_EINVAL,
			   "does a proxy on the way change it? Adobe sends JSON, and keeps the "
			   "event in the journal",
			   "the body is not JSON, from byte %d on",
			   wrong->position > 0 ? wrong->position : 0);
}

/* An integer beyond 64 bits is not worth a page: then all are read as what they are nearly. */
static int parse(struct bc_str body, json_t **ret_document, struct bc_err *err)
{
	json_error_t wrong;
	const char *bytes = body.ptr ? body.ptr : "";
	*ret_document = json_loadb(bytes, body.len, JSON_ALLOW_NUL, &wrong);
	if (!*ret_document && json_error_code(&wrong) == json_error_numeric_overflow)
		*ret_document = json_loadb(bytes, body.len,
					   JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &wrong);
	return *ret_document ? 0 : not_json(&wrong, err);
}

static int make_room(struct bc_event_list *list, size_t count, struct bc_arena *arena,
		     struct bc_err *err)
{
	if (count > BC_EVENTS_MAX)
		return bc_err_tell(err, BC_ETOOBIG,
				   "lower the batch size of the registration in Adobe's console",
				   "more than %d events came at once", BC_EVENTS_MAX);
	list->events = bc_arena_alloc(arena, (count ? count : 1) * sizeof(*list->events));
	return list->events ? 0 : bc_err_nomem(err);
}

static int fill_delivery(struct bc_event_list *list, struct bc_arena *arena, struct bc_err *err)
{
	json_t *root = list->document;
	bool single = json_is_object(root);
	size_t count = single ? 1 : json_array_size(root);
	if (!single && !json_is_array(root))
		return bc_err_tell(
			err, BC_EINVAL,
			"it is no event of Adobe: does something else send to this address?",
			"the body is neither an event nor a list of them");
	int result = make_room(list, count, arena, err);
	for (; !result && list->count < count; list->count++) {
		const json_t *json = single ? root : json_array_get(root, list->count);
		if (!json_is_object(json))
			return bc_err_tell(err, BC_EINVAL,
					   "it is no event of Adobe: does something else send to "
					   "this address?",
					   "an event is no JSON object");
		list->events[list->count] = read_event(json);
	}
	return result;
}

static bool is_position(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= 0x20 || s.ptr[i] == 0x7f)
			return false;
	return s.len > 0 && s.len <= POSITION_MAX;
}

static int fill_page(struct bc_event_list *list, struct bc_arena *arena, struct bc_err *err)
{
	const json_t *rows = json_object_get(list->document, "events");
	if (!json_is_array(rows))
		return bc_err_tell(err, BC_EINVAL,
				   "it is no page of Adobe's journal: is journal.url the URL that "
				   "the console shows?",
				   "the page of the journal has no list of events");
	int result = make_room(list, json_array_size(rows), arena, err);
	for (; !result && list->count < json_array_size(rows); list->count++) {
		const json_t *row = json_array_get(rows, list->count);
		struct bc_event *event = &list->events[list->count];
		*event = read_event(json_object_get(row, "event"));
		event->position = text_of(json_object_get(row, "position"));
		if (!is_position(event->position))
			return bc_err_tell(err, BC_EINVAL,
					   "it is no page of Adobe's journal: is journal.url the "
					   "URL that the console shows?",
					   "an event of the journal has no position");
	}
	return result;
}

typedef int fill_list(struct bc_event_list *list, struct bc_arena *arena, struct bc_err *err);

static int read_list(struct bc_str body, fill_list *fill, struct bc_arena *arena,
		     struct bc_event_list *ret_list, struct bc_err *err)
{
	struct bc_event_list list = { 0 };
	int result = parse(body, &list.document, err);
	if (!result)
		result = fill(&list, arena, err);
	if (result)
		json_decref(list.document);
	else
		*ret_list = list;
	return result;
}

int bc_events_read(struct bc_str body, struct bc_arena *arena, struct bc_event_list *ret_list,
		   struct bc_err *err)
{
	return read_list(body, fill_delivery, arena, ret_list, err);
}

int bc_journal_page_read(struct bc_str body, struct bc_arena *arena, struct bc_event_list *ret_list,
			 struct bc_err *err)
{
	return read_list(body, fill_page, arena, ret_list, err);
}

void bc_event_list_finish(struct bc_event_list *list)
{
	json_decref(list->document);
	*list = (struct bc_event_list){ 0 };
}
