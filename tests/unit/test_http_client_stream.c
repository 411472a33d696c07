/* SPDX-License-Identifier: MIT */
/* The HTTP client's streams, answers: what of a head is shown and what is refused, waiting in every
 * place, and in how much memory. */
#include "http_stream_fixture.h"
#include "http_client_tls.h"

#define OK_HEAD	 "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"
#define HUNDRED                                                                                    \
	"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"  \
	"7890123456789"
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

/* --- heads ------------------------------------------------------------------------------------ */

static void a_head_is_shown_in_order_and_as_sent_before_any_data(void **state)
{
	struct sink s = { 0 };

	(void)state;
	serve({ .answer = OK_HEAD "X-b:  two words \r\nSET-Cookie: a=1\r\nset-cookie: b=2\r\n"
				  "Empty:\r\nContent-Encoding: gzip\r\nDate: x\r\n"
				  "Content-Type: text/odd\r\nRetry-After: 3\r\n"
				  "Content-Length: 4\r\n\r\n\x1f\x8bzz" });
	sink_get(&s);
	assert_int_equal(s.heads, 1);
	assert_int_equal(s.status, 200);
	assert_int_equal(s.announced, 4);
	assert_string_equal(s.fields, "X-b|two words\nSET-Cookie|a=1\nset-cookie|b=2\nEmpty|\n"
				      "Content-Encoding|gzip\nDate|x\nContent-Type|text/odd\n"
				      "Retry-After|3\nContent-Length|4\n");
	assert_string_equal(s.text, "\x1f\x8bzz"); /* nothing is decoded */
	assert_true(s.r.a.complete);
	assert_int_equal(s.r.a.error, 0);
	assert_int_equal(s.r.a.status, 200);
	assert_string_equal(s.r.retry_after, "3");
	assert_string_equal(s.r.content_type, "text/odd");
}

static void interim_heads_and_trailers_are_not_shown(void **state)
{
	struct sink s = { 0 };

	(void)state;
	serve({ .answer = "HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 103 Early\r\nB: 2\r\n\r\n"
			  "HTTP/1.1 201 Made\r\nTransfer-Encoding: Chunked\r\nC: 3\r\n\r\n"
			  "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\nContent-Length: "
			  "9\r\n\r\n" });
	sink_get(&s);
	assert_int_equal(s.status, 201);
	assert_int_equal(s.announced, -1);
	assert_string_equal(s.fields, "Transfer-Encoding|Chunked\nC|3\n");
	assert_string_equal(s.text, "abcde");
	assert_true(s.r.a.complete);
}

static void answers_without_a_body_end_with_their_head(void **state)
{
	static const struct {
		const char *method;
		int status;
		int64_t announced;
	} rows[] = { { "HEAD", 200, 12345 },
		     { "GET", 204, -1 },
		     { "GET", 304, 777 },
		     { "GET", 200, 0 },
		     { "HEAD", 200, -1 } };
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 12345\r\n\r\n" },
	      { .answer = "HTTP/1.1 204 No\r\n\r\n" },
	      { .answer = "HTTP/1.1 304 Same\r\nContent-Length: 777\r\n\r\n" },
	      { .answer = OK_EMPTY }, { .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n" });
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { 0 };
		struct bc_http_exchange x =
			sink_exchange(&s, rows[i].method, url_of(url, "http", "/"));
		sink_start(&s, &x);
		run_until_done();
		assert_int_equal(s.heads, 1);
		assert_int_equal(s.status, rows[i].status);
		assert_int_equal(s.announced, rows[i].announced);
		assert_int_equal(s.taken, 0);
		assert_true(s.r.a.complete);
		assert_int_equal(s.r.a.error, 0);
	}
	assert_int_equal(server.accepted, 1);
}

