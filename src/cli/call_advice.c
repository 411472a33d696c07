/* SPDX-License-Identifier: MIT */
/*
 * What a status of Commerce means, and what helps: one table, of which the first row that fits
 * decides. Its own words come first wherever it has any; a 401 has two meanings, and only they tell
 * them apart.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/call.h"
#include "cli/remote.h"

static const struct call_advice rows[] = {
	{ 300, 399, NULL, "a redirect",
	  "the base URL is not that of the REST API: compare API_ENDPOINT, tenant included" },
	{ 400, 400, "searchCriteria", NULL,
	  "a list wants a search: add ?searchCriteria[pageSize]=20, or --paginate" },
	{ 400, 400, NULL, "the request is not what this route takes",
	  "compare path and body with Adobe's REST reference" },
	{ 401, 401, "authorized to access",
	  "the credential is known, but its role lacks this resource",
	  "give the credential's role that resource in Commerce; no other token helps" },
	{ 401, 401, NULL, "the access token is not accepted here",
	  "compare IMS_ORG_ID, the tenant in API_ENDPOINT and the scope commerce.accs with the "
	  "credential in the Developer Console" },
	{ 403, 403, NULL, "wrong organization, or the credential lacks this API",
	  "compare IMS_ORG_ID, and in the Developer Console the APIs and the product profile of "
	  "the credential" },
	{ 404, 404, "any route", "there is no such route",
	  "compare the path with Adobe's REST reference, and commerce.flavor with your Commerce" },
	{ 404, 404, "entity", NULL, "it is named by its entity_id, which is not its increment_id" },
	{ 404, 404, NULL, "not found",
	  "compare the path; where nothing is found at all, the base URL and its tenant in "
	  "API_ENDPOINT" },
	{ 405, 405, NULL, "the route does not take this method",
	  "compare it with Adobe's REST reference" },
	{ 429, 429, NULL, "it asks to be called less often",
	  "wait, then try again; see who else calls with this credential" },
	{ 400, 499, NULL, "refused", "compare the request with Adobe's REST reference" },
	{ 500, 599, NULL, "Commerce failed",
	  "try again later; its own log knows more, by the report id if it gave one" },
	{ 0, 0, NULL, "no status that HTTP knows", "see what stands between here and Commerce" },
};

static bool fits(const struct call_advice *row, int status, const char *said)
{
	return status >= row->status_from && status <= row->status_to &&
	       (!row->said || bc_str_icontains(bc_str_of(said), row->said));
}

const struct call_advice *call_advise(int status, const char *said)
{
	size_t row = 0;
	while (row + 1 < BC_COUNT(rows) && !fits(&rows[row], status, said))
		row++;
	return &rows[row];
}

enum bc_exit call_fail(const struct bc_client_answer *answer)
{
	const struct call_advice *advice = call_advise(answer->status, answer->message);
	const char *words = answer->message[0] ? answer->message : advice->meaning;
	size_t n = words ? strlen(words) : 0;
	n -= n && words[n - 1] == '.';
	fprintf(stderr, "backchannel: Commerce answers %d%s%.*s\n  %s\n", answer->status,
		n ? ": " : "", (int)n, words ? words : "", advice->hint);
	return answer->status < 500 ? BC_EXIT_REFUSED : BC_EXIT_FAILED;
}

/* --- the daemon's own ------------------------------------------------------------------------ */

/* Its detail is "problem; hint". Of a 503 only the type tells who failed whom. */
int call_refused(const json_t *problem, int status, struct bc_err *err)
{
	static const struct {
		const char *type;
		int code;
	} types[] = {
		{ "urn:backchannel:credential-refused", BC_EAUTH },
		{ "urn:backchannel:upstream-unreachable", BC_EUNREACH },
		{ "urn:backchannel:upstream-timeout", BC_ETIMEDOUT },
	};
	const char *type = bc_json_text(problem, "type"), *detail = bc_json_text(problem, "detail");
	const char *hint = strstr(detail, "; ");
	int code = status < 500 ? BC_EAUTH : BC_EBUSY;
	for (size_t i = 0; i < BC_COUNT(types); i++)
		if (!strcmp(types[i].type, type))
			code = types[i].code;
	if (detail[0])
		bc_err_set(err, code, "%.*s",
			   (int)(hint ? (size_t)(hint - detail) : strlen(detail)), detail);
	else
		bc_err_set(err, code, "the daemon answers %d and gives no reason", status);
	bc_err_hint(err, "%s", hint ? hint + 2 : "see the daemon's log");
	return code;
}
