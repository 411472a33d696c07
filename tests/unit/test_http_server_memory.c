/* SPDX-License-Identifier: MIT */
/* Streams and memory: how much they hold, and that they survive when there is none. */
#include "failing_malloc.h"
#include "http_server_streams.h"

static int teardown(void **state)
{
	(void)state;
	stop_streams();
	return 0;
}

/* ---- how much they hold ---- */

enum { PIECE_BYTES = 16 * 1024 };
enum { DOWNLOADS = 32, DOWNLOAD_BYTES = 64 * 1024 * 1024 };

struct download {
	struct bc_http_request *req;
	size_t left;
};

static void go_on_downloading(void *ctx)
{
	struct download *d = ctx;
	size_t waits = 0;

	while (d->left > 0 && waits <= BC_HTTP_STREAM_HIGH_BYTES) {
		d->left -= PIECE_BYTES;
		waits = bc_http_stream_write(d->req, fixture.big, PIECE_BYTES, go_on_downloading,
					     d);
	}
	if (d->left == 0)
		bc_http_stream_end(d->req);
}

static void download_handler(void *ctx, struct bc_http_request *req)
{
	struct download *d = bc_arena_alloc(req->arena, sizeof(*d));

	(void)ctx;
	BC_ASSERT(d);
	*d = (struct download){ req, DOWNLOAD_BYTES };
	bc_http_stream_begin(req, 200, NULL, -1);
	go_on_downloading(d);
}

static size_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total, resident;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void measure_all(void *ctx)
{
	size_t *sum = ctx;

	for (int wait = 0; wait < BC_HTTP_WAITS; wait++)
		for (struct bc_http_connection *c = fixture.server->waits[wait].first; c;
		     c = c->next)
			*sum += c->in.cap + c->later.cap + c->answer.out.cap +
				uv_stream_get_write_queue_size(&c->io.stream);
}

/* Reads from all in turn; returns how much came in all. */
static size_t read_round(const int *fds, size_t count)
{
	static char sink[256 * 1024];
	size_t got = 0;

	for (size_t i = 0; i < count; i++) {
		ssize_t n = recv(fds[i], sink, sizeof(sink), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	return got;
}

static void downloads_to_slow_readers_hold_little_memory(void **state)
{
	struct bc_http_server_options options = stream_options();
	size_t before, most = 0, held = 0, got = 0;
	int fds[DOWNLOADS];

	(void)state;
	options.handler = download_handler;
	start_streams(&options);
	before = resident_bytes();
	for (int i = 0; i < DOWNLOADS; i++) {
		fds[i] = dial();
		assert_true(put(fds[i], GET("/s/down") "\r\n"));
	}
	for (int round = 0; got < 256u * 1024 * 1024; round++) {
		size_t now = round % 16 == 0 ? resident_bytes() : 0;
		most = now > most ? now : most;
		got += read_round(fds, DOWNLOADS);
	}
	on_loop(measure_all, &held);
	assert_true(held < (size_t)DOWNLOADS * 4 * BC_HTTP_STREAM_HIGH_BYTES);
#ifndef BC_SANITIZED
	print_message("%zu KiB held, %zu KiB resident a download\n", held / DOWNLOADS / 1024,
		      (most - before) / DOWNLOADS / 1024);
	assert_true(most < before + (size_t)DOWNLOADS * 1024 * 1024);
#endif
	for (int i = 0; i < DOWNLOADS; i++)
		close(fds[i]);
	wait_until(look_no_connection);
	(void)before;
}

/* ---- none left ---- */

/* Answers with more than a socket takes at once, in two pieces. */
static void answer_much(void *ctx, bool whole)
{
	struct bc_http_request *req = s.req;

	(void)ctx;
	s.req = NULL;
	s.whole_ends += whole;
	bc_http_stream_begin(req, 200, NULL, -1);
	bc_http_stream_write(req, fixture.big, 10, NULL, NULL);
	bc_http_stream_write(req, fixture.big, BIG_BYTES / 2, NULL, NULL);
	bc_http_stream_write(req, fixture.big, 1000, NULL, NULL);
	bc_http_stream_end(req);
}

static void much_handler(void *ctx, struct bc_http_request *req)
{
	static const struct bc_http_body body = { on_data, answer_much, &s };

	(void)ctx;
	s.req = req;
	bc_http_body_read(req, &body);
}

static void fail_on_loop(void *ctx)
{
	fail_allocation(*(unsigned long *)ctx);
}

static void stop_failing(void *ctx)
{
	*(bool *)ctx = allocation_failed();
	fail_allocation(0);
}

/* One upload and download with the nth allocation of the server refused; was it? The peer sees a
 * whole answer, an error or a closed connection. */
static bool survive_without(unsigned long nth)
{
	static const char first[] =
		POST("/s/much") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
	static const char rest[] =
		"2\r\nde\r\n0\r\n\r\n" GET("/s/much") "Connection: close\r\n\r\n";
	static char sink[64 * 1024];
	bool failed = false;
	int fd;

	on_loop(fail_on_loop, &nth);
	fd = dial();
	if (put(fd, first))
		put(fd, rest);
	while (get_some(fd, sink, sizeof(sink)) > 0)
		;
	on_loop(stop_failing, &failed);
	close(fd);
	wait_until(look_no_connection);
	assert_null(seen()->req);
	return failed;
}

static void every_failed_allocation_of_a_stream_is_survived(void **state)
{
	struct bc_http_server_options options = stream_options();
	unsigned long nth = 1;

	(void)state;
	options.handler = much_handler;
	start_streams(&options);
	while (survive_without(nth))
		nth++;
	assert_true(nth > 5);
	forget();
	assert_false(survive_without(0));
	assert_int_equal(seen()->whole_ends, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(downloads_to_slow_readers_hold_little_memory, teardown),
		cmocka_unit_test_teardown(every_failed_allocation_of_a_stream_is_survived,
					  teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
