/* SPDX-License-Identifier: MIT */
/*
 * What a store holds: clicks, orders and their conversions, attempts; and the numbers it knows
 * without counting. Plain data: who may read or keep it is said where it is passed (store.h).
 */
#ifndef BC_STORE_ROWS_H
#define BC_STORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/str.h"

enum { BC_CLICK_ID_BYTES = 16, BC_ORDER_ID_MAX = 128, BC_LABEL_MAX = 64 };

/* A conversion moves pending -> sending -> delivered | rejected | expired | cancelled. */
enum bc_order_state {
	BC_ORDER_UNATTRIBUTED, /* an order without a click; adopted when its click turns up in time
				*/
	BC_ORDER_PENDING,      /* due at due_ms; moved in by accept, retry outcome, requeue; out by
				  lease, cancel, expiry */
	BC_ORDER_SENDING, /* leased until lease_ms; out by finish, or back to pending by release */
	BC_ORDER_DELIVERED,
	BC_ORDER_REJECTED, /* hopeless; requeue brings it back */
	BC_ORDER_EXPIRED,  /* past its deadline; requeue brings it back */
	BC_ORDER_CANCELLED /* withdrawn; requeue brings it back */
};
enum { BC_ORDER_STATES = 7, BC_ORDER_STATE_ANY = -1 };
const char *bc_order_state_name(enum bc_order_state state);
BC_MUST_CHECK int bc_order_state_parse(struct bc_str name, enum bc_order_state *ret_state);

/* The comment on the order in Commerce, which says what became of its conversion. */
enum bc_comment_state { BC_COMMENT_NONE, BC_COMMENT_DUE, BC_COMMENT_DONE, BC_COMMENT_GIVEN_UP };

struct bc_click {
	uint8_t id[BC_CLICK_ID_BYTES];
	bool has_session;
	uint8_t session[BC_HASH_BYTES]; /* keyed hash; the session itself is never stored */
	struct bc_str token; /* empty in a stored one that was used and cleaned up; given: never */
	uint8_t token_hash[BC_HASH_BYTES];
	bool is_test;
	struct bc_str partner, product;	  /* product: label */
	uint64_t captured_ms, expires_ms; /* wall clock */
};

/* An order and, when it has a click, its conversion. Absent slices and 0 times are "none". */
struct bc_order {
	struct bc_str order; /* the shop's id, 1 to BC_ORDER_ID_MAX bytes */
	enum bc_order_state state;
	/* Why unattributed, rejected, expired or cancelled; delivered or sending: why the shop took
	 * it back. */
	struct bc_str reason;
	struct bc_str partner, product;
	struct bc_str token; /* absent once cleared */
	bool has_token_hash;
	uint8_t token_hash[BC_HASH_BYTES];
	bool is_test;
	bool has_click, has_session;
	uint8_t click[BC_CLICK_ID_BYTES]; /* the click's id when it came by id or session */
	uint8_t session[BC_HASH_BYTES];
	uint64_t click_ms;		/* when the click was captured; 0 = not known */
	struct bc_str amount, currency; /* as text, exactly as reported */
	uint64_t created_ms, updated_ms;
	uint64_t due_ms; /* pending: next attempt */
	/* After it, pending becomes expired. While its lane stands, the length of the stand that
	 * runs comes on top. */
	uint64_t deadline_ms;
	uint64_t lease_ms;    /* sending: until when */
	uint64_t finished_ms; /* when it reached its final state */
	/* Of an order of Adobe Commerce. */
	uint64_t entity_id; /* what its REST API calls it; 0 = not known */
	uint32_t edition;   /* an edited order replaces the one before: "000000318-2" is 2; 0 = as
			       it was placed */
	/* When the shop took it back; 0 = it did not. On a delivered one: that was too late. On a
	 * cancelled one: finished_ms is not before it, unless the operator had cancelled it first.
	 * No order of another state but sending has it. */
	uint64_t revoked_ms;
	enum bc_comment_state comment;
	uint32_t attempts;
	uint32_t failures; /* attempts since the last requeue that count for back-off */
	uint64_t row;	   /* the engine's cursor for lists, grows with creation */
};

/* One HTTP request for a conversion. Recorded, as unknown, before it leaves. */
struct bc_attempt {
	uint32_t n; /* 1 = the first */
	uint64_t at_ms;
	int status;  /* 0 = no answer */
	int outcome; /* enum bc_outcome */
	uint64_t duration_ms;
	struct bc_str error;	       /* what went wrong below HTTP, or the answer's meaning */
	struct bc_str key_fingerprint; /* which key was used */
};

struct bc_store_counts {
	uint64_t orders[BC_ORDER_STATES];
	uint64_t clicks;
};

struct bc_lane_count {
	struct bc_str partner, product;
	uint64_t pending, sending;
	uint64_t oldest_ms;   /* created_ms of the oldest pending one; 0 = none */
	uint64_t next_due_ms; /* earliest due_ms of the pending ones; 0 = none */
	/* As PUT_LANE left it; state is absent when it never did. */
	struct bc_str state, reason;
	bool stands;
	uint64_t since_ms, until_ms;
};

/* The spans of time that return rates are told over: 1 h, 24 h, 7 d. */
enum { BC_WINDOWS = 3 };
extern const uint64_t bc_window_ms[BC_WINDOWS];
extern const char *const bc_window_name[BC_WINDOWS]; /* "1h", "24h", "7d" */

/* Conversions of one product by the state they are in, of those whose order was created within the
 * last bc_window_ms[i] (in steps of five minutes: what is up to that much older may count). One
 * that is ahead of the clock, by seven days at most, counts as of now. */
struct bc_return_count {
	struct bc_str partner, product;
	uint64_t orders[BC_WINDOWS][BC_ORDER_STATES]; /* unattributed: always 0 */
};

/* What came, and what became of it, by steps of time: oldest first, the last step is the one that
 * runs. One that is ahead of the clock, by as much as the steps reach back, counts as of now. */
struct bc_history_product {
	struct bc_str partner, product;
	uint32_t *orders; /* conversions that were not cancelled, by when the order was created */
	uint32_t *delivered; /* those of them that are delivered now */
};
struct bc_history {
	uint64_t from_ms; /* when the first step begins */
	uint32_t *clicks; /* as they were captured; of them: */
	uint32_t *test_clicks;
	uint32_t *orders;		     /* as they were reported, those without a click too */
	uint32_t *conversions;		     /* those with a click, by when the order was created */
	uint32_t *delivered;		     /* those of them that are delivered now */
	struct bc_history_product *products; /* those with a conversion in any step */
	uint32_t product_count;
};

#endif
