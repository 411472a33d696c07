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

enum { BC_PURGE_ROWS_DEFAULT = 1000, BC_LIST_ROWS_MAX = 1000 };

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
	/* Which order holds the token. */
	int (*find_token)(void *e, struct bc_str partner, const uint8_t *hash,
			  struct bc_arena *arena, struct bc_str *ret_order);
	/* The newest unattributed order that waits for this click or its session. */
	int (*find_unclaimed)(void *e, const struct bc_click *click, uint64_t since_ms,
			      struct bc_arena *arena, struct bc_order *ret_order);
	int (*put_click)(void *e, const struct bc_click *click, bool *ret_replaced);
	int (*insert_order)(void *e, struct bc_order *order); /* fills row */
	/* Writes every field of an order that was unattributed. */
	int (*claim_order)(void *e, const struct bc_order *order);
	/* Writes what a move changes: state, reason, times, counts, and whether there is a token.
	 */
	int (*move_order)(void *e, enum bc_order_state from, const struct bc_order *order);
	/* The attempt of a lease; then what it came to. */
	int (*insert_attempt)(void *e, const struct bc_order *order,
			      const struct bc_attempt *attempt);
	int (*update_attempt)(void *e, const struct bc_order *order,
			      const struct bc_attempt *attempt);
};

/* Is the operation well formed? 0 or BC_EINVAL, BC_ETOOBIG with its text. */
BC_MUST_CHECK int bc_rule_check(const struct bc_store_op *op, struct bc_err *err);

/* Whole operations. 0 (op->result, op->out filled), or the engine's fault. */
BC_MUST_CHECK int bc_rule_accept(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
/* scratch: for what the operation looks up and does not return. */
BC_MUST_CHECK int bc_rule_put_click(const struct bc_rule_rows *rows, void *e,
				    struct bc_store_op *op, struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_finish(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op,
				 struct bc_arena *scratch);
BC_MUST_CHECK int bc_rule_cancel(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
BC_MUST_CHECK int bc_rule_requeue(const struct bc_rule_rows *rows, void *e, struct bc_store_op *op);
/* lease.only_order. */
BC_MUST_CHECK int bc_rule_lease_only(const struct bc_rule_rows *rows, void *e,
				     struct bc_store_op *op);

/* Leases order, which is due: moves it and records the attempt as unknown. 0 or a fault. */
BC_MUST_CHECK int bc_rule_lease(const struct bc_rule_rows *rows, void *e,
				const struct bc_store_op *op, struct bc_order *order);
/* What a bulk move makes of one order; the caller chose it and writes it. */
void bc_rule_make_due(struct bc_order *order, uint64_t now_ms, uint64_t deadline_ms);
void bc_rule_release(struct bc_order *order, uint64_t now_ms);
void bc_rule_expire(struct bc_order *order, uint64_t now_ms);

/* May a requeue by selector take it? want_state: the selector's. */
bool bc_rule_requeues(const struct bc_order *order, int want_state);
bool bc_rule_is_past(const struct bc_order *order, uint64_t now_ms); /* its deadline */
bool bc_rule_is_final(enum bc_order_state state);
/* Does this unattributed order wait for a late click? */
bool bc_rule_is_adoptable(const struct bc_order *order, uint64_t since_ms);
uint32_t bc_rule_list_limit(const struct bc_order_selector *select);
uint32_t bc_rule_purge_limit(const struct bc_store_op *op);

#endif
