/* SPDX-License-Identifier: MIT */
/*
 * The engine that fails when it is told to, round any other: for tests of everything above, from
 * the store's own suite to a whole daemon. Without a rule it changes nothing.
 *
 *   fault:RULES:URL     RULES = RULE,RULE...  (none: fault::sqlite:PATH)
 *   RULE = WHERE[@WHEN]=WHAT, such as commit@3=eio
 *
 *   WHERE  open, begin, commit, tend; any, read, write, or an operation by name (accept-order):
 *          what it does is done and then undone, as when the failure is met half-way
 *   WHEN   which of the calls there, counted from 1: 3, 3+ from it on, 3-7, /3 every third; left
 *          out: each. A batch that is tried again counts again
 *   WHAT   refuse, nomem, damaged   this one alone (BC_REACH_OPERATION)
 *          full, eio                every write of now (BC_REACH_WRITES); nothing is kept
 *          unsure-lost, -landed     a commit that did not land, or did, and nobody knows
 *          fsync, fsync-landed      final (BC_REACH_FINAL); a commit did not land, or did
 *          busy                     open alone: another process holds it
 *          stall-250ms              nothing fails, it only takes that long
 *
 * Invariants: the wrapped engine sees a proper sequence of calls whatever fails: no commit without
 * a begin, no rollback of what it has committed. Every rule that matches a call counts it; the
 * first that strikes decides. On an engine that undoes nothing a rule that would need it is refused
 * at open.
 *
 * Left to others: saying aloud that a daemon runs on it (daemon/app_store.c).
 */
#include "store/fault_impl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

struct faults {
	char *spec; /* owned; the rules point into it */
	struct fault_rules rules;
	const struct bc_engine *inner;
	void *handle;	     /* inner's; owned */
	bool in_transaction; /* of inner: begun, neither committed nor rolled back */
};

/* --- striking ------------------------------------------------------------------------------ */

static void stall(uint32_t ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };
	while (nanosleep(&left, &left) && errno == EINTR)
		continue;
}

static bool matches(const struct fault_rule *rule, enum fault_place place, uint32_t kinds)
{
	return rule->place == place && (place != FAULT_OPERATION || (rule->kinds & kinds));
}

static bool strikes(const struct fault_rule *rule)
{
	return rule->calls >= rule->first && rule->calls <= rule->last &&
	       rule->calls % rule->every == 0;
}

/* Counts the call, and stalls where that is asked. Returns the rule that makes it fail, or NULL. */
static const struct fault_rule *next_call(struct faults *f, enum fault_place place, uint32_t kinds)
{
	const struct fault_rule *found = NULL;
	for (size_t i = 0; i < f->rules.count; i++) {
		struct fault_rule *rule = &f->rules.rules[i];
		if (!matches(rule, place, kinds))
			continue;
		rule->calls++;
		if (!strikes(rule))
			continue;
		if (!rule->what)
			stall(rule->stall_ms);
		else if (!found)
			found = rule;
	}
	return found;
}

static int describe(const struct fault_rule *rule, struct bc_err *err)
{
	const struct fault_what *what = rule->what;
	bc_err_clear(err);
	bc_err_set(err, what->codes[rule->place], "the store %s (fault \"%.*s\")", what->text,
		   (int)rule->text.len, rule->text.ptr);
	bc_err_hint(err, "%s", what->hint);
	return what->codes[rule->place];
}

static int fail(const struct fault_rule *rule, struct bc_engine_fault *fault)
{
	fault->reach = rule->what->reach;
	return describe(rule, &fault->err);
}

/* --- opening ------------------------------------------------------------------------------- */

/* Reads rest; what the rules point to belongs to the caller. */
static int read_url(const char *rest, char **ret_spec, struct fault_rules *ret_rules,
		    const struct bc_engine **ret_inner, const char **ret_inner_rest,
		    struct bc_err *err)
{
	struct bc_str url = bc_str_of(rest);
	bc_autofree char *spec = bc_str_dup(bc_str_split(&url, ':'));
	if (!spec)
		return bc_err_nomem(err);
	*ret_inner = url.ptr ? bc_engine_find(url.ptr, ret_inner_rest) : NULL;
	if (!*ret_inner) {
		bc_err_set(err, BC_EINVAL, "\"%s\" names no store that faults could wrap", rest);
		bc_err_hint(err, "write fault:RULES:URL, such as fault:commit@3=eio:sqlite:PATH");
		return BC_EINVAL;
	}
	int result = fault_parse(bc_str_of(spec), ret_rules, err);
	if (result == 0)
		result = fault_check_undo(ret_rules, *ret_inner, err);
	*ret_spec = bc_take(spec);
	return result;
}

