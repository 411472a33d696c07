/* SPDX-License-Identifier: MIT */
/* The HTTP client's bytes: what a request looks like on the wire and how each kind of answer, whole
 * or broken, is told. */
#include "http_client_fixture.h"

#define OK_HEAD	 "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"

static void a_post_is_exactly_its_headers_and_body(void **state)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	char url[URL_BYTES], want[512];

	(void)state;
	serve({ .answer =
			OK_HEAD "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" });
	struct bc_http_exchange x = exchange_of("POST", url_of(url, "http", "/a/../b//c?d=%2e"));
	x.headers = headers;
	x.body = "{\"apiKey\":\"k\"}";
	x.body_bytes = 14;
	struct result r = run_exchange(&x);
	snprintf(want, sizeof(want),
		 "POST /a/../b//c?d=%%2e HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test/1\r\n"
		 "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n"
		 "{\"apiKey\":\"k\"}",
		 server.port);
	assert_string_equal(server.seen, want);
	assert_int_equal(r.a.status, 200);
	assert_int_equal(r.a.error, 0);
	assert_true(r.a.complete && r.a.request_sent);
	assert_string_equal(r.body, "{}");
	assert_string_equal(r.content_type, "application/json");
	assert_string_equal(r.retry_after, "(none)");
	assert_string_equal(r.a.error_text, "");
}

static void each_method_says_its_length_where_it_has_one(void **state)
{
	static const struct {
		const char *method, *body;
		bool length;
	} rows[] = {
		{ "GET", NULL, false },	    { "HEAD", NULL, false }, { "DELETE", NULL, false },
		{ "POST", NULL, true },	    { "PUT", NULL, true },   { "PATCH", NULL, true },
		{ "DELETE", "x", true },    { "GET", "x", true },    { "PUT", "x", true },
		{ "OPTIONS", NULL, false },
	};
	char url[URL_BYTES], line[64];

	(void)state;
	serve({ .answer = OK_EMPTY });
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_http_exchange x = exchange_of(rows[i].method, url_of(url, "http", "/"));
		x.body = rows[i].body;
		x.body_bytes = rows[i].body ? strlen(rows[i].body) : 0;
		struct result r = run_exchange(&x);
		assert_int_equal(r.a.status, 200);
		assert_true(r.a.complete);
		snprintf(line, sizeof(line), "%s / HTTP/1.1\r\n", rows[i].method);
		assert_memory_equal(server.seen, line, strlen(line));
		snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n", x.body_bytes);
		assert_int_equal(strstr(server.seen, line) != NULL, rows[i].length);
		assert_null(strstr(server.seen, "Content-Type"));
	}
}

static void a_large_body_is_sent_without_asking_first(void **state)
{
	enum { LARGE = 3 * 1024 * 1024 };
	char url[URL_BYTES];
	char *body = malloc(LARGE);

	(void)state;
	assert_non_null(body);
	memset(body, 'b', LARGE);
	serve({ .answer = OK_EMPTY });
	struct bc_http_exchange x = exchange_of("PUT", url_of(url, "http", "/"));
	x.body = body;
	x.body_bytes = LARGE;
	struct result r = run_exchange(&x);
	free(body);
	assert_int_equal(r.a.status, 200);
	assert_int_equal(server.body_bytes, LARGE);
	assert_null(strstr(server.seen, "Expect"));
}

static void an_empty_header_is_sent_and_the_callers_agent_and_accept_win(void **state)
{
	static const char *const headers[] = { "X-Empty:", "X-Blank:  ", "Accept: text/plain",
					       "User-Agent: other", NULL };
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_EMPTY });
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", "/"));
	x.headers = headers;
	assert_int_equal(run_exchange(&x).a.status, 200);
	assert_non_null(strstr(server.seen, "\r\nX-Empty:\r\n"));
	assert_non_null(strstr(server.seen, "\r\nX-Blank:\r\n"));
	assert_non_null(strstr(server.seen, "\r\nAccept: text/plain\r\n"));
	assert_non_null(strstr(server.seen, "\r\nUser-Agent: other\r\n"));
	assert_null(strstr(server.seen, "*/*"));
	assert_null(strstr(server.seen, "test/1"));
}

