/* SPDX-License-Identifier: MIT */
/* Where lines go and when: levels, one write a line, gathered lines, and that no live secret
 * leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "failing_malloc.h"

/* A packet socket keeps the bounds of each write: what is received at once was written at once. */
static int writer, reader;

static int open_log(void **state BC_UNUSED)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		return -1;
	writer = ends[0];
	reader = ends[1];
	bc_log_to_fd(writer);
	bc_log_setup(BC_LOG_INFO, false);
	return 0;
}

static int close_log(void **state BC_UNUSED)
{
	bc_log_gather(false);
	bc_log_to_fd(STDERR_FILENO);
	bc_log_setup(BC_LOG_INFO, false);
	close(writer);
	close(reader);
	return 0;
}

/* The next line that was written, or "" when there is none. */
static const char *next_line(void)
{
	static char line[16384];
	ssize_t got = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[got > 0 ? got : 0] = '\0';
	return line;
}

/* What follows the time of the next line. */
static const char *next_rest(void)
{
	const char *line = next_line();

	assert_true(strlen(line) > 25);
	assert_int_equal(line[23], 'Z');
	return line + 25;
}

static void a_line_is_one_write(void **state BC_UNUSED)
{
	bc_log_info("order.accepted", BC_LS("order", "100"), BC_LS("note", "a b"));
	bc_log_warning("plain");
	assert_string_equal(next_rest(), "INFO order.accepted order=100 note=\"a b\"\n");
	assert_string_equal(next_rest(), "WARNING plain\n");
	assert_string_equal(next_line(), "");
}

static void json_lines_carry_the_same_keys(void **state BC_UNUSED)
{
	const char *line;

	bc_log_setup(BC_LOG_INFO, true);
	bc_log_error("lane.parked", BC_LS("lane", "sovendus.default"), BC_LMS("age", 5));
	line = next_line();
	assert_memory_equal(line, "{\"ts\":\"20", 9);
	assert_non_null(strstr(line, "Z\",\"level\":\"error\",\"event\":\"lane.parked\","
				     "\"lane\":\"sovendus.default\",\"age_ms\":5}\n"));
}

static void lines_below_the_level_are_not_written(void **state BC_UNUSED)
{
	int evaluated = 0;

	bc_log_setup(BC_LOG_WARNING, false);
	bc_log_info("quiet", BC_LI("n", ++evaluated));
	bc_log_debug("quieter", BC_LI("n", ++evaluated));
	assert_string_equal(next_line(), "");
	assert_int_equal(evaluated, 0);
	bc_log_warning("loud", BC_LI("n", ++evaluated));
	assert_string_equal(next_rest(), "WARNING loud n=1\n");
	bc_log_setup(BC_LOG_DEBUG, false);
	assert_true(bc_log_enabled(BC_LOG_DEBUG));
	bc_log_debug("now");
	assert_string_equal(next_rest(), "DEBUG now\n");
	bc_log_setup(BC_LOG_ERROR, false);
	assert_true(bc_log_enabled(BC_LOG_ERROR));
	assert_false(bc_log_enabled(BC_LOG_WARNING));
}

static struct bc_secret *make(const char *text)
{
	struct bc_secret *s = bc_secret_create(text, strlen(text));

	assert_non_null(s);
	return s;
}

static const char refused[] =
	"ERROR log.refused event=http.answer reason=\"the line held a secret\"\n";

static void a_line_that_holds_a_secret_is_replaced(void **state BC_UNUSED)
{
	struct bc_secret *s = make("canary-7f3a");

	bc_log_info("http.answer", BC_LS("body", "x canary-7f3a y"), BC_LU("status", 200));
	assert_string_equal(next_rest(), refused);
	assert_string_equal(next_line(), "");
	bc_secret_unref(s);
	bc_log_info("http.answer", BC_LS("body", "canary-7f3a"));
	assert_string_equal(next_rest(), "INFO http.answer body=canary-7f3a\n");
}

static void a_refusal_in_json_is_valid_too(void **state BC_UNUSED)
{
	struct bc_secret *s = make("canary-7f3a");
	const char *line;

	bc_log_setup(BC_LOG_ERROR, true);
	bc_log_error("http.answer", BC_LS("body", "canary-7f3a"));
	line = next_line();
	assert_non_null(strstr(line, "\"level\":\"error\",\"event\":\"log.refused\","
				     "\"refused_event\":\"http.answer\","
				     "\"reason\":\"the line held a secret\"}\n"));
	bc_secret_unref(s);
}

static void escaping_and_encoding_do_not_smuggle_a_secret_out(void **state BC_UNUSED)
{
	struct bc_secret *s = make("can\"ary\n\x02/7f");

	bc_log_info("http.answer", BC_LS("raw", "can\"ary\n\x02/7f"));
	assert_string_equal(next_rest(), refused);
	bc_log_info("http.answer", BC_LS("url", "/x?k=can%22ary%0A%02%2F7f"));
	assert_string_equal(next_rest(), refused);
	bc_log_info("http.answer", BC_LS("body", "{\"k\":\"can\\\"ary\\n\\u0002/7f\"}"));
	assert_string_equal(next_rest(), refused);
	bc_secret_unref(s);
}

