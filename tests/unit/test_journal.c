/* SPDX-License-Identifier: MIT */
/* The reader of the journal while all is well: what is asked, what is taken, where it goes on. */
#include "journal_fixture.h"

/* --- reading --------------------------------------------------------------------------------- */

static void pages_are_read_by_their_links_to_the_end(void **state)
{
	(void)state;
	SAYS(200, NEXT("/events/1/2/reg?since=p2&limit=250"),
	     PAGE(EVENT("p1", ORDER("000000001")) "," EVENT("p2", ORDER("000000002"))));
	SAYS(200, NEXT("/events/1/2/reg?since=p3&limit=250"),
	     PAGE(EVENT("p3", ORDER("000000003"))));
	EMPTY;
	read_to_the_end();
	assert_int_equal(peer.asked, 3);
	assert_target(0, "/events/1/2/reg?limit=250");
	assert_target(1, "/events/1/2/reg?since=p2&limit=250");
	assert_target(2, "/events/1/2/reg?since=p3&limit=250");
	assert_string_equal(peer.tokens[0], "Bearer token-1");
	assert_string_equal(peer.client, "client-1");
	assert_string_equal(peer.org, "org@AdobeOrg");
	struct bc_journal_view v = look_at();
	assert_int_equal(v.events, 3);
	assert_int_equal(v.orders, 3);
	assert_int_equal(v.pages, 2);
	assert_int_equal(v.failures, 0);
	assert_int_equal(v.lag_ms, 0);
	assert_int_equal(v.last_event_ms, 1795183391412);
	assert_true(v.events_per_minute > 0);
	assert_true(is_known("000000001") && is_known("000000003"));
}

static void a_restart_goes_on_behind_the_last_page(void **state)
{
	(void)state;
	SAYS(200, NEXT("/events/1/2/reg?since=p1&limit=250"),
	     PAGE(EVENT("p1", ORDER("000000001"))));
	EMPTY;
	read_to_the_end();
	stop();
	read_to_the_end();
	assert_target(2, "/events/1/2/reg?since=p1&limit=250");
}

static void a_link_that_moved_is_followed_after_a_restart_too(void **state)
{
	(void)state;
	SAYS(200, NEXT("/events-fast/1/2/reg?since=p1"), PAGE(EVENT("p1", ORDER("000000001"))));
	EMPTY;
	read_to_the_end();
	assert_target(1, "/events-fast/1/2/reg?since=p1");
	stop();
	read_to_the_end();
	assert_target(2, "/events-fast/1/2/reg?since=p1");
}

static void a_moved_link_that_leads_nowhere_is_left_for_the_position(void **state)
{
	static const int statuses[] = { 400, 404, 410 };
	char wanted[300];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(statuses); i++) {
		peer.asked = peer.scripted = 0;
		SAYS(200, NEXT("/events-fast/1/2/reg?since=p1"),
		     PAGE(EVENT("p1", ORDER("000000001"))));
		SAYS(statuses[i], NULL, "");
		EMPTY;
		read_to_the_end();
		snprintf(wanted, sizeof(wanted), "%s?limit=250&since=p1",
			 strstr(peer.url, "/events"));
		assert_target(2, wanted);
		assert_int_equal(look_at().failures, 0);
		assert_int_equal(look_at().expired, 0);
		stop();
		strcat(peer.url, "-other"); /* from the beginning again */
	}
}

static void another_registration_is_read_from_its_oldest_event(void **state)
{
	(void)state;
	SAYS(200, NEXT("/events/1/2/reg?since=p1"), PAGE(EVENT("p1", ORDER("000000001"))));
	EMPTY;
	read_to_the_end();
	stop();
	strcat(peer.url, "-other");
	read_to_the_end();
	assert_target(2, "/events/1/2/reg-other?limit=250");
}

static void a_link_to_another_host_is_not_followed(void **state)
{
	(void)state;
	SAYS(200, NEXT("http://127.0.0.1:9/events/1/2/reg?since=p1"),
	     PAGE(EVENT("p 1%", ORDER("000000001"))));
	SAYS(200, NEXT("http://127.0.0.1:9/events/1/2/reg?since=p1"),
	     PAGE(EVENT("p:1/2", ORDER("000000001"))));
	EMPTY;
	bc_log_setup(BC_LOG_ERROR, false);
	start();
	run_until_failed(1); /* a position with a blank is none */
	run_until(is_idle, NULL);
	assert_target(2, "/events/1/2/reg?limit=250&since=p%3A1%2F2");
}

static void a_journal_without_links_is_read_by_position(void **state)
{
	(void)state;
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	SAYS(200, NEXT("/events/1/2/reg?limit=250&since=p1"),
	     PAGE(EVENT("p2", ORDER("000000002"))));
	EMPTY;
	read_to_the_end();
	assert_target(1, "/events/1/2/reg?limit=250&since=p1");
	/* That link led to where it was found. */
	assert_target(2, "/events/1/2/reg?limit=250&since=p2");
}

