/* SPDX-License-Identifier: MIT */
/* Sockets that take datagrams: what comes, in which order, whose the path is, and how it ends. */
#include "net/datagram.h"

#include <arpa/inet.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "failing_malloc.h"

enum { PATIENCE_MS = 10 * 1000 };

static struct bc_loop *loop;
static struct bc_datagrams *datagrams;
static char folder[] = "/tmp/bc-datagram-XXXXXX";
static char path[sizeof(folder) + 16], text[sizeof(folder) + 32];
static int sender = -1;

/* What came. */
static unsigned count, cuts, wanted, hold_at;
static bool closed, late;
static char last[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/in.sock", folder);
	snprintf(text, sizeof(text), "unix:%s", path);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int setup(void **state)
{
	(void)state;
	count = cuts = wanted = hold_at = 0;
	closed = late = false;
	return bc_loop_create(&loop, NULL);
}

static void on_closed(void *ctx)
{
	(void)ctx;
	closed = true;
	bc_loop_stop(loop);
}

static void close_all(void)
{
	if (datagrams) {
		bc_datagrams_close(datagrams, on_closed, NULL);
		assert_false(closed); /* never inline */
		while (!closed)
			bc_loop_run(loop);
	}
	datagrams = NULL;
}

static int teardown(void **state)
{
	(void)state;
	close_all();
	bc_loop_destroy(loop);
	if (sender >= 0)
		close(sender);
	sender = -1;
	unlink(path);
	return 0;
}

static bool take(void *ctx, struct bc_str bytes, bool cut)
{
	(void)ctx;
	count++;
	cuts += cut;
	bc_str_copy(last, sizeof(last), bytes) ? (void)(last[0] = '\0') : (void)0;
	if (count == wanted)
		bc_loop_stop(loop);
	return !hold_at || count < hold_at;
}

static int open_at(const char *listen, const char *group)
{
	const struct bc_datagram_options options = { .listen = listen,
						     .group = group,
						     .take = take };
	struct bc_err err = { 0 };
	int result = bc_datagrams_create(loop, &options, &datagrams, &err);
	assert_true(!result || err.text[0]);
	return result;
}

/* --- the other side -------------------------------------------------------------------------- */

static void connect_unix(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	memcpy(to.sun_path, path, strlen(path));
	sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void connect_udp(int family)
{
	const char *colon = strrchr(bc_datagrams_address(datagrams), ':');
	uint16_t port = htons((uint16_t)atoi(colon + 1));
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	sender = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(family == AF_INET ? connect(sender, (struct sockaddr *)&v4, sizeof(v4))
					   : connect(sender, (struct sockaddr *)&v6, sizeof(v6)),
			 0);
}

static void say(const char *words)
{
	assert_int_equal(send(sender, words, strlen(words), 0), strlen(words));
}

static void give_up(void *ctx)
{
	(void)ctx;
	late = true;
	bc_loop_stop(loop);
}

/* Runs until so many have come in all. */
static void wait_for(unsigned n)
{
	struct bc_timer *patience = bc_timer_create(loop, give_up, NULL);
	assert_non_null(patience);
	bc_timer_start(patience, PATIENCE_MS);
	wanted = n;
	if (count < n)
		bc_loop_run(loop);
	bc_timer_destroy(patience);
	assert_false(late);
}

static void do_nothing(void *ctx)
{
	(void)ctx;
	bc_loop_stop(loop);
}

static void turn(uint64_t ms)
{
	struct bc_timer *t = bc_timer_create(loop, do_nothing, NULL);
	assert_non_null(t);
	bc_timer_start(t, ms);
	bc_loop_run(loop);
	bc_timer_destroy(t);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void a_unix_socket_takes_what_is_written(void **state)
{
	(void)state;
	assert_int_equal(open_at(text, NULL), 0);
	assert_string_equal(bc_datagrams_address(datagrams), text);
	connect_unix();
	say("one");
	say("two");
	wait_for(2);
	assert_string_equal(last, "two");
	assert_int_equal(cuts, 0);
}

static void an_empty_datagram_is_one_too(void **state)
{
	(void)state;
	assert_int_equal(open_at(text, NULL), 0);
	connect_unix();
	say("");
	say("next");
	wait_for(2);
	assert_string_equal(last, "next");
}

static void udp_works_in_both_families(void **state)
{
	static const struct {
		const char *listen, *prefix;
		int family;
	} rows[] = { { "udp:127.0.0.1:0", "udp:127.0.0.1:", AF_INET },
		     { "udp:[::1]:0", "udp:[::1]:", AF_INET6 },
		     { "udp:localhost:0", "udp:", 0 } };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		assert_int_equal(open_at(rows[i].listen, NULL), 0);
		const char *address = bc_datagrams_address(datagrams);
		assert_true(bc_str_starts(bc_str_of(address), rows[i].prefix));
		assert_string_not_equal(strrchr(address, ':'), ":0");
		connect_udp(rows[i].family	   ? rows[i].family
			    : strchr(address, '[') ? AF_INET6
						   : AF_INET);
		count = 0;
		say("a");
		wait_for(1);
		close(sender);
		sender = -1;
		closed = false;
		close_all();
		closed = false;
	}
}

static void what_is_too_long_is_told_as_cut(void **state)
{
	static char big[BC_DATAGRAM_MAX_BYTES + 1];
	(void)state;
	assert_int_equal(open_at(text, NULL), 0);
	connect_unix();
	memset(big, 'x', sizeof(big));
	assert_int_equal(send(sender, big, BC_DATAGRAM_MAX_BYTES, 0), BC_DATAGRAM_MAX_BYTES);
	wait_for(1);
	assert_int_equal(cuts, 0);
	assert_int_equal(send(sender, big, sizeof(big), 0), sizeof(big));
	wait_for(2);
	assert_int_equal(cuts, 1);
}

static void who_has_enough_gets_no_more_until_he_resumes(void **state)
{
	(void)state;
	assert_int_equal(open_at("udp:127.0.0.1:0", NULL), 0);
	connect_udp(AF_INET);
	hold_at = 1;
	for (int i = 0; i < 200; i++)
		say("x");
	turn(50);
	assert_in_range(count, 1, BC_DATAGRAM_BATCH);
	unsigned before = count;
	turn(50);
	assert_int_equal(count, before);
	hold_at = 0;
	bc_datagrams_resume(datagrams);
	wait_for(200);
}

static void what_the_kernel_drops_is_counted(void **state)
{
	enum { SENT = 400 };
	uint64_t lost = 0;
	static char big[60 * 1024];
	(void)state;
	assert_int_equal(open_at("udp:127.0.0.1:0", NULL), 0);
	assert_in_range(bc_datagrams_buffer_bytes(datagrams), 1, 64 * 1024 * 1024);
	connect_udp(AF_INET);
	hold_at = 1;
	say("the first");
	wait_for(1);
	/* Nobody reads: 24 MB do not fit. */
	for (int i = 0; i < SENT; i++)
		assert_int_equal(send(sender, big, sizeof(big), 0), sizeof(big));
	hold_at = 0;
	bc_datagrams_resume(datagrams);
	turn(100);
	unsigned came = count;
	assert_true(came < SENT);
	/* The number comes with the next one that is taken. */
	say("the last");
	wait_for(came + 1);
	lost = bc_datagrams_lost(datagrams);
	assert_int_equal(lost + came, SENT + 1);
	assert_int_equal(bc_datagrams_lost(datagrams), 0);
}

static void the_path_is_for_owner_and_group_and_gone_at_the_end(void **state)
{
	struct stat st;
	(void)state;
	assert_int_equal(open_at(text, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	close_all();
	assert_int_equal(stat(path, &st), -1);
}

static void the_group_is_the_one_that_was_named(void **state)
{
	struct group *group = getgrgid(getegid());
	struct stat st;
	(void)state;
	if (geteuid() == 0)
		group = getgrnam("www-data");
	if (!group)
		skip();
	gid_t wanted_group = group->gr_gid;
	assert_int_equal(open_at(text, group->gr_name), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, wanted_group);
}

static void an_unknown_group_is_refused_and_leaves_no_socket(void **state)
{
	struct stat st;
	(void)state;
	assert_int_equal(open_at(text, "no-such-group-here"), BC_EINVAL);
	assert_int_equal(stat(path, &st), -1);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_DGRAM, 0), other;
	struct bc_datagrams *first;
	(void)state;
	memcpy(at.sun_path, path, strlen(path));
	assert_int_equal(bind(dead, (struct sockaddr *)&at, sizeof(at)), 0);
	close(dead);
	assert_int_equal(open_at(text, NULL), 0);
	first = datagrams;
	assert_int_equal(open_at(text, NULL), BC_EBUSY);
	datagrams = first;
	close_all();
	/* Somebody else's, of the other type. */
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(other, 1), 0);
	assert_int_equal(open_at(text, NULL), BC_EBUSY);
	close(other);
	datagrams = NULL;
}

static void a_path_that_is_no_socket_is_left_alone(void **state)
{
	struct stat st;
	FILE *file = fopen(path, "w");
	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(open_at(text, NULL), BC_EINVAL);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void a_path_that_somebody_else_took_meanwhile_is_left_alone(void **state)
{
	struct stat st;
	(void)state;
	assert_int_equal(open_at(text, NULL), 0);
	assert_int_equal(unlink(path), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	close_all();
	assert_int_equal(stat(path, &st), 0);
}

static void what_had_come_is_handed_over_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(open_at("udp:127.0.0.1:0", NULL), 0);
	connect_udp(AF_INET);
	for (int i = 0; i < 1000; i++)
		say("x");
	close_all();
	assert_int_equal(count, 1000);
}

static void a_held_one_ends_after_it_resumed(void **state)
{
	(void)state;
	assert_int_equal(open_at("udp:127.0.0.1:0", NULL), 0);
	connect_udp(AF_INET);
	hold_at = 1;
	for (int i = 0; i < 100; i++)
		say("x");
	wait_for(1);
	bc_datagrams_close(datagrams, on_closed, NULL);
	turn(20);
	assert_false(closed);
	hold_at = 0;
	bc_datagrams_resume(datagrams);
	while (!closed)
		bc_loop_run(loop);
	datagrams = NULL;
	assert_int_equal(count, 100);
}

static void impossible_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"in.sock",
		"unix:",
		"udp:",
		"udp:127.0.0.1",
		"udp:127.0.0.1:65536",
		"udp::1:80",
		"unix:/tmp/0123456789012345678901234567890123456789"
		"01234567890123456789012345678901234567890123456789012345"
		"6789012345678901234567890123456789"
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++)
		if (open_at(bad[i], NULL) != BC_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(open_at("unix:/no/such/folder/in.sock", NULL), BC_ENOENT);
	datagrams = NULL;
}

static bool open_and_close(void *ctx)
{
	(void)ctx;
	closed = false;
	datagrams = NULL;
	const struct bc_datagram_options options = { .listen = text, .take = take };
	int result = bc_datagrams_create(loop, &options, &datagrams, NULL);
	assert_true(!result || result == BC_ENOMEM || result == BC_EIO);
	if (!result)
		close_all();
	return !result;
}

static void without_memory_it_is_refused_and_leaves_no_socket(void **state)
{
	struct stat st;
	(void)state;
	each_allocation_failing(open_and_close, NULL);
	assert_int_equal(stat(path, &st), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unix_socket_takes_what_is_written),
		TEST(an_empty_datagram_is_one_too),
		TEST(udp_works_in_both_families),
		TEST(what_is_too_long_is_told_as_cut),
		TEST(who_has_enough_gets_no_more_until_he_resumes),
		TEST(what_the_kernel_drops_is_counted),
		TEST(the_path_is_for_owner_and_group_and_gone_at_the_end),
		TEST(the_group_is_the_one_that_was_named),
		TEST(an_unknown_group_is_refused_and_leaves_no_socket),
		TEST(a_stale_socket_is_replaced_and_a_live_one_is_not),
		TEST(a_path_that_is_no_socket_is_left_alone),
		TEST(a_path_that_somebody_else_took_meanwhile_is_left_alone),
		TEST(what_had_come_is_handed_over_at_the_end),
		TEST(a_held_one_ends_after_it_resumed),
		TEST(impossible_addresses_are_refused),
		TEST(without_memory_it_is_refused_and_leaves_no_socket),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
