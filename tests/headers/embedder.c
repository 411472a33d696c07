/* SPDX-License-Identifier: MIT */
/*
 * A program that embeds libbackchannel, built against the installed tree only: what its author
 * types must be enough. Walks from a landing URL to the request that hands the click back.
 */
#include <stdio.h>
#include <string.h>

#include <backchannel/partner.h>
#include <backchannel/token.h>

static int fail(const char *what)
{
	fprintf(stderr, "embedder: %s\n", what);
	return 1;
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
	return wrong ? fail("the request is not the guide's") : 0;
}