static void a_page_that_comes_again_and_again_is_a_failure(void **state)
{
	(void)state;
	SAYS(200, NEXT("/events/1/2/reg?since=p1&n=1"), PAGE(EVENT("p1", ORDER("000000001"))));
	SAYS(200, NEXT("/events/1/2/reg?since=p1&n=2"), PAGE(EVENT("p1", ORDER("000000001"))));
	start();
	run_until_failed(3);
	struct bc_journal_view v = look_at();
	assert_int_equal(v.pages, 1);
	assert_int_equal(v.state, BC_JOURNAL_WAITING);
	assert_non_null(strstr(v.last.text, "same page"));
	assert_target(2, "/events/1/2/reg?limit=250&since=p1");
	assert_true(peer.asked < 8);
}

static void events_for_others_and_of_other_things_are_passed_over(void **state)
{
	(void)state;
	SAYS(200, NULL,
	     "{\"events\":["
	     "{\"position\":\"p1\",\"event\":{\"recipientclientid\":\"client-2\","
	     "\"type\":\"com.adobe.commerce.observer.sales_order_save_commit_after\","
	     "\"data\":{\"value\":" ORDER(
		     "000000001") "}}},"
				  "{\"position\":\"p2\",\"event\":{\"recipientclientid\":\"client-"
				  "1\","
				  "\"type\":\"com.adobe.commerce.observer.catalog_product_save_"
				  "after\","
				  "\"data\":{\"value\":" ORDER("000000002") "}}}," EVENT(
					  "p3",
					  "{\"state\":\"new\"}") "," EVENT("p4",
									   "7") ","
										"{\"position\":"
										"\"p5\"}," EVENT(
											"p6",
											ORDER("0000"
											      "0000"
											      "6")) "]}");
	EMPTY;
	read_to_the_end();
	assert_int_equal(look_at().events, 6);
	assert_int_equal(look_at().orders, 1);
	assert_false(is_known("000000001") || is_known("000000002"));
	assert_true(is_known("000000006"));
	assert_target(1, "/events/1/2/reg?limit=250&since=p6");
}

/* --- rests ----------------------------------------------------------------------------------- */

static void the_journal_says_how_long_to_rest_and_ten_seconds_when_it_does_not(void **state)
{
	(void)state;
	SAYS(204, "Retry-After: 60\r\n", NULL);
	SAYS(204, NULL, NULL);
	SAYS(204, "Retry-After: 0\r\n", NULL);
	SAYS(204, "Retry-After: 86400\r\n", NULL);
	read_to_the_end();
	uint64_t next = look_at().next_try_ms;
	assert_true(next > 50000 && next <= 60000);
	bc_journal_wake(journal);
	run_until_asked(2);
	run_until(is_idle, NULL);
	run_for(50);
	next = look_at().next_try_ms;
	assert_true(next > 8000 && next <= 10000);
	bc_journal_wake(journal);
	run_until_asked(4); /* the third by its own: 0 s are one */
	run_for(50);
	next = look_at().next_try_ms;
	assert_true(next > 500000 && next <= 600000);
}

static void news_are_read_at_once_but_not_more_than_once_a_second(void **state)
{
	(void)state;
	EMPTY;
	read_to_the_end();
	uint64_t before = bc_elapsed_ms(&rig_clock);
	for (int i = 0; i < 100; i++)
		bc_journal_wake(journal);
	run_until_asked(2);
	assert_true(bc_elapsed_ms(&rig_clock) - before >= 800);
	run_for(50);
	for (int i = 0; i < 100; i++)
		bc_journal_wake(journal);
	run_for(100);
	assert_int_equal(peer.asked, 2);
}

static void news_that_come_while_it_asks_are_asked_for_again(void **state)
{
	(void)state;
	EMPTY;
	peer.hold = true;
	start();
	run_until_asked(1);
	bc_journal_wake(journal);
	run_for(20);
	peer.hold = false;
	say(peer.held);
	run_until_asked(2);
	run_for(50);
	assert_true(look_at().next_try_ms > 50000);
}

/* --- life ------------------------------------------------------------------------------------ */

static void it_stops_whatever_is_under_way(void **state)
{
	(void)state;
	EMPTY;
	start();
	stop(); /* before anything */
	peer.hold = true;
	start();
	run_until_asked(1);
	stop(); /* in a call */
	say(peer.held);
	peer.hold = false;
	peer.asked = 0;
	SAYS(200, NULL, PAGE(EVENT("p1", ORDER("000000001"))));
	stall(BC_STORE_GET_META);
	start();
	run_for(20);
	rig.parts = 1;
	bc_journal_stop(journal, part_over, NULL);
	run_for(20);
	assert_int_equal(rig.parts, 1); /* it waits for the store */
	go_on();
	run_until(no_parts, NULL);
	bc_journal_destroy(journal);
	journal = NULL;
}

