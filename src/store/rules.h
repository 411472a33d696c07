/* SPDX-License-Identifier: MIT */
/*
 * What operations mean, once for every engine that can look up a row while it works: how an order
 * finds its click, and how a conversion moves from state to state. An engine brings the rows
 * (struct bc_rule_rows); the rules bring the decisions. Nothing here knows SQL, and no engine
 * decides.
 */
#ifndef BC_STORE_RULES_H
#define BC_STORE_RULES_H

#include "store/store.h"

/* Why an order has no click. Exact words: they reach the shop. */
#define BC_REASON_NO_CLICK_NAMED "no click named"
#define BC_REASON_UNKNOWN_CLICK	 "unknown click"
#define BC_REASON_NO_SESSION	 "no click for this session"
#define BC_REASON_CLICK_EXPIRED	 "click expired"
#define BC_REASON_CLICK_USED	 "click used by order " /* followed by the order */
#define BC_REASON_DEADLINE	 "deadline passed"

enum {
	BC_PURGE_ROWS_DEFAULT = 1000,
	BC_LIST_ROWS_MAX = 1000,
	BC_COMMENT_ROWS_DEFAULT = 100,
	BC_BLANK_CLICKS_MAX = 100,
	/* What one list, or one requeue with a limit, looks at: some 10 ms, 20 on a slow disk. */
	BC_LOOK_ROWS_MAX = 20000
};

/* How a lane stands: what the last PUT_LANE left. On the heap, one block. */
struct bc_lane_record {
	struct bc_str state, reason; /* in texts */
	bool stands;
	uint64_t since_ms;	 /* of state */
	uint64_t until_ms;	 /* as it was put */
	uint64_t stood_ms;	 /* in all, without the stand that runs */
	uint64_t stood_since_ms; /* while it stands: of the stand that runs */
	char texts[];
};
/* NULL without memory. */
BC_MUST_CHECK struct bc_lane_record *bc_lane_record_dup(const struct bc_lane_record *from);

/*
 * An engine's rows. Look-ups: 1 found, 0 absent; the rest 0. Negative: the engine's fault, which
 * ends the operation and is handed through. Strings of what is found live in arena.
 */
struct bc_rule_rows {
	int (*find_order)(void *e, struct bc_str order, struct bc_arena *arena,
			  struct bc_order *ret_order);
	int (*find_click)(void *e, const uint8_t *id, struct bc_arena *arena,
			  struct bc_click *ret_click);
	/* The one captured last; of two at the same time, the one put last. */
	int (*find_session_click)(void *e, const uint8_t *session, struct bc_arena *arena,
				  struct bc_click *ret_click);
	/* Borrowed until its lane is put; NULL when it never was. */
	const struct bc_lane_record *(*find_lane)(void *e, struct bc_str partner,
						  struct bc_str product);
	/* Which order holds the token. */
	int (*find_token)(void *e, struct bc_str partner, const uint8_t *hash,
			  struct bc_arena *arena, struct bc_str *ret_order);
	/* The newest unattributed order that waits for this click or its session. */
	int (*find_unclaimed)(void *e, const struct bc_click *click, uint64_t since_ms,
			      struct bc_arena *arena, struct bc_order *ret_order);
	int (*put_click)(void *e, const struct bc_click *click, bool *ret_replaced);
	int (*insert_order)(void *e, struct bc_order *order); /* fills row */
	/* Writes every field of an order that was unattributed, but for those of mark_order. */
	int (*claim_order)(void *e, const struct bc_order *order);
	/* Writes what a move changes: state, reason, times, counts, and whether there is a token.
	 */
	int (*move_order)(void *e, enum bc_order_state from, const struct bc_order *order);
	/* Writes what only an order of Commerce has: entity_id, edition, revoked_ms, comment. Apart
	 * from move_order, which every order pays for; after it, and an engine that cannot undo
	 * never fails here. */
	int (*mark_order)(void *e, const struct bc_order *order);
	/* Gives an order back the token that was cleared; its hash is the same. */
	int (*restore_token)(void *e, const struct bc_order *order);
	/* Takes the token, the click and the session from a final order, as bc_rule_clear left it.
	 */
	int (*clear_order)(void *e, const struct bc_order *order);
	/* Empties the token of the order's click, and of the newest BC_BLANK_CLICKS_MAX clicks of
	 * its session that hold the same (a landing page was loaded again); hashes and rows stay.
	 */
	int (*blank_clicks)(void *e, const struct bc_order *order);
	/* The attempt of a lease; then what it came to. */
	int (*insert_attempt)(void *e, const struct bc_order *order,
			      const struct bc_attempt *attempt);
	int (*update_attempt)(void *e, const struct bc_order *order,
			      const struct bc_attempt *attempt);
	int (*put_meta)(void *e, struct bc_str key, struct bc_str value);
};

