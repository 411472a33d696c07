/* SPDX-License-Identifier: MIT */
/* The HTTP client's streams, requests: what is on the wire, waiting for more, answers that come
 * early. */
#include "http_upload_fixture.h"

/* --- on the wire ------------------------------------------------------------------------------ */

static void a_streamed_request_is_exactly_its_headers_and_body(void **state)
{
	static const char *const headers[] = { "Zebra: 1", "accept-ENCODING: br", "Empty:", NULL };
	struct sink s = { .give_max = 30, .give_piece = 7, .give_waits = true };
	char want[512];

	(void)state;
	hear_nothing_yet(30);
	far_start(hear_and_accept);
	struct bc_http_exchange x = upload(&s, "PATCH", 30);
	x.headers = headers;
	s.stream.raw_headers = true;
	sink_start(&s, &x);
	run_until_done();
	snprintf(want, sizeof(want),
		 "PATCH /sesame-path HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nZebra: 1\r\n"
		 "accept-ENCODING: br\r\nEmpty:\r\nContent-Length: 30\r\n\r\n",
		 server.port);
	assert_string_equal(heard_head, want);
	assert_int_equal(heard_bytes, 30);
	assert_int_equal(heard_wrong, 0);
	assert_int_equal(s.r.a.status, 200);
	assert_true(s.r.a.complete);
	assert_string_equal(s.text, "ok");
}

static void without_raw_headers_a_stream_is_presented_as_any_call(void **state)
{
	struct sink s = { .give_max = 3 };

	(void)state;
	hear_nothing_yet(3);
	far_start(hear_and_accept);
	run_upload(&s, "POST", 3);
	assert_non_null(strstr(heard_head, "\r\nUser-Agent: test/1\r\nAccept: */*\r\n"));
	assert_null(strstr(heard_head, "Content-Type"));
}

static void a_body_of_unknown_length_is_sent_in_chunks_and_nobody_is_asked_first(void **state)
{
	static const size_t sizes[] = { 0, 1, 5000, 3 << 20 };

	(void)state;
	far_start(hear_and_accept);
	for (size_t i = 0; i < 2 * BC_COUNT(sizes); i++) {
		struct sink s = { .give_max = sizes[i / 2], .give_waits = i % 2 };
		hear_nothing_yet(0);
		run_upload(&s, "PUT", -1);
		assert_non_null(strstr(heard_head, "\r\nTransfer-Encoding: chunked\r\n"));
		assert_null(strstr(heard_head, "Content-Length"));
		assert_null(strstr(heard_head, "Expect"));
		assert_int_equal(heard_bytes, sizes[i / 2]);
		assert_int_equal(heard_wrong, 0);
		assert_true(heard_end);
		assert_true(s.r.a.complete);
		bc_http_client_destroy(client); /* the other side hears one request a connection */
		open_client(&(struct bc_http_client_options){ 0 });
	}
}

static void a_large_body_of_known_length_arrives_whole(void **state)
{
	struct sink s = { .give_max = 64 << 20 };

	(void)state;
	hear_nothing_yet(64 << 20);
	far_start(hear_and_accept);
	run_upload(&s, "POST", 64 << 20);
	assert_null(strstr(heard_head, "Expect"));
	assert_int_equal(heard_bytes, 64 << 20);
	assert_int_equal(heard_wrong, 0);
	assert_true(s.r.a.complete);
}

static void a_body_known_to_be_empty_is_not_read(void **state)
{
	static const struct {
		const char *method;
		bool length;
	} rows[] = { { "GET", false }, { "POST", true }, { "DELETE", false }, { "HEAD", false } };

	(void)state;
	serve({ .answer = OK_EMPTY });
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { 0 };
		run_upload(&s, rows[i].method, 0);
		assert_int_equal(s.r.a.status, 200);
		assert_int_equal(s.reads, 0);
		assert_int_equal(strstr(server.seen, "\r\nContent-Length: 0\r\n") != NULL,
				 rows[i].length);
		assert_null(strstr(server.seen, "chunked"));
	}
	struct sink s = { 0 };
	struct bc_http_exchange x = upload(&s, "HEAD", 5);
	assert_int_equal(bc_http_call_start(client, &x, sink_done, &s, &s.call, NULL), BC_EINVAL);
}

