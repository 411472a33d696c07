/* SPDX-License-Identifier: MIT */
/* The HTTP client's streams, requests that fail: bodies that break off, peers that go, nothing sent
 * twice, deadlines, cancelling. */
#include "http_upload_fixture.h"

/* --- what goes wrong -------------------------------------------------------------------------- */

static void hang_up_at_the_head(int fd)
{
	far_hear_head(fd);
	if (early_close == BY_GOODBYE)
		shutdown(fd, SHUT_RDWR);
}

static void a_peer_that_goes_without_an_answer_ends_an_upload_that_waits(void **state)
{
	(void)state;
	far_start(hang_up_at_the_head);
	for (int i = 0; i < 4; i++) {
		struct sink s = { .give_max = i & 1 ? 5000 : 0, .give_holds = true };
		early_close = i & 2 ? BY_GOODBYE : BY_RESET;
		run_upload(&s, "POST", -1);
		assert_int_equal(s.heads, 0);
		assert_int_equal(s.r.a.error, BC_EIO);
		assert_true(s.r.a.request_sent);
	}
}

static void hear_until_the_end(int fd)
{
	snprintf(heard_head, sizeof(heard_head), "%s", far_hear_head(fd));
	if (strstr(heard_head, "chunked"))
		hear_chunks(fd);
	else
		hear_bytes(fd, 1 << 30);
}

static void a_body_that_ends_too_soon_or_breaks_off_is_never_whole_to_the_peer(void **state)
{
	static const struct {
		int64_t body_bytes;
		bool aborts;
		const char *text;
	} rows[] = { { 1000, false, "the request's body ended before its length" },
		     { 1000, true, "the request's body broke off" },
		     { -1, true, "the request's body broke off" } };
	int closed = 0;

	(void)state;
	far_start(hear_until_the_end);
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { .give_max = 300, .give_aborts = rows[i].aborts };
		hear_nothing_yet(0);
		run_upload(&s, "POST", rows[i].body_bytes);
		assert_int_equal(s.r.a.error, BC_EIO);
		assert_non_null(strstr(s.r.a.error_text, rows[i].text));
		assert_int_equal(s.r.a.status, 0);
		assert_true(s.r.a.request_sent);
		closed++;
		turn_until(far_has_closed, &closed);
		assert_false(heard_end);
		assert_true(heard_bytes <= 300);
	}
}

static atomic_int asked;

/* A connection's first request is answered; the second is swallowed with some of its body. The
 * client may connect once more, but then says nothing. */
static void swallow_the_second(int fd)
{
	if (!far_hear_head(fd)[0])
		return;
	atomic_fetch_add(&asked, 1);
	far_say(fd, OK_EMPTY);
	if (!far_hear_head(fd)[0])
		return;
	atomic_fetch_add(&asked, 1);
	recv(fd, (char[100]){ 0 }, 100, 0);
	if (early_close == BY_GOODBYE)
		far_hang_up(fd);
}

static void a_body_that_was_read_in_part_is_not_sent_again(void **state)
{
	(void)state;
	far_start(swallow_the_second);
	for (int i = 0; i < 8; i++) {
		struct sink s = { .give_max = i & 4 ? 5000 : 50000000, .give_holds = i & 4 };
		struct sink first = { 0 };
		early_close = i & 1 ? BY_GOODBYE : BY_RESET;
		atomic_store(&asked, 0);
		sink_get(&first);
		assert_int_equal(first.r.a.status, 200);
		run_upload(&s, "POST", i & 2 ? -1 : 50000000);
		assert_int_equal(s.heads, 0);
		assert_int_equal(s.r.a.status, 0);
		assert_int_equal(s.r.a.error, BC_EIO);
		assert_true(s.r.a.request_sent);
		assert_int_equal(asked, 2);
	}
}

static void a_connection_that_died_while_idle_is_replaced_before_the_body_is_read(void **state)
{
	int ok = 0;

	(void)state;
	serve({ .answer = OK_EMPTY, .then = THEN_CLOSE },
	      { .answer = OK_EMPTY, .then = THEN_RESET });
	for (int i = 0; i < 20; i++) {
		struct sink s = { .give_max = 100 };
		run_upload(&s, "POST", 100);
		assert_true(s.r.a.request_sent);
		assert_int_equal(s.given, 100);
		ok += s.r.a.status == 200;
		while (server.closed <= i)
			usleep(200);
	}
	assert_int_equal(server.requests, 20);
	assert_int_equal(ok, 20);
}