static void an_ambiguous_or_malformed_head_is_refused_unshown(void **state)
{
	static const struct step rows[] = {
		{ .answer = OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc" },
		{ .answer = OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length: 2, 2\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length: +2\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length: 2 3\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length:\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length: 99999999999999999999\r\n\r\nab" },
		{ .answer = OK_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "0\r\n\r\n" },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"
				    "0\r\n\r\n" },
		{ .answer = OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
		{ .answer = OK_HEAD "Transfer-Encoding: identity\r\n\r\nab" },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
				    "\r\n0\r\n\r\n" },
		{ .answer = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ .answer = OK_HEAD "Content-Length : 2\r\n\r\nab" },
		{ .answer = OK_HEAD "X: a\r\n folded\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD "no colon\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD ": no name\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD "X: a\rY: b\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD "X: a\x01\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab" },
		{ .answer = "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n" },
	};

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { 0 };
		sink_get(&s);
		if (s.heads != 0 || s.taken != 0 || s.r.a.status != 0 || s.r.a.error != BC_EIO ||
		    !s.r.a.request_sent)
			fail_msg("row %zu: %d heads, status %d, error %d \"%s\"", i, s.heads,
				 s.r.a.status, s.r.a.error, s.r.a.error_text);
		assert_int_equal(server.accepted, i + 1); /* its connection is not used again */
	}
}

static void a_head_of_too_many_fields_is_refused(void **state)
{
	static const struct {
		size_t fields;
		bool fits;
	} rows[] = { { 255, true }, { 256, false }, { 20000, false } };
	static char answer[200000];
	static struct step step;

	(void)state;
	step = (struct step){ .answer = answer };
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct sink s = { 0 };
		size_t len = (size_t)sprintf(answer, OK_HEAD "Content-Length: 0\r\n");
		for (size_t n = 0; n < rows[i].fields; n++)
			len += (size_t)sprintf(answer + len, "A: b\r\n");
		strcpy(answer + len, "\r\n");
		memset(&server, 0, sizeof(server));
		server_start(&server, &step, 1);
		sink_get(&s);
		server_stop(&server);
		assert_int_equal(s.heads, rows[i].fits);
		assert_int_equal(s.r.a.error, rows[i].fits ? 0 : BC_EIO);
		if (!rows[i].fits)
			assert_non_null(strstr(s.r.a.error_text, "the answer's head is too long"));
	}
	server.step_count = 0;
}

/* --- bodies ----------------------------------------------------------------------------------- */

