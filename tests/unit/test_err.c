/* SPDX-License-Identifier: MIT */
/* The error type: first text wins, texts fit, texts are tame. Nothing here may allocate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "failing_malloc.h"

static void the_first_text_wins(void **state BC_UNUSED)
{
	struct bc_err err = { 0 };

	assert_int_equal(bc_err_set(&err, BC_EINVAL, "bad port \"%d\"", 99999), BC_EINVAL);
	assert_int_equal(bc_err_set(&err, BC_EIO, "cannot start"), BC_EIO);
	assert_int_equal(err.code, BC_EINVAL);
	assert_string_equal(err.text, "bad port \"99999\"");
	assert_string_equal(err.hint, "");
}

static void the_first_hint_wins_and_stands_apart_from_the_text(void **state BC_UNUSED)
{
	struct bc_err err = { 0 };

	bc_err_set(&err, BC_EINVAL, "bad port");
	bc_err_hint(&err, "use 1 to %d", 65535);
	bc_err_hint(&err, "see the manual");
	assert_string_equal(err.text, "bad port");
	assert_string_equal(err.hint, "use 1 to 65535");
}

static void without_a_struct_the_code_is_still_returned(void **state BC_UNUSED)
{
	assert_int_equal(bc_err_set(NULL, BC_EAUTH, "refused"), BC_EAUTH);
	assert_int_equal(bc_err_nomem(NULL), BC_ENOMEM);
	bc_err_hint(NULL, "nothing");
	bc_err_clear(NULL);
}

static void clearing_makes_room_for_the_next_error(void **state BC_UNUSED)
{
	struct bc_err err = { 0 };

	assert_int_equal(bc_err_nomem(&err), BC_ENOMEM);
	assert_string_equal(err.text, "out of memory");
	assert_true(strlen(err.hint) > 0);
	bc_err_clear(&err);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.text, "");
	bc_err_set(&err, BC_EIO, "next");
	assert_string_equal(err.text, "next");
}

static void a_long_text_is_cut_between_characters(void **state BC_UNUSED)
{
	char subject[2 * BC_ERR_TEXT_BYTES + 1] = "";

	for (size_t shift = 0; shift < 4; shift++) {
		struct bc_err err = { 0 };

		memset(subject, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(subject); i += 4)
			memcpy(subject + i, "\xf0\x9f\x92\xa9", 5);
		bc_err_set(&err, BC_EINVAL, "%s", subject);
		assert_in_range(strlen(err.text), BC_ERR_TEXT_BYTES - 4, BC_ERR_TEXT_BYTES - 1);
		assert_int_equal(strlen(err.text) % 4, shift);
		assert_memory_equal(err.text, subject, strlen(err.text));
	}
}

static void a_cut_that_falls_between_characters_loses_none(void **state BC_UNUSED)
{
	char subject[BC_ERR_TEXT_BYTES + 8];
	struct bc_err err = { 0 };

	memset(subject, 'x', sizeof(subject));
	memcpy(subject + BC_ERR_TEXT_BYTES - 3, "\xc3\xa9", 2);
	subject[sizeof(subject) - 1] = '\0';
	bc_err_set(&err, BC_EINVAL, "%s", subject);
	assert_int_equal(strlen(err.text), BC_ERR_TEXT_BYTES - 1);
	assert_memory_equal(err.text + BC_ERR_TEXT_BYTES - 3, "\xc3\xa9", 2);
}

static void control_bytes_in_a_subject_do_not_reach_a_terminal(void **state BC_UNUSED)
{
	struct bc_err err = { 0 };

	bc_err_set(&err, BC_EINVAL, "bad \"%s\"", "a\x1b[31m\r\n\tb\x7f");
	assert_string_equal(err.text, "bad \"a?[31m   b?\"");
	bc_err_hint(&err, "%s", "two\nlines");
	assert_string_equal(err.hint, "two lines");
}

static void every_code_has_a_name_of_its_own(void **state BC_UNUSED)
{
	for (int a = BC_EINTERNAL; a <= BC_OK; a++) {
		assert_non_null(bc_code_name(a));
		assert_string_not_equal(bc_code_name(a), "unknown");
		for (int b = BC_EINTERNAL; b < a; b++)
			assert_string_not_equal(bc_code_name(a), bc_code_name(b));
	}
	assert_string_equal(bc_code_name(BC_EINVAL), "invalid");
	assert_string_equal(bc_code_name(1), "unknown");
	assert_string_equal(bc_code_name(BC_EINTERNAL - 1), "unknown");
	assert_string_equal(bc_code_name(INT32_MIN), "unknown");
}

static void reporting_needs_no_memory(void **state BC_UNUSED)
{
	struct bc_err err = { 0 };

	fail_allocation(1);
	bc_err_set(&err, BC_EINVAL, "bad \"%s\" of %d", "thing", 3);
	bc_err_hint(&err, "try %s", "another");
	assert_false(allocation_failed());
	fail_allocation(0);
	assert_string_equal(err.text, "bad \"thing\" of 3");
}

static void a_broken_assertion_says_where_and_ends_the_process(void **state BC_UNUSED)
{
	char text[256] = "";
	int pipe_ends[2];
	int status;
	pid_t child;

	assert_int_equal(pipe(pipe_ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(pipe_ends[1], STDERR_FILENO);
		bc_assert_failed("1 == 2", "sums.c", 7);
	}
	close(pipe_ends[1]);
	assert_true(read(pipe_ends[0], text, sizeof(text) - 1) > 0);
	close(pipe_ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "sums.c:7: 1 == 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_text_wins),
		cmocka_unit_test(the_first_hint_wins_and_stands_apart_from_the_text),
		cmocka_unit_test(without_a_struct_the_code_is_still_returned),
		cmocka_unit_test(clearing_makes_room_for_the_next_error),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(a_cut_that_falls_between_characters_loses_none),
		cmocka_unit_test(control_bytes_in_a_subject_do_not_reach_a_terminal),
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test(reporting_needs_no_memory),
		cmocka_unit_test(a_broken_assertion_says_where_and_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
