/* SPDX-License-Identifier: MIT */
/*
 * Adobe I/O Events, as bytes: envelopes (CloudEvents 1.0), signatures, the journal's pages and
 * links. No I/O: whoever fetches keys and pages is elsewhere.
 *
 * Sources: developer.adobe.com/events (guides, journaling API, support/faq); CloudEvents 1.0; RFC
 * 8288 (Link).
 */
#ifndef BC_PROTOCOL_EVENTS_H
#define BC_PROTOCOL_EVENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* --- envelopes ------------------------------------------------------------------------------- */

/* Borrowed from the document. Absent texts and NULL: it did not say. */
struct bc_event {
	struct bc_str id;	 /* of the event: the same on each attempt */
	struct bc_str client_id; /* recipientclientid, else recipient_client_id */
	struct bc_str type;
	struct bc_str time;	/* when it came to be: RFC 3339 */
	struct bc_str position; /* in a journal */
	/* What it says of an order, for bc_commerce_order_read: data.value. NULL: its type is none
	 * of an order's, or it says nothing. */
	const json_t *order;
};

/* What came in one delivery, or stands on one page. */
struct bc_event_list {
	json_t *document;	 /* owned */
	struct bc_event *events; /* in the arena */
	size_t count;
};
enum { BC_EVENTS_MAX = 2000 }; /* of one list; a delivery has at most 20, a page 1.5 MB */

/* A delivery: one envelope, or an array of them. 0; BC_EINVAL (not JSON, neither object nor array,
 * an element that is no object); BC_ETOOBIG; BC_ENOMEM. */
BC_MUST_CHECK int bc_events_read(struct bc_str body, struct bc_arena *arena,
				 struct bc_event_list *ret_list, struct bc_err *err);
/* A page of the journal: {"events":[{"position","event"}]}. As above; an event without a position
 * is BC_EINVAL. */
BC_MUST_CHECK int bc_journal_page_read(struct bc_str body, struct bc_arena *arena,
				       struct bc_event_list *ret_list, struct bc_err *err);
void bc_event_list_finish(struct bc_event_list *list); /* all zero is fine */

/* Does the type tell of an order? Compared by its tail: "com.adobe.commerce." may be followed by an
 * app's id. observer.sales_order_save_commit_after, observer.sales_order_save_after,
 * observer.checkout_submit_all_after, plugin.sales.api.order_management.place,
 * plugin.sales.api.order_repository.save; the plugins with "magento." too. */
bool bc_event_is_order(struct bc_str type);

/* --- signatures ------------------------------------------------------------------------------ */

/* May a key be fetched from this path? "PREFIXpub-key-NAME.pem" and nothing else; prefix is
 * "/prod/keys/". A name is 1 to 64 letters, digits and dashes: a UUID as documented, and on the
 * wire also ten letters and digits. */
bool bc_event_key_path_ok(struct bc_str path, const char *prefix);

/* A public key, read once (0.1 ms) for many checks (0.02 ms each): a stranger may ask for as many
 * as he likes. Used by one thread at a time. */
struct bc_public_key;
/* pem: RSA of 2048 to 8192 bits, SPKI ("PUBLIC KEY"); all of it may stand on one line, parted by
 * blanks or "\n" written out, as a settings file has it. 0; BC_EINVAL: it is none; BC_ENOMEM. */
BC_MUST_CHECK int bc_public_key_read(struct bc_str pem, struct bc_public_key **ret_key,
				     struct bc_err *err);
void bc_public_key_destroy(struct bc_public_key *key); /* NULL is fine */

/* PKCS#1 v1.5 with SHA-256 over the bytes of text; signature in base64 (the standard alphabet,
 * padded, no blanks). 1: good; 0: not (also for a signature that is none); BC_ENOMEM. */
BC_MUST_CHECK int bc_signature_check(struct bc_str text, struct bc_str signature,
				     const struct bc_public_key *key);

/* Commerce's webhooks are signed over the base64 text of the body. As bc_signature_check. */
BC_MUST_CHECK int bc_webhook_signature_check(struct bc_str body, struct bc_str signature,
					     const struct bc_public_key *key);

/* May this validation URL be followed? Only below base (same scheme, host and port, and its path if
 * it has one), without a user, and without anything that two readers could take differently. */
bool bc_event_validation_url_ok(struct bc_str url, const char *base);

/* --- the journal's links --------------------------------------------------------------------- */

/* The target of rel among Link fields (several joined by ", "), against the URL that was asked.
 * Only what stays on that URL's scheme, host and port is followed. 0 and an owned URL; BC_ENOENT:
 * there is no such link; BC_EINVAL: it leads elsewhere, or is none; BC_ENOMEM. */
BC_MUST_CHECK int bc_link_find(struct bc_str fields, const char *rel, const char *asked_url,
			       char **ret_url);

#endif
