/* SPDX-License-Identifier: MIT */
/*
 * Which fault rule fires for a request. A rule first has to fit (method, path, token, product, key)
 * and be within its time window; each such request counts as seen, and first, skip, every and
 * probability decide by that count, so that a spec plays the same way on every run. What the words
 * mean is read in faults_parse.c; what is done with a firing rule is answer.c's.
 */
#include "sandbox/faults.h"

#include <string.h>

#include "base/err.h"
#include "sandbox/faults_rule.h"

bool bc_glob_match(const char *glob, struct bc_str text)
{
	const char *star = NULL; /* behind the last '*' met */
	size_t at = 0, retry = 0;

	while (at < text.len) {
		if (*glob == '*') {
			star = ++glob;
			retry = at;
		} else if (*glob == '?' || (*glob != '\0' && *glob == text.ptr[at])) {
			glob++;
			at++;
		} else if (star) {
			glob = star;
			at = ++retry;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

static bool word_fits(const char *glob, struct bc_str text)
{
	return !glob || (text.ptr && bc_glob_match(glob, text));
}

static bool rule_fits(const struct fault_rule *r, const struct bc_fault_request *req)
{
	return (!r->method || strcmp(r->method, req->method) == 0) &&
	       word_fits(r->path, req->path) && word_fits(r->token, req->token) &&
	       word_fits(r->product, req->product) &&
	       word_fits(r->key, bc_str_of(req->key_fingerprint));
}

/* Milliseconds since the rule's window opened; false before that and after it has closed. */
static bool rule_in_window(const struct bc_faults *f, const struct fault_rule *r, uint64_t now_ms)
{
	uint64_t age = now_ms - f->since;

	if (age < r->after_ms)
		return false;
	return r->for_ms == 0 || age - r->after_ms < r->for_ms;
}

/* splitmix64: a rule's dice fall the same way on every run. */
static uint64_t rule_random(struct fault_rule *r)
{
	uint64_t z = (r->random += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static bool rule_fires(struct bc_faults *f, struct fault_rule *r, uint64_t now_ms)
{
	uint64_t nth;

	if (!rule_in_window(f, r, now_ms))
		return false;
	r->seen++;
	if (r->seen <= r->skip)
		return false;
	nth = r->seen - r->skip;
	if ((r->first && nth > r->first) || (r->every && nth % r->every != 0))
		return false;
	if (r->probability < MILLION && rule_random(r) % MILLION >= r->probability)
		return false;
	if (r->times && r->fired >= r->times)
		return false;
	r->fired++;
	return true;
}

static bool rule_over(const struct bc_faults *f, const struct fault_rule *r, uint64_t now_ms)
{
	uint64_t age = now_ms - f->since;

	if (r->times && r->fired >= r->times)
		return true;
	if (r->first && r->seen >= r->skip && r->seen - r->skip >= r->first)
		return true;
	return r->for_ms && age >= r->after_ms && age - r->after_ms >= r->for_ms;
}

int bc_faults_create(struct bc_str spec, uint64_t now_ms, struct bc_faults **ret_faults,
		     struct bc_err *err)
{
	struct bc_faults *f;
	int rc;

	if (!spec.ptr)
		spec = BC_STR("");
	if (spec.len > BC_FAULT_SPEC_MAX)
		return bc_err_tell(err, BC_ETOOBIG,
				   "leave some rules out, or send them in two steps",
				   "the fault list is longer than %d bytes", BC_FAULT_SPEC_MAX);
	if (memchr(spec.ptr, '\0', spec.len))
		return bc_err_tell(err, BC_EINVAL, "send it as text",
				   "the fault list holds a NUL byte");
	f = calloc(1, sizeof(*f));
	if (!f)
		return bc_err_nomem(err);
	f->since = now_ms;
	f->text = bc_str_dup(spec);
	f->words = bc_str_dup(spec);
	rc = f->text && f->words ? bc_faults_parse(f, err) : bc_err_nomem(err);
	if (rc < 0) {
		bc_faults_destroy(f);
		return rc;
	}
	*ret_faults = f;
	return 0;
}

void bc_faults_destroy(struct bc_faults *f)
{
	if (!f)
		return;
	free(f->text);
	free(f->words);
	free(f);
}

void bc_faults_decide(struct bc_faults *f, const struct bc_fault_request *req, uint64_t now_ms,
		      struct bc_fault_plan *ret_plan)
{
	*ret_plan = (struct bc_fault_plan){ 0 };
	for (size_t i = 0; i < f->count; i++) {
		struct fault_rule *r = &f->rules[i];

		if (r->action.kind == BC_FAULT_RESET_BEFORE || !rule_fits(r, req) ||
		    !rule_fires(f, r, now_ms))
			continue;
		if (r->action.kind != BC_FAULT_DELAY) {
			ret_plan->action = r->action;
			return;
		}
		ret_plan->delay_ms += r->delay_ms;
	}
}

bool bc_faults_reset_connection(struct bc_faults *f, uint64_t now_ms)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->rules[i].action.kind == BC_FAULT_RESET_BEFORE &&
		    rule_fires(f, &f->rules[i], now_ms))
			return true;
	return false;
}

bool bc_faults_need_key(const struct bc_faults *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->rules[i].key)
			return true;
	return false;
}

size_t bc_faults_count(const struct bc_faults *f)
{
	return f->count;
}

void bc_faults_view(const struct bc_faults *f, size_t index, uint64_t now_ms,
		    struct bc_fault_view *ret_view)
{
	const struct fault_rule *r;

	BC_ASSERT(index < f->count);
	r = &f->rules[index];
	*ret_view = (struct bc_fault_view){
		.text = r->text,
		.seen = r->seen,
		.fired = r->fired,
		.over = rule_over(f, r, now_ms),
	};
}
