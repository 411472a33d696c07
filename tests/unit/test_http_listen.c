/* SPDX-License-Identifier: MIT */
/* Where the HTTP server listens: addresses, ports that are taken, Unix sockets alive and stale. */
#include "http_server_fixture.h"

#include "failing_malloc.h"

static char folder[] = "/tmp/bc-listen-XXXXXX";
static char path[sizeof(folder) + 16];
static char listen_text[sizeof(path) + 8];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(listen_text, sizeof(listen_text), "unix:%s", path);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void start_at(const char *where)
{
	struct bc_http_server_options options = standard_options();

	options.listen = where;
	start(&options);
}

/* Tries to listen on a loop of its own; returns the code. */
static int try_listen(const char *where, struct bc_err *err)
{
	struct bc_http_server_options options = standard_options();
	struct bc_http_server *server = NULL;
	struct bc_loop *loop;
	int rc;

	*err = (struct bc_err){ 0 };
	options.listen = where;
	assert_int_equal(bc_loop_create(&loop, NULL), 0);
	rc = bc_http_server_create(loop, &options, &server, err);
	if (rc == 0)
		bc_http_server_close(server, 0, NULL, NULL);
	else
		assert_null(server);
	bc_loop_destroy(loop);
	return rc;
}

static void a_bad_listen_text_is_refused_with_a_hint(void **state)
{
	static const char *const bad[] = {
		"",	      "8787",		"localhost",	":8787",
		"127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1", "127.0.0.1:70000",
		"::1:8787",   "unix:"
	};
	struct bc_err err;

	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		assert_int_equal(try_listen(bad[i], &err), BC_EINVAL);
		assert_non_null(strstr(err.text, "cannot listen on \""));
		assert_true(err.hint[0] != '\0');
	}
}

static void an_overlong_text_is_refused(void **state)
{
	char text[700];
	struct bc_err err;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 600, ":80", 4);
	assert_int_equal(try_listen(text, &err), BC_EINVAL);
	memcpy(text, "unix:/", 6);
	text[150] = '\0';
	assert_int_equal(try_listen(text, &err), BC_EINVAL);
}

static void a_port_that_is_taken_is_busy(void **state)
{
	struct bc_err err;

	(void)state;
	start_at("127.0.0.1:0");
	assert_true(fixture.port > 0);
	assert_int_equal(try_listen(fixture.address, &err), BC_EBUSY);
	assert_non_null(strstr(err.text, fixture.address));
	stop();
}

static void a_name_is_resolved(void **state)
{
	struct bc_err err;

	(void)state;
	if (try_listen("localhost:0", &err) != 0)
		skip(); /* this machine does not know its own name */
	start_at("localhost:0");
	assert_true(fixture.port > 0);
	stop();
}

static void an_ipv6_address_is_written_in_brackets(void **state)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct bc_err err;
	int fd;

	(void)state;
	if (try_listen("[::1]:0", &err) != 0)
		skip(); /* this machine has no IPv6 */
	start_at("[::1]:0");
	assert_true(strncmp(fixture.address, "[::1]:", 6) == 0);
	to.sin6_port = htons((uint16_t)fixture.port);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_true(put(fd, GET("/echo") "\r\n"));
	expect_reply(fd, 200, NULL);
	assert_string_equal(fixture.last_peer, "::1");
	assert_true(fixture.last_peer_local);
	close(fd);
	stop();
}

static void an_ipv4_peer_of_a_dual_listener_is_named_as_ipv4(void **state)
{
	struct bc_err err;

	(void)state;
	if (try_listen("[::]:0", &err) != 0)
		skip(); /* this machine has no IPv6 */
	start_at("[::]:0");
	expect_service();
	assert_string_equal(fixture.last_peer, "127.0.0.1");
	assert_true(fixture.last_peer_local);
	stop();
}

/* ---- Unix sockets ---- */

static void expect_unix_service(void)
{
	int fd = dial_unix(path);

	assert_true(put(fd, GET("/echo") "\r\n"));
	expect_reply(fd, 200, "GET /echo ");
	assert_true(put(fd, "nonsense\r\n\r\n"));
	expect_refusal(fd, 400);
	close(fd);
}

