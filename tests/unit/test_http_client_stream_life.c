/* SPDX-License-Identifier: MIT */
/* The HTTP client's streams, their ends: deadlines, cancelling and resuming from everywhere, many
 * at once, no memory. */
#include "http_stream_fixture.h"
#include "failing_malloc.h"

#define OK_HEAD	 "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"
#define HUNDRED                                                                                    \
	"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"  \
	"7890123456789"
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

/* --- deadlines -------------------------------------------------------------------------------- */

static void sink_get_within(struct sink *s, uint32_t timeout_ms)
{
	char url[URL_BYTES];
	struct bc_http_exchange x = sink_exchange(s, "GET", url_of(url, "http", SECRET_PATH));

	x.timeout_ms = timeout_ms;
	sink_start(s, &x);
	run_until_done();
}

static void an_answer_that_does_not_begin_or_stops_on_its_way_times_out(void **state)
{
	static const struct step rows[] = {
		{ .then = THEN_HANG },
		{ .answer = OK_HEAD "Content-Length: 9\r\n", .then = THEN_HANG },
		{ .answer = "HTTP/1.1 103 Early\r\n\r\n", .then = THEN_HANG },
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\n", .then = THEN_HANG },
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\nhalf", .then = THEN_HANG },
	};

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { .wait_each = i == 4 };
		sink_get_within(&s, 150);
		assert_int_equal(s.r.a.error, BC_ETIMEDOUT);
		assert_int_equal(s.r.a.status, i >= 3 ? 200 : 0);
		assert_int_equal(s.heads, i >= 3);
		assert_true(s.r.a.duration_ms >= 150 && s.r.a.duration_ms < 5000);
		assert_int_equal(s.taken, i == 4 ? 4 : 0);
	}
}

static void send_a_byte_at_a_time(int fd)
{
	far_hear_head(fd);
	far_say(fd, OK_HEAD "Content-Length: 12\r\n\r\n");
	for (int i = 0; i < 12; i++) {
		usleep(50000);
		far_say(fd, "x");
	}
	far_hear_all(fd);
}

static void an_answer_that_keeps_moving_may_take_longer_than_the_limit(void **state)
{
	struct sink s = { 0 };

	(void)state;
	far_start(send_a_byte_at_a_time);
	sink_get_within(&s, 400);
	assert_int_equal(s.r.a.error, 0);
	assert_int_equal(s.taken, 12);
	assert_true(s.r.a.duration_ms > 550);
}

static void let_go(void *ctx)
{
	struct sink *s = ctx;

	assert_true(s->told_to_wait);
	s->hold = s->told_to_wait = false;
	bc_http_call_resume(s->call);
}

static void time_in_which_the_caller_waits_does_not_count(void **state)
{
	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 200000\r\n\r\n" THOUSAND, .repeat = 199 },
	      { .answer = OK_HEAD "Content-Length: 900000\r\n\r\n" THOUSAND, .repeat = 199 });
	for (int i = 0; i < 2; i++) {
		struct sink s = { .hold = true };
		struct bc_timer *timer = bc_timer_create(loop, let_go, &s);
		bc_timer_start(timer, 600);
		sink_get_within(&s, 200);
		bc_timer_destroy(timer);
		assert_int_equal(s.taken, 200000);
		assert_int_equal(s.r.a.complete, i == 0);
		/* From its resumption on, the time counts again. */
		assert_int_equal(s.r.a.error, i == 0 ? 0 : BC_ETIMEDOUT);
		assert_true(s.r.a.duration_ms >= (i == 0 ? 590 : 790));
	}
}

/* --- cancelling ------------------------------------------------------------------------------- */

static void cancel_inside(struct sink *s)
{
	bc_http_call_cancel(s->call);
	bc_http_call_resume(s->call);
	bc_http_call_cancel(s->call);
}

static struct sink *victim;

static void cancel_victim(struct sink *s)
{
	(void)s;
	if (victim)
		bc_http_call_cancel(victim->call);
	victim = NULL;
}

static bool no_calls(void *ctx)
{
	(void)ctx;
	return bc_http_client_calls(client) == 0;
}

static void a_call_may_be_cancelled_from_inside_its_own_functions(void **state)
{
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 1000000\r\n\r\n" THOUSAND, .repeat = 999 });
	for (int i = 0; i < 3; i++) {
		struct sink s = { .in_head = i == 0 ? cancel_inside : NULL,
				  .in_data = i == 1 ? cancel_inside : NULL,
				  .hold = i == 2 };
		struct bc_http_exchange x = sink_exchange(&s, "GET", url_of(url, "http", "/"));
		sink_start(&s, &x);
		waiting--;
		if (i == 2) {
			turn_until(sink_is_held, &s);
			bc_http_call_cancel(s.call);
		}
		turn_until(no_calls, NULL);
		assert_int_equal(s.heads, 1);
		assert_int_equal(s.pieces, i > 0);
		assert_int_equal(s.r.count, 0);
		assert_int_equal(atomic_load(&server.accepted), i + 1);
	}
}

