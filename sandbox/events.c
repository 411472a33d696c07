/* SPDX-License-Identifier: MIT */
/*
 * The events of the sandbox's Commerce: their list, oldest first, and their life. Rows are numbered
 * without a gap, so a number leads to its row, and a position, whose tail is the number, too. What
 * grows older than keep_ms is forgotten when somebody looks; head runs ahead of the array's start
 * meanwhile. Every id and position carries the seed, which a reset changes: what is from before it
 * is not mistaken for something of now.
 */
#include "sandbox/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "sandbox/events_rows.h"
#include "sandbox/ims.h"

enum {
	ROWS_MAX = 500000, /* the oldest are forgotten then */
	ROWS_AT_FIRST = 64,
	KEEP_DAYS = 7,
	SEED_BYTES = 12,
	KIND_AT = 7 /* the digit in an id that tells what it is the id of */
};

/* ---- ids ---- */

/* Of the number's event; the same for the same number. */
static void id_of(const struct sandbox_events *e, uint64_t number, char text[MOULD_ID_BYTES + 1])
{
	snprintf(text, MOULD_ID_BYTES + 1, "%.7se-%.4s-4%.3s-8%.3s-%012" PRIx64, e->seed,
		 e->seed + 7, e->seed + 11, e->seed + 14, number & 0xffffffffffff);
}

void bc_events_fill(const struct sandbox_event *event, struct sandbox_names *ret_names)
{
	snprintf(ret_names->event, sizeof(ret_names->event), "%.*s", MOULD_ID_BYTES, event->id);
	snprintf(ret_names->id, sizeof(ret_names->id), "%s", ret_names->event);
	snprintf(ret_names->key, sizeof(ret_names->key), "%s", ret_names->event);
	ret_names->id[KIND_AT] = 'b';
	ret_names->key[KIND_AT] = 'c';
	bc_time_format(event->at_ms, ret_names->time);
}

char *bc_events_position(const struct sandbox_events *e, uint64_t number,
			 char text[SANDBOX_POSITION_BYTES])
{
	char first[MOULD_ID_BYTES + 1], second[MOULD_ID_BYTES + 1];

	id_of(e, 0, first);
	id_of(e, number, second);
	second[KIND_AT] = 'd';
	snprintf(text, SANDBOX_POSITION_BYTES, "camel:%s:%s", first, second);
	return text;
}

/* ---- rows ---- */

static void row_finish(struct sandbox_event *row)
{
	free(row->text);
	bc_mould_unref(row->mould);
}

void bc_events_forget(struct sandbox_events *e, size_t n)
{
	for (; n > 0 && e->count > 0; n--) {
		row_finish(&e->events[e->head++]);
		e->count--;
	}
	if (e->count == 0)
		e->head = 0;
}

void bc_events_age(struct sandbox_events *e)
{
	uint64_t now_ms = bc_wall_ms(e->sandbox->clock);

	while (e->count > 0 && e->events[e->head].at_ms + e->keep_ms < now_ms)
		bc_events_forget(e, 1);
}

/* Room for one more row at the end. */
static bool room(struct sandbox_events *e)
{
	size_t more = e->room ? 2 * e->room : ROWS_AT_FIRST;
	struct sandbox_event *rows;

	if (e->count == ROWS_MAX)
		bc_events_forget(e, 1);
	if (e->head + e->count < e->room)
		return true;
	if (e->head > e->room / 2) {
		memmove(e->events, e->events + e->head, e->count * sizeof(*rows));
		e->head = 0;
		return true;
	}
	rows = realloc(e->events, more * sizeof(*rows));
	if (!rows)
		return false;
	e->events = rows;
	e->room = more;
	return true;
}

/* The wall clock as it is in rows: it never goes back. */
static uint64_t next_ms(const struct sandbox_events *e)
{
	uint64_t now_ms = bc_wall_ms(e->sandbox->clock), last_ms = 0;

	if (e->count > 0)
		last_ms = e->events[e->head + e->count - 1].at_ms;
	return now_ms > last_ms ? now_ms : last_ms;
}