static void a_unix_socket_is_served_and_removed_at_the_end(void **state)
{
	struct stat st;

	(void)state;
	start_at(listen_text);
	assert_string_equal(fixture.address, listen_text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	expect_unix_service();
	assert_string_equal(fixture.last_peer, "unix");
	assert_true(fixture.last_peer_local);
	stop();
	assert_int_equal(stat(path, &st), -1);
}

static void the_mode_of_a_unix_socket_is_an_option(void **state)
{
	struct bc_http_server_options options = standard_options();
	struct stat st;

	(void)state;
	options.listen = listen_text;
	options.unix_mode = 0600;
	start(&options);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	stop();
}

/* What a killed process leaves behind: bound, and nobody listens. */
static void leave_stale_socket(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
	(void)state;
	leave_stale_socket();
	start_at(listen_text);
	expect_unix_service();
	stop();
}

static void a_unix_socket_that_is_alive_is_left_alone(void **state)
{
	struct bc_err err;

	(void)state;
	start_at(listen_text);
	assert_int_equal(try_listen(listen_text, &err), BC_EBUSY);
	assert_true(err.hint[0] != '\0');
	expect_unix_service();
	stop();
}

static void a_file_in_the_way_is_left_alone(void **state)
{
	struct bc_err err;
	struct stat st;
	FILE *file = fopen(path, "w");

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(try_listen(listen_text, &err), BC_EINVAL);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlink(path), 0);
}

static void a_folder_that_is_missing_is_named(void **state)
{
	struct bc_err err;

	(void)state;
	assert_int_not_equal(try_listen("unix:/nonexistent/folder/socket", &err), 0);
	assert_non_null(strstr(err.text, "/nonexistent/folder/socket"));
}

/* ---- out of memory, out of descriptors ---- */

static bool create_and_close(void *ctx)
{
	struct bc_err err;

	(void)ctx;
	return try_listen("127.0.0.1:0", &err) == 0;
}

static bool create_with_loop(void *ctx)
{
	struct bc_loop *loop = ctx;
	struct bc_http_server_options options = standard_options();
	struct bc_http_server *server = NULL;

	if (bc_http_server_create(loop, &options, &server, NULL) != 0)
		return false;
	bc_http_server_close(server, 0, NULL, NULL);
	return true;
}

static void every_failed_allocation_at_the_start_is_survived(void **state)
{
	struct bc_loop *loop;

	(void)state;
	assert_true(create_and_close(NULL));
	assert_int_equal(bc_loop_create(&loop, NULL), 0);
	each_allocation_failing(create_with_loop, loop);
	bc_loop_destroy(loop);
}

static void fail_on_loop(void *nth)
{
	fail_allocation(*(unsigned long *)nth);
}

static void look_failed_and_stop_failing(void *ctx)
{
	*(bool *)ctx = allocation_failed();
	fail_allocation(0);
}

static void a_connection_without_memory_is_dropped_and_the_next_served(void **state)
{
	(void)state;
	start_at("127.0.0.1:0");
	/* The connection itself, its arena in two parts, the request's bytes. */
	for (unsigned long nth = 1; nth <= 4; nth++) {
		char bytes[512];
		bool failed = false;
		int fd;
		ssize_t n;
		on_loop(fail_on_loop, &nth);
		fd = dial();
		put(fd, GET("/nothing") "\r\n");
		do
			n = get_some(fd, bytes, sizeof(bytes));
		while (n > 0);
		on_loop(look_failed_and_stop_failing, &failed);
		assert_true(failed);
		close(fd);
		expect_service();
	}
	wait_until(look_no_connection);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_listen_text_is_refused_with_a_hint),
		cmocka_unit_test(an_overlong_text_is_refused),
		cmocka_unit_test(a_port_that_is_taken_is_busy),
		cmocka_unit_test(a_name_is_resolved),
		cmocka_unit_test(an_ipv6_address_is_written_in_brackets),
		cmocka_unit_test(an_ipv4_peer_of_a_dual_listener_is_named_as_ipv4),
		cmocka_unit_test(a_unix_socket_is_served_and_removed_at_the_end),
		cmocka_unit_test(the_mode_of_a_unix_socket_is_an_option),
		cmocka_unit_test(a_stale_unix_socket_is_replaced),
		cmocka_unit_test(a_unix_socket_that_is_alive_is_left_alone),
		cmocka_unit_test(a_file_in_the_way_is_left_alone),
		cmocka_unit_test(a_folder_that_is_missing_is_named),
		cmocka_unit_test(every_failed_allocation_at_the_start_is_survived),
		cmocka_unit_test(a_connection_without_memory_is_dropped_and_the_next_served),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