/* --- deadlines and cancelling ----------------------------------------------------------------- */

static void read_nothing(int fd)
{
	far_hear_head(fd);
	while (recv(fd, (char[1]){ 0 }, 1, MSG_PEEK) == 1 && !atomic_load(&far.stopping)) {
		struct pollfd gone = { .fd = fd, .events = POLLRDHUP };
		if (poll(&gone, 1, 50) > 0)
			break;
	}
}

static void a_peer_that_takes_nothing_times_out_and_a_caller_who_waits_does_not(void **state)
{
	struct sink s = { .give_max = 1 << 30 };

	(void)state;
	far_start(read_nothing);
	struct bc_http_exchange x = upload(&s, "POST", 1 << 30);
	x.timeout_ms = 200;
	sink_start(&s, &x);
	run_until_done();
	assert_int_equal(s.r.a.error, BC_ETIMEDOUT);
	assert_true(s.given < 1 << 30);
	assert_true(s.r.a.duration_ms >= 200);
}

static void let_give(void *ctx)
{
	struct sink *s = ctx;

	s->give_max = 100;
	bc_http_call_resume_read(s->call);
}

static void a_caller_who_has_nothing_to_send_yet_is_not_timed_out(void **state)
{
	struct sink s = { .give_max = 50, .give_holds = true };

	(void)state;
	hear_nothing_yet(100);
	far_start(hear_and_accept);
	struct bc_http_exchange x = upload(&s, "POST", 100);
	x.timeout_ms = 150;
	struct bc_timer *timer = bc_timer_create(loop, let_give, &s);
	bc_timer_start(timer, 500);
	sink_start(&s, &x);
	run_until_done();
	bc_timer_destroy(timer);
	assert_int_equal(s.r.a.error, 0);
	assert_int_equal(s.r.a.status, 200);
	assert_int_equal(heard_bytes, 100);
}

static void cancel_inside(struct sink *s)
{
	bc_http_call_cancel(s->call);
}

static void resume_inside(struct sink *s)
{
	bc_http_call_resume_read(s->call);
}

static bool no_calls(void *ctx)
{
	(void)ctx;
	return bc_http_client_calls(client) == 0;
}

static bool sink_was_asked_twice(void *ctx)
{
	return ((struct sink *)ctx)->reads >= 2;
}

static void an_upload_may_be_cancelled_from_inside_and_while_it_waits(void **state)
{
	int closed = 0;

	(void)state;
	far_start(hear_until_the_end);
	for (int i = 0; i < 3; i++) {
		struct sink s = { .give_max = 100,
				  .give_holds = true,
				  .in_read = i == 0 ? cancel_inside : NULL };
		struct bc_http_exchange x = upload(&s, "POST", -1);
		sink_start(&s, &x);
		waiting--;
		if (i > 0) {
			turn_until(sink_was_asked_twice, &s);
			if (i == 2)
				bc_http_call_resume(s.call);
			bc_http_call_cancel(s.call);
		}
		turn_until(no_calls, NULL);
		closed++;
		turn_until(far_has_closed, &closed);
		assert_int_equal(s.r.count, 0);
		assert_int_equal(s.reads, i == 0 ? 1 : 2);
		assert_false(heard_end);
	}
}

static void an_upload_may_be_resumed_from_inside(void **state)
{
	struct sink s = { .give_max = 100, .give_piece = 10, .in_read = resume_inside };

	(void)state;
	hear_nothing_yet(0);
	far_start(hear_and_accept);
	s.give_waits = true;
	run_upload(&s, "POST", -1);
	assert_true(s.r.a.complete);
	assert_int_equal(heard_bytes, 100);
	assert_int_equal(heard_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_far(a_peer_that_goes_without_an_answer_ends_an_upload_that_waits),
		test_far(a_body_that_ends_too_soon_or_breaks_off_is_never_whole_to_the_peer),
		test_far(a_body_that_was_read_in_part_is_not_sent_again),
		test(a_connection_that_died_while_idle_is_replaced_before_the_body_is_read),
		test_far(a_peer_that_takes_nothing_times_out_and_a_caller_who_waits_does_not),
		test_far(a_caller_who_has_nothing_to_send_yet_is_not_timed_out),
		test_far(an_upload_may_be_cancelled_from_inside_and_while_it_waits),
		test_far(an_upload_may_be_resumed_from_inside),
	};

	return cmocka_run_group_tests_name("http_client_upload_life", tests, NULL, NULL);
}
