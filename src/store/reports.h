/* SPDX-License-Identifier: MIT */
/*
 * What the store is told of orders: that one was placed, that it was taken back, and pages of both.
 * Whoever reports may do so again, late, and in any order; what an order comes to is decided here.
 */
#ifndef BC_STORE_REPORTS_H
#define BC_STORE_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/rows.h"

/* How an accepted order came out. */
enum bc_accept_result {
	BC_ACCEPT_CREATED,  /* a new row: pending, or unattributed */
	BC_ACCEPT_ADOPTED,  /* was unattributed; what came now gave it its click: pending */
	BC_ACCEPT_REPEATED, /* known: the stored row stands */
	BC_ACCEPT_CONFLICT  /* known with another token: the stored row stands */
};

/*
 * Accepting an order, in one transaction:
 *  1. Known order: a token named by the caller that differs in hash from the stored one is
 * CONFLICT; an unattributed row goes to 2 and is ADOPTED if that finds a click; else REPEATED.
 *  2. Resolve: token as given; else click by id; else the newest click of the session. A click
 * counts while now < expires_ms (by the caller's now_ms). None: unattributed, with the reason "no
 * click named", "unknown click", "no click for this session" or "click expired" (the last one wins
 * over the others when both a click and a session were given).
 *  3. The token's hash already belongs to another order of the partner: unattributed, reason
 *     "click used by order X". That stays so when the token itself was cleared.
 *  4. Otherwise pending, due at due_ms, partner and product = the click's, else the given ones.
 * Whatever was given (click id, session hash) stays on an unattributed row so that a late click
 * finds it; a repeated report that still finds none adds what it names. A late click goes to the
 * newest such row that is not there because its click was used.
 */
struct bc_accept {
	struct bc_str order;
	struct bc_str partner,
		product; /* product: the default one to use when the click has none of its own */
	struct bc_str token;		   /* absent = not given */
	uint8_t token_hash[BC_HASH_BYTES]; /* of token, when given */
	bool is_test;			   /* of token, when given */
	bool has_click, has_session;
	uint8_t click[BC_CLICK_ID_BYTES];
	uint8_t session[BC_HASH_BYTES];
	bool session_implied; /* nobody named it: if it has no click, none was named */
	struct bc_str amount, currency;
	/* The hash key was changed: a session, or a used token, may be known under the former one.
	 */
	bool has_previous;
	uint8_t session_previous[BC_HASH_BYTES], token_hash_previous[BC_HASH_BYTES];
	uint64_t now_ms, due_ms, deadline_ms;
	/* Of Commerce; 0 when reported otherwise. entity_id is stored where none is and the edition
	 * is the stored one. A greater edition than the stored one replaces it, entity_id too:
	 * revoked_ms becomes 0, and an order that was cancelled because it was revoked becomes
	 * pending again if it has its token, else goes to 2; ADOPTED either way once it is pending.
	 * It keeps the token that it had: once that was cleared, only a click with the same one
	 * brings it back, and else it stays cancelled and says so. What the operator cancelled
	 * stays so. A smaller edition tells nothing of the stored one: it is REPEATED, or gives a
	 * row without a click one. */
	uint64_t entity_id;
	uint32_t edition;
};

/* The shop took the order back. */
struct bc_revoke {
	struct bc_str order;
	struct bc_str partner, product; /* for a row that must be made */
	uint64_t entity_id;
	uint32_t edition; /* of the order that was taken back */
	struct bc_str reason;
	uint64_t now_ms;
};
enum bc_revoke_result {
	/* Nothing had been handed back: now cancelled, with the reason. One that the operator had
	 * cancelled already keeps his reason, and revoked_ms is set. */
	BC_REVOKE_WITHDRAWN,
	/* Delivered, or on its way: revoked_ms and the reason are set. One that was sending is
	 * cancelled, with that reason, by any finish but a delivery, and by a release. */
	BC_REVOKE_LATE,
	/* It was not known: a cancelled row stands for it, so that a report that comes later makes
	 * no conversion. (Sources do not keep the order of events.) */
	BC_REVOKE_UNKNOWN,
	BC_REVOKE_REPEATED, /* taken back already; a greater edition than the stored is noted */
	BC_REVOKE_REPLACED  /* a greater edition stands: nothing changed */
};

enum { BC_PAGE_ITEMS_MAX = 2000 };
/* One line of a page. What is filled is valid when the operation's result is 0. */
struct bc_page_item {
	enum { BC_PAGE_ACCEPT, BC_PAGE_REVOKE } what;
	union {
		struct bc_accept accept;
		struct bc_revoke revoke;
	} in;
	/* Filled: */
	union {
		enum bc_accept_result accepted;
		enum bc_revoke_result revoked;
	} how;
	struct bc_order order; /* the row as it stands then */
};

#endif
