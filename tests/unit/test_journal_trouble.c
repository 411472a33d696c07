/* SPDX-License-Identifier: MIT */
/* The reader of the journal when something fails: the journal, the store, the token. */
#include "journal_fixture.h"

/* --- failures -------------------------------------------------------------------------------- */

static void what_fails_is_asked_again_later_and_tells_why(void **state)
{
	static const struct {
		struct says says;
		const char *text, *hint;
	} rows[] = {
		{ { 500, NULL, "oops" }, "fails (500): oops", "nothing is lost" },
		{ { 429, NULL, NULL }, "less often", "who else" },
		{ { 403, NULL, "{\"error_code\":\"403003\"}" }, "403003", "Management API" },
		{ { 404, NULL, NULL }, "no journal", "journaling endpoint" },
		{ { 400, NULL, "bad limit" }, "bad limit", "journaling endpoint" },
		{ { 410, NULL, NULL }, "oldest", "asked again" },
		{ { 302, NULL, NULL }, "redirects", "journaling endpoint" },
		{ { 299, NULL, NULL }, "none of a journal's", "journaling endpoint" },
		{ { 0, NULL, NULL }, "cannot be reached", "firewall" },
		{ { 200, NULL, "<html>" }, "not JSON", "" },
		{ { 200, NULL, "{}" }, "no list of events", "" },
		{ { 200, NULL, PAGE(EVENT("", ORDER("1"))) }, "no position", "" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		peer.asked = peer.scripted = 0;
		add_says(rows[i].says);
		add_says(rows[i].says);
		EMPTY;
		start();
		run_until_failed(2);
		struct bc_journal_view v = look_at();
		if (!strstr(v.last.text, rows[i].text) || !strstr(v.last.hint, rows[i].hint))
			fail_msg("%zu: %s -> %s", i, v.last.text, v.last.hint);
		assert_int_equal(v.pages, 0);
		run_until(is_idle, NULL);
		assert_int_equal(look_at().last.code, 0);
		stop();
	}
}

static void a_long_wait_that_the_journal_asks_for_is_kept(void **state)
{
	(void)state;
	SAYS(503, "Retry-After: 30\r\n", NULL);
	start();
	run_until_failed(1);
	uint64_t next = look_at().next_try_ms;
	assert_true(next > 20000 && next <= 30000);
	bc_journal_wake(journal); /* not even for news */
	run_for(50);
	assert_int_equal(peer.asked, 1);
}

static void an_expired_position_is_left_for_the_oldest_event(void **state)
{
	(void)state;
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	SAYS(410, NULL, "Events at position p1 have expired.");
	SAYS(200, NULL, PAGE(EVENT("p8", ORDER("000000008"))));
	SAYS(400, NULL, "since is no position of a journal.");
	SAYS(200, NULL, PAGE(EVENT("p9", ORDER("000000009"))));
	EMPTY;
	bc_log_setup(BC_LOG_ERROR, false);
	read_to_the_end();
	assert_target(2, "/events/1/2/reg?limit=250");
	assert_target(4, "/events/1/2/reg?limit=250");
	assert_int_equal(look_at().expired, 2);
	assert_int_equal(look_at().failures, 0);
	assert_true(is_known("000000008") && is_known("000000009"));
}

static void a_page_that_cannot_be_stored_is_read_again(void **state)
{
	(void)state;
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	EMPTY;
	refuse(BC_STORE_TAKE_PAGE, 1);
	start();
	run_until_failed(1);
	assert_non_null(strstr(look_at().last.text, "could not be stored"));
	run_until(is_idle, NULL);
	assert_target(1, "/events/1/2/reg?limit=250");
	assert_int_equal(look_at().pages, 1);
	assert_true(is_known("000000001"));
}

static void a_place_that_cannot_be_read_is_looked_for_again(void **state)
{
	(void)state;
	EMPTY;
	refuse(BC_STORE_GET_META, 2);
	start();
	run_until_failed(2);
	assert_int_equal(peer.asked, 0);
	run_until(is_idle, NULL);
}

/* Whatever fails, it is met again: the page is read, once. */
static bool read_one_page(unsigned long nth)
{
	static char url[160], body[600], order[16];
	if (!url[0])
		snprintf(url, sizeof(url), "%s", peer.url);
	snprintf(order, sizeof(order), "%09lu", nth);
	snprintf(body, sizeof(body), PAGE(EVENT("p1", ORDER("%s"))), order);
	/* Another registration each time, so that each is read from its beginning. */
	snprintf(peer.url, sizeof(peer.url), "%.100s-%lu", url, nth);
	peer.asked = peer.scripted = 0;
	peer.by_position = true; /* the journal may fail, too */
	SAYS(200, NEXT("?since=p1"), body);
	EMPTY;
	start();
	fail_allocation(nth);
	run_until(is_idle, NULL);
	bool failed = allocation_failed();
	fail_allocation(0);
	stop();
	assert_true(is_known(order));
	return failed;
}

static void each_allocation_of_a_page_may_fail(void **state)
{
	unsigned long nth = 1;
	(void)state;
	while (read_one_page(nth))
		nth++;
	assert_true(nth > 20);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static bool old_enough(void *ctx)
{
	struct bc_access_token *token = bc_tokens_get(tokens);
	bool old = token && bc_elapsed_ms(&rig_clock) >= token->issued_ms + BC_TOKENS_YOUNG_MS;
	(void)ctx;
	bc_access_token_unref(token);
	return old;
}

static void a_refused_token_is_replaced_and_the_question_repeated(void **state)
{
	(void)state;
	SAYS(204, "Retry-After: 600\r\n", NULL);
	SAYS(401, NULL, NULL);
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	EMPTY;
	read_to_the_end();
	run_until(old_enough, NULL);
	bc_journal_wake(journal);
	run_until_asked(4);
	assert_string_equal(peer.tokens[1], "Bearer token-1");
	assert_string_equal(peer.tokens[2], "Bearer token-2");
	assert_int_equal(look_at().failures, 0);
}

static void a_journal_that_takes_no_token_is_not_asked_without_end(void **state)
{
	(void)state;
	SAYS(401, NULL, NULL);
	rig.config.retry = (struct bc_retry_policy){ 500, 1000, 60000 };
	start();
	run_until_failed(2);
	assert_non_null(strstr(look_at().last.text, "does not take the access token"));
	assert_non_null(strstr(look_at().last.hint, "adobeio_api"));
	assert_int_equal(peer.granted, 1); /* a young one is not replaced */
	assert_true(peer.asked <= 3);
}

static void without_a_token_it_waits_and_says_so(void **state)
{
	(void)state;
	EMPTY;
	peer.token_status = 503;
	start();
	run_until_failed(1);
	assert_int_equal(peer.asked, 0);
	assert_non_null(strstr(look_at().last.text, "no access token"));
	peer.token_status = 0;
	run_until(is_idle, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_fails_is_asked_again_later_and_tells_why),
		test(a_long_wait_that_the_journal_asks_for_is_kept),
		test(an_expired_position_is_left_for_the_oldest_event),
		test(a_page_that_cannot_be_stored_is_read_again),
		test(a_place_that_cannot_be_read_is_looked_for_again),
		test(each_allocation_of_a_page_may_fail),
		test(a_refused_token_is_replaced_and_the_question_repeated),
		test(a_journal_that_takes_no_token_is_not_asked_without_end),
		test(without_a_token_it_waits_and_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
