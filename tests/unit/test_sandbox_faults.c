/* SPDX-License-Identifier: MIT */
/* The sandbox's fault language: what is read, what is refused and with which hint, what fires. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "failing_malloc.h"
#include "sandbox/faults.h"

static struct bc_faults *faults_of(const char *spec)
{
	struct bc_faults *f = NULL;
	struct bc_err err = { 0 };

	if (bc_faults_create(bc_str_of(spec), 0, &f, &err) < 0)
		fail_msg("\"%s\": %s (%s)", spec, err.text, err.hint);
	return f;
}

static const struct bc_fault_request a_post = {
	.method = "POST",
	.path = BC_STR("/ext/P1/abcd-1/api"),
	.token = BC_STR("abcd-1"),
	.product = BC_STR("P1"),
	.key_fingerprint = "0011aabb",
};

/* What becomes of n equal requests at time 0: one letter each, 'x' struck, '.' spared. */
static void expect_strikes(const char *spec, const char *strikes)
{
	struct bc_faults *f = faults_of(spec);
	char seen[128] = "";

	for (size_t i = 0; i < strlen(strikes); i++) {
		struct bc_fault_plan plan;

		bc_faults_decide(f, &a_post, 0, &plan);
		seen[i] = plan.action.kind == BC_FAULT_NONE ? '.' : 'x';
	}
	bc_faults_destroy(f);
	if (strcmp(seen, strikes) != 0)
		fail_msg("\"%s\" strikes %s, not %s", spec, seen, strikes);
}

static enum bc_fault_kind kind_for(const char *spec, const struct bc_fault_request *req)
{
	struct bc_faults *f = faults_of(spec);
	struct bc_fault_plan plan;

	bc_faults_decide(f, req, 0, &plan);
	bc_faults_destroy(f);
	return plan.action.kind;
}

