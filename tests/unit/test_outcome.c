/* SPDX-License-Identifier: MIT */
/*
 * The reading of answers. One table holds the documented answers, a second the echoes of a 2xx, and
 * the enumeration asks for every status with every kind of body and compares with rules that are
 * written down here a second time, in the words of the design.
 */
#include <backchannel/partner.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

#define TOKEN	"1a2b3-test-1a2-1a2b3"
#define PRODUCT "9bc72425-902c-3abf-9db8-8b186d7cb160"
#define ECHO	"{\"externalProductId\":\"" PRODUCT "\",\"sovReqToken\":\"" TOKEN "\"}"

#define UNAUTHORIZED                                                                               \
	"{\"message\":\"This API call is unauthorized. Please contact your account manager.\"}"
#define BAD_CALL       "{\"message\":\"Invalid API call.\"}"
#define BAD_PARAMETERS "{\"message\":\"Invalid API parameters.\"}"
#define NO_PRODUCT     "{\"message\":\"External product id not found.\"}"
#define NO_TOKEN       "{\"message\":\"Token not found.\"}"

enum { HOUR_MS = 3600 * 1000 };

static struct bc_partner_answer answer_of(int status, const char *body)
{
	return (struct bc_partner_answer){
		.status = status,
		.request_sent = true,
		.body = body,
		.body_bytes = body ? strlen(body) : 0,
		.token = TOKEN,
		.click_age_ms = HOUR_MS,
		.attempt = 1,
	};
}

static struct bc_partner_verdict read_answer(const struct bc_partner_answer *answer)
{
	struct bc_partner_verdict v = bc_partner_read_answer(&bc_partner_sovendus, answer);
	assert_non_null(v.meaning);
	assert_non_null(v.hint);
	assert_true(v.meaning[0] != '\0');
	assert_true(v.outcome == BC_OUTCOME_DELIVERED || v.hint[0] != '\0');
	assert_true(v.outcome == BC_OUTCOME_DELIVERED || !v.odd_body);
	return v;
}

