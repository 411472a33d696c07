/* SPDX-License-Identifier: MIT */
/*
 * What a token endpoint's answers mean. Order matters: a throttle outranks every word, the
 * endpoint's own code outranks the bare status, and a status with a meaning outranks what the body
 * looks like. `refused` is only said when somebody has to change something: an answer that no token
 * endpoint wrote (a proxy's page, a broken body) is `failed` and asked for again.
 */
#include "protocol/oauth_rules.h"

#include <limits.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

#define ANY	BC_OAUTH_BODY_ANY
#define BY_CODE 400, 499, ANY
#define IF_IT_LASTS                                                                                \
	"nothing to do: it is asked again by itself; if this lasts, run `backchannel check`, "     \
	"which names the hop that fails"
#define TOKEN_URL                                                                                  \
	"oauth.base_url (IMS_BASE_URL), which is https://ims-na1.adobelogin.com for Adobe, or "    \
	"oauth.token_url, the whole URL"
#define PROXY_ANSWERS                                                                              \
	"something between here and the token endpoint answers in its place, such as a proxy, a "  \
	"firewall or a sign-in page of this network: let this machine through to it, and check "   \
	"the token URL"
#define COPY_BOTH                                                                                  \
	"copy client id and secret (IMS_CLIENT_ID, IMS_CLIENT_SECRET) again from the OAuth "       \
	"Server-to-Server credential in the Adobe Developer Console"