static void what_could_bend_a_request_is_refused_at_once(void **state)
{
	static const struct {
		const char *method, *url, *header;
	} rows[] = {
		{ "GET", "ftp://127.0.0.1/", "A: b" },
		{ "GET", "file:///etc/passwd", "A: b" },
		{ "GET", "127.0.0.1/", "A: b" },
		{ "GET", "", "A: b" },
		{ "GET /", "http://127.0.0.1/", "A: b" },
		{ "", "http://127.0.0.1/", "A: b" },
		{ "AVERYLONGMETHODNAME", "http://127.0.0.1/", "A: b" },
		{ "GET", "http://127.0.0.1/", "no colon" },
		{ "GET", "http://127.0.0.1/", ": no name" },
		{ "GET", "http://127.0.0.1/", "A b: c" },
		{ "GET", "http://127.0.0.1/", "A: b\r\nC: d" },
		{ "GET", "http://127.0.0.1/", "A: b\n" },
		{ "GET", "http://127.0.0.1/", "A\r: b" },
		{ "GET", "http://127.0.0.1/", "Content-Length: 3" },
		{ "GET", "http://127.0.0.1/", "transfer-encoding: chunked" },
		{ "GET", "http://127.0.0.1/", "Expect: 100-continue" },
		{ "GET", "http://127.0.0.1/", "Host: elsewhere" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		const char *const headers[] = { rows[i].header, NULL };
		struct bc_http_exchange x = exchange_of(rows[i].method, rows[i].url);
		struct bc_http_call *call = NULL;
		struct bc_err err = { 0 };
		x.headers = headers;
		int rc = bc_http_call_start(client, &x, on_done, NULL, &call, &err);
		assert_int_equal(rc, BC_EINVAL);
		assert_null(call);
		assert_null(strstr(err.text, "127.0.0.1"));
	}
}

static void a_malformed_url_or_a_user_name_in_it_is_told_later(void **state)
{
	static const char *const urls[] = { "http://sesame:x@127.0.0.1/", "http://127.0.0.1:port/",
					    "http://127.0.0.1/sesame\r\nA: b", "http:///?sesame" };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(urls); i++) {
		struct bc_http_exchange x = exchange_of("GET", urls[i]);
		struct result r = run_exchange(&x);
		assert_int_equal(r.a.error, BC_EINVAL);
		assert_int_equal(r.a.status, 0);
		assert_false(r.a.request_sent);
	}
}

static void a_redirect_is_an_answer_and_is_not_followed(void **state)
{
	(void)state;
	serve({ .answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: "
			  "0\r\n\r\n" });
	struct result r = post();
	assert_int_equal(r.a.status, 302);
	assert_true(r.a.complete);
	assert_int_equal(server.requests, 1);
}

static void headers_that_matter_are_kept_and_the_first_of_a_repeat_counts(void **state)
{
	(void)state;
	serve({ .answer = "HTTP/1.1 429 Slow\r\nretry-after:  7 \r\nRetry-After: 9\r\n"
			  "CONTENT-TYPE: a/b\r\nContent-Length: 0\r\n\r\n" });
	struct result r = post();
	assert_int_equal(r.a.status, 429);
	assert_string_equal(r.retry_after, "7");
	assert_string_equal(r.content_type, "a/b");
}

static void link_fields_become_one_list(void **state)
{
	(void)state;
	serve({ .answer = "HTTP/1.1 103 Early\r\nLink: </early>; rel=\"next\"\r\n\r\n"
			  "HTTP/1.1 204 No\r\nlink:  </a>; rel=\"next\" \r\n"
			  "X-Link: </no>\r\nLINK: </b>; rel=\"validate\"\r\n\r\n" },
	      { .answer = OK_EMPTY });
	struct result r = post();
	assert_string_equal(r.link, "</a>; rel=\"next\", </b>; rel=\"validate\"");
	assert_string_equal(post().link, "(none)");
}

static void an_interim_head_counts_for_nothing(void **state)
{
	(void)state;
	serve({ .answer = "HTTP/1.1 103 Early\r\nRetry-After: 7\r\n\r\nHTTP/1.1 204 No\r\n\r\n" },
	      { .answer = "HTTP/1.1 100 Continue\r\n\r\n", .then = THEN_CLOSE });
	struct result r = post();
	assert_int_equal(r.a.status, 204);
	assert_true(r.a.complete);
	assert_string_equal(r.retry_after, "(none)");
	r = post();
	assert_int_equal(r.a.status, 0);
	assert_int_equal(r.a.error, BC_EIO);
	assert_true(r.a.request_sent);
}