static const struct {
	int status;
	const char *body;
	enum bc_outcome outcome;
	const char *words; /* must stand in meaning or hint */
} documented[] = {
	{ 200, ECHO, BC_OUTCOME_DELIVERED, "taken" },
	{ 403, UNAUTHORIZED, BC_OUTCOME_SUSPECT, "SOVENDUS_API_KEY" },
	{ 404, BAD_CALL, BC_OUTCOME_SUSPECT, "SOVENDUS_BASE_URL" },
	{ 405, BAD_CALL, BC_OUTCOME_SUSPECT, "POST" },
	{ 422, BAD_PARAMETERS, BC_OUTCOME_REJECT, "test-token-123 is not one" },
	{ 422, BAD_PARAMETERS, BC_OUTCOME_REJECT, "11111-test-111-11111" },
	{ 422, BAD_PARAMETERS, BC_OUTCOME_REJECT, "fffff-test-fff-fffff" },
	{ 422, BAD_PARAMETERS, BC_OUTCOME_REJECT, "12345-test-123-12345" },
	{ 422, BAD_PARAMETERS, BC_OUTCOME_REJECT, "1a2b3-test-1a2-1a2b3" },
	{ 422, NO_PRODUCT, BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	{ 422, NO_TOKEN, BC_OUTCOME_REJECT, "click.ttl" },
	{ 500, "", BC_OUTCOME_RETRY, "internal error" },
	/* Undocumented, decided in the design. */
	{ 201, ECHO, BC_OUTCOME_DELIVERED, "taken" },
	{ 204, NULL, BC_OUTCOME_DELIVERED, "taken" },
	{ 301, "", BC_OUTCOME_SUSPECT, "redirect" },
	{ 304, NULL, BC_OUTCOME_SUSPECT, "redirect" },
	{ 307, NULL, BC_OUTCOME_SUSPECT, "SOVENDUS_BASE_URL" },
	{ 400, BAD_PARAMETERS, BC_OUTCOME_REJECT, "explain" },
	{ 400, NO_PRODUCT, BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	{ 401, NULL, BC_OUTCOME_SUSPECT, "SOVENDUS_API_KEY" },
	{ 408, NULL, BC_OUTCOME_RETRY, "again" },
	{ 410, NULL, BC_OUTCOME_REJECT, "explain" },
	{ 413, NULL, BC_OUTCOME_REJECT, "explain" },
	{ 422, "{\"message\":\"Something new.\"}", BC_OUTCOME_REJECT, "SOVENDUS_API_KEY" },
	{ 422, NULL, BC_OUTCOME_REJECT, "SOVENDUS_PRODUCT_ID" },
	{ 429, NULL, BC_OUTCOME_RETRY, "lane.concurrency" },
	{ 502, "<html>", BC_OUTCOME_RETRY, "check" },
	{ 503, NULL, BC_OUTCOME_RETRY, "again" },
	{ 504, NULL, BC_OUTCOME_RETRY, "again" },
	{ 100, NULL, BC_OUTCOME_RETRY, "again" },
	{ 600, NULL, BC_OUTCOME_RETRY, "again" },
	{ 999, NULL, BC_OUTCOME_RETRY, "SOVENDUS_BASE_URL" },
	/* Messages are looked for in any case and in any wrapping. */
	{ 422, "external PRODUCT ID not FOUND.", BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	{ 422, "array(\"message\" => \"Token not found.\")", BC_OUTCOME_REJECT, "invented" },
	{ 422, "<p>Invalid API parameters</p>", BC_OUTCOME_REJECT, "test-token-123" },
	{ 422, "{\"message\":\"External product id not fou", BC_OUTCOME_REJECT, "explain" },
	/* Several at once: the configuration is asked first, since it stops everything. */
	{ 422, NO_TOKEN NO_PRODUCT, BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	{ 422, BAD_PARAMETERS NO_PRODUCT, BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	{ 403, NO_TOKEN, BC_OUTCOME_SUSPECT, "SOVENDUS_API_KEY" },
	{ 404, NO_PRODUCT, BC_OUTCOME_SUSPECT, "SOVENDUS_PRODUCT_ID" },
	/* Nor does a message overrule these. */
	{ 200, NO_PRODUCT, BC_OUTCOME_DELIVERED, "taken" },
	{ 429, NO_PRODUCT, BC_OUTCOME_RETRY, "again" },
	{ 500, NO_PRODUCT, BC_OUTCOME_RETRY, "again" },
};

static void documented_answers_mean_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(documented); i++) {
		struct bc_partner_answer a = answer_of(documented[i].status, documented[i].body);
		struct bc_partner_verdict v = read_answer(&a);
		if (v.outcome != documented[i].outcome)
			fail_msg("row %zu, status %d: %s", i, a.status, bc_outcome_name(v.outcome));
		if (!strstr(v.meaning, documented[i].words) && !strstr(v.hint, documented[i].words))
			fail_msg("row %zu, status %d: \"%s\" is not told", i, a.status,
				 documented[i].words);
	}
}

static const struct {
	const char *body;
	bool odd;
} echoes[] = {
	{ ECHO, false },
	{ "  " ECHO "\r\n", false },
	{ "{\"sovReqToken\":\"" TOKEN "\",\"externalProductId\":\"other\",\"more\":[1]}", false },
	{ "{\"sovReqToken\":\"1a2b3-test-1a2-1a2b4\",\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"1A2B3-test-1a2-1a2b3\",\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"" TOKEN "\\u0000\",\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"" TOKEN "x\",\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"\",\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"" TOKEN "\"}", true },
	{ "{\"sovReqToken\":null,\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":[\"" TOKEN "\"],\"externalProductId\":\"p\"}", true },
	{ "{\"sovReqToken\":\"" TOKEN "\",\"externalProductId\":7}", true },
	{ "{\"sovReqToken\":\"x\",\"externalProductId\":\"p\",\"sovReqToken\":\"" TOKEN "\"}",
	  true },
	{ "{\"externalProductId\":\"p\" \"sovReqToken\":\"" TOKEN "\"}", true }, /* no comma */
	{ ECHO ECHO, true },
	{ "[" ECHO "]", true },
	{ "{}", true },
	{ "\"" TOKEN "\"", true },
	{ "null", true },
	{ "OK", true },
	{ "", true },
	{ NULL, true },
	{ "{\"externalProductId\":\"" PRODUCT "\",\"sovReqTo", true },
	{ "<html>" TOKEN "</html>", true },
	{ "\xff\xfe\x00", true },
	{ NO_TOKEN, true },
};

static bool every_echo(void *ctx)
{
	(void)ctx;
	bool as_wanted = true;
	for (size_t i = 0; i < BC_COUNT(echoes); i++) {
		struct bc_partner_answer a = answer_of(200, echoes[i].body);
		struct bc_partner_verdict v = read_answer(&a);
		assert_int_equal(v.outcome, BC_OUTCOME_DELIVERED);
		/* Without memory a good echo may count as odd; a bad one never counts as good. */
		assert_true(v.odd_body || !echoes[i].odd);
		as_wanted = as_wanted && v.odd_body == echoes[i].odd;
	}
	return as_wanted;
}

static void a_strange_echo_is_a_warning_and_still_a_delivery(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free); /* ours, so that its allocations fail as well */
	each_allocation_failing(every_echo, NULL);
}

static void without_a_token_to_compare_the_echo_needs_only_its_form(void **state)
{
	(void)state;
	struct bc_partner_answer a =
		answer_of(200, "{\"sovReqToken\":\"x\",\"externalProductId\":\"p\"}");
	assert_true(read_answer(&a).odd_body);
	a.token = NULL;
	assert_false(read_answer(&a).odd_body);
	a.body = "OK";
	a.body_bytes = 2;
	assert_true(read_answer(&a).odd_body);
}

static void a_partner_without_a_documented_echo_has_no_odd_ones(void **state)
{
	(void)state;
	struct bc_partner quiet = bc_partner_sovendus;
	struct bc_partner_answer a = answer_of(200, "OK");
	quiet.echo = NULL;
	assert_false(bc_partner_read_answer(&quiet, &a).odd_body);
}

static void a_long_body_is_read_by_its_length(void **state)
{
	(void)state;
	struct bc_partner_answer a = answer_of(422, NO_PRODUCT);
	a.body_bytes = strlen("{\"message\":\"External product id");
	assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_REJECT);
	a.body = NULL; /* nothing was kept: the length of nothing does not count */
	assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_REJECT);
}

static const struct {
	uint64_t age_ms;
	unsigned attempt;
	enum bc_outcome outcome;
} ages[] = {
	{ 0, 1, BC_OUTCOME_RETRY },
	{ 59999, 1, BC_OUTCOME_RETRY },
	{ 60000, 1, BC_OUTCOME_REJECT },
	{ UINT64_MAX, 1, BC_OUTCOME_REJECT },
	{ 0, 2, BC_OUTCOME_REJECT },
	{ 59999, 2, BC_OUTCOME_REJECT },
	{ 59999, UINT_MAX, BC_OUTCOME_REJECT },
	{ 0, 0, BC_OUTCOME_REJECT },
};

static void an_unknown_token_of_a_young_click_is_tried_once_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(ages); i++) {
		struct bc_partner_answer a = answer_of(422, NO_TOKEN);
		a.click_age_ms = ages[i].age_ms;
		a.attempt = ages[i].attempt;
		assert_int_equal(read_answer(&a).outcome, ages[i].outcome);
		a.body = BAD_PARAMETERS;
		a.body_bytes = strlen(a.body);
		assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_REJECT);
	}
}