static void a_whole_body_may_have_an_answer_that_streams(void **state)
{
	struct sink s = { 0 };

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" });
	struct bc_http_exchange x = upload(&s, "POST", 0);
	s.stream.read = NULL;
	x.body = "{}";
	x.body_bytes = 2;
	sink_start(&s, &x);
	run_until_done();
	assert_non_null(strstr(server.seen, "\r\nContent-Length: 2\r\n\r\n{}"));
	assert_string_equal(s.text, "ok");
}

static void a_streamed_body_may_have_an_answer_that_is_kept(void **state)
{
	struct sink s = { .give_max = 10, .give_waits = true };

	(void)state;
	hear_nothing_yet(10);
	far_start(hear_and_accept);
	struct bc_http_exchange x = upload(&s, "POST", 10);
	s.stream.head = NULL;
	s.stream.data = NULL;
	assert_int_equal(bc_http_call_start(client, &x, on_done, &s.r, &s.call, NULL), 0);
	waiting++;
	run_until_done();
	assert_string_equal(s.r.body, "ok");
	assert_true(s.r.a.complete);
	assert_int_equal(heard_bytes, 10);
}

/* --- answers that come early ------------------------------------------------------------------ */

static const char *_Atomic early;

/* Answers at the head's end; the body is not read, or read and thrown away. */
static void answer_early(int fd)
{
	far_hear_head(fd);
	far_say(fd, early);
	if (early_close == BY_READING)
		far_hear_all(fd);
	else if (early_close == BY_GOODBYE)
		far_hang_up(fd);
}

static const char *const refusals[] = {
	"HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nno!",
	"HTTP/1.1 413 Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!",
	"HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\nno!",
	"HTTP/1.1 401 Who\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n",
	("HTTP/1.1 401 Who\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	 "3\r\nno!\r\n0\r\n\r\n"),
};

/* The caller has given a piece and has no more for now: nobody ever resumes him. */
static void a_refusal_ends_an_upload_that_waits(void **state)
{
	int closed = 0;

	(void)state;
	early_close = BY_READING;
	far_start(answer_early);
	for (size_t i = 0; i < 2 * BC_COUNT(refusals); i++) {
		struct sink s = { .give_max = i % 2 * 5000, .give_holds = true };
		early = refusals[i / 2];
		run_upload(&s, "POST", i % 4 < 2 ? -1 : 1 << 30);
		assert_int_equal(s.heads, 1);
		assert_string_equal(s.text, "no!");
		assert_int_equal(s.r.a.error, 0);
		assert_true(s.r.a.complete);
		closed++;
		turn_until(far_has_closed, &closed); /* it saw our end */
	}
	assert_int_equal(far.accepted, 2 * BC_COUNT(refusals));
}

static int reads_at_head;

static void note_reads(struct sink *s)
{
	reads_at_head = s->reads;
}

static void a_refusal_ends_an_upload_that_flows(void **state)
{
	int closed = 0;

	(void)state;
	far_start(answer_early);
	for (size_t i = 0; i < 2 * BC_COUNT(refusals); i++) {
		struct sink s = { .give_max = 1 << 30, .in_head = note_reads };
		early = refusals[i / 2];
		early_close = i % 2 ? BY_GOODBYE : BY_READING;
		run_upload(&s, "POST", 1 << 30);
		assert_int_equal(s.heads, 1);
		assert_string_equal(s.text, "no!");
		assert_true(s.r.a.complete);
		assert_int_equal(s.reads, reads_at_head);
		assert_true(s.given < 1 << 30);
		closed++;
		turn_until(far_has_closed, &closed);
	}
}

static void a_refusal_with_an_endless_body_is_delivered_until_the_other_side_closes(void **state)
{
	struct sink s = { .give_max = 5, .give_holds = true };

	(void)state;
	early = "HTTP/1.1 500 Oh\r\n\r\nuntil the end";
	early_close = BY_GOODBYE;
	far_start(answer_early);
	struct bc_http_exchange x = upload(&s, "POST", -1);
	sink_start(&s, &x);
	run_until_done();
	assert_string_equal(s.text, "until the end");
	assert_true(s.r.a.complete);
}

static void echo(int fd)
{
	char bytes[4096];
	size_t left = 300000;

	far_hear_head(fd);
	far_say(fd, OK_HEAD "Content-Length: 300000\r\n\r\n");
	while (left > 0) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0 || !far_write(fd, bytes, (size_t)n))
			return;
		left -= (size_t)n;
	}
	far_hear_all(fd);
}