static int faults_check(const char *rest, struct bc_err *err)
{
	bc_autofree char *spec = NULL;
	struct fault_rules rules;
	const struct bc_engine *inner;
	const char *inner_rest;
	int result = read_url(rest, &spec, &rules, &inner, &inner_rest, err);
	return result || !inner->check ? result : inner->check(inner_rest, err);
}

static void faults_close(void *engine)
{
	struct faults *f = engine;
	if (f->handle)
		f->inner->close(f->handle);
	free(f->spec);
	free(f);
}

static int open_inner(struct faults *f, const char *rest, const struct bc_clock *clock,
		      struct bc_err *err)
{
	const char *inner_rest = NULL;
	int result = read_url(rest, &f->spec, &f->rules, &f->inner, &inner_rest, err);
	if (result)
		return result;
	const struct fault_rule *rule = next_call(f, FAULT_OPEN, 0);
	if (rule)
		return err ? describe(rule, err) : rule->what->codes[FAULT_OPEN];
	result = f->inner->open(inner_rest, clock, &f->handle, err);
	if (result)
		f->handle = NULL;
	return result;
}

static int faults_open(const char *rest, const struct bc_clock *clock, void **ret_engine,
		       struct bc_err *err)
{
	struct faults *f = calloc(1, sizeof(*f));
	int result = f ? open_inner(f, rest, clock, err) : bc_err_nomem(err);
	if (result == 0)
		*ret_engine = f;
	else if (f)
		faults_close(f);
	return result;
}

const struct bc_engine *bc_fault_inner(void *engine, void **ret_handle)
{
	struct faults *f = engine;
	*ret_handle = f->handle;
	return f->inner;
}

/* --- transactions -------------------------------------------------------------------------- */

static int begin(void *engine, struct bc_engine_fault *fault)
{
	struct faults *f = engine;
	const struct fault_rule *rule = next_call(f, FAULT_BEGIN, 0);
	if (rule)
		return fail(rule, fault);
	f->in_transaction = true;
	return f->inner->begin(f->handle, fault);
}

static int commit(void *engine, struct bc_engine_fault *fault)
{
	struct faults *f = engine;
	const struct fault_rule *rule = next_call(f, FAULT_COMMIT, 0);
	if (rule && !rule->what->lands)
		return fail(rule, fault);
	int result = f->inner->commit(f->handle, fault);
	if (result)
		return result;
	f->in_transaction = false;
	return rule ? fail(rule, fault) : 0;
}

static void rollback(void *engine)
{
	struct faults *f = engine;
	if (f->in_transaction)
		f->inner->rollback(f->handle);
	f->in_transaction = false;
}

static int apply(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	struct faults *f = engine;
	const struct fault_rule *rule =
		next_call(f, FAULT_OPERATION, UINT32_C(1) << (unsigned)op->kind);
	if (rule && f->inner->undoes_nothing) {
		op->result = describe(rule, &op->err);
		return 0;
	}
	int result = f->inner->apply(f->handle, op, fault);
	return result || !rule ? result : fail(rule, fault);
}

static uint32_t tend(void *engine, bool idle, struct bc_engine_fault *fault)
{
	struct faults *f = engine;
	const struct fault_rule *rule = next_call(f, FAULT_TEND, 0);
	if (rule) {
		(void)fail(rule, fault);
		return BC_TEND_NEVER;
	}
	return f->inner->tend ? f->inner->tend(f->handle, idle, fault) : BC_TEND_NEVER;
}

static bool measure(void *engine, uint64_t *ret_bytes, uint64_t *ret_free_bytes)
{
	struct faults *f = engine;
	return f->inner->measure && f->inner->measure(f->handle, ret_bytes, ret_free_bytes);
}

const struct bc_engine bc_engine_faults = {
	.name = "fault",
	.help = "round another one, fails when it is told to; for tests: fault:commit@3=eio:URL",
	.check = faults_check,
	.open = faults_open,
	.close = faults_close,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.apply = apply,
	.tend = tend,
	.measure = measure,
};
