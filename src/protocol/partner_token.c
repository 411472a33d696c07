/* SPDX-License-Identifier: MIT */
/*
 * Tokens as one partner sees them: its alphabet, its test tokens, its parameters. What is common to
 * all of them, the wall of length and alphabet, is token.c's.
 */
#include <backchannel/partner.h>

#include <string.h>

#include "base/str.h"
#include "protocol/token.h"
#include "protocol/url.h"

static bool is_test(const struct bc_partner *partner, struct bc_str token)
{
	if (partner->test_shape && bc_token_has_shape(token.ptr, token.len, partner->test_shape))
		return true;
	for (const char *const *test = partner->test_tokens; test && *test; test++) {
		if (bc_str_eq(token, *test))
			return true;
	}
	return false;
}

enum bc_token_kind bc_partner_token_kind(const struct bc_partner *partner, const char *token,
					 size_t len, const struct bc_token_pattern *pattern)
{
	if (!bc_token_is_safe(token, len, partner->token_also))
		return BC_TOKEN_INVALID;
	if (is_test(partner, (struct bc_str){ token, len }))
		return BC_TOKEN_TEST;
	return bc_token_fits(pattern, token, len) ? BC_TOKEN_PRODUCTION : BC_TOKEN_INVALID;
}

struct grammar {
	const struct bc_partner *partner;
	const struct bc_token_pattern *pattern;
};

static bool is_partners_token(const void *ctx, const char *token, size_t len)
{
	const struct grammar *g = ctx;
	return bc_partner_token_kind(g->partner, token, len, g->pattern) != BC_TOKEN_INVALID;
}

int bc_partner_find_token(const struct bc_partner *partner, const char *url, size_t len,
			  const char *const *params, const struct bc_token_pattern *pattern,
			  char *ret_token)
{
	const struct grammar grammar = { partner, pattern };
	return bc_url_find(url, len, params ? params : partner->params, is_partners_token, &grammar,
			   ret_token);
}
