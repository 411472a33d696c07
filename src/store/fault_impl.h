/* SPDX-License-Identifier: MIT */
/*
 * What the fault engine's two files share: a rule as it was read (fault_parse.c) and as it is kept
 * count of (fault.c). The notation stands in fault.c.
 */
#ifndef BC_STORE_FAULT_IMPL_H
#define BC_STORE_FAULT_IMPL_H

#include "store/engine.h"

enum fault_place {
	FAULT_OPEN,
	FAULT_BEGIN,
	FAULT_OPERATION,
	FAULT_COMMIT,
	FAULT_TEND,
	FAULT_PLACES
};

/* One kind of failure. */
struct fault_what {
	const char *name;
	int codes[FAULT_PLACES]; /* what it answers there; 0: cannot happen there */
	enum bc_reach reach;
	bool lands; /* a commit is carried out, and then denied */
	const char *text, *hint;
};

enum { FAULT_RULES_MAX = 16 };

struct fault_rule {
	struct bc_str text; /* as it was written; borrowed from the spec */
	enum fault_place place;
	uint32_t kinds;		       /* at FAULT_OPERATION: which, a bit each */
	uint64_t first, last, every;   /* the calls that it strikes, from 1 on */
	const struct fault_what *what; /* NULL: it only stalls */
	uint32_t stall_ms;
	uint64_t calls; /* so far */
};

struct fault_rules {
	struct fault_rule rules[FAULT_RULES_MAX];
	size_t count;
};

/* spec outlives ret_rules. 0 or BC_EINVAL. */
BC_MUST_CHECK int fault_parse(struct bc_str spec, struct fault_rules *ret_rules,
			      struct bc_err *err);
/* 0, or BC_EINVAL: a rule asks for what an engine that undoes nothing cannot show. */
BC_MUST_CHECK int fault_check_undo(const struct fault_rules *rules, const struct bc_engine *inner,
				   struct bc_err *err);

/* The engine that is wrapped, and its handle: for tests that look at rows. */
const struct bc_engine *bc_fault_inner(void *engine, void **ret_handle);

#endif
