/* SPDX-License-Identifier: MIT */
/* See problem.h. */
#include "daemon/problem.h"

#include <string.h>

#include "core/story.h"

const char bc_problem_content_type[] = "application/problem+json";

const struct bc_problem_row bc_problem_rows[BC_PROBLEMS] = {
	[BC_PROBLEM_BAD_REQUEST] = { "urn:backchannel:bad-request", "Bad request", 400,
				     "A field or parameter is missing or wrong, and named; or it "
				     "is not clean HTTP." },
	[BC_PROBLEM_BAD_TOKEN] = { "urn:backchannel:bad-token", "Not a click token", 400,
				   "`token` is no click token." },
	[BC_PROBLEM_BAD_SESSION] = { "urn:backchannel:bad-session", "Not a session", 400,
				     "`session` is what a framework prints for none: empty, "
				     "`None`, `null`, `undefined`." },
	[BC_PROBLEM_UNAUTHORIZED] = { "urn:backchannel:unauthorized", "Not authorized", 401,
				      "The API token, or a signature, is missing or wrong." },
	[BC_PROBLEM_FORBIDDEN] = { "urn:backchannel:forbidden", "Refused", 403,
				   "Host, Origin or Content-Type is not one that may use the "
				   "API." },
	[BC_PROBLEM_NOT_FOUND] = { "urn:backchannel:not-found", "Not found", 404,
				   "No such order, click, lane or path." },
	[BC_PROBLEM_CONFLICT] = { "urn:backchannel:conflict", "Conflict", 409,
				  "The order is known with another token, or the state of the "
				  "order or lane does not allow this." },
	[BC_PROBLEM_TOO_LARGE] = { "urn:backchannel:too-large", "Too large", 413,
				   "A body over `http.body`, or too much head." },
	[BC_PROBLEM_BUSY] = { "urn:backchannel:busy", "Busy", 503,
			      "Out of connections or memory, or about to stop; try again after "
			      "Retry-After." },
	[BC_PROBLEM_STORE_FAILED] = { "urn:backchannel:store-failed", "The store refused the write",
				      503,
				      "Not on disk, so not acknowledged; try again after "
				      "Retry-After." },
	[BC_PROBLEM_UPSTREAM_TIMEOUT] = { "urn:backchannel:upstream-timeout",
					  "Commerce did not answer in time", 504,
					  "Commerce did not answer within `gateway.timeout`; it "
					  "may have done all the same." },
	[BC_PROBLEM_UPSTREAM_UNREACHABLE] = { "urn:backchannel:upstream-unreachable",
					      "Commerce cannot be reached", 503,
					      "Commerce, or the token endpoint, cannot be "
					      "reached." },
	[BC_PROBLEM_CREDENTIAL_REFUSED] = { "urn:backchannel:credential-refused",
					    "The OAuth credential was refused", 503,
					    "The OAuth server refuses client ID or secret; "
					    "`detail` says what to mend." },
	[BC_PROBLEM_INTERNAL] = { "urn:backchannel:internal", "Internal error", 500,
				  "A bug; please report it with the log." },
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
	return bc_problem_rows[problem].status;
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
	const struct bc_problem_row *row = &bc_problem_rows[problem];
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
