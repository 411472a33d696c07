/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/stream without a socket: when an event leaves, to whom, and how a stream ends. The
 * elapsed clock is turned by the test; what the peer has taken and whether it left, too.
 */
#include "shop_requests.h"

enum { PLACES = 16 };

/* --- a clock and a peer ------------------------------------------------------------------- */

static uint64_t ahead_ms;

static uint64_t turned_elapsed_ms(const struct bc_clock *c)
{
	return rig_elapsed_ms(c) + ahead_ms;
}

static const struct bc_clock turned = { rig_wall_ms, turned_elapsed_ms };

struct peer {
	struct rig_call call;
	char text[65536]; /* all that was written */
	size_t bytes;
	unsigned events, comments;
	size_t unsent; /* what the test says */
	bool begun, ended_side, over, cut;
	void (*gone)(void *ctx);
	void *gone_ctx;
};

static struct peer *peer_of(const struct bc_api_request *request)
{
	return BC_CONTAINER(BC_CONTAINER(request, struct rig_call, request), struct peer, call);
}

static void peer_begin(struct bc_api_request *request, const char *content_type,
		       void (*gone)(void *ctx), void *ctx)
{
	struct peer *p = peer_of(request);
	assert_string_equal(content_type, "text/event-stream");
	assert_false(p->begun);
	p->begun = true;
	p->gone = gone;
	p->gone_ctx = ctx;
}

static void peer_write(struct bc_api_request *request, struct bc_str bytes)
{
	struct peer *p = peer_of(request);
	assert_true(p->begun && !p->over);
	assert_true(p->bytes + bytes.len < sizeof(p->text));
	memcpy(p->text + p->bytes, bytes.ptr, bytes.len);
	p->bytes += bytes.len;
	p->text[p->bytes] = '\0';
	p->events += bc_str_starts(bytes, "event: summary\ndata: {\"at\":");
	p->comments += bc_str_eq(bytes, ": alive\n\n");
	assert_memory_equal(bytes.ptr + bytes.len - 2, "\n\n", 2);
}

static size_t peer_unsent(const struct bc_api_request *request)
{
	return peer_of(request)->unsent;
}

static bool peer_ended(const struct bc_api_request *request)
{
	return peer_of(request)->ended_side;
}

static void peer_end(struct bc_api_request *request, bool cut)
{
	struct peer *p = peer_of(request);
	assert_true(p->begun && !p->over);
	p->over = true;
	p->cut = cut;
	bc_arena_destroy(p->call.arena);
	p->call.arena = NULL;
}

static const struct bc_api_stream stream = { peer_begin, peer_write, peer_unsent, peer_ended,
					     peer_end };

static struct peer *connect_peer(const char *method)
{
	struct peer *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	p->call.arena = bc_arena_create(64, 64 * 1024);
	p->call.request = (struct bc_api_request){ .method = method,
						   .path = BC_STR("/v1/stream"),
						   .arena = p->call.arena,
						   .answer = rig_answered,
						   .stream = &stream };
	bc_api_handle(rig.api, &p->call.request);
	return p;
}

static void leave(struct peer *p)
{
	if (p->begun && !p->over)
		p->gone(p->gone_ctx);
	if (p->call.answered) {
		free(p->call.text);
		json_decref(p->call.json);
	}
	free(p);
}

struct wanted {
	struct peer *peer;
	unsigned events, comments;
};

static bool has_come(void *ctx)
{
	const struct wanted *w = ctx;
	return w->peer->events >= w->events && w->peer->comments >= w->comments;
}

static void wait_events(struct peer *p, unsigned events)
{
	run_until(has_come, &(struct wanted){ p, events, 0 });
	assert_int_equal(p->events, events);
}

static bool is_over(void *ctx)
{
	return ((struct peer *)ctx)->over;
}

static void capture(const char *token)
{
	char body[80];
	snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
	expect(201, "POST", "/v1/clicks", body);
}

static int stream_setup(void **state)
{
	int result = rig_setup(state);
	ahead_ms = 0;
	rig.shop.clock = &turned;
	if (!result)
		start_api();
	return result;
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, stream_setup, rig_teardown)

/* --- what is sent --------------------------------------------------------------------------- */

static void a_reader_gets_the_summary_at_once_and_again_when_it_changed(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	assert_true(p->begun);
	wait_events(p, 1);
	assert_non_null(strstr(p->text, "\"production\":0"));
	capture("token-1");
	wait_events(p, 2);
	assert_non_null(strstr(p->text, "\"production\":1"));
	run_for(2500);
	assert_int_equal(p->events, 2);
	leave(p);
}

static void one_summary_is_built_for_all_and_none_for_nobody(void **state)
{
	(void)state;
	struct peer *a = connect_peer("GET"), *b = connect_peer("GET");
	wait_events(a, 1);
	assert_int_equal(b->events, 1);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_COUNTS]), 1);
	struct peer *c = connect_peer("GET"); /* what was built a moment ago is good enough */
	assert_int_equal(c->events, 1);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_COUNTS]), 1);
	leave(a);
	leave(b);
	leave(c);
	run_for(1500);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_COUNTS]), 1);
}

static void changes_within_a_second_are_one_event(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET"), *late;
	wait_events(p, 1);
	capture("token-1");
	late = connect_peer("GET"); /* its first look must not give the other one a second event */
	ahead_ms += 1;
	capture("token-2");
	wait_events(p, 2);
	assert_non_null(strstr(p->text, "\"production\":2"));
	leave(p);
	leave(late);
}

