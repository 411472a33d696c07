/* SPDX-License-Identifier: MIT */
/*
 * A program that embeds libbackchannel, built against the installed tree only: what its author
 * types must be enough. Walks from a landing URL to the request that hands the click back, from an
 * OAuth credential to the end of its token's life, from a SKU to its URL at Adobe Commerce, and
 * through the life of a client whom nobody answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backchannel/client.h>
#include <backchannel/commerce.h>
#include <backchannel/oauth.h>
#include <backchannel/partner.h>
#include <backchannel/token.h>

static int fail(const char *what)
{
	fprintf(stderr, "embedder: %s\n", what);
	return 1;
}

/* Where a product with an awkward SKU stands on Adobe Commerce, and what an answer asks for. */
static int walk_commerce(void)
{
	struct bc_commerce_target target;
	struct bc_commerce_attempt attempt = { 0 };
	struct bc_err err = { 0 };
	char path[64] = "/rest/de/V1/products/";
	char message[BC_COMMERCE_MESSAGE_BYTES];
	static const char body[] = "{\"message\":\"No %1\",\"parameters\":[\"way\"]}";

	if (bc_commerce_segment_append(path, sizeof(path), "24/7"))
		return fail("a SKU was refused");
	if (bc_commerce_target_build("https://na1.api.commerce.adobe.com/tenant", BC_COMMERCE_AUTO,
				     path, NULL, &target, &err))
		return fail(err.text);
	int wrong = strcmp(target.url, "https://na1.api.commerce.adobe.com/tenant"
				       "/V1/products/24%2F7") != 0 ||
		    strcmp(target.store, "de") != 0;
	free(target.url);
	if (wrong)
		return fail("the Commerce URL is not the tenant's");
	if (bc_commerce_error_message(body, strlen(body), message) != 1 ||
	    strcmp(message, "No way") != 0)
		return fail("the error body was not read");
	attempt.method = "POST";
	attempt.held = true;
	attempt.status = 429;
	return bc_commerce_judge(&attempt).wait_ms == BC_COMMERCE_SLEEP_DEFAULT_MS
		       ? 0
		       : fail("a 429 does not sleep");
}

static int token_request_is_the_documented_one(void)
{
	struct bc_oauth_client credential = { 0 };
	struct bc_oauth_request request = { 0 };
	char *scope = NULL;

	credential.client_id = "id";
	credential.client_secret = "secret";
	if (bc_oauth_scope_join("openid, commerce.accs", ",", &scope, NULL))
		return 0;
	credential.scope = scope;
	int right = bc_oauth_request_build(&credential, &request, NULL) == 0 &&
		    strcmp(request.body, "grant_type=client_credentials&client_id=id"
					 "&client_secret=secret&scope=openid%2Ccommerce.accs") == 0;
	bc_oauth_request_finish(&request);
	free(scope);
	return right;
}

static int token_answer_is_read(void)
{
	static const char body[] = "{\"access_token\":\"t\",\"expires_in\":3600}";
	struct bc_oauth_answer answer = { 0 };
	struct bc_oauth_verdict verdict = { 0 };

	answer.status = 200;
	answer.body = body;
	answer.body_bytes = strlen(body);
	answer.complete = true;
	if (bc_oauth_read_answer(&answer, &verdict))
		return 0;
	struct bc_oauth_times times = bc_oauth_times_of(1000, verdict.life_ms, 0);
	int right = verdict.result == BC_OAUTH_GRANTED && strcmp(verdict.access_token, "t") == 0 &&
		    bc_oauth_freshness_at(&times, 1000) == BC_OAUTH_FRESH &&
		    bc_oauth_freshness_at(&times, times.expires_ms) == BC_OAUTH_EXPIRED;
	bc_oauth_verdict_finish(&verdict);
	return right;
}

/* The port is one where nobody listens. */
static int walk_client(void)
{
	struct bc_client_options options = { 0 };
	struct bc_client_request request = { 0 };
	struct bc_client_answer answer = { 0 };
	struct bc_client *client = NULL;
	struct bc_err err = { 0 };

	options.run_thread = true;
	options.commerce_base_url = "http://127.0.0.1:1/tenant";
	if (bc_client_create(&options, &client, &err))
		return fail(err.text);
	request.path = "/V1/orders/1";
	request.timeout_ms = 100;
	int result = bc_client_call(client, &request, &answer, &err);
	bc_client_destroy(client);
	if (result != BC_EUNREACH)
		return fail("a client that reaches nobody does not say so");
	options.run_thread = false;
	options.commerce_base_url = "http://shop.example/tenant";
	return bc_client_create(&options, &client, NULL) == BC_EINVAL
		       ? 0
		       : fail("a token would be sent in clear");
}

/* A partner of one's own, from text. */
static int own_partner_is_read(void)
{
	static const char text[] =
		"[partner]\nname = mine\ntitle = Mine\n[landing]\nparam = cid\n[request]\n"
		"method = GET\npath = /p\nquery = c={token}&o={order}&v={amount?}\n"
		"[answer 200-299]\noutcome = delivered\nmeaning = taken\n"
		"[answer 100-999]\noutcome = retry\nmeaning = not now\nhint = wait\n";
	struct bc_partner_conversion conversion;
	struct bc_partner_request request;
	const struct bc_partner *mine;
	struct bc_err err = { 0 };
	memset(&conversion, 0, sizeof(conversion)); /* this file is C++ as well */
	conversion.base_url = "https://partner.example";
	conversion.product_id = "1";
	conversion.token = "abcd";
	conversion.order = "a&b";
	if (bc_partner_parse("mine.conf", text, sizeof(text) - 1, &mine, &err) ||
	    bc_partner_request_make(mine, &conversion, &request, &err))
		return fail(err.text);
	int wrong = strcmp(request.url, "https://partner.example/p?c=abcd&o=a%26b") != 0;
	bc_partner_request_finish(&request);
	bc_partner_destroy(mine);
	return wrong ? fail("the request of an own partner is not the definition's") : 0;
}

int main(void)
{
	static const char url[] = "https://shop.example/?a=b&sovReqToken=12345-test-123-12345#top";
	struct bc_partner_request request;
	struct bc_err err = { 0 };
	char token[BC_TOKEN_MAX + 1];

	if (bc_url_token(url, strlen(url), bc_partner_sovendus.params, NULL, token) != 1)
		return fail("the token was not found in the landing URL");
	if (bc_token_classify(token, strlen(token)) != BC_TOKEN_TEST)
		return fail("a test token was not seen as one");
	if (bc_partner_request_build(&bc_partner_sovendus, "https://partner.example/ext/", "4711",
				     "secret", token, &request, &err))
		return fail(err.text);
	int wrong =
		strcmp(request.url, "https://partner.example/ext/4711/12345-test-123-12345/api") ||
		strcmp(request.body, "{\"apiKey\":\"secret\"}") != 0;
	bc_partner_request_finish(&request);
	if (wrong)
		return fail("the request is not the guide's");
	if (own_partner_is_read())
		return 1;
	if (!token_request_is_the_documented_one())
		return fail("the token request is not the documented one");
	if (!token_answer_is_read())
		return fail("a token answer was not read");
	return walk_commerce() || walk_client();
}