static void no_answer_is_unknown_only_if_the_request_left(void **state)
{
	(void)state;
	struct bc_partner_answer a = answer_of(0, NULL);
	assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_UNKNOWN);
	a.request_sent = false;
	assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_RETRY);
}

static void a_status_that_no_rule_knows_is_tried_again(void **state)
{
	(void)state;
	static const int odd[] = { INT_MIN, -1, 1, 42, 99, 1000, INT_MAX };
	for (size_t i = 0; i < BC_COUNT(odd); i++) {
		struct bc_partner_answer a = answer_of(odd[i], NO_PRODUCT);
		assert_int_equal(read_answer(&a).outcome, BC_OUTCOME_RETRY);
	}
	struct bc_partner empty = bc_partner_sovendus;
	struct bc_partner_answer a = answer_of(200, ECHO);
	empty.rule_count = 0;
	struct bc_partner_verdict v = bc_partner_read_answer(&empty, &a);
	assert_int_equal(v.outcome, BC_OUTCOME_RETRY);
	assert_true(v.meaning[0] && v.hint[0]);
}

/* The design's rule 4, once more. */
static enum bc_outcome expected(int status, const char *body, bool sent, bool young)
{
	if (status == 0)
		return sent ? BC_OUTCOME_UNKNOWN : BC_OUTCOME_RETRY;
	if (status >= 200 && status <= 299)
		return BC_OUTCOME_DELIVERED;
	if (status >= 300 && status <= 399)
		return BC_OUTCOME_SUSPECT;
	if (status < 400 || status > 499 || status == 408 || status == 429)
		return BC_OUTCOME_RETRY;
	if (status == 401 || status == 403 || status == 404 || status == 405)
		return BC_OUTCOME_SUSPECT;
	if (body && strstr(body, "External product id not found."))
		return BC_OUTCOME_SUSPECT;
	if (status == 422 && body && strstr(body, "Token not found.") && young)
		return BC_OUTCOME_RETRY;
	return BC_OUTCOME_REJECT;
}