static void a_number_that_is_a_secret_is_refused(void **state BC_UNUSED)
{
	struct bc_secret *s = make("8675309");

	bc_log_info("http.answer", BC_LU("n", 8675309));
	assert_string_equal(next_rest(), refused);
	bc_secret_unref(s);
}

/* Cutting a long value must not leave the first half of a secret at the cut. */
static void a_secret_at_a_cut_is_refused(void **state BC_UNUSED)
{
	struct bc_secret *s = make("canary-of-some-length");
	char big[4000];

	for (size_t at = 2000; at < 2100; at++) {
		memset(big, '-', sizeof(big));
		memcpy(big + at, "canary-of-some-length", 21);
		bc_log_info("http.answer", BC_LSTR("body", ((struct bc_str){ big, sizeof(big) })));
		assert_string_equal(next_rest(), refused);
	}
	bc_secret_unref(s);
}

static void the_callers_errno_is_kept(void **state BC_UNUSED)
{
	int closed = dup(writer);

	assert_true(closed >= 0);
	close(closed);
	bc_log_to_fd(closed);
	errno = ENOTTY;
	bc_log_error("lost");
	assert_int_equal(errno, ENOTTY);
	bc_log_to_fd(writer);
	errno = ENOTTY;
	bc_log_error("kept");
	assert_int_equal(errno, ENOTTY);
	assert_string_equal(next_rest(), "ERROR kept\n");
}

static void a_full_pipe_loses_lines_and_does_not_stall(void **state BC_UNUSED)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	bc_log_to_fd(ends[1]);
	for (int i = 0; i < 5000; i++)
		bc_log_info("flood", BC_LI("n", i));
	bc_log_to_fd(writer);
	close(ends[0]);
	close(ends[1]);
	bc_log_info("after");
	assert_string_equal(next_rest(), "INFO after\n");
}

static void *write_many(void *arg)
{
	for (int i = 0; i < 200; i++)
		bc_log_info("thread", BC_LS("name", arg), BC_LI("n", i));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state BC_UNUSED)
{
	FILE *file = tmpfile();
	char line[256], name[16];
	pthread_t threads[4];
	int next[4] = { 0 }, n, lines = 0;

	assert_non_null(file);
	assert_int_equal(fcntl(fileno(file), F_SETFL, O_APPEND), 0);
	bc_log_to_fd(fileno(file));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many,
						(void *)(uintptr_t) & "a\0b\0c\0d"[2 * i]),
				 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	rewind(file);
	for (; fgets(line, sizeof(line), file); lines++) {
		assert_int_equal(sscanf(line + 25, "INFO thread name=%15s n=%d\n", name, &n), 2);
		assert_int_equal(n, next[name[0] - 'a']++);
	}
	assert_int_equal(lines, 800);
	fclose(file);
}

/* --- gathered lines -------------------------------------------------------------------------- */

/* The events of the next write, each with a blank before it; "" when nothing was written. */
static const char *next_events(void)
{
	static char events[16384];
	char event[256], *to = events;

	*to = '\0';
	for (const char *line = next_line(); *line; line = strchr(line, '\n') + 1) {
		assert_int_equal(sscanf(line, "%*s %*s %255s", event), 1);
		to += sprintf(to, " %s", event);
	}
	return events;
}

static void gathered_lines_leave_in_one_write(void **state BC_UNUSED)
{
	bc_log_gather(true);
	bc_log_info("one");
	bc_log_info("two", BC_LI("n", 2));
	assert_string_equal(next_line(), "");
	bc_log_flush();
	assert_string_equal(next_events(), " one two");
	bc_log_flush();
	assert_string_equal(next_line(), "");
	bc_log_info("three");
	bc_log_gather(false);
	assert_string_equal(next_events(), " three");
	bc_log_info("four");
	assert_string_equal(next_events(), " four");
}

static void a_warning_and_an_error_take_along_what_was_gathered(void **state BC_UNUSED)
{
	struct bc_secret *s = make("canary-7f3a");

	bc_log_gather(true);
	bc_log_info("one");
	bc_log_warning("two");
	assert_string_equal(next_events(), " one two");
	bc_log_error("three");
	assert_string_equal(next_events(), " three");
	bc_log_info("four");
	bc_log_info("five", BC_LS("body", "canary-7f3a")); /* its refusal is an error */
	assert_string_equal(next_events(), " four log.refused");
	bc_secret_unref(s);
}

static void a_full_buffer_leaves_in_whole_lines_and_in_order(void **state BC_UNUSED)
{
	int next = 0, n;

	bc_log_gather(true);
	for (int i = 0; i < 500; i++)
		bc_log_info("flood", BC_LI("n", i));
	bc_log_gather(false);
	for (const char *line = next_line(); *line; line = next_line()) {
		assert_true(strlen(line) <= 4096 && line[strlen(line) - 1] == '\n');
		for (; *line; line = strchr(line, '\n') + 1) {
			assert_int_equal(sscanf(line, "%*s INFO flood n=%d\n", &n), 1);
			assert_int_equal(n, next++);
		}
	}
	assert_int_equal(next, 500);
}

