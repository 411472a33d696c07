/* SPDX-License-Identifier: MIT */
/* Answers that stream, over loopback sockets: framing, back-pressure, breaking off. */
#include <netinet/tcp.h>
#include <sys/wait.h>

#include "http_server_streams.h"

static int setup(void **state)
{
	struct bc_http_server_options options = stream_options();

	(void)state;
	start_streams(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_streams();
	return 0;
}

/* A request of which the test says what becomes. */
static int ask_on(int fd, const char *request)
{
	assert_true(put(fd, request));
	wait_until(look_request);
	return fd;
}

static int ask(const char *request)
{
	return ask_on(dial(), request);
}

static void write_on_loop(const char *text)
{
	on_loop(do_write, (void *)text);
}

/* ---- framing ---- */

static void an_answer_of_unknown_length_is_chunked(void **state)
{
	struct reply r;
	int fd = ask(GET("/s/wait") "X-Request-Id: mine\r\n\r\n" GET("/echo") "\r\n");

	(void)state;
	begin_on_loop(-1);
	write_on_loop("hello ");
	write_on_loop("");
	write_on_loop("a longer piece of text");
	on_loop(do_end, NULL);
	assert_true(get_head(fd, &r));
	assert_int_equal(r.status, 200);
	assert_string_equal(reply_header(&r, "Transfer-Encoding"), "chunked");
	assert_string_equal(reply_header(&r, "X-Request-Id"), "mine");
	assert_string_equal(reply_header(&r, "Content-Type"), "text/plain");
	assert_null(reply_header(&r, "Content-Length"));
	assert_null(reply_header(&r, "Connection"));
	expect_text(fd, "6\r\nhello \r\n16\r\na longer piece of text\r\n0\r\n\r\n");
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void an_answer_of_known_length_is_counted(void **state)
{
	struct reply r;
	int fd = ask(GET("/s/wait") "\r\n" GET("/echo") "\r\n");

	(void)state;
	begin_on_loop(11);
	write_on_loop("hello ");
	write_on_loop("world");
	on_loop(do_end, NULL);
	assert_true(get_reply(fd, &r, false));
	assert_string_equal(r.body, "hello world");
	assert_null(reply_header(&r, "Transfer-Encoding"));
	assert_int_equal(strlen(reply_header(&r, "X-Request-Id")), 32);
	reply_finish(&r);
	expect_reply(fd, 200, "GET /echo ");
	close(fd);
}

static void an_answer_to_http_1_0_ends_with_its_connection(void **state)
{
	struct reply r;
	int fd = ask("GET /s/wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

	(void)state;
	begin_on_loop(-1);
	write_on_loop("hello ");
	write_on_loop("world");
	on_loop(do_end, NULL);
	assert_true(get_head(fd, &r));
	assert_string_equal(reply_header(&r, "Connection"), "close");
	assert_null(reply_header(&r, "Transfer-Encoding"));
	assert_null(reply_header(&r, "Content-Length"));
	expect_text(fd, "hello world");
	expect_end(fd);
	close(fd);
}

static void http_1_0_stays_when_the_length_is_known(void **state)
{
	int fd = dial();

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct reply r;
		assert_true(put(fd, "GET /s/wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
		wait_until(look_request);
		begin_on_loop(2);
		write_on_loop("hi");
		on_loop(do_end, NULL);
		assert_true(get_reply(fd, &r, false));
		assert_string_equal(reply_header(&r, "Connection"), "keep-alive");
		assert_string_equal(r.body, "hi");
		reply_finish(&r);
	}
	close(fd);
}

static void do_begin_status(void *ctx)
{
	const int *status_and_length = ctx;

	bc_http_stream_begin(s.req, status_and_length[0], NULL, status_and_length[1]);
}

static void answers_without_a_body_have_none(void **state)
{
	static const struct {
		const char *request;
		int status_and_length[2];
		const char *length;
	} cases[] = {
		{ "HEAD /s/wait HTTP/1.1\r\n" HOST "\r\n", { 200, 1234 }, "1234" },
		{ "HEAD /s/wait HTTP/1.1\r\n" HOST "\r\n", { 200, -1 }, NULL },
		{ GET("/s/wait") "\r\n", { 204, -1 }, NULL },
		{ GET("/s/wait") "\r\n", { 304, -1 }, NULL },
		{ GET("/s/wait") "\r\n", { 200, 0 }, "0" },
	};
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++) {
		struct reply r;
		assert_true(put(fd, cases[i].request));
		wait_until(look_request);
		on_loop(do_begin_status, (void *)cases[i].status_and_length);
		on_loop(do_end, NULL);
		assert_true(get_head(fd, &r));
		assert_int_equal(r.status, cases[i].status_and_length[0]);
		assert_null(reply_header(&r, "Transfer-Encoding"));
		const char *length = reply_header(&r, "Content-Length");
		assert_true(!length == !cases[i].length);
		if (length)
			assert_string_equal(length, cases[i].length);
		assert_true(put(fd, GET("/echo") "\r\n"));
		expect_reply(fd, 200, "GET /echo ");
	}
	close(fd);
}

static void the_connection_closes_after_a_stream_when_the_peer_wants_it(void **state)
{
	struct reply r;
	int fd = ask(GET("/s/wait") "Connection: close\r\n\r\n");

	(void)state;
	begin_on_loop(-1);
	write_on_loop("x");
	on_loop(do_end, NULL);
	assert_true(get_head(fd, &r));
	assert_string_equal(reply_header(&r, "Connection"), "close");
	expect_text(fd, "1\r\nx\r\n0\r\n\r\n");
	expect_end(fd);
	close(fd);
}

static void a_request_that_streams_may_be_answered_whole(void **state)
{
	int fd = dial();

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_true(put(fd, GET("/s/wait") "\r\n"));
		wait_until(look_request);
		respond_on_loop(202);
		expect_reply(fd, 202, "told");
	}
	close(fd);
}

/* ---- how it leaves ---- */

/* How many segments with data came: as many as the server's writes, when those are small. glibc's
 * struct tcp_info ends before the field that the kernel has at this place (linux/tcp.h). */
static unsigned int segments_received(int fd)
{
	enum { DATA_SEGS_IN = 152 };
	char info[256];
	socklen_t len = sizeof(info);
	uint32_t count;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
	assert_true(len >= DATA_SEGS_IN + sizeof(count));
	memcpy(&count, info + DATA_SEGS_IN, sizeof(count));
	return count;
}

static void do_small_answer(void *ctx)
{
	bc_http_stream_begin(s.req, 200, NULL, -1);
	bc_http_stream_write(s.req, "hello ", 6, NULL, NULL);
	bc_http_stream_write(s.req, "world", 5, NULL, NULL);
	if (*(bool *)ctx)
		do_end(NULL);
}

static void a_small_answer_of_one_turn_is_one_write(void **state)
{
	static const char first[] = "6\r\nhello \r\n5\r\nworld\r\n";
	bool ends = true;
	struct reply r;
	int fd;

	(void)state;
	fd = ask(GET("/s/wait") "\r\n");
	on_loop(do_small_answer, &ends);
	assert_true(get_head(fd, &r));
	expect_text(fd, first);
	expect_text(fd, "0\r\n\r\n");
	assert_int_equal(segments_received(fd), 1);
	close(fd);
	/* One whose end comes later does not wait for it. */
	ends = false;
	fd = ask(GET("/s/wait") "\r\n");
	on_loop(do_small_answer, &ends);
	assert_true(get_head(fd, &r));
	expect_text(fd, first);
	assert_int_equal(segments_received(fd), 1);
	on_loop(do_end, NULL);
	expect_text(fd, "0\r\n\r\n");
	assert_int_equal(segments_received(fd), 2);
	close(fd);
}

/* ---- back-pressure ---- */

enum { PIECE_BYTES = 16 * 1024 };

/* Writes pieces of fixture.big, whose place tells what stands there, as long as it is heeded. */
static void write_download(void *ctx)
{
	(void)ctx;
	s.drained_calls++;
	s.waits = 0;
	while (s.left > 0 && s.waits <= BC_HTTP_STREAM_HIGH_BYTES) {
		size_t len = s.left < PIECE_BYTES ? s.left : PIECE_BYTES;
		const char *at = fixture.big + (BIG_BYTES - s.left) % BIG_BYTES;
		s.left -= len;
		s.waits = bc_http_stream_write(s.req, at, len, write_download, &s);
	}
	if (s.left == 0)
		do_end(NULL);
}

static void start_download(void *ctx)
{
	s.left = BIG_BYTES;
	bc_http_stream_begin(s.req, 200, NULL, *(bool *)ctx ? -1 : BIG_BYTES);
	write_download(NULL);
	s.drained_calls = 0;
}

struct waiting {
	size_t said, gathered, at_libuv;
};

static void measure_output(void *ctx)
{
	struct bc_http_connection *c = the_connection();

	*(struct waiting *)ctx = (struct waiting){
		.said = s.waits,
		.gathered = c->answer.out.cap,
		.at_libuv = uv_stream_get_write_queue_size(&c->io.stream),
	};
}

/* Reads the whole of a chunked body and compares it with fixture.big. */
static void expect_chunks_of_big(int fd)
{
	size_t at = 0;

	for (;;) {
		char line[16] = "";
		for (size_t n = 0; !strchr(line, '\n'); n++) {
			assert_true(n < sizeof(line) - 1);
			assert_int_equal(get_some(fd, line + n, 1), 1);
		}
		size_t len = strtoul(line, NULL, 16);
		assert_true(at + len <= BIG_BYTES);
		expect_bytes(fd, fixture.big + at, len);
		expect_text(fd, "\r\n");
		at += len;
		if (len == 0)
			break;
	}
	assert_int_equal(at, BIG_BYTES);
}

static void a_download_goes_no_faster_than_the_peer_reads(void **state)
{
	(void)state;
	for (int chunked = 0; chunked < 2; chunked++) {
		bool is_chunked = chunked;
		struct waiting w;
		struct reply r;
		int fd = ask_on(dial_narrow(), GET("/s/wait") "\r\n" GET("/echo") "\r\n");
		on_loop(start_download, &is_chunked);
		let_pass();
		on_loop(measure_output, &w);
		assert_true(w.said > BC_HTTP_STREAM_HIGH_BYTES);
		assert_true(w.at_libuv + w.gathered < 4 * BC_HTTP_STREAM_HIGH_BYTES);
		assert_true(get_head(fd, &r));
		if (chunked)
			expect_chunks_of_big(fd);
		else
			expect_bytes(fd, fixture.big, BIG_BYTES);
		expect_reply(fd, 200, "GET /echo ");
		assert_true(seen()->drained_calls > 0);
		close(fd);
	}
}

static void write_once_too_much(void *ctx)
{
	(void)ctx;
	bc_http_stream_begin(s.req, 200, NULL, -1);
	s.waits = bc_http_stream_write(s.req, fixture.big, BIG_BYTES, on_drained, &s);
}

static void drained_is_called_once_when_all_is_taken(void **state)
{
	static char sink[64 * 1024];
	size_t got = 0;
	int fd = ask_on(dial_narrow(), GET("/s/wait") "\r\n");

	(void)state;
	on_loop(write_once_too_much, NULL);
	let_pass();
	assert_true(seen()->waits > BC_HTTP_STREAM_HIGH_BYTES);
	assert_int_equal(seen()->drained_calls, 0);
	while (got < BIG_BYTES) {
		ssize_t n = get_some(fd, sink, sizeof(sink));
		assert_true(n > 0);
		got += (size_t)n;
	}
	wait_until(look_drained);
	write_on_loop("more");
	assert_int_equal(seen()->waits, strlen("4\r\nmore\r\n"));
	let_pass();
	assert_int_equal(seen()->drained_calls, 1);
	on_loop(do_end, NULL);
	close(fd);
}

static void do_write_regardless(void *ctx)
{
	(void)ctx;
	bc_http_stream_begin(s.req, 200, NULL, -1);
	for (int i = 0; i < 1024 && !bc_http_peer_gone(s.req); i++)
		s.waits = bc_http_stream_write(s.req, fixture.big, 64 * 1024, on_drained, &s);
}

static void a_handler_that_writes_on_regardless_loses_its_peer(void **state)
{
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	on_loop(do_watch, NULL);
	on_loop(do_write_regardless, NULL);
	wait_until(look_gone);
	assert_int_equal(seen()->waits, 0);
	on_loop(do_end, NULL);
	wait_until(look_no_connection);
	close(fd);
}

static void a_peer_that_takes_nothing_is_cut(void **state)
{
	bool chunked = true;
	int fd;

	(void)state;
	look_often(5);
	fd = ask_on(dial_narrow(), GET("/s/wait") "\r\n");
	on_loop(do_watch, NULL);
	on_loop(start_download, &chunked);
	wait_until(look_gone);
	on_loop(do_give_up, NULL);
	wait_until(look_no_connection);
	close(fd);
}

static void a_peer_that_takes_little_is_not_cut(void **state)
{
	static char sink[64 * 1024];
	bool chunked = true, gone = false;
	size_t got = 0;
	int fd;

	(void)state;
	look_often(5);
	fd = ask_on(dial_narrow(), GET("/s/wait") "\r\n");
	on_loop(do_watch, NULL);
	on_loop(start_download, &chunked);
	/* Twice as long as one that takes nothing. */
	for (uint64_t from = now_ms(); now_ms() < from + 600; poll(NULL, 0, 20)) {
		ssize_t n = get_some(fd, sink, sizeof(sink));
		assert_true(n > 0);
		got += (size_t)n;
	}
	on_loop(look_gone, &gone);
	assert_false(gone);
	assert_true(got > 0 && got < BIG_BYTES);
	close(fd);
	wait_until(look_gone);
}

/* ---- answers that break off ---- */

static void read_until_end(int fd, char *got, size_t max, ssize_t *ret_last)
{
	size_t len = 0;
	ssize_t n;

	while ((n = get_some(fd, got + len, max - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	*ret_last = n;
}

static void do_break(void *ctx)
{
	bc_http_stream_begin(s.req, 200, NULL, *(int64_t *)ctx);
	bc_http_stream_write(s.req, "half", 4, NULL, NULL);
}

static void a_peer_sees_that_an_answer_broke_off(void **state)
{
	static const struct {
		const char *request;
		int64_t length;
		void (*finish)(void *ctx);
		const char *tail;
		ssize_t last;
	} cases[] = {
		{ GET("/s/wait") "\r\n", -1, do_abort, "\r\n\r\n4\r\nhalf\r\n", 0 },
		{ GET("/s/wait") "\r\n", 8, do_abort, "\r\n\r\nhalf", 0 },
		{ GET("/s/wait") "\r\n", 8, do_end, "\r\n\r\nhalf", 0 },
		{ GET("/s/wait") "\r\n", 4, do_abort, NULL, -1 },
		{ "GET /s/wait HTTP/1.0\r\n\r\n", -1, do_abort, NULL, -1 },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(cases); i++) {
		int64_t length = cases[i].length;
		char got[2048];
		ssize_t last;
		int fd = ask(cases[i].request);
		on_loop(do_break, &length);
		on_loop(cases[i].finish, NULL);
		read_until_end(fd, got, sizeof(got), &last);
		assert_int_equal(last, cases[i].last);
		const char *tail = cases[i].tail;
		if (tail)
			assert_string_equal(got + strlen(got) - strlen(tail), tail);
		close(fd);
		wait_until(look_no_connection);
	}
}

static void an_abort_before_the_answer_is_none(void **state)
{
	int fd = ask(GET("/s/wait") "\r\n");

	(void)state;
	on_loop(do_abort, NULL);
	expect_end(fd);
	close(fd);
}

static void overrun(void)
{
	int64_t length = 3;

	assert_non_null(freopen("/dev/null", "w", stderr)); /* the assertion's words are expected */
	alarm(PATIENCE_MS / 1000);
	setup(NULL);
	ask(GET("/s/wait") "\r\n");
	begin_on_loop(length);
	write_on_loop("four");
	_exit(0);
}

static void more_than_was_announced_is_asserted(void **state)
{
	pid_t child;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		overrun();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* Before there is a thread: it forks. */
		cmocka_unit_test(more_than_was_announced_is_asserted),
		SERVED(an_answer_of_unknown_length_is_chunked),
		SERVED(an_answer_of_known_length_is_counted),
		SERVED(an_answer_to_http_1_0_ends_with_its_connection),
		SERVED(http_1_0_stays_when_the_length_is_known),
		SERVED(answers_without_a_body_have_none),
		SERVED(the_connection_closes_after_a_stream_when_the_peer_wants_it),
		SERVED(a_request_that_streams_may_be_answered_whole),
		SERVED(a_small_answer_of_one_turn_is_one_write),
		SERVED(a_download_goes_no_faster_than_the_peer_reads),
		SERVED(drained_is_called_once_when_all_is_taken),
		SERVED(a_handler_that_writes_on_regardless_loses_its_peer),
		SERVED(a_peer_that_takes_nothing_is_cut),
		SERVED(a_peer_that_takes_little_is_not_cut),
		SERVED(a_peer_sees_that_an_answer_broke_off),
		SERVED(an_abort_before_the_answer_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
