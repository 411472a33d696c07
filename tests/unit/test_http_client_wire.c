/* SPDX-License-Identifier: MIT */
/* The HTTP client's streams, their connections: which are kept and for how long, what is not an
 * answer, pieces of every size, proxies, TLS, and what failures are called. */
#include "http_stream_fixture.h"
#include "http_client_tls.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/tcp.h>

#define OK_HEAD	 "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"

/* Stands in for the C library's: nobody's name server is asked. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints,
						       struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node && strcmp(node, "nowhere.test") == 0)
		return EAI_NONAME;
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, res);
}

static void reopen_client(const struct bc_http_client_options *options)
{
	bc_http_client_destroy(client);
	open_client(options);
}

static struct sink get_url(const char *url)
{
	struct sink s = { 0 };
	struct bc_http_exchange x = sink_exchange(&s, "GET", url);

	x.connect_timeout_ms = x.timeout_ms = GUARD_MS; /* under valgrind, certificates take long */
	sink_start(&s, &x);
	run_until_done();
	assert_null(strstr(s.r.a.error_text, "sesame"));
	return s;
}

static struct sink get_of(const char *scheme)
{
	char url[URL_BYTES];

	return get_url(url_of(url, scheme, SECRET_PATH));
}

static bool accepted(void *ctx)
{
	return atomic_load(&server.closed) >= *(int *)ctx;
}

/* --- connections ------------------------------------------------------------------------------ */

static void an_answer_that_ends_by_its_own_framing_leaves_its_connection_to_the_next(void **state)
{
	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" },
	      { .answer =
			OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n" },
	      { .answer = "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: "
			  "2\r\n\r\nok" },
	      { .answer = "HTTP/1.1 404 No\r\nConnection: x, y\r\nContent-Length: 2\r\n\r\nok" });
	for (int i = 0; i < 20; i++) {
		struct sink s = get_of("http");
		assert_true(s.r.a.complete);
		assert_string_equal(s.text, "ok");
	}
	assert_int_equal(server.accepted, 1);
	assert_int_equal(server.requests, 20);
}

static void an_answer_that_says_so_or_has_more_behind_it_is_its_connections_last(void **state)
{
	static const struct step rows[] = {
		{ .answer = OK_HEAD "Connection: x, Close\r\nContent-Length: 2\r\n\r\nok" },
		{ .answer = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		{ .answer = OK_HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n" },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore" },
	};

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = get_of("http");
		assert_true(s.r.a.complete);
		assert_int_equal(s.r.a.error, 0);
		assert_string_equal(s.text, "ok");
		assert_int_equal(server.accepted, i + 1);
	}
	struct sink s = get_of("http");
	assert_true(s.r.a.complete);
	assert_int_equal(server.accepted, BC_COUNT(rows) + 1);
}

static const char *_Atomic afterwards;

static void answer_and_end(int fd)
{
	if (!far_hear_head(fd)[0])
		return;
	far_say(fd, OK_EMPTY);
	usleep(20000); /* so that it is idle by then */
	if (afterwards)
		far_say(fd, afterwards);
	else
		shutdown(fd, SHUT_WR);
	far_hear_all(fd);
}

static void an_idle_connection_that_is_ended_or_spoken_on_is_closed_at_once(void **state)
{
	int closed = 0;

	(void)state;
	far_start(answer_and_end);
	for (int i = 0; i < 2; i++) {
		afterwards = i ? "HTTP/1.1 408 Late\r\n\r\n" : NULL;
		assert_int_equal(get_of("http").r.a.status, 200);
		closed++;
		turn_until(far_has_closed, &closed); /* without another call */
	}
	assert_int_equal(far.accepted, 2);
}

static void a_connection_serves_no_call_beyond_its_age(void **state)
{
	uint64_t start_ms = bc_elapsed_ms(&bc_clock_system);

	(void)state;
	reopen_client(&(struct bc_http_client_options){ .connection_age_max_ms = 300 });
	serve({ .answer = OK_EMPTY });
	while (server.accepted < 3 && bc_elapsed_ms(&bc_clock_system) - start_ms < GUARD_MS) {
		assert_int_equal(get_of("http").r.a.status, 200);
		usleep(20000);
	}
	assert_int_equal(server.accepted, 3);
	assert_true(bc_elapsed_ms(&bc_clock_system) - start_ms >= 600);
	assert_true(server.requests > 6);
}

