/* SPDX-License-Identifier: MIT */
/* The datagram input over a store that the test refuses and stalls, and without memory. */
#include "shop_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/input.h"
#include "failing_malloc.h"

static char folder[] = "/tmp/bc-input-XXXXXX";
static char listen_text[sizeof(folder) + 32];
static struct bc_input *input;
static int sender = -1;
static bool input_closed;

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(listen_text, sizeof(listen_text), "unix:%s/in.sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int create(struct bc_err *err)
{
	const struct bc_input_options options = { .listen = listen_text };
	return bc_input_create(rig.loop, &rig.shop, &options, &input, err);
}

static void on_closed(void *ctx)
{
	(void)ctx;
	input_closed = true;
}

static void close_input(void)
{
	if (!input)
		return;
	input_closed = false;
	bc_input_close(input, on_closed, NULL);
	assert_false(input_closed); /* never inline */
	run_until(is_set, &input_closed);
	bc_input_destroy(input);
	input = NULL;
}

static void connect_sender(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	memcpy(to.sun_path, listen_text + 5, strlen(listen_text + 5));
	sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof(to)), 0);
}

static int setup(void **state)
{
	struct bc_err err = { 0 };
	int result = rig_setup(state);
	if (result)
		return result;
	if (create(&err))
		fail_msg("%s", err.text);
	connect_sender();
	return 0;
}

static int teardown(void **state)
{
	go_on();
	close_input();
	close(sender);
	return rig_teardown(state);
}

static void say(const char *line)
{
	assert_int_equal(send(sender, line, strlen(line), 0), strlen(line));
}

static void say_click(unsigned n)
{
	char line[128];
	snprintf(line, sizeof(line), "{\"click\":\"%032x\",\"tok\":\"token-%u\"}", n, n);
	say(line);
}

static uint64_t taken(void)
{
	return atomic_load(&rig.shop.stats.input_taken);
}

static uint64_t dropped(enum bc_input_drop why)
{
	return atomic_load(&rig.shop.stats.input_dropped[why]);
}

static uint64_t settled(void)
{
	return taken() + dropped(BC_INPUT_MALFORMED) + dropped(BC_INPUT_BUSY);
}

static bool all_settled(void *ctx)
{
	return settled() >= *(uint64_t *)ctx;
}

static void wait_settled(uint64_t count)
{
	run_until(all_settled, &count);
	assert_int_equal(settled(), count);
}

static bool engine_stalled(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.stalled);
}

static bool was_put(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.seen[BC_STORE_PUT_CLICK]) > 0;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void a_click_is_counted_when_it_is_stored(void **state)
{
	(void)state;
	stall(BC_STORE_PUT_CLICK);
	say_click(1);
	run_until(engine_stalled, NULL);
	assert_int_equal(taken(), 0);
	go_on();
	wait_settled(1);
	assert_int_equal(taken(), 1);
	assert_int_equal(atomic_load(&rig.shop.stats.clicks_production), 1);
}

static void a_refused_click_is_put_again(void **state)
{
	(void)state;
	refuse(BC_STORE_PUT_CLICK, 3);
	say_click(1);
	say_click(2);
	wait_settled(2);
	assert_int_equal(taken(), 2);
	assert_int_equal(atomic_load(&faulty.seen[BC_STORE_PUT_CLICK]), 5);
}

static void the_end_tries_once_more_and_then_counts_what_is_lost(void **state)
{
	(void)state;
	refuse(BC_STORE_PUT_CLICK, 1000000);
	say_click(1);
	say("nonsense");
	wait_settled(1);
	close_input();
	assert_int_equal(taken(), 0);
	assert_int_equal(dropped(BC_INPUT_BUSY), 1);
	assert_int_equal(dropped(BC_INPUT_MALFORMED), 1);
}

static void what_waits_at_the_end_is_stored_if_the_store_has_recovered(void **state)
{
	(void)state;
	refuse(BC_STORE_PUT_CLICK, 1);
	say_click(1);
	run_until(was_put, NULL);
	run_for(20); /* for the refusal to come home */
	close_input();
	assert_int_equal(taken(), 1);
}

static void rules_change_from_the_next_line_on(void **state)
{
	static const char *const other[] = { "tk", NULL };
	struct bc_shop_config changed = rig.config;
	(void)state;
	changed.params = other;
	changed.references = 1;
	bc_input_reconfigure(input, &changed);
	say("{\"sess\":\"session-1\",\"uri\":\"/?sovReqToken=token-1\"}");
	say("{\"sess\":\"session-1\",\"uri\":\"/?tk=token-1\"}");
	wait_settled(2);
	assert_int_equal(taken(), 1);
	assert_int_equal(dropped(BC_INPUT_MALFORMED), 1);
	close_input();
}

/* So many that the socket is not read for a while: nothing is dropped for it. */
static void more_than_may_be_under_way_wait_in_the_socket(void **state)
{
	enum { MANY = 3000 };
	pid_t child;
	(void)state;
	stall(BC_STORE_PUT_CLICK);
	child = fork(); /* the writer blocks when the socket is full */
	assert_true(child >= 0);
	if (child == 0) {
		for (unsigned n = 0; n < MANY; n++) {
			char line[128];
			int len = snprintf(line, sizeof(line),
					   "{\"click\":\"%032x\",\"tok\":\"token-%u\"}", n, n);
			if (send(sender, line, (size_t)len, 0) != len)
				_exit(1);
		}
		_exit(0);
	}
	run_until(engine_stalled, NULL);
	run_for(100);
	assert_int_equal(settled(), 0);
	go_on();
	wait_settled(MANY);
	assert_int_equal(taken(), MANY);
}

static bool create_and_close(void *ctx)
{
	int result = create(NULL);
	(void)ctx;
	assert_true(result == 0 || result == BC_ENOMEM);
	if (!result)
		close_input();
	return !result;
}

static void without_memory_it_is_not_opened(void **state)
{
	(void)state;
	close_input();
	each_allocation_failing(create_and_close, NULL);
}

/* A click without memory is dropped and counted, or tried again; the next one is taken. */
static void without_memory_a_click_is_counted_or_kept(void **state)
{
	uint64_t sum = 0;
	(void)state;
	for (unsigned long nth = 1; nth <= 40; nth++) {
		fail_allocation(nth);
		say_click((unsigned)nth);
		sum++;
		run_until(all_settled, &sum);
		fail_allocation(0);
	}
	assert_int_equal(settled(), sum);
	say_click(99);
	wait_settled(sum + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_click_is_counted_when_it_is_stored),
		TEST(a_refused_click_is_put_again),
		TEST(the_end_tries_once_more_and_then_counts_what_is_lost),
		TEST(what_waits_at_the_end_is_stored_if_the_store_has_recovered),
		TEST(rules_change_from_the_next_line_on),
		TEST(more_than_may_be_under_way_wait_in_the_socket),
		TEST(without_memory_it_is_not_opened),
		TEST(without_memory_a_click_is_counted_or_kept),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
