/* SPDX-License-Identifier: MIT */
/*
 * Faults on demand: a small language that says which request goes wrong, and how.
 *
 *	POST /ext/?* status=503 retry-after=2 first=3, delay=2s every=2
 *
 * A spec is a list of rules, separated by commas or line ends. A rule is a list of words, separated
 * by spaces or semicolons: a method and a path pattern, both optional, then the fault, then what
 * shapes it and which requests it hits. Values with blanks or commas stand in quotes of either
 * kind. Words, arguments and help are one table (bc_fault_word_at), from which the parser, its
 *hints and the manual come.
 *
 * No I/O and no clock here: times come in, decisions go out. One owner, one thread.
 */
#ifndef BC_SANDBOX_FAULTS_H
#define BC_SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { BC_FAULT_RULES_MAX = 64, BC_FAULT_SPEC_MAX = 8192 };

enum bc_fault_kind {
	BC_FAULT_NONE,
	BC_FAULT_DELAY,
	BC_FAULT_STATUS,
	BC_FAULT_REDIRECT,
	BC_FAULT_WRONG_ECHO,
	BC_FAULT_EMPTY_BODY,
	BC_FAULT_HTML,
	BC_FAULT_HALF_HEAD,
	BC_FAULT_HALF_BODY,
	BC_FAULT_TRICKLE,
	BC_FAULT_GARBAGE,
	BC_FAULT_HANG,
	BC_FAULT_CLOSE,
	BC_FAULT_RESET_BEFORE,
	BC_FAULT_RESET_AFTER,
	BC_FAULT_ACCEPT_RESET
};
enum { BC_FAULT_KINDS = BC_FAULT_ACCEPT_RESET + 1 };

/* What to do with one request. Texts are borrowed from the rules: copy what outlives them. */
struct bc_fault_action {
	enum bc_fault_kind kind;
	const char *name;	 /* "status"; static; NULL for none */
	bool taken;		 /* do the ordinary work first, then go wrong */
	int status;		 /* of status and redirect */
	uint64_t chunk_bytes;	 /* of trickle */
	uint64_t chunk_ms;	 /* of trickle */
	const char *retry_after; /* "2", "date:2s" or any text; NULL = no header */
	const char *message;	 /* instead of the status's documented message; NULL = that */
	const char *body;	 /* instead of a message; NULL */
	const char *type;	 /* content type of that body; NULL = the usual */
	const char *header;	 /* one more header line; NULL */
	const char *to;		 /* where a redirect leads; NULL = "/redirected" */
};

/* What a rule can look at. Absent slices and NULL: the request has no such thing. */
struct bc_fault_request {
	const char *method;
	struct bc_str path;
	struct bc_str token;
	struct bc_str product;
	const char *key_fingerprint; /* needed only if bc_faults_need_key */
};

struct bc_fault_plan {
	uint64_t delay_ms; /* wait so long first; delays of several rules add up */
	struct bc_fault_action action;
};

struct bc_faults;

/*
 * Reads a spec; an empty one gives no rules. now_ms: elapsed clock, from which `for` and `after`
 * count. Result: 0; BC_EINVAL, with a hint that shows the right spelling; BC_ETOOBIG (more than
 * BC_FAULT_SPEC_MAX bytes or BC_FAULT_RULES_MAX rules); BC_ENOMEM.
 */
BC_MUST_CHECK int bc_faults_create(struct bc_str spec, uint64_t now_ms,
				   struct bc_faults **ret_faults, struct bc_err *err);
void bc_faults_destroy(struct bc_faults *f); /* NULL is fine */

/* Rules are asked in order: every delay that fires adds up, the first other fault that fires
 * decides, rules behind it do not see the request. */
void bc_faults_decide(struct bc_faults *f, const struct bc_fault_request *req, uint64_t now_ms,
		      struct bc_fault_plan *ret_plan);
/* A connection was accepted: is it to be reset before anything is read? */
bool bc_faults_reset_connection(struct bc_faults *f, uint64_t now_ms);
/* Does any rule look at the key's fingerprint? */
bool bc_faults_need_key(const struct bc_faults *f);

struct bc_fault_view {
	struct bc_str text; /* the rule as written */
	uint64_t seen;	    /* requests (connections for reset-before) that fitted it */
	uint64_t fired;
	bool over; /* can never fire again */
};
size_t bc_faults_count(const struct bc_faults *f);
void bc_faults_view(const struct bc_faults *f, size_t index, uint64_t now_ms,
		    struct bc_fault_view *ret_view);

/* The language, for help texts and for the test that holds the manual to it. */
enum bc_fault_role { BC_FAULT_WHAT, BC_FAULT_SHAPE, BC_FAULT_SELECTOR };
struct bc_fault_word {
	enum bc_fault_role role;
	const char *name;
	const char *arg; /* "=CODE"; "[=CODE]" when it may be left out; "" when it takes none */
	const char *help;
};
/* Row index of the table, NULL behind the last. */
const struct bc_fault_word *bc_fault_word_at(size_t index);

/* '*' fits any run of bytes, '/' included, '?' any one; everything else itself. */
bool bc_glob_match(const char *glob, struct bc_str text);

#endif
