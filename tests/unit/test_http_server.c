/* SPDX-License-Identifier: MIT */
/* The HTTP server over loopback sockets: answers, keep-alive, pipelining, refusals, raw answers. */
#include "http_server_fixture.h"

static int setup(void **state)
{
	struct bc_http_server_options options = standard_options();

	(void)state;
	start(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

static void requests_are_answered_over_one_kept_connection(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/echo?a=1") "\r\n"));
	expect_reply(fd, 200, "GET /echo?a=1 ");
	assert_true(put(fd, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
	expect_reply(fd, 200, "POST /later hello");
	assert_true(put(fd, "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
	expect_reply(fd, 200, "PUT /echo abcde");
	assert_int_equal(handled(), 3);
	close(fd);
}

static void an_answer_carries_its_headers(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/echo") "\r\n"));
	assert_true(get_reply(fd, &r, false));
	assert_true(strncmp(r.head, "HTTP/1.1 200 OK\r\n", 17) == 0);
	assert_string_equal(reply_header(&r, "Content-Type"), "text/plain");
	assert_string_equal(reply_header(&r, "Content-Length"), "10");
	assert_string_equal(reply_header(&r, "X-Extra"), "yes");
	assert_null(reply_header(&r, "Connection"));
	assert_null(reply_header(&r, "Server"));
	reply_finish(&r);
	close(fd);
}

static void check_id(int fd, const char *header, const char *expected)
{
	char request[256];
	struct reply r;

	snprintf(request, sizeof(request), GET("/echo") "%s\r\n", header);
	assert_true(put(fd, request));
	assert_true(get_reply(fd, &r, false));
	const char *id = reply_header(&r, "X-Request-Id");
	assert_non_null(id);
	if (expected) {
		assert_string_equal(id, expected);
	} else {
		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
	}
	reply_finish(&r);
}

static void a_sane_request_id_is_kept_and_any_other_replaced(void **state)
{
	int fd = dial();

	(void)state;
	check_id(fd, "", NULL);
	check_id(fd, "X-Request-Id: a.B_c-9\r\n", "a.B_c-9");
	check_id(fd, "x-request-id: 0123456789abcdef0123456789abcdef\r\n",
		 "0123456789abcdef0123456789abcdef");
	check_id(fd, "X-Request-Id: 0123456789abcdef0123456789abcdef0\r\n", NULL);
	check_id(fd, "X-Request-Id: a b\r\n", NULL);
	check_id(fd, "X-Request-Id: a\"b\r\n", NULL);
	check_id(fd, "X-Request-Id:\r\n", NULL);
	close(fd);
}

static void a_made_request_id_is_never_made_again(void **state)
{
	char seen[100][256];
	int fd = dial();

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct reply r;
		assert_true(put(fd, GET("/nothing") "\r\n"));
		assert_true(get_reply(fd, &r, false));
		snprintf(seen[i], sizeof(seen[i]), "%s", reply_header(&r, "X-Request-Id"));
		reply_finish(&r);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
	close(fd);
}

static void a_head_request_gets_the_length_and_no_body(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, "HEAD /echo HTTP/1.1\r\n" HOST "\r\n" GET("/echo") "\r\n"));
	assert_true(get_reply(fd, &r, true));
	assert_string_equal(reply_header(&r, "Content-Length"), "11");
	reply_finish(&r);
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void no_content_has_neither_length_nor_body(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/nothing") "\r\n" GET("/echo") "\r\n"));
	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.status, 204);
	assert_null(reply_header(&r, "Content-Length"));
	assert_null(reply_header(&r, "Content-Type"));
	reply_finish(&r);
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void the_connection_closes_when_the_peer_wants_it(void **state)
{
	static const char *const closing[] = {
		GET("/echo") "Connection: close\r\n\r\n",
		GET("/later") "Connection: close\r\n\r\n",
		"GET /echo HTTP/1.0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(closing); i++) {
		struct reply r;
		int fd = dial();
		assert_true(put(fd, closing[i]));
		assert_true(get_reply(fd, &r, false));
		assert_int_equal(r.status, 200);
		assert_string_equal(reply_header(&r, "Connection"), "close");
		reply_finish(&r);
		expect_end(fd);
		close(fd);
	}
	wait_until(look_no_connection);
}

static void http_1_0_stays_when_it_asks(void **state)
{
	int fd = dial();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct reply r;
		assert_true(put(fd, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
		assert_true(get_reply(fd, &r, false));
		assert_string_equal(reply_header(&r, "Connection"), "keep-alive");
		reply_finish(&r);
	}
	close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char *const ways[] = { "/echo", "/later" };
	char text[128];

	(void)state;
	for (size_t way = 0; way < BC_COUNT(ways); way++) {
		struct bc_buf all;
		int fd = dial();
		bc_buf_init(&all, 64 * 1024);
		for (int i = 0; i < 100; i++)
			assert_int_equal(bc_buf_addf(&all,
						     "POST %s/%d HTTP/1.1\r\n" HOST
						     "Content-Length: 2\r\n\r\n%02d",
						     ways[way], i, i),
					 0);
		assert_true(put_bytes(fd, all.data, all.len));
		for (int i = 0; i < 100; i++) {
			snprintf(text, sizeof(text), "POST %s/%d %02d", ways[way], i, i);
			expect_reply(fd, 200, text);
		}
		bc_buf_finish(&all);
		close(fd);
	}
}

static void a_message_may_come_in_any_pieces(void **state)
{
	static const char message[] = "POST /echo HTTP/1.1\r\n" HOST
				      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	int fd = dial();

	(void)state;
	for (size_t piece = 1; piece < sizeof(message); piece = piece * 2 + 1) {
		for (size_t at = 0; at < sizeof(message) - 1; at += piece) {
			size_t left = sizeof(message) - 1 - at;
			assert_true(put_bytes(fd, message + at, left < piece ? left : piece));
			unsigned int ignored = handled(); /* lets the loop take a turn */
			(void)ignored;
		}
		expect_reply(fd, 200, "POST /echo abc");
	}
	close(fd);
}

static void half_closed_peers_get_their_answers(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/hold") "\r\n" GET("/later/2") "\r\n"));
	shutdown(fd, SHUT_WR);
	wait_until(look_held);
	release();
	expect_reply(fd, 200, "GET /hold ");
	expect_reply(fd, 200, "GET /later/2 ");
	expect_end(fd);
	close(fd);
}

static void a_request_cut_short_is_answered_400(void **state)
{
	static const char *const cut[] = {
		"GET",
		GET("/echo"),
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel",
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cut); i++) {
		int fd = dial();
		assert_true(put(fd, cut[i]));
		shutdown(fd, SHUT_WR);
		expect_refusal(fd, 400);
		close(fd);
	}
}

/* ---- smuggling: none of these may be read as two requests ---- */

#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" HOST "\r\n"
#define POSTED	 "POST /echo HTTP/1.1\r\n" HOST

static const struct {
	const char *raw;
	int status;
} smuggling[] = {
	{ POSTED "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Content-Length: 0, 0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Content-Length : 0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Content-Length:\n 0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" SMUGGLED,
	  400 },
	{ POSTED "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\n\r\n0\n\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\n\r\n1\r\nZQ\r\n" SMUGGLED, 400 },
	{ POSTED "Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n" SMUGGLED, 400 },
	{ "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400 },
	{ "GET /echo HTTP/2.0\r\n" HOST "\r\n" SMUGGLED, 400 },
	{ "GET /echo\r\n" SMUGGLED, 400 },
	{ "GET /echo HTTP/1.1\r\n\r\n" SMUGGLED, 400 },
	{ GET("/echo") HOST "\r\n" SMUGGLED, 400 },
	{ GET("/echo") ": empty\r\n\r\n" SMUGGLED, 400 },
	{ GET("/echo") "X: a\r\n b\r\n\r\n" SMUGGLED, 400 },
	{ GET("/echo") "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n" SMUGGLED, 501 },
	{ "CONNECT shop.example:80 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED, 501 },
	{ POSTED "Expect: 100-continue, x\r\nContent-Length: 2\r\n\r\nhi" SMUGGLED, 417 },
	{ POSTED "Content-Length: 8193\r\n\r\n" SMUGGLED, 413 },
};

static void no_message_hides_a_second_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(smuggling); i++) {
		int fd = dial();
		assert_true(put(fd, smuggling[i].raw));
		expect_refusal(fd, smuggling[i].status);
		close(fd);
		expect_service();
	}
	assert_int_equal(handled(), BC_COUNT(smuggling)); /* those of expect_service */
}

static void garbage_is_refused_and_others_are_served(void **state)
{
	unsigned int random = 12345;
	char junk[600];

	(void)state;
	for (int round = 0; round < 300; round++) {
		int fd = dial();
		size_t len = 1 + (size_t)round * 2 % (sizeof(junk) - 1);
		for (size_t i = 0; i < len; i++) {
			random = random * 1103515245 + 12345;
			junk[i] = (char)(random >> 16);
		}
		put_bytes(fd, junk, len);
		shutdown(fd, SHUT_WR);
		expect_refusal(fd, 400);
		close(fd);
	}
	expect_service();
	wait_until(look_no_connection);
	assert_int_equal(handled(), 1);
}

/* ---- Expect ---- */

static void a_body_that_fits_is_called_for(void **state)
{
	struct reply r;
	int fd = dial();

	(void)state;
	assert_true(put(fd, POSTED "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
	assert_true(get_head(fd, &r));
	assert_int_equal(r.status, 100);
	assert_true(put(fd, "hello"));
	expect_reply(fd, 200, "POST /echo hello");
	/* A body that comes along needs no call. */
	assert_true(put(fd, POSTED "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"));
	expect_reply(fd, 200, "POST /echo hi");
	close(fd);
}

static void a_body_that_does_not_fit_is_not_called_for(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, POSTED "Expect: 100-continue\r\nContent-Length: 8193\r\n\r\n"));
	expect_refusal(fd, 413);
	close(fd);
}

/* ---- raw answers ---- */

static void a_raw_answer_goes_out_as_it_is(void **state)
{
	static const char expected[] = "HTTP/1.1 200 Odd\r\n\r\nhalf";
	char got[64] = "";
	size_t len = 0;
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/raw") "\r\n"));
	while (len < sizeof(expected) - 1) {
		ssize_t n = get_some(fd, got + len, sizeof(got) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_string_equal(got, expected);
	expect_end(fd);
	close(fd);
}

static void a_raw_answer_may_be_no_answer(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/drop") "\r\n"));
	expect_end(fd);
	close(fd);
}

static void a_raw_answer_may_end_in_a_reset(void **state)
{
	char bytes[64];
	ssize_t n;
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/reset") "\r\n"));
	do
		n = get_some(fd, bytes, sizeof(bytes));
	while (n > 0);
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void a_stream_learns_that_its_peer_went(void **state)
{
	char bytes[64];
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/stream") "\r\n"));
	assert_int_equal(get_some(fd, bytes, sizeof(bytes)), 27);
	wait_until(look_held);
	close(fd);
	wait_until(look_peer_gone);
	release();
	wait_until(look_no_connection);
}

static void fill_stream(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 64 && !bc_http_peer_gone(fixture.held[0]); i++)
		bc_http_send_raw(fixture.held[0], fixture.big, 1024 * 1024);
}

static void a_stream_that_is_not_read_is_cut(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(put(fd, GET("/stream") "\r\n"));
	wait_until(look_held);
	on_loop(fill_stream, NULL);
	wait_until(look_peer_gone);
	release();
	wait_until(look_no_connection);
	close(fd);
}

/* ---- large answers ---- */

static void a_large_answer_arrives_whole(void **state)
{
	static const char *const requests[] = {
		GET("/big") "\r\n" GET("/echo") "\r\n",
		GET("/big") "\r\n" GET("/echo") "Connection: close\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(requests); i++) {
		struct reply r;
		int fd = dial();
		assert_true(put(fd, requests[i]));
		assert_true(get_reply(fd, &r, false));
		assert_int_equal(r.body_len, BIG_BYTES);
		assert_memory_equal(r.body, fixture.big, BIG_BYTES);
		reply_finish(&r);
		expect_reply(fd, 200, "GET /echo ");
		close(fd);
	}
	wait_until(look_no_connection);
}

static void the_peer_is_named_without_its_port(void **state)
{
	(void)state;
	expect_service();
	assert_string_equal(fixture.last_peer, "127.0.0.1");
	assert_true(fixture.last_peer_local);
}

static void a_status_has_its_phrase(void **state)
{
	(void)state;
	assert_string_equal(bc_http_reason(100), "Continue");
	assert_string_equal(bc_http_reason(200), "OK");
	assert_string_equal(bc_http_reason(422), "Unprocessable Content");
	assert_string_equal(bc_http_reason(511), "Network Authentication Required");
	assert_string_equal(bc_http_reason(299), "Unknown");
	assert_string_equal(bc_http_reason(0), "Unknown");
	for (int status = 100, found = 0; status < 600; status++) {
		found += strcmp(bc_http_reason(status), "Unknown") != 0;
		if (status == 599)
			assert_true(found > 40);
	}
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(requests_are_answered_over_one_kept_connection),
		SERVED(an_answer_carries_its_headers),
		SERVED(a_sane_request_id_is_kept_and_any_other_replaced),
		SERVED(a_made_request_id_is_never_made_again),
		SERVED(a_head_request_gets_the_length_and_no_body),
		SERVED(no_content_has_neither_length_nor_body),
		SERVED(the_connection_closes_when_the_peer_wants_it),
		SERVED(http_1_0_stays_when_it_asks),
		SERVED(pipelined_requests_are_answered_in_order),
		SERVED(a_message_may_come_in_any_pieces),
		SERVED(half_closed_peers_get_their_answers),
		SERVED(a_request_cut_short_is_answered_400),
		SERVED(no_message_hides_a_second_one),
		SERVED(garbage_is_refused_and_others_are_served),
		SERVED(a_body_that_fits_is_called_for),
		SERVED(a_body_that_does_not_fit_is_not_called_for),
		SERVED(a_raw_answer_goes_out_as_it_is),
		SERVED(a_raw_answer_may_be_no_answer),
		SERVED(a_raw_answer_may_end_in_a_reset),
		SERVED(a_stream_learns_that_its_peer_went),
		SERVED(a_stream_that_is_not_read_is_cut),
		SERVED(a_large_answer_arrives_whole),
		SERVED(the_peer_is_named_without_its_port),
		cmocka_unit_test(a_status_has_its_phrase),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