void bc_events_next(const struct sandbox_events *e, struct sandbox_event *ret_event)
{
	*ret_event = (struct sandbox_event){ .number = e->last_number + 1, .at_ms = next_ms(e) };
	id_of(e, ret_event->number, ret_event->id);
	bc_events_position(e, ret_event->number, ret_event->position);
}

bool bc_events_add(struct sandbox_events *e, const struct sandbox_event *event)
{
	bc_events_age(e);
	if (!room(e)) {
		struct sandbox_event lost = *event;

		row_finish(&lost);
		return false;
	}
	e->events[e->head + e->count++] = *event;
	e->last_number = event->number;
	return true;
}

int bc_events_text(const struct sandbox_event *event, struct bc_buf *out)
{
	struct sandbox_names names;

	if (!event->mould)
		return bc_buf_add(out, event->text, event->text_bytes);
	bc_events_fill(event, &names);
	return bc_mould_print(event->mould,
			      &(struct sandbox_filling){ .number = event->mould_number,
							 .event = names.event,
							 .id = names.id,
							 .key = names.key,
							 .time = names.time },
			      out);
}

/* ---- an order that was saved ---- */

bool bc_events_order_saved(struct sandbox_events *e, const json_t *order, bool is_new)
{
	struct sandbox_event event;
	json_t *envelope;

	if (!e)
		return true;
	bc_events_next(e, &event);
	envelope = bc_envelope_of_order(e, &event, order, is_new);
	event.text = envelope ? json_dumps(envelope, COMMERCE_DUMP) : NULL;
	json_decref(envelope);
	if (!event.text)
		return false;
	event.text_bytes = strlen(event.text);
	if (event.text_bytes > ENVELOPE_MAX_BYTES) {
		free(event.text);
		e->too_large++;
		return true;
	}
	if (!bc_events_add(e, &event))
		return false;
	bc_sender_queue(e->sender, &event);
	return true;
}

/* ---- life ---- */

void bc_events_settings_default(struct sandbox_events *e)
{
	const char *client = e->sandbox->ims->start.client_id;

	snprintf(e->client_id, sizeof(e->client_id), "%s", client ? client : "any-client");
	snprintf(e->type, sizeof(e->type), "%s",
		 "com.adobe.commerce.observer.sales_order_save_commit_after");
	e->spelling = SANDBOX_BOTH;
}

void bc_journal_settings_default(struct sandbox_events *e)
{
	e->page_max = 500;
	e->keep_ms = KEEP_DAYS * 24ULL * 60 * 60 * 1000;
	e->next_moves = e->hide_retry_after = e->need_scope = false;
	e->retry_after = 10;
}

/* As at the start, but for the sender and the webhook. */
static void begin(struct sandbox_events *e)
{
	unsigned char seed[SEED_BYTES];

	bc_events_forget(e, SIZE_MAX);
	bc_random(seed, sizeof(seed));
	bc_hex(seed, sizeof(seed), e->seed);
	e->last_number = e->too_large = 0;
	e->counts = (struct sandbox_journal_counts){ 0 };
	bc_events_settings_default(e);
	bc_journal_settings_default(e);
}

struct sandbox_events *bc_events_create(struct bc_sandbox *sandbox)
{
	struct sandbox_events *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->sandbox = sandbox;
	begin(e);
	e->sender = bc_sender_create(e);
	e->webhook = bc_webhook_create(sandbox);
	if (e->sender && e->webhook)
		return e;
	bc_events_destroy(e);
	return NULL;
}

void bc_events_destroy(struct sandbox_events *e)
{
	if (!e)
		return;
	bc_sender_destroy(e->sender);
	bc_webhook_destroy(e->webhook);
	bc_events_forget(e, SIZE_MAX);
	free(e->events);
	free(e);
}

void bc_events_reset(struct sandbox_events *e)
{
	bc_sender_reset(e->sender);
	bc_webhook_reset(e->webhook);
	begin(e);
	free(e->events);
	e->events = NULL;
	e->room = 0;
}
