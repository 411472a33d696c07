/* SPDX-License-Identifier: MIT */
/* The HTTP client's connections and time: pooling, requests that are never sent twice, deadlines,
 * proxies, TLS, cancelling and ending at any moment. */
#include "http_client_fixture.h"

#include <dlfcn.h>
#include <netdb.h>

#include "failing_malloc.h"
#include "http_client_tls.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* --- name resolution, under the test's hand --------------------------------------------------- */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_moved = PTHREAD_COND_INITIALIZER;
static bool names_hang;
static int names_asked;
static int names_answered;

/* Stands in for the C library's: "hang.test" gets no answer while names_hang is set. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints,
						       struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node && strcmp(node, "nowhere.test") == 0)
		return EAI_NONAME;
	if (node && strcmp(node, "hang.test") == 0) {
		pthread_mutex_lock(&names_lock);
		names_asked++;
		pthread_cond_broadcast(&names_moved);
		while (names_hang)
			pthread_cond_wait(&names_moved, &names_lock);
		names_answered++;
		pthread_cond_broadcast(&names_moved);
		pthread_mutex_unlock(&names_lock);
		return EAI_NONAME;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, res);
}

static void names_set_hang(bool hang)
{
	pthread_mutex_lock(&names_lock);
	names_hang = hang;
	pthread_cond_broadcast(&names_moved);
	while (!hang && names_answered < names_asked)
		pthread_cond_wait(&names_moved, &names_lock);
	pthread_mutex_unlock(&names_lock);
}

static void reopen_client(const struct bc_http_client_options *options)
{
	bc_http_client_destroy(client);
	open_client(options);
}

/* The kernel's word that the other side did what it was told. */
static void await(const atomic_int *count, int least)
{
	uint64_t start_ms = bc_elapsed_ms(&bc_clock_system);

	while (atomic_load(count) < least) {
		if (bc_elapsed_ms(&bc_clock_system) - start_ms > GUARD_MS)
			fail_msg("still %d, waiting for %d", atomic_load(count), least);
		usleep(200);
	}
}

/* --- connections ------------------------------------------------------------------------------ */

static void sequential_calls_share_one_connection(void **state)
{
	(void)state;
	serve({ .answer = OK_EMPTY });
	for (int i = 0; i < 20; i++)
		assert_int_equal(post().a.status, 200);
	assert_int_equal(server.requests, 20);
	assert_int_equal(server.accepted, 1);
}

static void a_connection_that_died_while_idle_is_replaced_unnoticed(void **state)
{
	(void)state;
	serve({ .answer = OK_EMPTY, .then = THEN_CLOSE },
	      { .answer = OK_EMPTY, .then = THEN_RESET });
	for (int i = 0; i < 20; i++) {
		assert_int_equal(post().a.status, 200);
		await(&server.closed, i + 1);
	}
	assert_int_equal(server.requests, 20);
	assert_int_equal(server.accepted, 20);
}

static void a_request_that_a_kept_connection_swallowed_is_not_sent_again(void **state)
{
	static const struct step endings[][2] = {
		{ { .answer = OK_EMPTY }, { .then = THEN_RESET } },
		{ { .answer = OK_EMPTY }, { .then = THEN_CLOSE } },
		{ { .answer = OK_EMPTY }, { .then = THEN_RESET, .unread = true } },
	};

	(void)state;
	for (size_t i = 0; i < 2 * BC_COUNT(endings); i++) {
		memset(&server, 0, sizeof(server));
		server_start(&server, endings[i / 2], 2);
		assert_int_equal((i & 1 ? post() : get()).a.status, 200);
		struct result r = i & 1 ? post() : get();
		assert_int_equal(r.a.status, 0);
		assert_int_equal(r.a.error, BC_EIO);
		assert_true(r.a.request_sent);
		assert_int_equal(server.requests, 2);
		server_stop(&server);
	}
	server.step_count = 0;
}

static void an_unclaimed_connection_is_too_old_after_its_time(void **state)
{
	uint64_t start_ms;

	(void)state;
	reopen_client(&(struct bc_http_client_options){ .connection_age_max_ms = 1000 });
	serve({ .answer = OK_EMPTY });
	assert_int_equal(post().a.status, 200);
	/* The pool counts whole seconds; calling on is what ages the connection out. */
	start_ms = bc_elapsed_ms(&bc_clock_system);
	while (server.accepted == 1 && bc_elapsed_ms(&bc_clock_system) - start_ms < GUARD_MS) {
		assert_int_equal(post().a.status, 200);
		usleep(50000);
	}
	assert_int_equal(server.accepted, 2);
}