static const char *const bodies[] = {
	NULL,		"",	    ECHO,     UNAUTHORIZED, BAD_CALL,
	BAD_PARAMETERS, NO_PRODUCT, NO_TOKEN, "{",	    "\x01\xff%n%s garbage \xc3",
	"null",		"[[[[[[[[",
};

static void every_status_with_every_body_has_exactly_one_verdict(void **state)
{
	(void)state;
	for (int status = 0; status <= 999; status++) {
		for (size_t i = 0; i < BC_COUNT(bodies) * 4; i++) {
			struct bc_partner_answer a = answer_of(status, bodies[i / 4]);
			bool young = i % 2;
			a.request_sent = i / 2 % 2;
			a.click_age_ms = young ? 100 : UINT64_MAX;
			enum bc_outcome want = expected(status, a.body, a.request_sent, young);
			struct bc_partner_verdict v = read_answer(&a);
			if (v.outcome != want)
				fail_msg("status %d, body %zu: %s instead of %s", status, i / 4,
					 bc_outcome_name(v.outcome), bc_outcome_name(want));
		}
	}
}

/* A row that an earlier one hides would be words that nobody ever reads. */
static void every_row_of_the_table_is_reached(void **state)
{
	(void)state;
	const struct bc_partner *p = &bc_partner_sovendus;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct bc_answer_rule *rule = &p->rules[i];
		bool reached = false;
		for (int status = rule->status_from; status <= rule->status_to; status++) {
			struct bc_partner_answer a = answer_of(status, rule->message);
			a.click_age_ms = rule->young_click ? 0 : UINT64_MAX;
			struct bc_partner_verdict v = read_answer(&a);
			reached = reached || v.meaning == rule->meaning;
		}
		if (!reached)
			fail_msg("row %zu is never reached: %s", i, rule->meaning);
	}
}

/* The style that texts keep everywhere: lower case or a name first, no full stop at the end. */
static void words_for_operators_keep_to_the_style(void **state)
{
	(void)state;
	const struct bc_partner *p = &bc_partner_sovendus;
	for (size_t i = 0; i < p->rule_count; i++) {
		const char *texts[] = { p->rules[i].meaning, p->rules[i].hint };
		for (size_t j = 0; j < BC_COUNT(texts); j++) {
			size_t len = strlen(texts[j]);
			assert_true(len == 0 || texts[j][len - 1] != '.');
			assert_null(strstr(texts[j], "  "));
			assert_null(strchr(texts[j], '\n'));
		}
	}
}

static void outcomes_have_names_that_are_read_back(void **state)
{
	(void)state;
	static const char *const names[] = { "unknown", "delivered", "retry", "suspect", "reject" };
	assert_int_equal(BC_COUNT(names), BC_OUTCOMES);
	for (int i = 0; i < BC_OUTCOMES; i++) {
		enum bc_outcome outcome = BC_OUTCOME_UNKNOWN;
		assert_string_equal(bc_outcome_name((enum bc_outcome)i), names[i]);
		assert_int_equal(bc_outcome_parse(names[i], &outcome), 0);
		assert_int_equal(outcome, i);
	}
	enum bc_outcome untouched = BC_OUTCOME_SUSPECT;
	assert_int_equal(bc_outcome_parse("Delivered", &untouched), BC_EINVAL);
	assert_int_equal(bc_outcome_parse("", &untouched), BC_EINVAL);
	assert_int_equal(untouched, BC_OUTCOME_SUSPECT);
	assert_string_equal(bc_outcome_name((enum bc_outcome)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_answers_mean_what_the_table_says),
		cmocka_unit_test(a_strange_echo_is_a_warning_and_still_a_delivery),
		cmocka_unit_test(without_a_token_to_compare_the_echo_needs_only_its_form),
		cmocka_unit_test(a_partner_without_a_documented_echo_has_no_odd_ones),
		cmocka_unit_test(a_long_body_is_read_by_its_length),
		cmocka_unit_test(an_unknown_token_of_a_young_click_is_tried_once_more),
		cmocka_unit_test(no_answer_is_unknown_only_if_the_request_left),
		cmocka_unit_test(a_status_that_no_rule_knows_is_tried_again),
		cmocka_unit_test(every_status_with_every_body_has_exactly_one_verdict),
		cmocka_unit_test(every_row_of_the_table_is_reached),
		cmocka_unit_test(words_for_operators_keep_to_the_style),
		cmocka_unit_test(outcomes_have_names_that_are_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