/* Is the operation well formed? 0 or BC_EINVAL, BC_ETOOBIG with its text. */
BC_MUST_CHECK int bc_rule_check(const struct bc_store_op *op, struct bc_err *err);

/* Whole operations. 0 (op->result, op->out filled), or the engine's fault. */
BC_MUST_CHECK int bc_rule_accept(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
BC_MUST_CHECK int bc_rule_take_page(const struct bc_rule_rows *rows, void *e,
				    struct bc_store_op *op);
/* scratch: for what the operation looks up and does not return. */
BC_MUST_CHECK int bc_rule_put_click(const struct bc_rule_rows *rows, void *e,
				    struct bc_store_op *op, struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_bind_click(const struct bc_rule_rows *rows, void *e,
				     struct bc_store_op *op, struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_put_comment(const struct bc_rule_rows *rows, void *e,
				      struct bc_store_op *op, struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_finish(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
				 struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_cancel(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
BC_MUST_CHECK int bc_rule_requeue(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
/* lease.only_order. */
BC_MUST_CHECK int bc_rule_lease_only(const struct bc_rule_rows *rows, void *e,
				     struct bc_store_op *op);

/* lease.except: is it among them? */
bool bc_rule_is_excepted(const struct bc_store_op *op, struct bc_str order);

/* Leases order, which is due: moves it and records the attempt as unknown. 0 or a fault. */
BC_MUST_CHECK int bc_rule_lease(const struct bc_rule_rows *rows, void *e,
				const struct bc_store_op *op, struct bc_order *order);
/* One step of a bulk move: what it makes of one order, which the caller chose. 0 or a fault. */
BC_MUST_CHECK int bc_rule_make_due(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
				   uint64_t now_ms, uint64_t deadline_ms);
BC_MUST_CHECK int bc_rule_release(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
				  uint64_t now_ms);
BC_MUST_CHECK int bc_rule_expire(const struct bc_rule_rows *rows, void *e, struct bc_order *order,
				 uint64_t now_ms);

/* Is there anything that a purge takes from this order; and taking it. 0 or a fault. */
bool bc_rule_clears(const struct bc_order *order, uint64_t before_ms);
BC_MUST_CHECK int bc_rule_clear(const struct bc_rule_rows *rows, void *e, struct bc_order *order);

/* May a purge delete it? No conversion came of it, and nobody withdrew it by hand. */
bool bc_rule_forgets(const struct bc_order *order, uint64_t before_ms);

/* Does the selector name it? Its cursor and its limit aside. */
bool bc_rule_selects(const struct bc_order_selector *select, const struct bc_order *order);
/* May a requeue by selector take it, of those that it names? */
bool bc_rule_requeues(const struct bc_order *order, const struct bc_order_selector *select);
bool bc_rule_is_final(enum bc_order_state state);
/* Ends an order, or a conversion, in a final state. */
void bc_rule_end(struct bc_order *order, const struct bc_lane_record *lane,
		 enum bc_order_state state, struct bc_str reason, uint64_t now_ms);
/* A comment is due only while its order is delivered or rejected: to be called before it leaves
 * that. True: there was one, and the order is to be marked. */
bool bc_rule_drop_comment(struct bc_order *order);
/* Does this unattributed order wait for a late click? */
bool bc_rule_is_adoptable(const struct bc_order *order, uint64_t since_ms);

/* What PUT_LANE makes of a lane's record: a new one, NULL without memory. before: NULL if none. */
BC_MUST_CHECK struct bc_lane_record *bc_rule_put_lane(const struct bc_lane_record *before,
						      const struct bc_store_op *op);
/* What the lane's clock shows; lane: NULL if it was never put. See rules_lane.c on lane time. */
uint64_t bc_rule_lane_ms(const struct bc_lane_record *lane, uint64_t now_ms);
/* Sets the deadline of an open conversion, from wall time; 0: none. */
void bc_rule_open_deadline(struct bc_order *order, const struct bc_lane_record *lane,
			   uint64_t deadline_ms, uint64_t now_ms);
/* Makes it wall time; before an open conversion ends. */
void bc_rule_close_deadline(struct bc_order *order, const struct bc_lane_record *lane,
			    uint64_t now_ms);
/* Has an open conversion's deadline passed? */
bool bc_rule_is_past(const struct bc_order *order, const struct bc_lane_record *lane,
		     uint64_t now_ms);
/* Makes the deadlines of an answer wall time: the last thing that is done to an operation. */
void bc_rule_answer(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);

bool bc_rule_same_text(struct bc_str a, struct bc_str b); /* absent is empty */
uint32_t bc_rule_list_limit(const struct bc_order_selector *select);
uint32_t bc_rule_comment_limit(const struct bc_store_op *op);
/* How many rows a requeue by selector looks at. */
uint32_t bc_rule_requeue_look(const struct bc_order_selector *select);
uint32_t bc_rule_purge_limit(const struct bc_store_op *op);

#endif