static void a_body_that_breaks_off_is_told_after_what_came(void **state)
{
	static const struct step rows[] = {
		{ .answer = OK_HEAD "Content-Length: 9\r\n\r\nhalf", .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		  .then = THEN_CLOSE },
		{ .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n" },
	};

	(void)state;
	server_start(&server, rows, BC_COUNT(rows));
	for (size_t i = 0; i < 2 * BC_COUNT(rows); i++) {
		struct sink s = { .wait_each = i % 2 };
		server.requests = (int)(i / 2);
		sink_get(&s);
		assert_string_equal(s.text, "half");
		assert_int_equal(s.r.a.status, 200);
		assert_int_equal(s.r.a.error, BC_EIO);
		assert_false(s.r.a.complete);
	}
}

static void a_body_without_a_length_ends_with_the_connection(void **state)
{
	struct sink s = { .wait_each = 1 };

	(void)state;
	serve({ .answer = OK_HEAD "\r\nall of it", .then = THEN_CLOSE });
	sink_get(&s);
	assert_int_equal(s.announced, -1);
	assert_string_equal(s.text, "all of it");
	assert_true(s.r.a.complete);
}

/* Many chunks in one read: the pause falls between two that curl holds already. */
static void a_caller_who_waits_after_each_chunk_gets_them_all(void **state)
{
	struct sink s = { .wait_each = 1, .by_place = true };
	static char answer[65536];
	size_t len = (size_t)snprintf(answer, sizeof(answer),
				      OK_HEAD "Transfer-Encoding: chunked\r\n\r\n");
	uint64_t place = 0;

	(void)state;
	for (size_t chunk = 1; chunk < 200; chunk++, place += chunk - 1) {
		len += (size_t)snprintf(answer + len, sizeof(answer) - len, "%zx\r\n", chunk);
		fill(answer + len, chunk, place);
		len += chunk;
		len += (size_t)snprintf(answer + len, sizeof(answer) - len, "\r\n");
	}
	snprintf(answer + len, sizeof(answer) - len, "0\r\nA: b\r\nC: d\r\n\r\n");
	static struct step step;
	step = (struct step){ .answer = answer };
	server_start(&server, &step, 1);
	for (int i = 0; i < 2; i++) {
		s = (struct sink){ .wait_each = 1, .by_place = true };
		sink_get(&s);
		assert_int_equal(s.taken, place);
		assert_true(s.waits > 1);
		assert_true(s.r.a.complete);
		assert_string_equal(s.fields, "Transfer-Encoding|chunked\n");
	}
	assert_int_equal(server.accepted, 1);
}

static void an_answer_whose_last_bytes_were_taken_ends_though_the_caller_waits(void **state)
{
	struct sink s = { .hold = true };

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" });
	sink_get(&s);
	assert_string_equal(s.text, "ok");
	assert_true(s.told_to_wait);
	assert_true(s.r.a.complete);
}

static void resume_inside(struct sink *s)
{
	bc_http_call_resume(s->call);
}

static void a_call_may_be_resumed_from_inside_its_own_functions(void **state)
{
	struct sink s = { .in_data = resume_inside, .in_head = resume_inside };

	(void)state;
	serve({ .answer = OK_HEAD "Content-Length: 1000000\r\n\r\n" THOUSAND, .repeat = 999 });
	sink_get(&s);
	assert_int_equal(s.taken, 1000000);
	assert_true(s.r.a.complete);
}

/* --- large bodies, slowly --------------------------------------------------------------------- */

enum { BLOCK_BYTES = 1 << 20 };
static char block[BLOCK_BYTES + 64];
static size_t block_head; /* where the block's bytes begin: a chunk's size comes before */
static atomic_size_t large_bytes;
static atomic_bool large_chunked;
static atomic_size_t large_sent;

/* The block's bytes repeat, so places are counted within it. */
static void send_large(int fd)
{
	far_hear_head(fd);
	far_say(fd, large_chunked ? OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
				  : OK_HEAD "Content-Length: 268435456\r\n\r\n");
	for (uint64_t at = 0; at < large_bytes; at += BLOCK_BYTES) {
		size_t from = large_chunked ? 0 : block_head;
		size_t len = large_chunked ? block_head + BLOCK_BYTES + 2 : BLOCK_BYTES;
		for (size_t n = 0; n < len; n += 65536) {
			size_t part = len - n < 65536 ? len - n : 65536;
			if (!far_write(fd, block + from + n, part))
				return;
			atomic_fetch_add(&large_sent, part);
		}
	}
	if (large_chunked)
		far_say(fd, "0\r\n\r\n");
	far_hear_all(fd);
}

static void block_make(void)
{
	block_head = (size_t)sprintf(block, "%x\r\n", BLOCK_BYTES);
	memset(block + block_head, 'b', BLOCK_BYTES);
	memcpy(block + block_head + BLOCK_BYTES, "\r\n", 2);
}

static long resident_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = atol(line + 6);
	fclose(f);
	return kib;
}

static long resident_most;

static void weigh(struct sink *s)
{
	if (s->pieces % 512 == 0) {
		long now = resident_kib();
		resident_most = now > resident_most ? now : resident_most;
	}
}

/* Sanitizers and valgrind keep freed memory back, so what is resident tells nothing there. */
static bool memory_is_watched(void)
{
#ifdef BC_SANITIZED
	return true;
#else
	const char *preloaded = getenv("LD_PRELOAD");
	return preloaded && strstr(preloaded, "vgpreload");
#endif
}

static void a_quarter_gibibyte_into_a_slow_caller_needs_no_memory(void **state)
{
	const bool checked = !memory_is_watched();
	const uint64_t large = (uint64_t)(checked ? 256 : 16) << 20;

	(void)state;
	block_make();
	far_start(send_large);
	for (int i = 0; i < 2; i++) {
		struct sink s = { .wait_each = 200000, .in_data = weigh };
		large_chunked = i == 1;
		large_bytes = large_chunked ? large : 256 << 20; /* as its head says */
		long before = resident_kib();
		resident_most = 0;
		sink_get(&s);
		assert_true(s.r.a.complete);
		assert_int_equal(s.taken, large_bytes);
		assert_true(s.waits > 50);
		print_message("%llu MiB, waited %d times: %ld KiB more\n",
			      (unsigned long long)(s.taken >> 20), s.waits, resident_most - before);
		if (checked)
			assert_true(resident_most - before < 2048);
		bc_http_client_destroy(client);
		open_client(&(struct bc_http_client_options){ 0 });
	}
}