/* Each row: status 0, sent, BC_EIO, whatever curl made of its beginning. */
static void an_answer_without_a_whole_head_has_no_status(void **state)
{
	static const struct step rows[] = {
		{ .then = THEN_CLOSE },
		{ .then = THEN_RESET },
		{ .then = THEN_RESET, .unread = true },
		{ .answer = "HTTP/1.1 200 OK", .then = THEN_CLOSE },
		{ .answer = "HTTP/1.1 200 OK\r\n", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Le", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Length: 0\r\n", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Length: 0\r\n", .then = THEN_RESET },
		{ .answer = "HTT", .then = THEN_CLOSE },
		{ .answer = "garbage\r\n\r\nmore garbage", .then = THEN_CLOSE },
		{ .answer = "\0\1\2\377", .answer_bytes = 4, .then = THEN_CLOSE },
		{ .answer = "{\"externalProductId\":\"x\"}", .then = THEN_CLOSE },
		{ .answer = "HTTP/1.1 abc OK\r\n\r\n", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Length: many\r\n\r\n", .then = THEN_CLOSE },
		{ .answer = "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n", .then = THEN_HANG },
		{ .answer = OK_HEAD "X: an endless head\r\n", .repeat = 100000, .then = THEN_HANG },
		{ .answer = "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 102 Wait\r\nX: y\r\n\r\n",
		  .then = THEN_CLOSE },
	};

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct result r = post();
		if (r.a.status != 0 || r.a.error != BC_EIO || !r.a.request_sent || r.a.complete ||
		    r.a.error_text[0] == '\0' || r.a.body.len != 0)
			fail_msg("row %zu: status %d, error %d \"%s\", sent %d", i, r.a.status,
				 r.a.error, r.a.error_text, r.a.request_sent);
		assert_int_equal(server.requests, i + 1);
	}
}

static void an_answer_that_breaks_off_in_its_body_keeps_its_status(void **state)
{
	static const struct step rows[] = {
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\nhalf", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\nhalf", .then = THEN_HANG },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		  .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
		  .then = THEN_KEEP },
	};
	char url[URL_BYTES];

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", SECRET_PATH));
		x.timeout_ms = rows[i].then == THEN_HANG ? 200 : 10000;
		struct result r = run_exchange(&x);
		assert_int_equal(r.a.status, 200);
		assert_string_equal(r.body, "half");
		assert_false(r.a.complete);
		assert_int_equal(r.a.error, rows[i].then == THEN_HANG ? BC_ETIMEDOUT : BC_EIO);
		assert_true(r.a.error_text[0] != '\0');
	}
}

static void a_body_without_a_length_is_whole_when_the_connection_ends(void **state)
{
	(void)state;
	serve({ .answer = OK_HEAD "\r\nall of it", .then = THEN_CLOSE },
	      { .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n"
				  "Retry-After: 5\r\n\r\n" });
	struct result r = get();
	assert_true(r.a.complete);
	assert_string_equal(r.body, "all of it");
	r = get();
	assert_true(r.a.complete);
	assert_string_equal(r.body, "all");
	assert_string_equal(r.retry_after, "(none)"); /* trailers don't count */
}

static void a_body_over_the_limit_is_kept_in_part_and_far_over_it_is_cut(void **state)
{
	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 3000\r\n\r\n123456789\n", .repeat = 299 },
	      { .answer = OK_HEAD "Content-Length: 30000000\r\n\r\n123456789\n",
		.repeat = 2999999,
		.then = THEN_CLOSE });
	struct result r = get();
	assert_int_equal(r.a.status, 200);
	assert_int_equal(r.a.body.len, 256);
	assert_memory_equal(r.body, "123456789\n123456789\n", 20);
	assert_false(r.a.complete);
	assert_int_equal(r.a.error, 0);
	r = get();
	assert_int_equal(server.accepted, 1); /* the first was read to its end: reused */
	assert_int_equal(r.a.status, 200);
	assert_int_equal(r.a.body.len, 256);
	assert_false(r.a.complete);
	assert_int_equal(r.a.error, BC_EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_post_is_exactly_its_headers_and_body),
		test(each_method_says_its_length_where_it_has_one),
		test(a_large_body_is_sent_without_asking_first),
		test(an_empty_header_is_sent_and_the_callers_agent_and_accept_win),
		test(what_could_bend_a_request_is_refused_at_once),
		test(a_malformed_url_or_a_user_name_in_it_is_told_later),
		test(a_redirect_is_an_answer_and_is_not_followed),
		test(headers_that_matter_are_kept_and_the_first_of_a_repeat_counts),
		test(link_fields_become_one_list),
		test(an_interim_head_counts_for_nothing),
		test(an_answer_without_a_whole_head_has_no_status),
		test(an_answer_that_breaks_off_in_its_body_keeps_its_status),
		test(a_body_without_a_length_is_whole_when_the_connection_ends),
		test(a_body_over_the_limit_is_kept_in_part_and_far_over_it_is_cut),
	};

	return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