static void an_answer_that_accepts_early_lets_both_bodies_flow(void **state)
{
	(void)state;
	far_start(echo);
	for (int i = 0; i < 4; i++) {
		struct sink s = { .give_max = 300000,
				  .give_piece = i & 1 ? 1000 : 0,
				  .give_waits = true,
				  .wait_each = i & 2 ? 5000 : 0,
				  .by_place = true };
		run_upload(&s, "POST", 300000);
		assert_int_equal(s.taken, 300000);
		assert_true(s.r.a.complete);
		bc_http_client_destroy(client); /* one exchange a connection */
		open_client(&(struct bc_http_client_options){ 0 });
	}
}

static struct sink *duplex;

static bool duplex_holds_both_ways(void *ctx)
{
	(void)ctx;
	return duplex->told_to_wait && duplex->given == 100000;
}

static bool duplex_gave_all(void *ctx)
{
	(void)ctx;
	return duplex->given == duplex->give_max;
}

static void resuming_the_request_leaves_an_answer_that_waits_alone(void **state)
{
	struct sink s = { .give_max = 100000, .give_holds = true, .hold = true, .by_place = true };

	(void)state;
	duplex = &s;
	far_start(echo);
	struct bc_http_exchange x = upload(&s, "POST", 300000);
	sink_start(&s, &x);
	turn_until(duplex_holds_both_ways, NULL);
	uint64_t taken = s.taken;
	s.give_max = 200000;
	bc_http_call_resume_read(s.call);
	turn_until(duplex_gave_all, NULL); /* sink_data fails when it is called meanwhile */
	assert_int_equal(s.taken, taken);
	s.give_max = 300000;
	s.hold = s.told_to_wait = false;
	bc_http_call_resume(s.call);
	run_until_done();
	assert_int_equal(s.taken, 300000);
	assert_true(s.r.a.complete);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_far(a_streamed_request_is_exactly_its_headers_and_body),
		test_far(without_raw_headers_a_stream_is_presented_as_any_call),
		test_far(a_body_of_unknown_length_is_sent_in_chunks_and_nobody_is_asked_first),
		test_far(a_large_body_of_known_length_arrives_whole),
		test(a_body_known_to_be_empty_is_not_read),
		test(a_whole_body_may_have_an_answer_that_streams),
		test_far(a_streamed_body_may_have_an_answer_that_is_kept),
		test_far(a_refusal_ends_an_upload_that_waits),
		test_far(a_refusal_ends_an_upload_that_flows),
		test_far(a_refusal_with_an_endless_body_is_delivered_until_the_other_side_closes),
		test_far(an_answer_that_accepts_early_lets_both_bodies_flow),
		test_far(resuming_the_request_leaves_an_answer_that_waits_alone),
	};

	return cmocka_run_group_tests_name("http_client_upload", tests, NULL, NULL);
}