static void fifty_calls_run_side_by_side(void **state)
{
	static struct result results[50];
	char url[URL_BYTES];

	(void)state;
	memset(results, 0, sizeof(results));
	serve({ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" });
	struct bc_http_exchange x = exchange_of("POST", url_of(url, "http", "/"));
	for (size_t i = 0; i < BC_COUNT(results); i++)
		start(&x, &results[i]);
	run_until_done();
	for (size_t i = 0; i < BC_COUNT(results); i++) {
		assert_int_equal(results[i].count, 1);
		assert_int_equal(results[i].a.status, 200);
		assert_string_equal(results[i].body, "ok");
	}
	assert_int_equal(server.requests, 50);
	assert_true(server.accepted > 1);
}

/* --- not reached, or not in time -------------------------------------------------------------- */

static void nobody_listening_is_unreachable_and_nothing_was_sent(void **state)
{
	(void)state;
	close(listen_anywhere(&server.port));
	struct result r = post();
	assert_int_equal(r.a.error, BC_EUNREACH);
	assert_int_equal(r.a.status, 0);
	assert_false(r.a.request_sent);
	assert_non_null(strstr(r.a.error_text, "could not connect: Connection refused"));
}

static void a_name_without_address_is_unreachable_and_nothing_was_sent(void **state)
{
	struct bc_http_exchange x = exchange_of("GET", "http://nowhere.test/sesame");

	(void)state;
	struct result r = run_exchange(&x);
	assert_int_equal(r.a.error, BC_EUNREACH);
	assert_false(r.a.request_sent);
	assert_non_null(strstr(r.a.error_text, "could not resolve host"));
	assert_null(strstr(r.a.error_text, "nowhere"));
}

static void assert_timed_out(const struct result *r, bool sent, uint64_t least_ms)
{
	assert_int_equal(r->a.error, BC_ETIMEDOUT);
	assert_int_equal(r->a.status, 0);
	assert_int_equal(r->a.request_sent, sent);
	assert_true(r->a.duration_ms + 5 >= least_ms && r->a.duration_ms < GUARD_MS);
}

static void a_listener_that_never_accepts_times_out_before_or_after_the_request(void **state)
{
	int fd = listen_anywhere(&server.port);
	char url[URL_BYTES];

	(void)state;
	struct bc_http_exchange x = exchange_of("POST", url_of(url, "http", SECRET_PATH));
	x.timeout_ms = 150;
	struct result r = run_exchange(&x);
	assert_timed_out(&r, true, 150);
	assert_non_null(strstr(r.a.error_text, "operation timed out after "));
	/* The TLS handshake belongs to connecting, and never ends here. */
	x = exchange_of("POST", url_of(url, "https", SECRET_PATH));
	x.connect_timeout_ms = 150;
	r = run_exchange(&x);
	assert_timed_out(&r, false, 150);
	assert_non_null(strstr(r.a.error_text, "connecting timed out after "));
	close(fd);
}

static void an_answer_that_does_not_come_or_stops_in_its_head_times_out(void **state)
{
	char url[URL_BYTES];

	(void)state;
	serve({ .then = THEN_HANG }, { .answer = "HTTP/1.1 200 OK\r\n", .then = THEN_HANG });
	for (int i = 0; i < 2; i++) {
		struct bc_http_exchange x = exchange_of("POST", url_of(url, "http", SECRET_PATH));
		x.timeout_ms = 150;
		struct result r = run_exchange(&x);
		assert_timed_out(&r, true, 150);
	}
}

static void a_hanging_name_server_holds_up_nobody(void **state)
{
	struct result slow = { 0 };
	struct bc_http_exchange x = exchange_of("GET", "http://hang.test/");

	(void)state;
	serve({ .answer = OK_EMPTY });
	names_set_hang(true);
	struct bc_http_call *call = start(&x, &slow);
	waiting--; /* it is not waited for */
	assert_int_equal(get().a.status, 200);
	bc_http_call_cancel(call);
	x.timeout_ms = 100;
	struct result r = run_exchange(&x);
	assert_timed_out(&r, false, 100);
	bc_http_client_destroy(client);
	client = NULL;
	assert_int_equal(slow.count, 0);
	names_set_hang(false);
}

/* --- proxies, Unix sockets, TLS --------------------------------------------------------------- */

static void proxies_of_the_environment_are_ignored(void **state)
{
	static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };

	(void)state;
	serve({ .answer = OK_EMPTY });
	for (size_t i = 0; i < BC_COUNT(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	struct result r = post();
	for (size_t i = 0; i < BC_COUNT(names); i++)
		unsetenv(names[i]);
	assert_int_equal(r.a.status, 200);
	assert_memory_equal(server.seen, "POST /sesame-path HTTP/1.1\r\n", 28);
}

static void the_configured_proxy_is_used_whatever_the_environment_excepts(void **state)
{
	struct bc_http_exchange x = exchange_of("GET", "http://nowhere.test/x");
	char proxy[URL_BYTES];

	(void)state;
	serve({ .answer = OK_EMPTY },
	      { .answer = "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n" });
	reopen_client(&(struct bc_http_client_options){ .proxy = url_of(proxy, "http", "") });
	setenv("no_proxy", "*", 1);
	struct result r = run_exchange(&x);
	assert_int_equal(r.a.status, 200);
	assert_memory_equal(server.seen, "GET http://nowhere.test/x HTTP/1.1\r\n", 36);
	/* A tunnel that the proxy refuses is not an answer of the other side. */
	x.url = "https://nowhere.test/x";
	r = run_exchange(&x);
	unsetenv("no_proxy");
	assert_int_equal(r.a.status, 0);
	assert_false(r.a.request_sent);
	assert_int_equal(r.a.error, BC_EUNREACH);
	assert_non_null(strstr(r.a.error_text, "the proxy answered 407"));
}

static void a_unix_socket_takes_the_place_of_the_host(void **state)
{
	struct bc_http_exchange x = exchange_of("GET", "http://nowhere.test/x");
	char folder[] = "/tmp/http-client-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	server.fd = listen_unix(path);
	serve({ .answer = OK_EMPTY });
	reopen_client(&(struct bc_http_client_options){ .unix_socket = path });
	struct result r = run_exchange(&x);
	unlink(path);
	rmdir(folder);
	assert_int_equal(r.a.status, 200);
	assert_memory_equal(server.seen, "GET /x HTTP/1.1\r\nHost: nowhere.test\r\n", 37);
}

static struct result get_https(const char *host, const char *ca_file)
{
	char url[URL_BYTES];

	snprintf(url, sizeof(url), "https://%s:%d/", host, server.port);
	struct bc_http_exchange x = exchange_of("GET", url);
	reopen_client(&(struct bc_http_client_options){ .ca_file = ca_file });
	return run_exchange(&x);
}

static void tls_is_verified_and_nothing_is_sent_to_a_stranger(void **state)
{
	char ca[] = "/tmp/http-client-ca-XXXXXX";
	SSL_CTX *tls = make_tls(ca);

	(void)state;
	server.tls = tls;
	serve({ .answer = OK_EMPTY });
	struct result r = get_https("127.0.0.1", NULL);
	assert_int_equal(r.a.error, BC_EAUTH);
	assert_false(r.a.request_sent);
	assert_non_null(strstr(r.a.error_text, "not trusted: self-signed certificate"));
	r = get_https("localhost", ca);
	assert_int_equal(r.a.error, BC_EAUTH); /* another name than the certificate's */
	assert_false(r.a.request_sent);
	r = get_https("127.0.0.1", "/nonexistent/ca.pem");
	assert_int_equal(r.a.error, BC_EAUTH);
	assert_int_equal(server.requests, 0);
	r = get_https("127.0.0.1", ca);
	assert_int_equal(r.a.status, 200);
	assert_true(r.a.complete);
	unlink(ca);
	SSL_CTX_free(tls);
}

/* --- cancelling and ending -------------------------------------------------------------------- */

static void a_cancelled_call_is_silent_and_others_go_on(void **state)
{
	struct result hung = { 0 }, early = { 0 };
	char url[URL_BYTES];

	(void)state;
	serve({ .then = THEN_HANG }, { .answer = OK_EMPTY });
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", "/"));
	bc_http_call_cancel(start(&x, &early)); /* before its first turn */
	waiting--;
	struct bc_http_call *call = start(&x, &hung);
	waiting--;
	while (server.requests == 0)
		uv_run(bc_loop_uv(loop), UV_RUN_ONCE);
	bc_http_call_cancel(call);
	assert_int_equal(get().a.status, 200);
	assert_int_equal(hung.count + early.count, 0);
	assert_int_equal(server.requests, 2);
}

static void a_client_may_end_with_calls_in_every_stage(void **state)
{
	static struct result results[30];
	char url[URL_BYTES];

	(void)state;
	memset(results, 0, sizeof(results));
	serve({ .answer = OK_EMPTY }, { .then = THEN_HANG });
	assert_int_equal(post().a.status, 200); /* leaves an idle connection */
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", "/"));
	for (int i = 0; i < 10; i++)
		start(&x, &results[i]);
	while (server.requests < 11)
		uv_run(bc_loop_uv(loop), UV_RUN_ONCE);
	for (int i = 10; i < 20; i++)
		start(&x, &results[i]);
	uv_run(bc_loop_uv(loop), UV_RUN_NOWAIT);
	for (int i = 20; i < 30; i++)
		start(&x, &results[i]);
	bc_http_client_destroy(client);
	client = NULL;
	for (int i = 0; i < 5; i++)
		uv_run(bc_loop_uv(loop), UV_RUN_NOWAIT);
	for (size_t i = 0; i < BC_COUNT(results); i++)
		assert_int_equal(results[i].count, 0);
}

static struct bc_http_call *own_call, *other_call;
static struct result second;

/* From a completion: itself (void), another one, a new one. */
static void on_done_meddle(void *ctx, const struct bc_http_answer *a)
{
	bc_http_call_cancel(own_call);
	bc_http_call_cancel(other_call);
	start(ctx, &second);
	assert_int_equal(a->status, 200);
}

static void on_done_destroy(void *ctx, const struct bc_http_answer *a)
{
	bc_http_client_destroy(client);
	client = NULL;
	on_done(ctx, a);
}

static void a_completion_may_cancel_and_start_calls(void **state)
{
	struct result other = { 0 };
	char url[URL_BYTES];

	(void)state;
	memset(&second, 0, sizeof(second));
	serve({ .answer = OK_EMPTY });
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", "/"));
	struct bc_http_exchange hang = exchange_of("GET", "http://hang.test/");
	names_set_hang(true);
	other_call = start(&hang, &other);
	waiting--;
	assert_int_equal(bc_http_call_start(client, &x, on_done_meddle, &x, &own_call, NULL), 0);
	waiting++;
	while (server.requests == 0)
		uv_run(bc_loop_uv(loop), UV_RUN_ONCE);
	while (waiting < 2)
		uv_run(bc_loop_uv(loop), UV_RUN_ONCE);
	waiting--; /* the meddler's own */
	run_until_done();
	names_set_hang(false);
	assert_int_equal(second.a.status, 200);
	assert_int_equal(other.count, 0);
	assert_int_equal(server.accepted, 1);
}

static void a_completion_may_end_the_client(void **state)
{
	struct result others[8] = { 0 };
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = OK_EMPTY });
	struct bc_http_exchange x = exchange_of("GET", url_of(url, "http", "/"));
	for (size_t i = 0; i < BC_COUNT(others); i++)
		assert_int_equal(
			bc_http_call_start(client, &x, on_done_destroy, &others[i], NULL, NULL), 0);
	waiting = 1;
	run_until_done();
	int done = 0;
	for (size_t i = 0; i < BC_COUNT(others); i++)
		done += others[i].count;
	assert_int_equal(done, 1);
}

static bool one_call(void *ctx)
{
	static const char *const headers[] = { "X-Empty:", "Content-Type: a/b", NULL };
	struct bc_http_exchange x = exchange_of("POST", ctx);
	struct bc_http_client *c = NULL;
	struct result r = { 0 };
	struct bc_err err = { 0 };

	x.headers = headers;
	if (bc_http_client_create(loop, &(struct bc_http_client_options){ 0 }, &c, &err) < 0) {
		assert_int_equal(err.code, BC_ENOMEM);
		return false;
	}
	if (bc_http_call_start(c, &x, on_done, &r, NULL, &err) < 0) {
		assert_int_equal(err.code, BC_ENOMEM);
	} else {
		waiting = 1;
		bc_loop_run(loop);
		assert_int_equal(r.count, 1);
		assert_true(r.a.complete ? r.a.status == 200 : r.a.error == BC_ENOMEM);
	}
	bc_http_client_destroy(c);
	return r.a.complete;
}

static void each_allocation_may_fail(void **state)
{
	char url[URL_BYTES];

	(void)state;
	serve({ .answer = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: a/b\r\nRetry-After: 1\r\n"
			  "Link: </a>\r\nLink: </b>\r\nContent-Length: 2\r\n\r\nok" });
	url_of(url, "http", "/");
	each_allocation_failing(one_call, url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(sequential_calls_share_one_connection),
		test(a_connection_that_died_while_idle_is_replaced_unnoticed),
		test(a_request_that_a_kept_connection_swallowed_is_not_sent_again),
		test(an_unclaimed_connection_is_too_old_after_its_time),
		test(fifty_calls_run_side_by_side),
		test(nobody_listening_is_unreachable_and_nothing_was_sent),
		test(a_name_without_address_is_unreachable_and_nothing_was_sent),
		test(a_listener_that_never_accepts_times_out_before_or_after_the_request),
		test(an_answer_that_does_not_come_or_stops_in_its_head_times_out),
		test(a_hanging_name_server_holds_up_nobody),
		test(proxies_of_the_environment_are_ignored),
		test(the_configured_proxy_is_used_whatever_the_environment_excepts),
		test(a_unix_socket_takes_the_place_of_the_host),
		test(tls_is_verified_and_nothing_is_sent_to_a_stranger),
		test(a_cancelled_call_is_silent_and_others_go_on),
		test(a_client_may_end_with_calls_in_every_stage),
		test(a_completion_may_cancel_and_start_calls),
		test(a_completion_may_end_the_client),
		test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("http_client_life", tests, NULL, NULL);
}
