/* SPDX-License-Identifier: MIT */
/* See problem.h. */
#include "daemon/problem.h"

#include <string.h>

#include "core/story.h"

const char bc_problem_content_type[] = "application/problem+json";

static const struct row {
	const char *type, *title;
	int status;
} rows[BC_PROBLEMS] = {
	[BC_PROBLEM_BAD_REQUEST] = { "urn:backchannel:bad-request", "Bad request", 400 },
	[BC_PROBLEM_BAD_TOKEN] = { "urn:backchannel:bad-token", "Not a click token", 400 },
	[BC_PROBLEM_BAD_SESSION] = { "urn:backchannel:bad-session", "Not a session", 400 },
	[BC_PROBLEM_UNAUTHORIZED] = { "urn:backchannel:unauthorized", "Not authorized", 401 },
	[BC_PROBLEM_FORBIDDEN] = { "urn:backchannel:forbidden", "Refused", 403 },
	[BC_PROBLEM_NOT_FOUND] = { "urn:backchannel:not-found", "Not found", 404 },
	[BC_PROBLEM_CONFLICT] = { "urn:backchannel:conflict", "Conflict", 409 },
	[BC_PROBLEM_TOO_LARGE] = { "urn:backchannel:too-large", "Too large", 413 },
	[BC_PROBLEM_BUSY] = { "urn:backchannel:busy", "Busy", 503 },
	[BC_PROBLEM_STORE_FAILED] = { "urn:backchannel:store-failed", "The store refused the write",
				      503 },
	[BC_PROBLEM_UPSTREAM_TIMEOUT] = { "urn:backchannel:upstream-timeout",
					  "Commerce did not answer in time", 504 },
	[BC_PROBLEM_UPSTREAM_UNREACHABLE] = { "urn:backchannel:upstream-unreachable",
					      "Commerce cannot be reached", 503 },
	[BC_PROBLEM_CREDENTIAL_REFUSED] = { "urn:backchannel:credential-refused",
					    "The OAuth credential was refused", 503 },
	[BC_PROBLEM_INTERNAL] = { "urn:backchannel:internal", "Internal error", 500 },
};

static const struct {
	int code;
	enum bc_problem problem;
} codes[] = {
	{ BC_EINVAL, BC_PROBLEM_BAD_REQUEST },	 { BC_ETOOBIG, BC_PROBLEM_TOO_LARGE },
	{ BC_ENOENT, BC_PROBLEM_NOT_FOUND },	 { BC_ECONFLICT, BC_PROBLEM_CONFLICT },
	{ BC_ESTATE, BC_PROBLEM_CONFLICT },	 { BC_EBUSY, BC_PROBLEM_BUSY },
	{ BC_ENOMEM, BC_PROBLEM_BUSY },		 { BC_ESTORE, BC_PROBLEM_STORE_FAILED },
	{ BC_EUNSURE, BC_PROBLEM_STORE_FAILED },
};

int bc_problem_status(enum bc_problem problem)
{
	return rows[problem].status;
}

enum bc_problem bc_problem_of(int code)
{
	for (size_t i = 0; i < BC_COUNT(codes); i++)
		if (codes[i].code == code)
			return codes[i].problem;
	return BC_PROBLEM_INTERNAL;
}

struct bc_str bc_problem_body(struct bc_arena *arena, enum bc_problem problem, int status,
			      const char *detail, const char *hint)
{
	const struct row *row = &rows[problem];
	struct bc_str body = { NULL, 0 };
	char *text = bc_arena_printf(arena, "%s%s%s", detail, hint && hint[0] ? "; " : "",
				     hint ? hint : "");
	json_t *j = json_pack("{s:s, s:s, s:i, s:o}", "type", row->type, "title", row->title,
			      "status", status ? status : row->status, "detail",
			      text ? bc_json_words(text) : json_string(row->title));
	char *dump = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (dump) {
		body.len = strlen(dump);
		body.ptr = bc_arena_dup(arena, dump, body.len);
	}
	free(dump);
	return body;
}