static void other_settings_hold_from_the_next_page_on(void **state)
{
	struct bc_journal_config config = journal_config();
	(void)state;
	EMPTY;
	read_to_the_end();
	config.client_id = "client-2";
	config.org_id = NULL;
	assert_int_equal(bc_journal_reconfigure(journal, &rig.config, &config, NULL), 0);
	run_until_asked(2);
	assert_string_equal(peer.client, "client-2");
	assert_string_equal(peer.org, "");
	/* In the middle of a call: it is asked anew. */
	run_for(20);
	peer.hold = true;
	bc_journal_wake(journal);
	run_until_asked(3);
	peer.hold = false;
	assert_int_equal(bc_journal_reconfigure(journal, &rig.config, &config, NULL), 0);
	run_until_asked(4);
	say(peer.held);
}

static bool create_and_destroy(void *ctx)
{
	struct bc_journal_config config = journal_config();
	struct bc_journal *made = NULL;
	(void)ctx;
	int result = bc_journal_create(rig.loop, &rig.shop, tokens, &config, &made, NULL);
	assert_true(result == 0 || result == BC_ENOMEM);
	bc_journal_destroy(made);
	return result == 0;
}

static void each_allocation_of_its_making_may_fail(void **state)
{
	(void)state;
	each_allocation_failing(create_and_destroy, NULL);
}

/* --- the place ------------------------------------------------------------------------------- */

#define URL "http://127.0.0.1:8/events/1/2/reg"

static void a_place_is_read_back_as_it_was_written(void **state)
{
	struct bc_arena *arena = bc_arena_create(1024, 65536);
	char position[] = "camel:1:2", next[] = "http://127.0.0.1:8/events-fast/1?since=camel:1:2";
	struct journal_place place = { position, next }, back;
	(void)state;
	struct bc_str text = journal_place_text(&place, URL, arena);
	assert_int_equal(journal_place_read(text, URL, &back), 0);
	assert_string_equal(back.position, position);
	assert_string_equal(back.next, next);
	journal_place_finish(&back);
	assert_int_equal(journal_place_read(text, URL "2", &back), BC_ENOENT);
	bc_arena_destroy(arena);
}

static void a_stored_link_is_trusted_no_more_than_a_fresh_one(void **state)
{
	static const char *const others[] = { "http://evil.example/x", "http://127.0.0.1:9/x",
					      "https://127.0.0.1:8/x", "http://u@127.0.0.1:8/x",
					      "file:///etc/passwd",    "" };
	struct journal_place place;
	char text[300];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(others); i++) {
		snprintf(text, sizeof(text), "%s\np1\n%s", URL, others[i]);
		assert_int_equal(journal_place_read(bc_str_of(text), URL, &place), 0);
		assert_string_equal(place.position, "p1");
		assert_null(place.next);
		journal_place_finish(&place);
	}
}

static void what_is_no_place_is_none(void **state)
{
	static const char *const texts[] = { "", "p1", URL, URL "\n", URL "\n\n", URL "\np1" };
	struct journal_place place;
	(void)state;
	for (size_t i = 0; i < BC_COUNT(texts); i++)
		assert_int_equal(journal_place_read(bc_str_of(texts[i]), URL, &place), BC_ENOENT);
}

static bool place_there_and_back(void *ctx)
{
	struct journal_place place = { 0 };
	char *url = NULL;
	(void)ctx;
	int result = journal_place_read(BC_STR(URL "\np1\n" URL "?since=p1"), URL, &place);
	assert_true(result == 0 || result == BC_ENOMEM);
	if (!result)
		url = journal_place_url(&place, URL);
	bool made = url != NULL;
	free(url);
	journal_place_finish(&place);
	return made;
}

static void each_allocation_of_a_place_may_fail(void **state)
{
	(void)state;
	each_allocation_failing(place_there_and_back, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(pages_are_read_by_their_links_to_the_end),
		test(a_restart_goes_on_behind_the_last_page),
		test(a_link_that_moved_is_followed_after_a_restart_too),
		test(a_moved_link_that_leads_nowhere_is_left_for_the_position),
		test(another_registration_is_read_from_its_oldest_event),
		test(a_link_to_another_host_is_not_followed),
		test(a_journal_without_links_is_read_by_position),
		test(a_page_that_comes_again_and_again_is_a_failure),
		test(events_for_others_and_of_other_things_are_passed_over),
		test(the_journal_says_how_long_to_rest_and_ten_seconds_when_it_does_not),
		test(news_are_read_at_once_but_not_more_than_once_a_second),
		test(news_that_come_while_it_asks_are_asked_for_again),
		test(it_stops_whatever_is_under_way),
		test(other_settings_hold_from_the_next_page_on),
		test(each_allocation_of_its_making_may_fail),
		cmocka_unit_test(a_place_is_read_back_as_it_was_written),
		cmocka_unit_test(a_stored_link_is_trusted_no_more_than_a_fresh_one),
		cmocka_unit_test(what_is_no_place_is_none),
		cmocka_unit_test(each_allocation_of_a_place_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