static void no_more_are_kept_than_the_pool_may_hold(void **state)
{
	static struct sink sinks[10];
	char url[URL_BYTES];
	int most = 8;

	(void)state;
	memset(sinks, 0, sizeof(sinks));
	reopen_client(&(struct bc_http_client_options){ .connections_max = 2 });
	serve({ .answer = OK_EMPTY });
	url_of(url, "http", "/");
	for (size_t i = 0; i < BC_COUNT(sinks); i++) {
		struct bc_http_exchange x = sink_exchange(&sinks[i], "GET", url);
		sink_start(&sinks[i], &x);
	}
	run_until_done();
	assert_int_equal(server.accepted, 10);
	turn_until(accepted, &most);
	assert_int_equal(server.closed, 8);
}

static void each_origin_has_connections_of_its_own(void **state)
{
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_EMPTY });
	for (int i = 0; i < 4; i++) {
		snprintf(url, sizeof(url), "http://%s:%d/", i % 2 ? "127.0.0.1" : "localhost",
			 server.port);
		assert_int_equal(get_url(url).r.a.status, 200);
		assert_non_null(strstr(server.seen,
				       i % 2 ? "\r\nHost: 127.0.0.1:" : "\r\nHost: localhost:"));
	}
	assert_int_equal(server.accepted, 2);
}

/* --- what is no answer ------------------------------------------------------------------------ */