static void every_fault_is_read_by_its_name(void **state)
{
	static const struct {
		const char *spec;
		enum bc_fault_kind kind;
	} rows[] = {
		{ "status=503", BC_FAULT_STATUS },
		{ "redirect", BC_FAULT_REDIRECT },
		{ "wrong-echo", BC_FAULT_WRONG_ECHO },
		{ "empty-body", BC_FAULT_EMPTY_BODY },
		{ "html", BC_FAULT_HTML },
		{ "half-head", BC_FAULT_HALF_HEAD },
		{ "half-body", BC_FAULT_HALF_BODY },
		{ "trickle=1/100ms", BC_FAULT_TRICKLE },
		{ "garbage", BC_FAULT_GARBAGE },
		{ "hang", BC_FAULT_HANG },
		{ "close", BC_FAULT_CLOSE },
		{ "reset-after", BC_FAULT_RESET_AFTER },
		{ "accept-reset", BC_FAULT_ACCEPT_RESET },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		assert_int_equal(kind_for(rows[i].spec, &a_post), rows[i].kind);
}

static void a_rule_hits_only_what_it_names(void **state)
{
	static const struct {
		const char *spec;
		bool hits;
	} rows[] = {
		{ "POST hang", true },
		{ "GET hang", false },
		{ "/ext/* hang", true },
		{ "/ext/*/api hang", true },
		{ "/ext/P?/* hang", true },
		{ "/ext hang", false },
		{ "*/api hang", true },
		{ "* hang", true },
		{ "POST /ext/P1/abcd-1/api hang", true },
		{ "POST /ext/P1/abcd-1/ap hang", false },
		{ "POST /ext/P1/abcd-1/api? hang", false },
		{ "hang token=abcd-1", true },
		{ "hang token=abc*", true },
		{ "hang token=*1", true },
		{ "hang token=*a*1*", true },
		{ "hang token=abc", false },
		{ "hang product=P1", true },
		{ "hang product=P2", false },
		{ "hang key=0011aabb", true },
		{ "hang key=0011aabc", false },
		{ "hang token=abcd-1 product=P2", false },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		if ((kind_for(rows[i].spec, &a_post) == BC_FAULT_HANG) != rows[i].hits)
			fail_msg("\"%s\" should %shit", rows[i].spec, rows[i].hits ? "" : "not ");
}

static void a_request_without_a_token_fits_no_token_rule(void **state)
{
	static const struct bc_fault_request plain = { .method = "GET", .path = BC_STR("/x") };

	(void)state;
	assert_int_equal(kind_for("hang token=*", &plain), BC_FAULT_NONE);
	assert_int_equal(kind_for("hang product=*", &plain), BC_FAULT_NONE);
	assert_int_equal(kind_for("hang key=*", &plain), BC_FAULT_NONE);
	assert_int_equal(kind_for("hang", &plain), BC_FAULT_HANG);
}

static void selectors_choose_requests_by_their_count(void **state)
{
	(void)state;
	expect_strikes("hang", "xxxx");
	expect_strikes("hang first=3", "xxx...");
	expect_strikes("hang skip=2", "..xxx");
	expect_strikes("hang every=2", ".x.x.x");
	expect_strikes("hang every=1", "xxx");
	expect_strikes("hang times=2", "xx..");
	expect_strikes("hang skip=1 times=1", ".x...");
	expect_strikes("hang skip=2 first=2", "..xx..");
	expect_strikes("hang every=3 times=2", "..x..x...");
	expect_strikes("hang first=4 every=2", ".x.x....");
	expect_strikes("hang skip=1 every=2", "..x.x.x");
}

static void two_rules_take_turns_when_the_first_spares(void **state)
{
	struct bc_faults *f = faults_of("status=500 first=1, status=429 first=1");
	int seen[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bc_fault_plan plan;

		bc_faults_decide(f, &a_post, 0, &plan);
		seen[i] = plan.action.status;
	}
	bc_faults_destroy(f);
	assert_int_equal(seen[0], 500);
	assert_int_equal(seen[1], 429);
	assert_int_equal(seen[2], 0);
}

static void delays_add_up_and_lead_on_to_the_next_fault(void **state)
{
	struct bc_faults *f = faults_of("delay=2s, delay=500ms\nstatus=503, delay=1h");
	struct bc_fault_plan plan;

	(void)state;
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_int_equal(plan.delay_ms, 2500);
	assert_int_equal(plan.action.kind, BC_FAULT_STATUS);
	bc_faults_destroy(f);
}

static bool strikes_at(struct bc_faults *f, uint64_t now_ms)
{
	struct bc_fault_plan plan;

	bc_faults_decide(f, &a_post, now_ms, &plan);
	return plan.action.kind != BC_FAULT_NONE;
}

static void a_window_opens_and_closes_by_the_clock(void **state)
{
	struct bc_faults *f;

	(void)state;
	assert_int_equal(bc_faults_create(BC_STR("hang after=5s for=10s first=2"), 1000, &f, NULL),
			 0);
	assert_false(strikes_at(f, 1000));
	assert_false(strikes_at(f, 5999));
	assert_true(strikes_at(f, 6000)); /* what came before does not count towards first */
	assert_true(strikes_at(f, 15999));
	assert_false(strikes_at(f, 16000));
	bc_faults_destroy(f);
	f = faults_of("hang for=10s");
	assert_true(strikes_at(f, 9999));
	assert_false(strikes_at(f, 10000));
	bc_faults_destroy(f);
}

static unsigned strikes_in_thousand(const char *spec, unsigned *ret_first)
{
	struct bc_faults *f = faults_of(spec);
	unsigned n = 0;

	*ret_first = 0;
	for (unsigned i = 1; i <= 1000; i++)
		if (strikes_at(f, 0) && n++ == 0)
			*ret_first = i;
	bc_faults_destroy(f);
	return n;
}

static void probability_strikes_about_as_often_and_alike_on_every_run(void **state)
{
	unsigned n, first, again, ignored;

	(void)state;
	n = strikes_in_thousand("hang probability=0.1", &first);
	assert_in_range(n, 60, 140);
	assert_int_equal(strikes_in_thousand("hang probability=10%", &again), n);
	assert_int_equal(first, again);
	assert_int_not_equal(strikes_in_thousand("hang probability=0.1;seed=7", &again), 0);
	assert_int_not_equal(again, first);
	assert_int_equal(strikes_in_thousand("hang probability=0", &ignored), 0);
	assert_int_equal(strikes_in_thousand("hang probability=1", &ignored), 1000);
	assert_int_equal(strikes_in_thousand("hang probability=100%", &ignored), 1000);
}

static void quotes_keep_blanks_commas_and_the_other_quote(void **state)
{
	struct bc_faults *f = faults_of("status=422 message=\"Token not found, sorry; really\", "
					"status=200 body='{\"a\":\"b\"}' type=text/plain");
	struct bc_fault_plan plan;

	(void)state;
	assert_int_equal(bc_faults_count(f), 2);
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_string_equal(plan.action.message, "Token not found, sorry; really");
	bc_faults_destroy(f);
	f = faults_of("status=200 body='{\"a\":\"b\"}' type=text/plain header=\"X-A: b c\"");
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_string_equal(plan.action.body, "{\"a\":\"b\"}");
	assert_string_equal(plan.action.type, "text/plain");
	assert_string_equal(plan.action.header, "X-A: b c");
	bc_faults_destroy(f);
}

static void shapes_are_handed_on(void **state)
{
	struct bc_faults *f = faults_of("status=429;retry-after=date:2s;taken");
	struct bc_fault_plan plan;

	(void)state;
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_string_equal(plan.action.name, "status");
	assert_string_equal(plan.action.retry_after, "date:2s");
	assert_true(plan.action.taken);
	bc_faults_destroy(f);
	f = faults_of("trickle=16/250ms");
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_int_equal(plan.action.chunk_bytes, 16);
	assert_int_equal(plan.action.chunk_ms, 250);
	bc_faults_destroy(f);
	f = faults_of("redirect to=http://elsewhere.example/");
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_int_equal(plan.action.status, 307);
	assert_string_equal(plan.action.to, "http://elsewhere.example/");
	bc_faults_destroy(f);
}

static void an_empty_list_has_no_rules(void **state)
{
	static const char *const specs[] = { "", " ", ",", " , ,\n\n ; \t", NULL };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(specs); i++) {
		struct bc_faults *f = faults_of(specs[i]);

		assert_int_equal(bc_faults_count(f), 0);
		assert_false(strikes_at(f, 0));
		bc_faults_destroy(f);
	}
}

static void a_rule_is_shown_as_it_was_written_with_its_strikes(void **state)
{
	struct bc_faults *f = faults_of(" POST status=503  message=\"a, b\" first=1 ,\n hang");
	struct bc_fault_view v;

	(void)state;
	assert_int_equal(bc_faults_count(f), 2);
	strikes_at(f, 0);
	strikes_at(f, 0);
	bc_faults_view(f, 0, 0, &v);
	assert_true(bc_str_eq(v.text, "POST status=503  message=\"a, b\" first=1"));
	assert_int_equal(v.seen, 2);
	assert_int_equal(v.fired, 1);
	assert_true(v.over);
	bc_faults_view(f, 1, 0, &v);
	assert_true(bc_str_eq(v.text, "hang"));
	assert_int_equal(v.seen, 1);
	assert_false(v.over);
	bc_faults_destroy(f);
}

static void a_bad_rule_is_refused_with_a_hint_that_helps(void **state)
{
	static const struct {
		const char *spec, *text, *hint;
	} rows[] = {
		{ "stauts=503", "no fault is called \"stauts\"", "status=CODE" },
		{ "POST /ext/*", "the rule \"POST /ext/*\" names no fault", "accept-reset" },
		{ "hang, POST first=1", "no fault is called \"first\"", "hang" },
		{ "hang fist=1", "\"fist\" can't follow a fault", "first=N" },
		{ "hang POST", "\"POST\" can't follow a fault", "token=GLOB" },
		{ "hang /ext", "\"/ext\" can't follow a fault", "times=N" },
		{ "POST GET hang", "no fault is called \"GET\"", "" },
		{ "hang delay=1s", "\"hang\" and \"delay\" stand in one rule", "two rules" },
		{ "status", "bad value \"\" for \"status\"", "write status=CODE" },
		{ "status=", "bad value \"\" for \"status\"", "write status=CODE" },
		{ "status=99", "bad value \"99\"", "status=CODE" },
		{ "status=100", "bad value \"100\"", "status=CODE" },
		{ "status=1000", "bad value \"1000\"", "status=CODE" },
		{ "delay=5", "bad value \"5\" for \"delay\"", "delay=DURATION" },
		{ "delay=0ms", "bad value \"0ms\"", "delay=DURATION" },
		{ "delay=25h", "bad value \"25h\"", "delay=DURATION" },
		{ "redirect=200", "bad value \"200\"", "redirect[=CODE]" },
		{ "trickle=1", "bad value \"1\"", "trickle=BYTES/DURATION" },
		{ "trickle=0/1s", "bad value \"0/1s\"", "trickle=BYTES/DURATION" },
		{ "hang=1", "bad value \"1\" for \"hang\"", "write hang: " },
		{ "hang taken=yes", "bad value \"yes\" for \"taken\"", "write taken: " },
		{ "hang first=0", "bad value \"0\" for \"first\"", "first=N" },
		{ "hang first=-1", "bad value \"-1\"", "first=N" },
		{ "hang first=1 first=2", "\"first\" is given twice", "" },
		{ "hang probability=1.1", "bad value \"1.1\"", "0.1 or 10%" },
		{ "hang probability=101%", "bad value \"101%\"", "probability=P" },
		{ "hang probability=", "bad value \"\"", "probability=P" },
		{ "hang probability=.", "bad value \".\"", "probability=P" },
		{ "hang probability=1%0", "bad value \"1%0\"", "probability=P" },
		{ "hang probability=99999999999999999999999", "bad value", "probability=P" },
		{ "hang message=x", "\"message\" means nothing for \"hang\"", "message=TEXT" },
		{ "accept-reset taken", "\"taken\" means nothing for \"accept-reset\"", "taken" },
		{ "status=503 to=/x", "\"to\" means nothing for \"status\"", "redirect" },
		{ "status=429 retry-after=date:x", "bad value \"date:x\"", "date:2s" },
		{ "status=200 header=\"A: b\r\nC: d\"", "bad value", "header=LINE" },
		{ "status=422 message=\"open", "a quote is not closed", "" },
		{ "status=422 message='it\"s", "a quote is not closed", "" },
		{ "reset-before", "\"reset-before\" without an end would lock you out", "times=N" },
		{ "reset-before every=1", "without an end", "every=N" },
		{ "POST reset-before times=1", "before a method or path is read", "reset-after" },
		{ "/ext/* reset-before times=1", "before a method or path is read", "" },
		{ "reset-before times=1 token=a", "\"token\" means nothing for \"reset-before\"",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_faults *f = NULL;
		struct bc_err err = { 0 };
		int rc = bc_faults_create(bc_str_of(rows[i].spec), 0, &f, &err);

		if (rc != BC_EINVAL || f || !strstr(err.text, rows[i].text) ||
		    !strstr(err.hint, rows[i].hint))
			fail_msg("\"%s\" gives %d \"%s\" (%s)", rows[i].spec, rc, err.text,
				 err.hint);
	}
}

static void hints_are_not_cut_off(void **state)
{
	struct bc_faults *f;
	struct bc_err err = { 0 };

	(void)state;
	assert_int_equal(bc_faults_create(BC_STR("x"), 0, &f, &err), BC_EINVAL);
	assert_non_null(strstr(err.hint, "accept-reset"));
	err = (struct bc_err){ 0 };
	assert_int_equal(bc_faults_create(BC_STR("hang x"), 0, &f, &err), BC_EINVAL);
	assert_non_null(strstr(err.hint, "seed=N"));
}

static void a_list_has_ceilings(void **state)
{
	char spec[BC_FAULT_SPEC_MAX + 2];
	struct bc_faults *f = NULL;
	struct bc_err err = { 0 };

	(void)state;
	memset(spec, ' ', sizeof(spec));
	assert_int_equal(bc_faults_create((struct bc_str){ spec, sizeof(spec) - 1 }, 0, &f, &err),
			 BC_ETOOBIG);
	for (size_t i = 0; i < BC_FAULT_RULES_MAX; i++)
		memcpy(spec + 6 * i, "hang,\n", 6);
	assert_int_equal(bc_faults_create((struct bc_str){ spec, (size_t)6 * BC_FAULT_RULES_MAX },
					  0, &f, NULL),
			 0);
	assert_int_equal(bc_faults_count(f), BC_FAULT_RULES_MAX);
	bc_faults_destroy(f);
	memcpy(spec + 6 * BC_FAULT_RULES_MAX, "hang", 4);
	f = NULL;
	assert_int_equal(
		bc_faults_create((struct bc_str){ spec, (size_t)6 * BC_FAULT_RULES_MAX + 4 }, 0, &f,
				 &err),
		BC_ETOOBIG);
	assert_null(f);
	assert_int_equal(bc_faults_create((struct bc_str){ "hang\0x", 6 }, 0, &f, NULL), BC_EINVAL);
}

static void connections_are_reset_only_by_their_own_rule(void **state)
{
	struct bc_faults *f = faults_of("reset-before times=2, hang");
	struct bc_fault_plan plan;

	(void)state;
	assert_true(bc_faults_reset_connection(f, 0));
	bc_faults_decide(f, &a_post, 0, &plan);
	assert_int_equal(plan.action.kind, BC_FAULT_HANG);
	assert_true(bc_faults_reset_connection(f, 0));
	assert_false(bc_faults_reset_connection(f, 0));
	bc_faults_destroy(f);
	f = faults_of("hang");
	assert_false(bc_faults_reset_connection(f, 0));
	assert_false(bc_faults_need_key(f));
	bc_faults_destroy(f);
	f = faults_of("hang, hang key=00112233");
	assert_true(bc_faults_need_key(f));
	bc_faults_destroy(f);
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	assert_non_null(file);
	assert_non_null(text);
	assert_in_range(fread(text, 1, 65535, file), 1, 65534);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void every_word_stands_in_the_manual_with_its_help(void **state)
{
	char *manual = read_file("../../docs/sandbox.md");
	const struct bc_fault_word *w;

	(void)state;
	for (size_t i = 0; (w = bc_fault_word_at(i)); i++) {
		char row[512];

		snprintf(row, sizeof(row), "| `%s%s` | %s |", w->name, w->arg, w->help);
		if (!strstr(manual, row))
			fail_msg("docs/sandbox.md lacks the row: %s", row);
	}
	free(manual);
}

static bool reads_a_list(void *ctx)
{
	struct bc_faults *f = NULL;
	struct bc_err err = { 0 };
	int rc = bc_faults_create(BC_STR("POST /ext/* status=503 first=3, hang token=a*"), 0, &f,
				  &err);

	(void)ctx;
	if (rc < 0)
		assert_int_equal(rc, BC_ENOMEM);
	else
		assert_int_equal(bc_faults_count(f), 2);
	bc_faults_destroy(f);
	return rc == 0;
}

static void reading_survives_each_allocation_failing(void **state)
{
	(void)state;
	each_allocation_failing(reads_a_list, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_is_read_by_its_name),
		cmocka_unit_test(a_rule_hits_only_what_it_names),
		cmocka_unit_test(a_request_without_a_token_fits_no_token_rule),
		cmocka_unit_test(selectors_choose_requests_by_their_count),
		cmocka_unit_test(two_rules_take_turns_when_the_first_spares),
		cmocka_unit_test(delays_add_up_and_lead_on_to_the_next_fault),
		cmocka_unit_test(a_window_opens_and_closes_by_the_clock),
		cmocka_unit_test(probability_strikes_about_as_often_and_alike_on_every_run),
		cmocka_unit_test(quotes_keep_blanks_commas_and_the_other_quote),
		cmocka_unit_test(shapes_are_handed_on),
		cmocka_unit_test(an_empty_list_has_no_rules),
		cmocka_unit_test(a_rule_is_shown_as_it_was_written_with_its_strikes),
		cmocka_unit_test(a_bad_rule_is_refused_with_a_hint_that_helps),
		cmocka_unit_test(hints_are_not_cut_off),
		cmocka_unit_test(a_list_has_ceilings),
		cmocka_unit_test(connections_are_reset_only_by_their_own_rule),
		cmocka_unit_test(every_word_stands_in_the_manual_with_its_help),
		cmocka_unit_test(reading_survives_each_allocation_failing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
