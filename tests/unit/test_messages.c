/* SPDX-License-Identifier: MIT */
/* Every row of the tables that say what somebody else's answer means: in words, with something to
 * do, and another meaning for another case. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <backchannel/partner.h>

#include "base/attr.h"
#include "base/err.h"
#include "protocol/oauth_rules.h"

/* What a person reads begins in lower case unless with a name, and ends without a full stop. */
static void expect_words(const char *text)
{
	assert_non_null(text);
	assert_true(strlen(text) > 10);
	assert_int_not_equal(text[strlen(text) - 1], '.');
}

static void every_answer_of_the_partner_has_a_meaning_of_its_own_and_a_hint(void **state)
{
	const struct bc_partner *p = &bc_partner_sovendus;
	(void)state;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct bc_answer_rule *rule = &p->rules[i];
		expect_words(rule->meaning);
		if (rule->outcome != BC_OUTCOME_DELIVERED)
			expect_words(rule->hint);
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(rule->meaning, p->rules[k].meaning);
			/* The same advice is for the same kind of trouble alone. */
			if (rule->outcome != p->rules[k].outcome)
				assert_string_not_equal(rule->hint, p->rules[k].hint);
		}
	}
}

static void every_answer_of_a_token_endpoint_has_a_meaning_and_a_hint(void **state)
{
	(void)state;
	for (size_t i = 0; i < bc_oauth_rule_count; i++) {
		const struct bc_oauth_rule *rule = &bc_oauth_rules[i];
		expect_words(rule->meaning);
		if (rule->result == BC_OAUTH_GRANTED)
			continue;
		expect_words(rule->hint);
		assert_string_not_equal(rule->meaning, rule->hint);
	}
}

/* One meaning has one piece of advice, and each class of trouble its own. */
static void one_meaning_of_a_token_endpoint_has_one_hint(void **state)
{
	(void)state;
	for (size_t i = 0; i < bc_oauth_rule_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct bc_oauth_rule *a = &bc_oauth_rules[i], *b = &bc_oauth_rules[k];
			if (strcmp(a->meaning, b->meaning) == 0)
				assert_string_equal(a->hint, b->hint);
		}
}

static void what_the_system_says_has_a_hint_whatever_it_is(void **state)
{
	(void)state;
	for (int errnum = 0; errnum < 200; errnum++)
		expect_words(bc_errno_hint(errnum));
	assert_string_not_equal(bc_errno_hint(ENOSPC), bc_errno_hint(EACCES));
	assert_string_equal(bc_errno_hint(-1), bc_errno_hint(100000));
}

static void text_and_hint_are_set_together_or_not_at_all(void **state)
{
	struct bc_err err = { 0 };
	(void)state;
	assert_int_equal(bc_err_tell(&err, BC_EIO, "50% of it helps", "\"%s\" broke", "x"), BC_EIO);
	assert_string_equal(err.text, "\"x\" broke");
	assert_string_equal(err.hint, "50% of it helps");
	assert_int_equal(bc_err_tell(&err, BC_EINVAL, "another hint", "another text"), BC_EINVAL);
	assert_int_equal(err.code, BC_EIO);
	assert_string_equal(err.hint, "50% of it helps");
	assert_int_equal(bc_err_tell(NULL, BC_EIO, "nobody", "reads this"), BC_EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_of_the_partner_has_a_meaning_of_its_own_and_a_hint),
		cmocka_unit_test(every_answer_of_a_token_endpoint_has_a_meaning_and_a_hint),
		cmocka_unit_test(one_meaning_of_a_token_endpoint_has_one_hint),
		cmocka_unit_test(what_the_system_says_has_a_hint_whatever_it_is),
		cmocka_unit_test(text_and_hint_are_set_together_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
