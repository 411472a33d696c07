/* SPDX-License-Identifier: MIT */
/*
 * What the rules share that give an order its click: who names which, whose it is already, and what
 * the order is once it has it.
 */
#ifndef BC_STORE_RULES_CLAIM_H
#define BC_STORE_RULES_CLAIM_H

#include "store/rules.h"

/* What a report names, found or not. */
struct bc_rule_claim {
	struct bc_click click; /* its token, hash, partner, product */
	bool stored;	       /* it came by click id or session: it has an id and a time */
	struct bc_str reason;  /* absent = the click is this order's */
};

/* Token, then click, then session. 1: there is a click; 0: none, *reason says why; or a fault. */
BC_MUST_CHECK int bc_rule_resolve(const struct bc_rule_rows *rows, void *e,
				  const struct bc_accept *a, struct bc_arena *arena,
				  struct bc_rule_claim *claim, const char **reason);
/* Fills claim: a click that is free, or the reason why not. 0 or a fault. */
BC_MUST_CHECK int bc_rule_claim_click(const struct bc_rule_rows *rows, void *e,
				      const struct bc_accept *a, struct bc_arena *arena,
				      struct bc_rule_claim *claim);
/* Makes order the conversion of this click. */
void bc_rule_take_click(struct bc_order *order, const struct bc_click *click, uint64_t now_ms,
			uint64_t due_ms);
void bc_rule_name_click(struct bc_order *order, const uint8_t *id);

/* One report, alone or of a page. 0, with the answer, or a fault. */
BC_MUST_CHECK int bc_rule_accept_one(const struct bc_rule_rows *rows, void *e,
				     const struct bc_accept *in, struct bc_arena *arena,
				     enum bc_accept_result *ret_how, struct bc_order *ret_order);

#endif
