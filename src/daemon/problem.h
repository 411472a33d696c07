/* SPDX-License-Identifier: MIT */
/* Errors as application/problem+json (RFC 9457): one table of types, statuses and titles, of which
 * the problems in docs/openapi.yaml are rendered, too. */
#ifndef BC_DAEMON_PROBLEM_H
#define BC_DAEMON_PROBLEM_H

#include "base/arena.h"
#include "base/str.h"

enum bc_problem {
	BC_PROBLEM_BAD_REQUEST,
	BC_PROBLEM_BAD_TOKEN,
	BC_PROBLEM_BAD_SESSION,
	BC_PROBLEM_UNAUTHORIZED,
	BC_PROBLEM_FORBIDDEN,
	BC_PROBLEM_NOT_FOUND,
	BC_PROBLEM_CONFLICT,
	BC_PROBLEM_TOO_LARGE,
	BC_PROBLEM_BUSY,
	BC_PROBLEM_STORE_FAILED,
	BC_PROBLEM_UPSTREAM_TIMEOUT,
	BC_PROBLEM_UPSTREAM_UNREACHABLE,
	BC_PROBLEM_CREDENTIAL_REFUSED,
	BC_PROBLEM_INTERNAL,
	BC_PROBLEMS
};

struct bc_problem_row {
	const char *type, *title;
	int status;
	const char *means; /* one sentence, for the documentation */
};
extern const struct bc_problem_row bc_problem_rows[BC_PROBLEMS];

extern const char bc_problem_content_type[];
int bc_problem_status(enum bc_problem problem);
/* The problem that tells an error code. */
enum bc_problem bc_problem_of(int code);

/*
 * The JSON body. status 0 = the problem's own. detail says what happened and what to do. Absent
 * without memory.
 */
struct bc_str bc_problem_body(struct bc_arena *arena, enum bc_problem problem, int status,
			      const char *detail, const char *hint);

#endif