static void a_streams_function_may_cancel_another_call(void **state)
{
	struct sink held = { .hold = true }, s = { .in_data = cancel_victim };
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 1000000\r\n\r\n" THOUSAND, .repeat = 999 });
	struct bc_http_exchange x = sink_exchange(&held, "GET", url_of(url, "http", "/"));
	sink_start(&held, &x);
	waiting--;
	turn_until(sink_is_held, &held);
	bc_http_call_resume(held.call); /* and cancelled before it takes effect */
	victim = &held;
	held.told_to_wait = false;
	x = sink_exchange(&s, "GET", url);
	sink_start(&s, &x);
	run_until_done();
	assert_true(s.r.a.complete);
	assert_int_equal(held.r.count, 0);
	assert_int_equal(bc_http_client_calls(client), 0);
}

static void a_client_may_end_while_streams_wait_move_and_are_resumed(void **state)
{
	static struct sink sinks[30];
	char url[URL_BYTES];

	(void)state;
	memset(sinks, 0, sizeof(sinks));
	serve({ .answer = OK_HEAD "Content-Length: 100000000\r\n\r\n" THOUSAND, .repeat = 99999 });
	url_of(url, "http", "/");
	for (size_t i = 0; i < BC_COUNT(sinks); i++) {
		sinks[i].hold = i % 3 != 0;
		struct bc_http_exchange x = sink_exchange(&sinks[i], "GET", url);
		sink_start(&sinks[i], &x);
	}
	for (size_t i = 0; i < BC_COUNT(sinks); i++)
		if (sinks[i].hold)
			turn_until(sink_is_held, &sinks[i]);
	for (size_t i = 1; i < BC_COUNT(sinks); i += 3)
		bc_http_call_resume(sinks[i].call);
	bc_http_client_destroy(client);
	client = NULL;
	for (int i = 0; i < 5; i++)
		uv_run(bc_loop_uv(loop), UV_RUN_NOWAIT);
	for (size_t i = 0; i < BC_COUNT(sinks); i++)
		assert_int_equal(sinks[i].r.count, 0);
}

static struct sink *own;

static void done_meddles(void *ctx, const struct bc_http_answer *a)
{
	bc_http_call_resume(own->call);
	bc_http_call_resume_read(own->call);
	bc_http_call_cancel(own->call);
	sink_done(ctx, a);
}

static void resuming_and_cancelling_are_void_once_it_is_done(void **state)
{
	struct sink s = { .hold = true };
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" });
	struct bc_http_exchange x = sink_exchange(&s, "GET", url_of(url, "http", "/"));
	own = &s;
	waiting = 1;
	assert_int_equal(bc_http_call_start(client, &x, done_meddles, &s, &s.call, NULL), 0);
	run_until_done();
	assert_int_equal(s.r.count, 1);
	assert_true(s.r.a.complete);
}

static void sixty_four_callers_of_every_speed_get_their_bytes(void **state)
{
	static struct sink sinks[64];
	char url[URL_BYTES];

	(void)state;
	memset(sinks, 0, sizeof(sinks));
	serve({ .answer = OK_HEAD "Content-Length: 1000000\r\n\r\n" THOUSAND, .repeat = 999 });
	url_of(url, "http", "/");
	for (size_t i = 0; i < BC_COUNT(sinks); i++) {
		sinks[i].wait_each = i * 1000;
		struct bc_http_exchange x = sink_exchange(&sinks[i], "GET", url);
		sink_start(&sinks[i], &x);
	}
	assert_int_equal(bc_http_client_calls(client), 64);
	run_until_done();
	for (size_t i = 0; i < BC_COUNT(sinks); i++) {
		assert_int_equal(sinks[i].taken, 1000000);
		assert_true(sinks[i].r.a.complete);
	}
	assert_int_equal(bc_http_client_calls(client), 0);
}

/* --- without memory --------------------------------------------------------------------------- */

static bool one_stream(void *ctx)
{
	static const char *const headers[] = { "X-Empty:", "Content-Type: a/b", NULL };
	struct sink s = { .give_max = 10, .give_waits = true, .wait_each = 1 };
	struct bc_http_client *c = NULL;
	struct bc_err err = { 0 };
	struct bc_http_exchange x = sink_exchange(&s, "POST", ctx);

	x.headers = headers;
	s.stream.read = sink_read;
	s.stream.body_bytes = 10;
	s.stream.raw_headers = true;
	if (bc_http_client_create(loop, &(struct bc_http_client_options){ 0 }, &c, &err) < 0) {
		assert_int_equal(err.code, BC_ENOMEM);
		return false;
	}
	if (bc_http_call_start(c, &x, sink_done, &s, &s.call, &err) < 0) {
		assert_int_equal(err.code, BC_ENOMEM);
	} else {
		waiting = 1;
		bc_loop_run(loop);
		assert_int_equal(s.r.count, 1);
		assert_true(s.r.a.complete ? s.r.a.status == 200 : s.r.a.error != 0);
	}
	bc_http_client_destroy(c);
	return s.r.a.complete;
}

static void each_allocation_may_fail(void **state)
{
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_HEAD "Date: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" });
	url_of(url, "http", "/");
	each_allocation_failing(one_stream, url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_answer_that_does_not_begin_or_stops_on_its_way_times_out),
		test_far(an_answer_that_keeps_moving_may_take_longer_than_the_limit),
		test(time_in_which_the_caller_waits_does_not_count),
		test(a_call_may_be_cancelled_from_inside_its_own_functions),
		test(a_streams_function_may_cancel_another_call),
		test(a_client_may_end_while_streams_wait_move_and_are_resumed),
		test(resuming_and_cancelling_are_void_once_it_is_done),
		test(sixty_four_callers_of_every_speed_get_their_bytes),
		test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("http_client_stream_life", tests, NULL, NULL);
}