static void without_news_a_comment_says_that_it_is_alive(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	wait_events(p, 1);
	run_for(1200);
	assert_int_equal(p->comments, 0);
	ahead_ms += 15 * 1000;
	run_until(has_come, &(struct wanted){ p, 1, 1 });
	ahead_ms += 15 * 1000;
	run_until(has_come, &(struct wanted){ p, 1, 2 });
	assert_int_equal(p->events, 1);
	leave(p);
}

static void a_store_that_hangs_does_not_silence_the_stream(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	wait_events(p, 1);
	stall(BC_STORE_COUNTS);
	run_until(is_set, &faulty.stalled);
	ahead_ms += 15 * 1000;
	run_until(has_come, &(struct wanted){ p, 1, 1 });
	go_on();
	leave(p);
}

static void a_store_that_refuses_is_no_event(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	wait_events(p, 1);
	refuse(BC_STORE_LANES, 1);
	capture("token-1");
	wait_events(p, 2);
	assert_null(strstr(p->text, "urn:backchannel"));
	leave(p);
}

/* --- slow readers --------------------------------------------------------------------------- */

static void who_has_not_taken_the_former_one_gets_the_newest_later(void **state)
{
	(void)state;
	struct peer *slow = connect_peer("GET"), *quick = connect_peer("GET");
	wait_events(quick, 1);
	slow->unsent = 1;
	for (unsigned i = 2; i <= 4; i++) {
		char token[16];
		snprintf(token, sizeof(token), "token-%u", i);
		capture(token);
		wait_events(quick, i);
	}
	ahead_ms += 16 * 1000;
	run_until(has_come, &(struct wanted){ quick, 4, 1 });
	assert_int_equal(slow->events, 1);
	assert_int_equal(slow->comments, 0);
	slow->unsent = 0;
	wait_events(slow, 2);
	assert_non_null(strstr(slow->text, "\"production\":3"));
	assert_null(strstr(slow->text, "\"production\":2"));
	leave(slow);
	leave(quick);
}

static void who_takes_nothing_for_a_minute_is_cut(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	wait_events(p, 1);
	p->unsent = 1;
	ahead_ms += 57 * 1000;
	run_for(1100);
	assert_false(p->over);
	ahead_ms += 4 * 1000;
	run_until(is_over, p);
	assert_true(p->cut);
	leave(p);
}

static void who_ended_his_side_is_written_to_so_that_a_leaving_shows(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET");
	wait_events(p, 1);
	p->ended_side = true;
	run_until(has_come, &(struct wanted){ p, 1, 1 });
	p->gone(p->gone_ctx);
	assert_true(p->over && !p->cut);
	leave(p);
}

/* --- places and ends ------------------------------------------------------------------------ */

static void the_seventeenth_waits_for_a_place(void **state)
{
	(void)state;
	struct peer *peers[PLACES];
	for (int i = 0; i < PLACES; i++) {
		peers[i] = connect_peer("GET");
		assert_true(peers[i]->begun);
	}
	struct peer *more = connect_peer("GET");
	assert_true(more->call.answered && !more->begun);
	assert_int_equal(more->call.status, 503);
	assert_true(more->call.retry_after);
	leave(more);
	leave(peers[7]);
	peers[7] = connect_peer("GET");
	wait_events(peers[7], 1);
	for (int i = 0; i < PLACES; i++)
		leave(peers[i]);
}

static void a_stop_ends_them_well_also_while_a_summary_is_built(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET"), *other = connect_peer("GET");
	stop_api();
	assert_true(p->over && !p->cut && other->over);
	assert_int_equal(p->events, 0);
	leave(p);
	leave(other);
	start_api();
}

static void all_end_at_once_when_that_is_asked_for_and_others_may_come(void **state)
{
	(void)state;
	struct peer *p = connect_peer("GET"), *other = connect_peer("GET");
	wait_events(p, 1);
	bc_api_end_streams(rig.api);
	assert_true(p->over && other->over && !p->cut);
	struct peer *next = connect_peer("GET");
	wait_events(next, 1);
	leave(p);
	leave(other);
	leave(next);
}

static void without_a_connection_it_is_refused_in_words(void **state)
{
	(void)state;
	expect_problem(400, "bad-request", "GET", "/v1/stream", NULL);
}

static void a_head_is_answered_and_no_stream(void **state)
{
	(void)state;
	struct peer *p = connect_peer("HEAD");
	assert_true(p->call.answered && !p->begun);
	assert_int_equal(p->call.status, 200);
	leave(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(a_reader_gets_the_summary_at_once_and_again_when_it_changed),
		STREAM_TEST(one_summary_is_built_for_all_and_none_for_nobody),
		STREAM_TEST(changes_within_a_second_are_one_event),
		STREAM_TEST(without_news_a_comment_says_that_it_is_alive),
		STREAM_TEST(a_store_that_hangs_does_not_silence_the_stream),
		STREAM_TEST(a_store_that_refuses_is_no_event),
		STREAM_TEST(who_has_not_taken_the_former_one_gets_the_newest_later),
		STREAM_TEST(who_takes_nothing_for_a_minute_is_cut),
		STREAM_TEST(who_ended_his_side_is_written_to_so_that_a_leaving_shows),
		STREAM_TEST(the_seventeenth_waits_for_a_place),
		STREAM_TEST(a_stop_ends_them_well_also_while_a_summary_is_built),
		STREAM_TEST(all_end_at_once_when_that_is_asked_for_and_others_may_come),
		STREAM_TEST(without_a_connection_it_is_refused_in_words),
		STREAM_TEST(a_head_is_answered_and_no_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
