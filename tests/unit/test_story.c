/* SPDX-License-Identifier: MIT */
/* Orders as JSON: what a story tells in which state, and that it never tells a token. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/story.h"

static struct bc_order an_order(void)
{
	return (struct bc_order){
		.order = BC_STR("100045"),
		.state = BC_ORDER_PENDING,
		.partner = BC_STR("sovendus"),
		.product = BC_STR("default"),
		.token = BC_STR("token-canary"),
		.has_token_hash = true,
		.token_hash = { 0xde, 0xad, 0xbe, 0xef, 0x11 },
		.has_click = true,
		.click = { 1, 2 },
		.click_ms = 1000,
		.amount = BC_STR("9.90"),
		.currency = BC_STR("EUR"),
		.created_ms = 2000,
		.updated_ms = 3000,
		.due_ms = 4000,
		.deadline_ms = 5000,
		.attempts = 2,
	};
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));
	return text ? text : "(none)";
}

static void a_pending_order_says_when_it_is_sent_and_given_up(void **state)
{
	struct bc_order o = an_order();
	json_t *j = bc_order_json(&o);
	(void)state;
	assert_string_equal(text_of(j, "order"), "100045");
	assert_string_equal(text_of(j, "state"), "pending");
	assert_string_equal(text_of(j, "lane"), "sovendus.default");
	assert_string_equal(text_of(j, "kind"), "production");
	assert_string_equal(text_of(j, "next_attempt_at"), "1970-01-01T00:00:04.000Z");
	assert_string_equal(text_of(j, "deadline_at"), "1970-01-01T00:00:05.000Z");
	assert_string_equal(text_of(j, "amount"), "9.90");
	assert_null(json_object_get(j, "finished_at"));
	assert_null(json_object_get(j, "reason"));
	json_decref(j);
}

static void an_order_that_ended_says_when_and_why_and_nothing_of_next(void **state)
{
	struct bc_order o = an_order();
	json_t *j;
	(void)state;
	o.state = BC_ORDER_REJECTED;
	o.reason = BC_STR("refused");
	o.finished_ms = 6000;
	j = bc_order_json(&o);
	assert_string_equal(text_of(j, "reason"), "refused");
	assert_string_equal(text_of(j, "finished_at"), "1970-01-01T00:00:06.000Z");
	assert_null(json_object_get(j, "next_attempt_at"));
	assert_null(json_object_get(j, "deadline_at"));
	json_decref(j);
}

static void an_order_of_commerce_says_which_and_what_was_told_there(void **state)
{
	struct bc_order o = an_order();
	json_t *j = bc_order_json(&o);
	(void)state;
	assert_null(json_object_get(j, "entity_id"));
	assert_null(json_object_get(j, "edition"));
	assert_null(json_object_get(j, "revoked_at"));
	assert_null(json_object_get(j, "comment"));
	json_decref(j);
	o.state = BC_ORDER_DELIVERED;
	o.reason = BC_STR("canceled in Commerce");
	o.entity_id = 318;
	o.edition = 2;
	o.revoked_ms = 7000;
	o.comment = BC_COMMENT_GIVEN_UP;
	j = bc_order_json(&o);
	assert_int_equal(json_integer_value(json_object_get(j, "entity_id")), 318);
	assert_int_equal(json_integer_value(json_object_get(j, "edition")), 2);
	assert_string_equal(text_of(j, "revoked_at"), "1970-01-01T00:00:07.000Z");
	assert_string_equal(text_of(j, "reason"), "canceled in Commerce");
	assert_string_equal(text_of(j, "comment"), "given up");
	json_decref(j);
}

static void an_order_without_a_click_has_no_lane(void **state)
{
	struct bc_order o = { .order = BC_STR("1"),
			      .state = BC_ORDER_UNATTRIBUTED,
			      .reason = BC_STR("no click named"),
			      .partner = BC_STR("sovendus"),
			      .product = BC_STR("default") };
	struct bc_lane_status lane = { .name = "sovendus.default" };
	json_t *j = bc_story_json(&o, NULL, 0, &lane);
	(void)state;
	assert_null(json_object_get(j, "lane"));
	assert_null(json_object_get(j, "lane_state"));
	assert_null(json_object_get(j, "click"));
	assert_int_equal(json_array_size(json_object_get(j, "attempts")), 0);
	json_decref(j);
}

static void a_story_has_the_click_the_attempts_and_the_lane(void **state)
{
	struct bc_order o = an_order();
	struct bc_attempt attempts[] = {
		{ .n = 1, .at_ms = 3000, .outcome = BC_OUTCOME_UNKNOWN },
		{ .n = 2,
		  .at_ms = 3500,
		  .status = 503,
		  .outcome = BC_OUTCOME_RETRY,
		  .duration_ms = 12,
		  .error = BC_STR("out of order"),
		  .key_fingerprint = BC_STR("0011aabb") },
	};
	struct bc_lane_status lane = { .name = "sovendus.default",
				       .state = BC_LANE_PARKED,
				       .reason = "wrong key",
				       .since_ms = 8000,
				       .next_probe_ms = 9000 };
	json_t *j = bc_story_json(&o, attempts, 2, &lane);
	const json_t *list = json_object_get(j, "attempts"), *click = json_object_get(j, "click");
	(void)state;
	assert_int_equal(json_array_size(list), 2);
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "status")));
	assert_string_equal(text_of(json_array_get(list, 0), "outcome"), "unknown");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "status")),
			 503);
	assert_string_equal(text_of(json_array_get(list, 1), "error"), "out of order");
	assert_string_equal(text_of(click, "token_hash"), "deadbeef");
	assert_string_equal(text_of(click, "id"), "c.01020000000000000000000000000000");
	assert_true(json_is_true(json_object_get(click, "token_kept")));
	assert_string_equal(text_of(j, "lane_state"), "parked");
	assert_string_equal(text_of(j, "lane_reason"), "wrong key");
	assert_string_equal(text_of(j, "lane_since"), "1970-01-01T00:00:08.000Z");
	assert_string_equal(text_of(j, "lane_next_probe_at"), "1970-01-01T00:00:09.000Z");
	json_decref(j);
}

static void a_story_names_the_state_of_its_lane_and_since_when_it_is_not_open(void **state)
{
	(void)state;
	for (int s = 0; s < BC_LANE_STATES; s++) {
		struct bc_order o = an_order();
		struct bc_lane_status lane = { .name = "sovendus.default",
					       .state = (enum bc_lane_state)s,
					       .since_ms = 8000 };
		json_t *j = bc_story_json(&o, NULL, 0, &lane);
		assert_string_equal(text_of(j, "lane_state"), bc_lane_state_name[s]);
		assert_int_equal(json_object_get(j, "lane_since") != NULL, s != BC_LANE_OPEN);
		assert_null(json_object_get(j, "lane_next_probe_at"));
		json_decref(j);
	}
}

static void no_state_tells_the_token(void **state)
{
	(void)state;
	for (int s = 0; s < BC_ORDER_STATES; s++) {
		struct bc_order o = an_order();
		o.state = (enum bc_order_state)s;
		json_t *j = bc_story_json(&o, NULL, 0, NULL);
		char *text = json_dumps(j, 0);
		assert_non_null(text);
		assert_null(strstr(text, "canary"));
		free(text);
		json_decref(j);
	}
}

static void a_lane_tells_what_waits(void **state)
{
	struct bc_lane_status lane = { .name = "sovendus.default", .since_ms = 1000 };
	struct bc_lane_count count = { .pending = 7, .oldest_ms = 500 };
	json_t *j = bc_lane_json(&lane, &count);
	(void)state;
	assert_int_equal(json_integer_value(json_object_get(j, "pending")), 7);
	assert_string_equal(text_of(j, "oldest_pending_at"), "1970-01-01T00:00:00.500Z");
	assert_string_equal(text_of(j, "state"), "open");
	assert_null(json_object_get(j, "next_probe_at"));
	json_decref(j);
	lane.next_probe_ms = 9000;
	j = bc_lane_json(&lane, NULL);
	assert_string_equal(text_of(j, "next_probe_at"), "1970-01-01T00:00:09.000Z");
	assert_int_equal(json_integer_value(json_object_get(j, "pending")), 0);
	json_decref(j);
}

/* jansson refuses what is not UTF-8; the story must then say so, not lose half of itself. */
static void what_json_cannot_hold_makes_no_story(void **state)
{
	struct bc_order o = an_order();
	(void)state;
	o.order = BC_STR("\xff\xfe");
	assert_null(bc_order_json(&o));
	assert_null(bc_story_json(&o, NULL, 0, NULL));
}