const struct bc_oauth_rule bc_oauth_rules[] = {
	/* Whatever else it says, asking again would make it worse. */
	{ 429, 429, ANY, BC_OAUTH_THROTTLED, NULL, NULL,
	  "the token endpoint is asked too often and wants a pause",
	  "nothing to do: it is asked again after the pause; if this lasts, look for programs that "
	  "fetch a token of their own for every call, and let them use this one" },
	{ 200, 200, BC_OAUTH_BODY_TOKEN, BC_OAUTH_GRANTED, NULL, NULL, "a token was granted", "" },

	{ BY_CODE, BC_OAUTH_CLIENT_REFUSED, "invalid_client", "client_secret",
	  "the client secret is wrong",
	  "copy the secret (IMS_CLIENT_SECRET) again from the OAuth Server-to-Server credential in "
	  "the Adobe Developer Console; after a rotation the old one stops working for good once "
	  "it is deleted there" },
	{ BY_CODE, BC_OAUTH_CLIENT_REFUSED, "invalid_client", "client_id",
	  "the client id is not known to the token endpoint",
	  COPY_BOTH "; production and stage credentials are different ones" },
	{ BY_CODE, BC_OAUTH_CLIENT_REFUSED, "invalid_client", NULL,
	  "the client id or secret is wrong",
	  COPY_BOTH "; a server other than Adobe's may want oauth.auth = basic" },
	{ BY_CODE, BC_OAUTH_REQUEST_REFUSED, "unauthorized_client", NULL,
	  "this client may not ask for a token on its own behalf",
	  "use a credential of the kind OAuth Server-to-Server; other kinds have a client id and "
	  "secret too and can't do this" },
	{ BY_CODE, BC_OAUTH_REQUEST_REFUSED, "access_denied", NULL,
	  "the token endpoint denies this client a token",
	  "have an administrator check that the credential is active and that its project has the "
	  "API added" },
	{ BY_CODE, BC_OAUTH_REQUEST_REFUSED, "invalid_scope", NULL,
	  "a scope that is asked for is not granted to this credential",
	  "compare oauth.scopes (IMS_SCOPES) with the scopes that the Adobe Developer Console "
	  "lists for the credential; a server other than Adobe's may want blanks between them "
	  "(oauth.scope_separator)" },
	{ BY_CODE, BC_OAUTH_REQUEST_REFUSED, "unsupported_grant_type", NULL,
	  "this endpoint does not grant tokens to client credentials",
	  "check the token URL: " TOKEN_URL },
	{ BY_CODE, BC_OAUTH_REQUEST_REFUSED, "invalid_request", NULL,
	  "the token endpoint calls the request malformed",
	  "check the token URL, oauth.scopes and oauth.auth; some servers want oauth.auth = "
	  "basic" },
	{ BY_CODE, BC_OAUTH_THROTTLED, "too_many_requests", NULL,
	  "the token endpoint is asked too often", IF_IT_LASTS },
	{ BY_CODE, BC_OAUTH_THROTTLED, "slow_down", NULL, "the token endpoint is asked too often",
	  IF_IT_LASTS },
	{ BY_CODE, BC_OAUTH_FAILED, "temporarily_unavailable", NULL,
	  "the token endpoint says that it can't answer now", IF_IT_LASTS },
	{ BY_CODE, BC_OAUTH_FAILED, "server_error", NULL, "the token endpoint has an error inside",
	  IF_IT_LASTS },
	{ BY_CODE, BC_OAUTH_FAILED, "internal_error", NULL,
	  "the token endpoint has an error inside", IF_IT_LASTS },

	{ 401, 401, ANY, BC_OAUTH_CLIENT_REFUSED, NULL, NULL,
	  "the token endpoint refuses the client id or secret",
	  COPY_BOTH "; a server other than Adobe's may want oauth.auth = basic" },
	{ 403, 403, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the token endpoint, or a firewall before it, forbids this request",
	  "check the token URL, and that the endpoint lets this machine's address in" },
	{ 404, 405, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "there is no token endpoint at the token URL", "check " TOKEN_URL },
	{ 410, 410, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the token endpoint is no longer at the token URL", "check " TOKEN_URL },
	{ 300, 399, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the token URL is wrong: it answers with a redirect, and a secret is not sent on to "
	  "another place",
	  "check " TOKEN_URL },
	{ 407, 407, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the proxy wants a password before it lets the request through",
	  "put user and password into the proxy's URL, or let this machine reach the token "
	  "endpoint without the proxy" },
	{ 408, 408, ANY, BC_OAUTH_FAILED, NULL, NULL,
	  "the token endpoint did not get the request in time", IF_IT_LASTS },
	{ 425, 425, ANY, BC_OAUTH_FAILED, NULL, NULL, "the token endpoint wants to be asked again",
	  IF_IT_LASTS },
	{ 400, 400, BC_OAUTH_BODY_PAGE, BC_OAUTH_FAILED, NULL, NULL,
	  "a web page came instead of an answer of a token endpoint", PROXY_ANSWERS },
	{ 400, 400, BC_OAUTH_BODY_CUT, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer broke off before it said what is wrong", IF_IT_LASTS },
	{ 400, 400, BC_OAUTH_BODY_EMPTY, BC_OAUTH_FAILED, NULL, NULL,
	  "the request was refused without a word, which no token endpoint does", PROXY_ANSWERS },
	{ 400, 400, BC_OAUTH_BODY_OTHER, BC_OAUTH_FAILED, NULL, NULL,
	  "the request was refused in a form that no token endpoint uses", PROXY_ANSWERS },
	{ 400, 499, ANY, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the token endpoint refuses the request for a reason that is not a usual one",
	  "read its own words, if it has any; then check the token URL, oauth.scopes and "
	  "oauth.auth" },

	{ 200, 200, BC_OAUTH_BODY_CUT, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer broke off before its end", IF_IT_LASTS },
	{ 200, 200, BC_OAUTH_BODY_PAGE, BC_OAUTH_FAILED, NULL, NULL,
	  "a web page came instead of a token", PROXY_ANSWERS },
	{ 200, 200, BC_OAUTH_BODY_EMPTY, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer is empty, though its status says that a token was granted", PROXY_ANSWERS },
	{ 200, 200, BC_OAUTH_BODY_OTHER, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer is not JSON, or not whole", PROXY_ANSWERS },
	{ 200, 200, BC_OAUTH_BODY_OBJECT, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer is JSON and has no access_token",
	  "check that the token URL is one of a token endpoint: " TOKEN_URL },
	{ 200, 200, BC_OAUTH_BODY_BAD_TOKEN, BC_OAUTH_FAILED, NULL, NULL,
	  "the access_token is one that can't be sent: it is no text, empty, longer than 16 KiB, "
	  "or has other characters than visible ASCII",
	  "check that the token URL is one of a token endpoint: " TOKEN_URL },
	{ 200, 200, BC_OAUTH_BODY_OTHER_TYPE, BC_OAUTH_REQUEST_REFUSED, NULL, NULL,
	  "the token is not of the type bearer, the only one that is used here",
	  "have the server give this client bearer tokens" },

	{ 503, 503, ANY, BC_OAUTH_FAILED, NULL, NULL, "the token endpoint is not available now",
	  IF_IT_LASTS },
	{ 511, 511, ANY, BC_OAUTH_FAILED, NULL, NULL,
	  "this network wants somebody to sign in before it lets requests out", PROXY_ANSWERS },
	{ 500, 599, ANY, BC_OAUTH_FAILED, NULL, NULL,
	  "the token endpoint, or a server before it, has an error inside", IF_IT_LASTS },
	{ 0, 0, ANY, BC_OAUTH_FAILED, NULL, NULL, "no answer came from the token endpoint",
	  IF_IT_LASTS },
	{ INT_MIN, INT_MAX, ANY, BC_OAUTH_FAILED, NULL, NULL,
	  "the answer's status is none that a token endpoint gives", PROXY_ANSWERS },
};
const size_t bc_oauth_rule_count = BC_COUNT(bc_oauth_rules);

static bool fits(const struct bc_oauth_rule *rule, int status, enum bc_oauth_body body,
		 const char *error, struct bc_str description)
{
	if (status < rule->status_from || status > rule->status_to)
		return false;
	if (rule->body != ANY && rule->body != body)
		return false;
	if (rule->error && (!error || strcmp(error, rule->error) != 0))
		return false;
	return !rule->about || bc_str_icontains(description, rule->about);
}

const struct bc_oauth_rule *bc_oauth_rule_find(int status, enum bc_oauth_body body,
					       const char *error, const char *description)
{
	const struct bc_oauth_rule *rule = bc_oauth_rules;
	while (!fits(rule, status, body, error, bc_str_of(description)))
		rule++;
	return rule;
}