static void a_line_that_outgrows_the_buffer_keeps_its_place(void **state BC_UNUSED)
{
	char big[2000];

	memset(big, 'x', sizeof(big));
	struct bc_str value = { big, sizeof(big) };
	bc_log_gather(true);
	bc_log_info("before");
	bc_log_info("big", BC_LSTR("a", value), BC_LSTR("b", value), BC_LSTR("c", value));
	bc_log_info("after");
	bc_log_flush();
	assert_string_equal(next_events(), " before");
	assert_string_equal(next_events(), " big");
	assert_string_equal(next_events(), " after");
}

static void *log_other(void *arg BC_UNUSED)
{
	bc_log_info("other");
	return NULL;
}

static void a_thread_that_does_not_gather_leaves_nothing_waiting(void **state BC_UNUSED)
{
	pthread_t thread;

	bc_log_gather(true);
	bc_log_info("one");
	assert_int_equal(pthread_create(&thread, NULL, log_other, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(next_events(), " one other");
	bc_log_info("two");
	assert_string_equal(next_line(), "");
}

static void gathered_lines_go_where_they_were_meant_to(void **state BC_UNUSED)
{
	bc_log_gather(true);
	bc_log_info("one");
	bc_log_to_fd(STDERR_FILENO);
	assert_string_equal(next_events(), " one");
}

static void a_broken_assertion_loses_no_gathered_line(void **state BC_UNUSED)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		assert_int_equal(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO);
		bc_log_gather(true);
		bc_log_info("last");
		BC_ASSERT(writer < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_string_equal(next_events(), " last");
}

/* --- settings -------------------------------------------------------------------------------- */

static void settings_are_read_in_words(void **state BC_UNUSED)
{
	static const struct {
		const char *text;
		enum bc_log_level level;
		bool json_before, json;
	} good[] = {
		{ "error", BC_LOG_ERROR, true, true },
		{ "info", BC_LOG_INFO, false, false },
		{ "debug,json", BC_LOG_DEBUG, false, true },
		{ "warning,text", BC_LOG_WARNING, true, false },
		{ " INFO , JSON ", BC_LOG_INFO, false, true },
	};

	for (size_t i = 0; i < BC_COUNT(good); i++) {
		enum bc_log_level level = BC_LOG_ERROR;
		bool json = good[i].json_before;

		assert_int_equal(bc_log_parse(bc_str_of(good[i].text), &level, &json), 0);
		assert_int_equal(level, good[i].level);
		assert_int_equal(json, good[i].json);
	}
}

static void other_words_are_refused_and_change_nothing(void **state BC_UNUSED)
{
	static const char *const bad[] = { "",	    "loud",	"json",		  ",json",
					   "info,", "info,xml", "info,json,text", "info json",
					   "infos", NULL };

	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		enum bc_log_level level = BC_LOG_WARNING;
		bool json = true;

		assert_int_equal(bc_log_parse(bc_str_of(bad[i]), &level, &json), BC_EINVAL);
		assert_int_equal(level, BC_LOG_WARNING);
		assert_true(json);
	}
}

static void logging_needs_no_memory(void **state BC_UNUSED)
{
	struct bc_secret *s = make("canary-7f3a");

	fail_allocation(1);
	bc_log_info("fine", BC_LS("a", "b c"));
	bc_log_info("http.answer", BC_LS("body", "canary-7f3a"));
	assert_false(allocation_failed());
	fail_allocation(0);
	assert_string_equal(next_rest(), "INFO fine a=\"b c\"\n");
	assert_string_equal(next_rest(), refused);
	bc_secret_unref(s);
}

#define log_test(f) cmocka_unit_test_setup_teardown(f, open_log, close_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(a_line_is_one_write),
		log_test(json_lines_carry_the_same_keys),
		log_test(lines_below_the_level_are_not_written),
		log_test(a_line_that_holds_a_secret_is_replaced),
		log_test(a_refusal_in_json_is_valid_too),
		log_test(escaping_and_encoding_do_not_smuggle_a_secret_out),
		log_test(a_number_that_is_a_secret_is_refused),
		log_test(a_secret_at_a_cut_is_refused),
		log_test(the_callers_errno_is_kept),
		log_test(a_full_pipe_loses_lines_and_does_not_stall),
		log_test(lines_of_threads_do_not_mix),
		log_test(gathered_lines_leave_in_one_write),
		log_test(a_warning_and_an_error_take_along_what_was_gathered),
		log_test(a_full_buffer_leaves_in_whole_lines_and_in_order),
		log_test(a_line_that_outgrows_the_buffer_keeps_its_place),
		log_test(a_thread_that_does_not_gather_leaves_nothing_waiting),
		log_test(gathered_lines_go_where_they_were_meant_to),
		log_test(a_broken_assertion_loses_no_gathered_line),
		log_test(settings_are_read_in_words),
		log_test(other_words_are_refused_and_change_nothing),
		log_test(logging_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
