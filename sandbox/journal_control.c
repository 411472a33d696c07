/* SPDX-License-Identifier: MIT */
/* The journal from behind the counter: how it pages and forgets, and what it was asked. */
#include "sandbox/events_rows.h"

enum { PAGE_MOST = 10000, RETRY_MOST = 86400 };

static bool read_integer(const json_t *value, json_int_t least, json_int_t most, json_int_t *ret)
{
	*ret = json_integer_value(value);
	return json_is_integer(value) && *ret >= least && *ret <= most;
}

static bool read_page_max(void *settings, const json_t *value)
{
	json_int_t n;

	if (!read_integer(value, 1, PAGE_MOST, &n))
		return false;
	((struct sandbox_events *)settings)->page_max = (size_t)n;
	return true;
}

static bool read_keep_ms(void *settings, const json_t *value)
{
	json_int_t n;

	if (!read_integer(value, 1, INT64_MAX / 2, &n))
		return false;
	((struct sandbox_events *)settings)->keep_ms = (uint64_t)n;
	return true;
}

static bool read_retry_after(void *settings, const json_t *value)
{
	json_int_t n;

	if (!read_integer(value, 0, RETRY_MOST, &n))
		return false;
	((struct sandbox_events *)settings)->retry_after = (uint32_t)n;
	return true;
}

static bool read_flag(bool *slot, const json_t *value)
{
	*slot = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_next_moves(void *settings, const json_t *value)
{
	return read_flag(&((struct sandbox_events *)settings)->next_moves, value);
}

static bool read_hide(void *settings, const json_t *value)
{
	return read_flag(&((struct sandbox_events *)settings)->hide_retry_after, value);
}

static bool read_need_scope(void *settings, const json_t *value)
{
	return read_flag(&((struct sandbox_events *)settings)->need_scope, value);
}

static const struct sandbox_member members[] = {
	{ "page_max", read_page_max,
	  "a number from 1 to 10000: events a page, whatever limit says" },
	{ "keep_ms", read_keep_ms, "milliseconds from 1: older events are gone" },
	{ "retry_after", read_retry_after, "seconds, as a number: what a 204 says" },
	{ "hide_retry_after", read_hide, "true: a 204 comes without Retry-After" },
	{ "next_moves", read_next_moves, "true: the next page is below /events-fast/" },
	{ "need_scope", read_need_scope, "true: the token must have the scope adobeio_api" },
};

static json_t *position_json(const struct sandbox_events *e, uint64_t number)
{
	char text[SANDBOX_POSITION_BYTES];

	return json_string(bc_events_position(e, number, text));
}

static json_t *counts_json(const struct sandbox_journal_counts *c)
{
	return json_pack("{sI sI sI sI sI sI}", "pages", (json_int_t)c->pages, "events",
			 (json_int_t)c->events, "empty", (json_int_t)c->empty, "gone",
			 (json_int_t)c->gone, "refused", (json_int_t)c->refused, "bad",
			 (json_int_t)c->bad);
}

void bc_journal_show(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;
	uint64_t first;

	bc_events_age(e);
	first = e->count > 0 ? e->events[e->head].number : 0;
	bc_sandbox_answer_json(
		call, 200,
		json_pack("{sI sI sI sb sb sb sI so so so}", "page_max", (json_int_t)e->page_max,
			  "keep_ms", (json_int_t)e->keep_ms, "retry_after",
			  (json_int_t)e->retry_after, "hide_retry_after", (int)e->hide_retry_after,
			  "next_moves", (int)e->next_moves, "need_scope", (int)e->need_scope,
			  "held", (json_int_t)e->count, "first",
			  first > 0 ? position_json(e, first) : json_null(), "last",
			  e->last_number > 0 ? position_json(e, e->last_number) : json_null(),
			  "requests", counts_json(&e->counts)));
}

void bc_journal_set(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events, next = *e;

	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next))
		return;
	*e = next;
	bc_journal_show(call);
}

void bc_journal_clear(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;

	bc_journal_settings_default(e);
	e->counts = (struct sandbox_journal_counts){ 0 };
	bc_sandbox_answer_nothing(call);
}

void bc_journal_forget(struct sandbox_call *call)
{
	struct sandbox_events *e = call->sandbox->events;
	json_t *body = bc_sandbox_read_object(call);
	json_int_t n;

	if (!body)
		return;
	if (read_integer(json_object_get(body, "oldest"), 1, INT64_MAX / 2, &n)) {
		bc_events_forget(e, (size_t)n);
		bc_journal_show(call);
	} else {
		bc_sandbox_answer_message(call, 400, "\"oldest\" is no number from 1",
					  "send {\"oldest\":N}: so many of the oldest events");
	}
	json_decref(body);
}