static void what_is_no_answer_or_breaks_off_has_a_name(void **state)
{
	static const struct {
		struct step step;
		const char *text;
	} rows[] = {
		{ { .then = THEN_CLOSE }, "the connection was closed before an answer" },
		{ { .answer = "HTTP/1.1 200 O", .then = THEN_CLOSE },
		  "the answer's head broke off" },
		{ { .answer = OK_HEAD "Content-Le", .then = THEN_CLOSE },
		  "the answer's head broke off" },
		{ { .answer = "SSH-2.0-x\r\n", .then = THEN_CLOSE }, "the answer is not HTTP" },
		{ { .answer = "\r\n" OK_EMPTY, .then = THEN_CLOSE }, "the answer is not HTTP" },
		{ { .answer = "HTTP/2.0 200 OK\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = "HTTP/1.1  200 OK\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = "HTTP/1.1 20\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = "HTTP/1.1 2000\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = "HTTP/1.1 099 x\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = "HTTP/1.1 2x0 OK\r\n\r\n" }, "the answer is malformed" },
		{ { .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n" },
		  "the answer's chunks are malformed" },
		{ { .answer = OK_HEAD "Content-Length: 9\r\n\r\nhalf", .then = THEN_CLOSE },
		  "the answer broke off" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		memset(&server, 0, sizeof(server));
		server_start(&server, &rows[i].step, 1);
		struct sink s = get_of("http");
		server_stop(&server);
		assert_int_equal(s.r.a.error, BC_EIO);
		assert_true(s.r.a.request_sent);
		assert_false(s.r.a.complete);
		if (!strstr(s.r.a.error_text, rows[i].text))
			fail_msg("row %zu: %s", i, s.r.a.error_text);
	}
	server.step_count = 0;
}

static void a_status_line_needs_no_words(void **state)
{
	(void)state;
	serve({ .answer = "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok" },
	      { .answer = "HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nok" });
	assert_int_equal(get_of("http").r.a.status, 200);
	assert_int_equal(get_of("http").r.a.status, 404);
}

/* --- pieces of every size --------------------------------------------------------------------- */

static const char *_Atomic trickled;

static void trickle(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (far_hear_head(fd)[0])
		for (const char *at = trickled; *at; at++) {
			far_write(fd, at, 1);
			usleep(300);
		}
}

static void an_answer_may_come_a_byte_at_a_time(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nLink: a\r\n\r\n" OK_HEAD
		"Content-Length: 5\r\nX: y\r\n\r\nabcde",
		OK_HEAD "Transfer-Encoding: chunked\r\nX: y\r\n\r\n2;a=b\r\nab\r\n3\r\ncde\r\n"
			"0\r\nTrailer: t\r\n\r\n",
	};

	(void)state;
	trickled = rows[0];
	far_start(trickle);
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		trickled = rows[i];
		struct sink s = get_of("http");
		assert_int_equal(s.heads, 1);
		assert_string_equal(s.text, "abcde");
		assert_non_null(strstr(s.fields, "X|y\n"));
		assert_true(s.r.a.complete);
		assert_true(s.pieces > 1);
	}
	assert_int_equal(far.accepted, 1);
}

static size_t longest;

static void note_longest(void *ctx, const struct bc_http_answer_head *head)
{
	((struct sink *)ctx)->heads++;
	longest = head->fields[0].value.len;
}

static void a_line_may_be_longer_than_what_is_read_at_once(void **state)
{
	static char answer[80000], word[70000];
	static struct step step;
	char url[URL_BYTES];

	(void)state;
	step = (struct step){ .answer = answer };
	for (int i = 0; i < 2; i++) {
		memset(word, 'w', sizeof(word));
		word[i ? sizeof(word) - 1 : 40000] = '\0';
		snprintf(answer, sizeof(answer), OK_HEAD "Long: %s\r\nContent-Length: 2\r\n\r\nok",
			 word);
		memset(&server, 0, sizeof(server));
		server_start(&server, &step, 1);
		struct sink s = { 0 };
		struct bc_http_exchange x = sink_exchange(&s, "GET", url_of(url, "http", "/"));
		s.stream.head = note_longest;
		sink_start(&s, &x);
		run_until_done();
		server_stop(&server);
		assert_int_equal(s.r.a.error, i ? BC_EIO : 0);
		assert_int_equal(s.heads, !i);
		assert_int_equal(longest, 40000);
		if (i)
			assert_non_null(strstr(s.r.a.error_text, "the answer's head is too long"));
	}
	server.step_count = 0;
}

static const struct step empty[] = { { .answer = OK_EMPTY } };

static void a_whole_body_of_any_size_is_sent(void **state)
{
	static const size_t sizes[] = { 1, 16384, 16385, 3 << 20 };
	char ca[] = "/tmp/http-client-ca-XXXXXX", url[URL_BYTES];
	SSL_CTX *tls = make_tls(ca);
	char *body = malloc(sizes[3]);

	(void)state;
	memset(body, 'b', sizes[3]);
	for (size_t i = 0; i < 2 * BC_COUNT(sizes); i++) {
		struct sink s = { 0 };
		memset(&server, 0, sizeof(server));
		server.tls = i % 2 ? tls : NULL;
		reopen_client(&(struct bc_http_client_options){ .ca_file = ca });
		server_start(&server, empty, 1);
		struct bc_http_exchange x =
			sink_exchange(&s, "DELETE", url_of(url, i % 2 ? "https" : "http", "/"));
		x.body = body;
		x.body_bytes = sizes[i / 2];
		sink_start(&s, &x);
		run_until_done();
		reopen_client(&(struct bc_http_client_options){ 0 }); /* the server waits for it */
		server_stop(&server);
		assert_int_equal(s.r.a.error, 0);
		assert_true(s.r.a.complete);
		assert_int_equal(server.body_bytes, sizes[i / 2]);
	}
	server.step_count = 0;
	free(body);
	unlink(ca);
	SSL_CTX_free(tls);
}

/* --- requests that are cut short -------------------------------------------------------------- */

static void accept_early_and_go(int fd)
{
	far_hear_head(fd);
	far_say(fd, OK_EMPTY);
	recv(fd, (char[100]){ 0 }, 100, 0); /* the rest is unread: closing resets */
}

static void a_peer_that_accepts_early_and_goes_has_not_taken_the_request(void **state)
{
	char url[URL_BYTES];

	(void)state;
	far_start(accept_early_and_go);
	struct sink s = { .give_max = 1 << 30 };
	struct bc_http_exchange x = sink_exchange(&s, "POST", url_of(url, "http", SECRET_PATH));
	s.stream.read = sink_read;
	s.stream.body_bytes = 1 << 30;
	sink_start(&s, &x);
	run_until_done();
	assert_int_equal(s.r.a.error, BC_EIO);
	assert_true(s.r.a.request_sent);
	assert_false(s.r.a.complete);
	assert_true(s.given < 1 << 30);
}

static struct sink pair[2];

static bool both_were_asked(void *ctx)
{
	(void)ctx;
	return pair[0].reads == 1 && pair[1].reads == 1;
}

static bool one_is_left(void *ctx)
{
	(void)ctx;
	return bc_http_client_calls(client) == 1;
}

static void cancel_the_other(struct sink *s)
{
	bc_http_call_cancel(pair[s == &pair[0]].call);
}

static void who_is_cancelled_by_another_is_asked_no_more_though_he_was_resumed(void **state)
{
	char url[URL_BYTES];

	(void)state;
	memset(pair, 0, sizeof(pair));
	serve({ .then = THEN_HANG });
	url_of(url, "http", "/");
	for (int i = 0; i < 2; i++) {
		struct bc_http_exchange x = sink_exchange(&pair[i], "POST", url);
		pair[i].give_holds = true;
		pair[i].stream.read = sink_read;
		pair[i].stream.body_bytes = -1;
		sink_start(&pair[i], &x);
		waiting--;
	}
	turn_until(both_were_asked, NULL);
	for (int i = 0; i < 2; i++) {
		pair[i].in_read = cancel_the_other;
		bc_http_call_resume_read(pair[i].call);
	}
	turn_until(one_is_left, NULL);
	assert_int_equal(pair[0].reads + pair[1].reads, 3);
	assert_int_equal(pair[0].r.count + pair[1].r.count, 0);
}

/* --- not reached ------------------------------------------------------------------------------ */

static void assert_unreached(const struct sink *s, int error, const char *text)
{
	assert_int_equal(s->heads, 0);
	assert_int_equal(s->r.a.error, error);
	assert_false(s->r.a.request_sent);
	if (!strstr(s->r.a.error_text, text))
		fail_msg("%s", s->r.a.error_text);
}

static void who_is_not_reached_was_sent_nothing(void **state)
{
	char url[URL_BYTES];

	(void)state;
	close(listen_anywhere(&server.port));
	struct sink s = get_of("http");
	assert_unreached(&s, BC_EUNREACH, "could not connect: Connection refused");
	s = get_url("http://nowhere.test/sesame");
	assert_unreached(&s, BC_EUNREACH, "could not resolve host");
	int fd = listen_anywhere(&server.port);
	s = (struct sink){ 0 };
	struct bc_http_exchange x = sink_exchange(&s, "GET", url_of(url, "https", "/sesame"));
	x.connect_timeout_ms = 150;
	sink_start(&s, &x);
	run_until_done();
	assert_unreached(&s, BC_ETIMEDOUT, "connecting timed out after ");
	close(fd);
}

static void a_url_that_cannot_be_sent_is_refused(void **state)
{
	static const char *const rows[] = { "http://127.0.0.1/a b", "http://127.0.0.1/a\r\nX: y",
					    "http://127.0.0.1/\x7f", "ftp://127.0.0.1/" };

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { 0 };
		struct bc_http_exchange x = sink_exchange(&s, "GET", rows[i]);
		assert_int_equal(bc_http_call_start(client, &x, sink_done, &s, &s.call, NULL),
				 BC_EINVAL);
	}
	assert_int_equal(bc_http_client_calls(client), 0);
	struct sink s = get_url("http://sesame@127.0.0.1/");
	assert_unreached(&s, BC_EINVAL, "the url holds a user name");
	s = get_url("http://127.0.0.1:x/");
	assert_unreached(&s, BC_EINVAL, "the url is malformed");
}

static void what_stands_behind_the_host_is_asked_for_as_it_is(void **state)
{
	static const char *const rows[][2] = {
		{ "", "GET / HTTP/1.1\r\n" },
		{ "?a=b#c", "GET /?a=b HTTP/1.1\r\n" },
		{ "/a/../%2e?b=/#c?d", "GET /a/../%2e?b=/ HTTP/1.1\r\n" },
	};
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_EMPTY });
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		assert_int_equal(get_url(url_of(url, "http", rows[i][0])).r.a.status, 200);
		assert_memory_equal(server.seen, rows[i][1], strlen(rows[i][1]));
	}
}

