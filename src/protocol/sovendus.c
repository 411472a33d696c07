/* SPDX-License-Identifier: MIT */
/*
 * Sovendus Checkout Products as data. The words are what an operator reads in `explain`: what the
 * answer means, and what to do about it. Sources: the server-to-server guide and the older postback
 * documentation, which alone tells the three kinds of 422 apart. What neither mentions says so in a
 * comment here. Messages are looked for without their full stop: the documents print them in more
 * than one way, so they are not taken for captures.
 */
#include <backchannel/partner.h>

#include "base/attr.h"

#define WAIT "nothing to do: it is sent again by itself"

#define KEY_HINT                                                                                   \
	"compare SOVENDUS_API_KEY (a further product has its own key) with what your Sovendus "    \
	"contact sent; the key and SOVENDUS_PRODUCT_ID belong together. If both are right, ask "   \
	"your account manager to look at the account. The lane resumes by itself"

static const struct bc_answer_rule rules[] = {
	{
		.status_from = 200,
		.status_to = 299,
		.outcome = BC_OUTCOME_DELIVERED,
		.meaning = "Sovendus has taken the token",
		.hint = "",
	},
	/* Redirects are undocumented. */
	{
		.status_from = 300,
		.status_to = 399,
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "Sovendus answered with a redirect, which is not followed "
			   "because it would carry the API key somewhere else",
		.hint = "set SOVENDUS_BASE_URL to the address that answers directly, "
			"with https and with its path; normally "
			"https://press-order-api.sovendus.com/ext",
	},
	/* 408 and 429 are undocumented; the general meaning of HTTP holds. */
	{
		.status_from = 408,
		.status_to = 408,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "Sovendus, or a proxy before it, gave up waiting for the "
			   "request",
		.hint = WAIT "; if this lasts, check the line and delivery.proxy",
	},
	{
		.status_from = 429,
		.status_to = 429,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "Sovendus asks for fewer requests at a time",
		.hint = WAIT ", not before Sovendus's Retry-After; if this lasts, lower "
			     "lane.concurrency",
	},
	/* Documented for 422; said with another 4xx it means no less. */
	{
		.status_from = 400,
		.status_to = 499,
		.message = "External product id not found",
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "Sovendus does not know the product id",
		.hint = "compare SOVENDUS_PRODUCT_ID with what your Sovendus contact "
			"sent, character by character; it is the bare id, without "
			"quotes or slashes. The lane resumes by itself",
	},
	/* Undocumented. */
	{
		.status_from = 401,
		.status_to = 401,
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "Sovendus wants to know who is calling: the API key was "
			   "not accepted",
		.hint = KEY_HINT,
	},
	{
		.status_from = 403,
		.status_to = 403,
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "the API key is wrong, missing or not active",
		.hint = KEY_HINT,
	},
	{
		.status_from = 404,
		.status_to = 404,
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "there is no such call at the address that was asked",
		.hint = "check SOVENDUS_BASE_URL, normally "
			"https://press-order-api.sovendus.com/ext, and that "
			"SOVENDUS_PRODUCT_ID is the bare id, without quotes or "
			"slashes",
	},
	{
		.status_from = 405,
		.status_to = 405,
		.outcome = BC_OUTCOME_SUSPECT,
		.meaning = "the address that was asked does not take POST",
		.hint = "something on the way probably turned the POST into a GET: "
			"check SOVENDUS_BASE_URL (https, with its path) and "
			"delivery.proxy",
	},
	{
		.status_from = 422,
		.status_to = 422,
		.message = "Token not found",
		.young_click = true,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "Sovendus does not know this token yet; the click is less "
			   "than a minute old",
		.hint = "nothing to do: it is sent once more by itself, in case their "
			"record of the click was late",
	},
	{
		.status_from = 422,
		.status_to = 422,
		.message = "Token not found",
		.outcome = BC_OUTCOME_REJECT,
		.meaning = "Sovendus does not know this token: it was invented, cut "
			   "short, or has expired there",
		.hint = "a single one needs nothing: anybody can put an invented "
			"token into a landing URL. If there are many, compare a "
			"landing URL with what was captured, and click.ttl with the "
			"life of a token at Sovendus (30 days in their current "
			"documents)",
	},
	{
		.status_from = 422,
		.status_to = 422,
		.message = "Invalid API parameters",
		.outcome = BC_OUTCOME_REJECT,
		.meaning = "Sovendus refuses the form of the token",
		.hint = "for a test take one of the documented test tokens: "
			"11111-test-111-11111, fffff-test-fff-fffff, "
			"12345-test-123-12345, 1a2b3-test-1a2-1a2b3. test-token-123 "
			"is not one: it is for trying out the browser integration. If "
			"it was a customer's token, send Sovendus what `backchannel "
			"explain ID --support` prints",
	},
	{
		.status_from = 422,
		.status_to = 422,
		.outcome = BC_OUTCOME_REJECT,
		.meaning = "Sovendus refuses this conversion for a reason its "
			   "documents do not name",
		.hint = "look at the answer's text; if it blames the product id or "
			"the key, check SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY and "
			"use `backchannel retry ID`, else send Sovendus what "
			"`backchannel explain ID --support` prints",
	},
	/* Undocumented. */
	{
		.status_from = 400,
		.status_to = 499,
		.outcome = BC_OUTCOME_REJECT,
		.meaning = "Sovendus refuses this conversion with a status its "
			   "documents do not name",
		.hint = "send Sovendus what `backchannel explain ID --support` "
			"prints; if other orders go through, only this one is "
			"affected",
	},
	{
		.status_from = 500,
		.status_to = 500,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "Sovendus had an internal error",
		.hint = WAIT ", as Sovendus asks; if it lasts for hours, tell your "
			     "Sovendus contact",
	},
	/* Undocumented. */
	{
		.status_from = 501,
		.status_to = 599,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "Sovendus, or a proxy before it, is out of order or "
			   "overloaded",
		.hint = WAIT "; if it lasts for hours, run `backchannel check`, then tell "
			     "your Sovendus contact",
	},
	/* What no final answer of HTTP should be: 1xx, and 600 onwards. */
	{
		.status_from = 100,
		.status_to = 999,
		.outcome = BC_OUTCOME_RETRY,
		.meaning = "the answer's status is none that HTTP knows as a final "
			   "one",
		.hint = WAIT "; if this lasts, something between here and Sovendus answers "
			     "in its place: check SOVENDUS_BASE_URL and delivery.proxy",
	},
};

static const char *const params[] = { "sovReqToken", NULL };
static const char *const echo[] = { "sovReqToken", "externalProductId", NULL };
static const char *const test_tokens[] = { "12345-test-123-12345", "11111-test-111-11111",
					   "fffff-test-fff-fffff", "1a2b3-test-1a2-1a2b3", NULL };

const struct bc_partner bc_partner_sovendus = {
	.name = "sovendus",
	.title = "Sovendus",
	.base_url = "https://press-order-api.sovendus.com/ext",
	.params = params,
	.method = "POST",
	.path = "/{product}/{token}/api",
	.content_type = "application/json",
	.body = "{\"apiKey\":\"{key}\"}",
	.echo = echo,
	.test_tokens = test_tokens,
	.test_shape = "nnnnn-test-nnn-nnnnn",
	.rules = rules,
	.rule_count = BC_COUNT(rules),
};