/* A reason is cut to its room, maybe inside a letter; the lane is told all the same. */
static void a_reason_that_is_no_utf8_is_told_with_question_marks(void **state)
{
	struct bc_lane_status lane = { .name = "sovendus.default", .reason = "Schl\xc3" };
	json_t *j = bc_lane_json(&lane, NULL);
	(void)state;
	assert_string_equal(text_of(j, "reason"), "Schl?");
	json_decref(j);
	j = bc_json_words("\xc3\xbc whole");
	assert_string_equal(json_string_value(j), "\xc3\xbc whole");
	json_decref(j);
}

static void text_is_as_dumped(const struct bc_order *o)
{
	char room[1024];
	json_t *j = bc_order_json(o);
	char *dump = json_dumps(j, JSON_COMPACT);
	struct bc_str text = bc_order_text(o, room, sizeof(room));
	assert_non_null(dump);
	assert_true(bc_str_eq(text, dump));
	/* and into exactly that room */
	text = bc_order_text(o, room, strlen(dump));
	assert_true(bc_str_eq(text, dump));
	for (size_t less = 1; less < strlen(dump); less++)
		assert_null(bc_order_text(o, room, less).ptr);
	free(dump);
	json_decref(j);
}

static void the_text_of_an_order_is_its_json(void **state)
{
	(void)state;
	for (int i = 0; i < BC_ORDER_STATES; i++) {
		struct bc_order o = an_order();
		o.state = (enum bc_order_state)i;
		text_is_as_dumped(&o);
		o.is_test = true;
		o.reason = BC_STR("why: {it} is [so]");
		o.finished_ms = UINT64_C(1700000000123);
		o.attempts = 1234567890;
		o.entity_id = INT64_MAX;
		o.edition = 2;
		o.revoked_ms = 7000;
		o.comment = BC_COMMENT_DUE;
		text_is_as_dumped(&o);
		o.amount = o.currency = (struct bc_str){ NULL, 0 };
		text_is_as_dumped(&o);
		o.amount = o.currency = BC_STR("");
		text_is_as_dumped(&o);
	}
}

