/* SPDX-License-Identifier: MIT */
/* A parsed fault rule: written by faults_parse.c, asked by faults.c, seen by nobody else. */
#ifndef BC_SANDBOX_FAULTS_RULE_H
#define BC_SANDBOX_FAULTS_RULE_H

#include "sandbox/faults.h"

enum { MILLION = 1000000 };

struct fault_rule {
	struct bc_fault_action action;
	uint64_t delay_ms;
	const char *method; /* the words below are borrowed from bc_faults.words; NULL = any */
	const char *path;
	const char *token;
	const char *product;
	const char *key;
	uint64_t first; /* 0 = not given, here and below */
	uint64_t skip;
	uint64_t every;
	uint64_t times;
	uint64_t for_ms;
	uint64_t after_ms;
	uint64_t probability; /* in millionths */
	uint64_t seed;
	uint64_t random; /* generator's state */
	uint64_t seen;
	uint64_t fired;
	struct bc_str text; /* in bc_faults.text */
};

struct bc_faults {
	char *text;	/* owned; the spec as written */
	char *words;	/* owned; the same, cut into words and unquoted in place */
	uint64_t since; /* elapsed clock at creation */
	size_t count;
	struct fault_rule rules[BC_FAULT_RULES_MAX + 1]; /* one to read into before it counts */
};

/* Fills rules and count from f->text and f->words. 0, BC_EINVAL or BC_ETOOBIG. */
BC_MUST_CHECK int bc_faults_parse(struct bc_faults *f, struct bc_err *err);

#endif