struct standstill {
	size_t sent;
	uint64_t since_ms;
};

/* The other side has not got rid of a byte for 100 ms. */
static bool stands_still(void *ctx)
{
	struct standstill *at = ctx;
	size_t sent = atomic_load(&large_sent);
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);

	if (sent != at->sent || sent == 0)
		*at = (struct standstill){ sent, now_ms };
	return now_ms - at->since_ms > 100;
}

static void a_caller_who_holds_stops_the_other_side_and_nobody_else(void **state)
{
	struct sink held = { .hold = true };
	struct standstill at = { 0 };
	char url[URL_BYTES], other_url[URL_BYTES];
	struct sink other = { 0 };

	(void)state;
	block_make();
	atomic_store(&large_sent, 0);
	large_chunked = false;
	large_bytes = 256 << 20;
	serve({ .answer = OK_HEAD "Content-Length: 2\r\n\r\nok" });
	url_of(other_url, "http", "/");
	far_start(send_large);
	struct bc_http_exchange x = sink_exchange(&held, "GET", url_of(url, "http", "/"));
	sink_start(&held, &x);
	waiting--;
	turn_until(stands_still, &at);
	assert_true(held.told_to_wait);
	assert_int_equal(held.pieces, 1);
	assert_true(held.taken <= 16384);
	assert_true(at.sent < 16 << 20); /* what two sockets hold */
	x = sink_exchange(&other, "GET", other_url);
	sink_start(&other, &x);
	run_until_done();
	assert_true(other.r.a.complete);
	assert_int_equal(bc_http_client_calls(client), 1);
	held.hold = false;
	held.told_to_wait = false;
	bc_http_call_resume(held.call);
	waiting = 1;
	run_until_done();
	assert_int_equal(held.taken, large_bytes);
	assert_true(held.r.a.complete);
	assert_int_equal(bc_http_client_calls(client), 0);
}

static void a_body_through_tls_waits_and_goes_on(void **state)
{
	struct sink s = { .wait_each = 20000 };
	char ca[] = "/tmp/http-client-ca-XXXXXX", url[URL_BYTES];
	SSL_CTX *tls = make_tls(ca);

	(void)state;
	server.tls = tls;
	serve({ .answer = OK_HEAD "Content-Length: 8000000\r\n\r\n" THOUSAND, .repeat = 7999 });
	bc_http_client_destroy(client);
	open_client(&(struct bc_http_client_options){ .ca_file = ca });
	struct bc_http_exchange x = sink_exchange(&s, "GET", url_of(url, "https", "/"));
	sink_start(&s, &x);
	run_until_done();
	assert_int_equal(s.r.a.error, 0);
	assert_int_equal(s.taken, 8000000);
	assert_true(s.waits > 100);
	unlink(ca);
	SSL_CTX_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_head_is_shown_in_order_and_as_sent_before_any_data),
		test(interim_heads_and_trailers_are_not_shown),
		test(answers_without_a_body_end_with_their_head),
		test(an_ambiguous_or_malformed_head_is_refused_unshown),
		test(a_head_of_too_many_fields_is_refused),
		test(a_body_that_breaks_off_is_told_after_what_came),
		test(a_body_without_a_length_ends_with_the_connection),
		test(a_caller_who_waits_after_each_chunk_gets_them_all),
		test(an_answer_whose_last_bytes_were_taken_ends_though_the_caller_waits),
		test(a_call_may_be_resumed_from_inside_its_own_functions),
		test_far(a_quarter_gibibyte_into_a_slow_caller_needs_no_memory),
		test_far(a_caller_who_holds_stops_the_other_side_and_nobody_else),
		test(a_body_through_tls_waits_and_goes_on),
	};

	return cmocka_run_group_tests_name("http_client_stream", tests, NULL, NULL);
}
