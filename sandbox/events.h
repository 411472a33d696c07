/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's Commerce tells others: an event for each save of an order, kept in a journal
 * as Adobe's Journaling API has it, and sent to a webhook as Adobe I/O Events does.
 *
 *	events.c	the list of events, their life
 *	events_envelope.c, mould.c	what an event says; a great many from one text
 *	events_control.c, journal_control.c	the control routes
 *	journal.c	the Journaling API: positions, relative links, 204, 410, a moved next
 *	sender.c	signed deliveries with retries, batches, duplicates, reordering
 *	webhook.c	Commerce's own synchronous webhooks
 *
 * Facts: Adobe's documents on I/O Events, Journaling and Commerce webhooks.
 */
#ifndef BC_SANDBOX_EVENTS_H
#define BC_SANDBOX_EVENTS_H

#include "sandbox/service.h"

/* One event, as long as the journal holds it. */
struct sandbox_event {
	uint64_t number;   /* 1 = the first; grows */
	uint64_t at_ms;	   /* wall clock */
	char position[96]; /* "camel:UUID:UUID" */
	char id[40];	   /* of the event: stable over attempts */
	/* Owned; the whole envelope as JSON, the bytes that are sent and signed. Always there in
	 * what the sender gets; the journal's own rows may hold it as a mould instead. */
	char *text;
	size_t text_bytes;
	struct sandbox_mould *mould; /* counted; NULL = text is set */
	uint32_t mould_number;	     /* what it prints for {n} */
};

struct sandbox_sender;
struct sandbox_webhook;

/* Which of the two names an envelope has for its id and its recipient: eventid or event_id. */
enum sandbox_spelling { SANDBOX_BOTH, SANDBOX_NEW, SANDBOX_OLD };
enum { SANDBOX_SPELLINGS = SANDBOX_OLD + 1 };

/* What the Journaling API was asked, by answer. */
struct sandbox_journal_counts {
	uint64_t pages, events, empty, gone, refused, bad;
};

struct sandbox_events {
	struct bc_sandbox *sandbox;   /* borrowed */
	struct sandbox_event *events; /* owned; oldest first, from head on */
	size_t head, count, room;     /* count without those before head */
	uint64_t last_number;
	char seed[32]; /* hex; in every id and position: another one after a reset */
	struct sandbox_sender *sender;	 /* owned; sender.c */
	struct sandbox_webhook *webhook; /* owned; webhook.c */
	/* What events say about themselves; settings of /_sandbox/events. */
	char client_id[128];
	char type[160]; /* "com.adobe.commerce.observer.sales_order_save_commit_after" */
	enum sandbox_spelling spelling;
	uint64_t too_large; /* events of more than 64 KiB, which Commerce never creates */
	/* Journal faults, settings of /_sandbox/journal. */
	size_t page_max;       /* events a page at most, whatever limit says */
	uint64_t keep_ms;      /* older ones are gone: a position before them is 410 */
	bool next_moves;       /* the link leads to /events-fast/... */
	bool hide_retry_after; /* of a 204 */
	bool need_scope;       /* the token must have the scope adobeio_api */
	uint32_t retry_after;  /* seconds */
	struct sandbox_journal_counts counts;
};

/* events.c. NULL without memory. The reset is also the sender's and the webhook's. */
BC_MUST_CHECK struct sandbox_events *bc_events_create(struct bc_sandbox *sandbox);
void bc_events_destroy(struct sandbox_events *e); /* NULL is fine */
void bc_events_reset(struct sandbox_events *e);
/* An order was saved: makes its event, puts it into the journal, hands it to the sender. order is
 * borrowed; is_new: by this save it came into being. False without memory. NULL for e is fine. */
bool bc_events_order_saved(struct sandbox_events *e, const json_t *order, bool is_new);
/* Forgets what is older than keep_ms. */
void bc_events_age(struct sandbox_events *e);
/* Forgets the oldest n, or all there are. */
void bc_events_forget(struct sandbox_events *e, size_t n);
/* The event's envelope, added to out. 0 or an error. */
BC_MUST_CHECK int bc_events_text(const struct sandbox_event *event, struct bc_buf *out);
/* "camel:UUID:UUID" of that number, of this journal. Returns text. */
enum { SANDBOX_POSITION_BYTES = 96 };
char *bc_events_position(const struct sandbox_events *e, uint64_t number,
			 char text[SANDBOX_POSITION_BYTES]);

/* sender.c */
BC_MUST_CHECK struct sandbox_sender *bc_sender_create(struct sandbox_events *events);
void bc_sender_destroy(struct sandbox_sender *s); /* NULL is fine; what is under way is dropped */
void bc_sender_reset(struct sandbox_sender *s);
/* Sends it when there is a registration; the event stays the journal's and may go meanwhile: what
 * is needed is copied. */
void bc_sender_queue(struct sandbox_sender *s, const struct sandbox_event *event);

/* webhook.c: asks the registered hook about an order that is about to be placed, and calls done
 * with what it said, later. With no hook, done(ctx, true) at once. */
BC_MUST_CHECK struct sandbox_webhook *bc_webhook_create(struct bc_sandbox *sandbox);
void bc_webhook_destroy(struct sandbox_webhook *w); /* NULL is fine */
void bc_webhook_reset(struct sandbox_webhook *w);
/* allowed false: a required hook failed, timed out or said "exception": the order is not placed.
 * done is called exactly once for each ask: what bc_webhook_reset or bc_webhook_destroy ends gets
 * its done(ctx, false, ...) from there. order is borrowed during the call only. */
void bc_webhook_ask(struct sandbox_webhook *w, const json_t *order,
		    void (*done)(void *ctx, bool allowed, const char *message), void *ctx);

/* Routes. */
sandbox_handler bc_events_show, bc_events_set, bc_events_clear; /* /_sandbox/events */
sandbox_handler bc_events_emit;	 /* POST /_sandbox/events/emit: raw events, many at once */
sandbox_handler bc_journal_read; /* GET /events/... and /events-fast/... */
extern const struct sandbox_service bc_journal_service;
sandbox_handler bc_journal_show, bc_journal_set, bc_journal_clear; /* /_sandbox/journal */
sandbox_handler bc_journal_forget;				/* POST /_sandbox/journal/forget */
sandbox_handler bc_sender_show, bc_sender_set, bc_sender_clear; /* /_sandbox/sender */
sandbox_handler bc_sender_rotate;   /* POST /_sandbox/sender/rotate: new keys at new paths */
sandbox_handler bc_sender_key;	    /* GET /prod/keys/pub-key-UUID.pem */
sandbox_handler bc_sender_validate; /* GET /csm/registrations/validate */
extern const struct sandbox_service bc_sender_service;		   /* whose paths these two are */
sandbox_handler bc_webhook_show, bc_webhook_set, bc_webhook_clear; /* /_sandbox/webhook */
sandbox_handler bc_webhook_rotate; /* POST /_sandbox/webhook/rotate: a new key pair */

#endif