static void proxies_and_unix_sockets_are_used(void **state)
{
	char proxy[URL_BYTES], folder[] = "/tmp/http-client-XXXXXX", path[64];

	(void)state;
	serve({ .answer = OK_EMPTY },
	      { .answer = "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n" });
	reopen_client(&(struct bc_http_client_options){ .proxy = url_of(proxy, "http", "") });
	assert_int_equal(get_url("http://nowhere.test/x").r.a.status, 200);
	assert_memory_equal(server.seen,
			    "GET http://nowhere.test/x HTTP/1.1\r\nHost: nowhere.test\r\n", 56);
	struct sink s = get_url("https://nowhere.test/x");
	assert_unreached(&s, BC_EUNREACH, "the proxy answered 407");
	assert_memory_equal(server.seen, "CONNECT nowhere.test:443 HTTP/1.1\r\n", 35);
	server_stop(&server);
	memset(&server, 0, sizeof(server));
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	server.fd = listen_unix(path);
	serve({ .answer = OK_EMPTY });
	reopen_client(&(struct bc_http_client_options){ .unix_socket = path });
	s = get_url("http://nowhere.test/x");
	unlink(path);
	rmdir(folder);
	assert_int_equal(s.r.a.status, 200);
	assert_memory_equal(server.seen, "GET /x HTTP/1.1\r\nHost: nowhere.test\r\n", 37);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void tls_is_verified_and_nothing_is_sent_to_a_stranger(void **state)
{
	char ca[] = "/tmp/http-client-ca-XXXXXX", url[URL_BYTES];
	SSL_CTX *tls = make_tls(ca);

	(void)state;
	server.tls = tls;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" });
	struct sink s = get_of("https");
	assert_unreached(&s, BC_EAUTH, "the certificate is not trusted: self-signed certificate");
	reopen_client(&(struct bc_http_client_options){ .ca_file = ca });
	snprintf(url, sizeof(url), "https://localhost:%d/", server.port);
	s = get_url(url); /* another name than the certificate's */
	assert_unreached(&s, BC_EAUTH, "the certificate is not trusted");
	assert_int_equal(server.requests, 0);
	int before = server.accepted;
	for (int i = 0; i < 5; i++) {
		s = get_of("https");
		assert_string_equal(s.text, "ok");
		assert_true(s.r.a.complete);
	}
	assert_int_equal(server.accepted, before + 1); /* tickets are no reason to close */
	unlink(ca);
	SSL_CTX_free(tls);
}

/* Whoever cuts the wire cannot say goodbye in TLS: what has no other end is not whole. */
static void a_tls_connection_that_ends_without_goodbye_ends_no_body(void **state)
{
	static const struct step rows[] = {
		{ .answer = OK_HEAD "Content-Length: 3\r\n\r\nall", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\nall", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "\r\nall", .then = THEN_CLOSE },
	};
	char ca[] = "/tmp/http-client-ca-XXXXXX";
	SSL_CTX *tls = make_tls(ca);

	(void)state;
	reopen_client(&(struct bc_http_client_options){ .ca_file = ca });
	for (size_t i = 0; i < 2 * BC_COUNT(rows); i++) {
		bool goodbye = i % 2;
		memset(&server, 0, sizeof(server));
		SSL_CTX_set_quiet_shutdown(tls, !goodbye);
		server.tls = tls;
		server_start(&server, &rows[i / 2], 1);
		struct sink s = get_of("https");
		server_stop(&server);
		assert_string_equal(s.text, "all");
		assert_int_equal(s.r.a.complete, i / 2 == 0 || (i / 2 == 2 && goodbye));
		assert_int_equal(s.r.a.error, s.r.a.complete ? 0 : BC_EIO);
	}
	server.step_count = 0;
	unlink(ca);
	SSL_CTX_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_answer_that_ends_by_its_own_framing_leaves_its_connection_to_the_next),
		test(an_answer_that_says_so_or_has_more_behind_it_is_its_connections_last),
		test_far(an_idle_connection_that_is_ended_or_spoken_on_is_closed_at_once),
		test(a_connection_serves_no_call_beyond_its_age),
		test(no_more_are_kept_than_the_pool_may_hold),
		test(each_origin_has_connections_of_its_own),
		test(what_is_no_answer_or_breaks_off_has_a_name),
		test(a_status_line_needs_no_words),
		test_far(an_answer_may_come_a_byte_at_a_time),
		test(a_line_may_be_longer_than_what_is_read_at_once),
		test(a_whole_body_of_any_size_is_sent),
		test_far(a_peer_that_accepts_early_and_goes_has_not_taken_the_request),
		test(who_is_cancelled_by_another_is_asked_no_more_though_he_was_resumed),
		test(who_is_not_reached_was_sent_nothing),
		test(a_url_that_cannot_be_sent_is_refused),
		test(what_stands_behind_the_host_is_asked_for_as_it_is),
		test(proxies_and_unix_sockets_are_used),
		test(tls_is_verified_and_nothing_is_sent_to_a_stranger),
		test(a_tls_connection_that_ends_without_goodbye_ends_no_body),
	};

	return cmocka_run_group_tests_name("http_client_wire", tests, NULL, NULL);
}
