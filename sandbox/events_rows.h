/* SPDX-License-Identifier: MIT */
/* What the files that make events share: rows, envelopes, settings. The journal and the sender only
 * see events.h. */
#ifndef BC_SANDBOX_EVENTS_ROWS_H
#define BC_SANDBOX_EVENTS_ROWS_H

#include "sandbox/commerce.h"
#include "sandbox/events.h"
#include "sandbox/mould.h"

enum { ENVELOPE_MAX_BYTES = 64 * 1024 };

/* events.c */

/* The next row: its number, time, id and position; the text is the caller's to set. */
void bc_events_next(const struct sandbox_events *e, struct sandbox_event *ret_event);
/* Puts a row, made by bc_events_next, into the journal. Takes its text and its mould, whatever the
 * result. False without memory. */
BC_MUST_CHECK bool bc_events_add(struct sandbox_events *e, const struct sandbox_event *event);

/* The texts that stand in the event's envelope. */
struct sandbox_names {
	char event[MOULD_ID_BYTES + 1], id[MOULD_ID_BYTES + 1], key[MOULD_ID_BYTES + 1];
	char time[BC_TIME_TEXT_BYTES];
};
void bc_events_fill(const struct sandbox_event *event, struct sandbox_names *ret_names);

void bc_events_settings_default(struct sandbox_events *e);
void bc_journal_settings_default(struct sandbox_events *e);

/* events_envelope.c; NULL without memory */

const char *bc_envelope_spelling(enum sandbox_spelling spelling);
json_t *bc_envelope_of_order(const struct sandbox_events *e, const struct sandbox_event *event,
			     const json_t *order, bool is_new);
/* One with blanks, of a new order, changed by `changes` as far as they go. */
json_t *bc_envelope_blank(const struct sandbox_events *e, const json_t *changes);

#endif