static void what_needs_an_escape_is_not_told_as_text(void **state)
{
	static const char *const others[] = { "a\"b", "a\\b",	  "\n",	 "\x1f",
					      "\x7f", "\xc3\xbc", "\xff" };
	char room[1024];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(others); i++) {
		struct bc_order o = an_order();
		o.order = bc_str_of(others[i]);
		assert_null(bc_order_text(&o, room, sizeof(room)).ptr);
		o = an_order();
		o.currency = bc_str_of(others[i]);
		assert_null(bc_order_text(&o, room, sizeof(room)).ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pending_order_says_when_it_is_sent_and_given_up),
		cmocka_unit_test(an_order_that_ended_says_when_and_why_and_nothing_of_next),
		cmocka_unit_test(an_order_of_commerce_says_which_and_what_was_told_there),
		cmocka_unit_test(an_order_without_a_click_has_no_lane),
		cmocka_unit_test(a_story_has_the_click_the_attempts_and_the_lane),
		cmocka_unit_test(a_story_names_the_state_of_its_lane_and_since_when_it_is_not_open),
		cmocka_unit_test(no_state_tells_the_token),
		cmocka_unit_test(a_lane_tells_what_waits),
		cmocka_unit_test(what_json_cannot_hold_makes_no_story),
		cmocka_unit_test(a_reason_that_is_no_utf8_is_told_with_question_marks),
		cmocka_unit_test(the_text_of_an_order_is_its_json),
		cmocka_unit_test(what_needs_an_escape_is_not_told_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
