/* SPDX-License-Identifier: MIT */
/* The loop: order and batching of posts, the end of a turn, threads, timers, the last turn. */
#include "net/loop.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "failing_malloc.h"

static struct bc_loop *loop;
static char story[256]; /* what ran, in order */

static void tell(const char *what)
{
	strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static int setup(void **state)
{
	(void)state;
	story[0] = '\0';
	return bc_loop_create(&loop, NULL);
}

static int teardown(void **state)
{
	(void)state;
	bc_loop_destroy(loop);
	loop = NULL;
	return 0;
}

static void run_a(struct bc_task *task)
{
	(void)task;
	tell("a");
}

static void run_b(struct bc_task *task)
{
	(void)task;
	tell("b");
}

static void run_stop(struct bc_task *task)
{
	(void)task;
	tell("stop");
	bc_loop_stop(loop);
}

static void tasks_run_later_and_in_the_order_posted(void **state)
{
	struct bc_task a = { .run = run_a }, b = { .run = run_b }, stop = { .run = run_stop };

	(void)state;
	bc_loop_post(loop, &b);
	bc_loop_post(loop, &a);
	bc_loop_post(loop, &stop);
	assert_string_equal(story, "");
	bc_loop_run(loop);
	assert_string_equal(story, "bastop");
}

static void a_list_is_posted_whole(void **state)
{
	struct bc_task stop = { .run = run_stop };
	struct bc_task b = { .run = run_b, .next = &stop }, a = { .run = run_a, .next = &b };

	(void)state;
	bc_loop_post_list(loop, NULL);
	bc_loop_post_list(loop, &a);
	bc_loop_run(loop);
	assert_string_equal(story, "abstop");
}

static void what_follows_a_stop_in_the_queue_still_runs(void **state)
{
	struct bc_task a = { .run = run_a }, stop = { .run = run_stop };

	(void)state;
	bc_loop_post(loop, &stop);
	bc_loop_post(loop, &a);
	bc_loop_run(loop);
	assert_string_equal(story, "stopa");
}

static struct bc_task late = { .run = run_a };

static void run_post_and_stop(struct bc_task *task)
{
	(void)task;
	bc_loop_stop(loop);
	bc_loop_post(loop, &late);
	tell("p");
}

static void what_is_posted_during_the_stop_runs_in_the_last_turn(void **state)
{
	struct bc_task p = { .run = run_post_and_stop };

	(void)state;
	bc_loop_post(loop, &p);
	bc_loop_run(loop);
	assert_string_equal(story, "pa");
}

static void a_loop_runs_again_after_a_stop(void **state)
{
	struct bc_task stop = { .run = run_stop };

	(void)state;
	for (int i = 0; i < 3; i++) {
		bc_loop_post(loop, &stop);
		bc_loop_run(loop);
	}
	assert_string_equal(story, "stopstopstop");
}

static void destroy_runs_what_is_still_posted(void **state)
{
	struct bc_task a = { .run = run_a };
	struct bc_loop *other;

	(void)state;
	assert_int_equal(bc_loop_create(&other, NULL), 0);
	bc_loop_post(other, &a);
	bc_loop_destroy(other);
	bc_loop_destroy(NULL);
	assert_string_equal(story, "a");
}

/* Posts itself again until it ran often enough; counts the loop's turns meanwhile. */
struct again {
	struct bc_task task;
	int left;
	int *turns;
	int turn_seen;
};

static void run_again(struct bc_task *task)
{
	struct again *again = BC_CONTAINER(task, struct again, task);

	assert_int_not_equal(*again->turns, again->turn_seen);
	again->turn_seen = *again->turns;
	if (--again->left > 0)
		bc_loop_post(loop, task);
	else
		bc_loop_stop(loop);
}

static void count_turn(uv_prepare_t *prepare)
{
	++*(int *)prepare->data;
}

static void a_task_that_posts_itself_runs_once_a_turn(void **state)
{
	int turns = 0;
	struct again again = { .task.run = run_again, .left = 5, .turns = &turns, .turn_seen = -1 };
	uv_prepare_t prepare;

	(void)state;
	uv_prepare_init(bc_loop_uv(loop), &prepare);
	prepare.data = &turns;
	uv_prepare_start(&prepare, count_turn);
	bc_loop_post(loop, &again.task);
	bc_loop_run(loop);
	uv_close((uv_handle_t *)&prepare, NULL);
	uv_run(bc_loop_uv(loop), UV_RUN_NOWAIT);
	assert_int_equal(again.left, 0);
}

/* --- the end of a turn ----------------------------------------------------------------------- */

static void run_end_once_more(struct bc_task *task)
{
	(void)task;
	tell("e");
	bc_loop_at_turn_end(loop, &late);
}

static void a_task_at_a_turns_end_may_add_another(void **state)
{
	struct bc_task b = { .run = run_b }, end = { .run = run_end_once_more };
	struct bc_task stop = { .run = run_stop };

	(void)state;
	bc_loop_at_turn_end(loop, &b);
	bc_loop_at_turn_end(loop, &end);
	bc_loop_post(loop, &stop);
	bc_loop_run(loop);
	assert_string_equal(story, "eabstop");
}

static int log_ends[2]; /* a packet is what one write wrote */

static void log_twice(struct bc_task *task)
{
	char line[256];

	(void)task;
	bc_log_info("one");
	bc_log_info("two");
	assert_int_equal(recv(log_ends[1], line, sizeof(line), MSG_DONTWAIT), -1);
}

static void read_what_was_logged(void *ctx)
{
	char text[256] = "";
	const char *second;

	(void)ctx;
	assert_true(recv(log_ends[1], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(text, " INFO one\n"));
	second = strstr(text, " INFO two\n");
	assert_non_null(second);
	assert_string_equal(second, " INFO two\n");
	tell("read");
	bc_loop_stop(loop);
}

static void what_a_turn_logs_leaves_in_one_write_at_its_end(void **state)
{
	struct bc_timer *timer = bc_timer_create(loop, read_what_was_logged, NULL);
	struct bc_task task = { .run = log_twice };

	(void)state;
	assert_non_null(timer);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, log_ends), 0);
	bc_log_to_fd(log_ends[0]);
	bc_loop_post(loop, &task);
	bc_timer_start(timer, 20);
	bc_loop_run(loop);
	assert_string_equal(story, "read");
	bc_log_to_fd(STDERR_FILENO);
	close(log_ends[0]);
	close(log_ends[1]);
	bc_timer_destroy(timer);
}

static void nothing_logged_waits_when_a_loop_has_stopped(void **state)
{
	struct bc_task task = { .run = log_twice }, stop = { .run = run_stop };
	char text[256];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, log_ends), 0);
	bc_log_to_fd(log_ends[0]);
	bc_loop_post(loop, &stop);
	bc_loop_post(loop, &task);
	bc_loop_run(loop);
	assert_true(recv(log_ends[1], text, sizeof(text), MSG_DONTWAIT) > 0);
	bc_log_info("three");
	assert_true(recv(log_ends[1], text, sizeof(text), MSG_DONTWAIT) > 0);
	bc_log_to_fd(STDERR_FILENO);
	close(log_ends[0]);
	close(log_ends[1]);
}

/* --- threads --------------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 5000 };

struct counted {
	struct bc_task task;
	int number;
};

static int tasks_run;
static int last_number[POSTERS]; /* each thread's tasks must run in its own order */
static int out_of_order;

static void run_counted(struct bc_task *task)
{
	struct counted *c = BC_CONTAINER(task, struct counted, task);
	int poster = c->number / POSTS;

	if (c->number != last_number[poster]++)
		out_of_order++;
	free(c);
	if (++tasks_run == POSTERS * POSTS)
		bc_loop_stop(loop);
}

static void *post_many(void *arg)
{
	int first = *(int *)arg * POSTS;

	for (int i = 0; i < POSTS; i++) {
		struct counted *c = calloc(1, sizeof(*c));
		c->task.run = run_counted;
		c->number = first + i;
		bc_loop_post(loop, &c->task);
	}
	return NULL;
}

static void no_task_of_many_threads_is_lost(void **state)
{
	pthread_t threads[POSTERS];
	int numbers[POSTERS];

	(void)state;
	tasks_run = out_of_order = 0;
	for (int i = 0; i < POSTERS; i++) {
		numbers[i] = i;
		last_number[i] = i * POSTS;
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &numbers[i]), 0);
	}
	bc_loop_run(loop);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tasks_run, POSTERS * POSTS);
	assert_int_equal(out_of_order, 0);
}

static void an_idle_loop_runs_until_it_is_stopped(void **state)
{
	struct bc_loop_thread *thread;
	struct bc_loop *idle;
	char long_name[] = "a-name-that-is-too-long-for-the-kernel";

	(void)state;
	assert_int_equal(bc_loop_create(&idle, NULL), 0);
	assert_int_equal(bc_loop_thread_start(idle, long_name, &thread, NULL), 0);
	bc_loop_thread_join(thread);
	bc_loop_thread_join(NULL);
	bc_loop_destroy(idle);
}

struct ticker {
	struct bc_timer *timer;
	int ticks;
	int wanted;
};

static void tick(void *ctx)
{
	struct ticker *t = ctx;

	if (++t->ticks < t->wanted) {
		bc_timer_start(t->timer, 1);
		return;
	}
	bc_timer_destroy(t->timer);
	bc_loop_stop(loop);
}

static void a_timer_restarts_and_dies_inside_its_own_fire(void **state)
{
	struct ticker t = { .wanted = 3 };

	(void)state;
	t.timer = bc_timer_create(loop, tick, &t);
	assert_non_null(t.timer);
	bc_timer_start(t.timer, 0);
	bc_loop_run(loop);
	assert_int_equal(t.ticks, 3);
}

static void fire_tells(void *ctx)
{
	tell(ctx);
}

static void fire_stops(void *ctx)
{
	tell(ctx);
	bc_loop_stop(loop);
}

static void timers_fire_by_their_time_and_not_when_stopped(void **state)
{
	struct bc_timer *one = bc_timer_create(loop, fire_tells, "1");
	struct bc_timer *two = bc_timer_create(loop, fire_tells, "2");
	struct bc_timer *end = bc_timer_create(loop, fire_stops, "e");

	(void)state;
	bc_timer_start(two, 8);
	bc_timer_start(one, 2);
	bc_timer_start(end, 30);
	bc_timer_stop(two);
	bc_loop_run(loop);
	assert_string_equal(story, "1e");
	bc_timer_destroy(one);
	bc_timer_destroy(two);
	bc_timer_destroy(end);
	bc_timer_destroy(NULL);
}

/* --- inside somebody else's loop -------------------------------------------------------------- */

struct watched {
	struct bc_task task;
	uv_poll_t poll;
	int fds[2];
	int seen;
};

static void pipe_is_readable(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	char byte;

	assert_int_equal(status, 0);
	assert_int_equal(events, UV_READABLE);
	assert_int_equal(read(w->fds[0], &byte, 1), 1);
	w->seen++;
}

static void begin_to_watch(struct bc_task *task)
{
	struct watched *w = BC_CONTAINER(task, struct watched, task);

	w->poll.data = w;
	assert_int_equal(uv_poll_init(bc_loop_uv(loop), &w->poll, w->fds[0]), 0);
	assert_int_equal(uv_poll_start(&w->poll, UV_READABLE, pipe_is_readable), 0);
	bc_loop_watches_more(loop);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void what_a_turn_begins_to_watch_wakes_whoever_waits_for_the_loop(void **state)
{
	struct watched w = { .task.run = begin_to_watch };

	(void)state;
	assert_int_equal(pipe(w.fds), 0);
	assert_int_equal(bc_loop_timeout_ms(loop), 0); /* its own wake-up is not watched yet */
	bc_loop_turn(loop);
	assert_int_equal(bc_loop_timeout_ms(loop), -1);
	bc_loop_post(loop, &w.task);
	assert_true(is_readable(bc_loop_fd(loop)));
	bc_loop_turn(loop);
	assert_false(is_readable(bc_loop_fd(loop)));
	assert_int_equal(bc_loop_timeout_ms(loop), -1);
	assert_int_equal(write(w.fds[1], "x", 1), 1);
	assert_true(is_readable(bc_loop_fd(loop)));
	bc_loop_turn(loop);
	assert_int_equal(w.seen, 1);
	uv_close((uv_handle_t *)&w.poll, NULL);
	assert_int_equal(bc_loop_timeout_ms(loop), 0);
	bc_loop_turn(loop);
	close(w.fds[0]);
	close(w.fds[1]);
}

static void a_timer_is_the_time_that_whoever_waits_may_wait(void **state)
{
	struct bc_timer *timer = bc_timer_create(loop, fire_tells, "t");

	(void)state;
	assert_non_null(timer);
	bc_loop_turn(loop);
	bc_timer_start(timer, 60000);
	assert_in_range(bc_loop_timeout_ms(loop), 50000, 60000);
	bc_timer_destroy(timer);
	bc_loop_turn(loop);
}

static void a_uv_status_becomes_a_code_and_a_sentence(void **state)
{
	struct bc_err err = { 0 };

	(void)state;
	assert_int_equal(bc_uv_fail(&err, UV_EADDRINUSE, "cannot listen on \"%s\"", "x:1"),
			 BC_EBUSY);
	assert_int_equal(err.code, BC_EBUSY);
	assert_string_equal(err.text, "cannot listen on \"x:1\": address already in use");
	assert_int_equal(bc_uv_fail(NULL, UV_EPROTO, "cannot talk"), BC_EIO);
}

static bool make_and_destroy(void *ctx)
{
	struct bc_loop *made = NULL;
	struct bc_timer *timer = NULL;
	struct bc_loop_thread *thread = NULL;
	bool done;

	(void)ctx;
	if (bc_loop_create(&made, NULL) != 0)
		return false;
	timer = bc_timer_create(made, fire_tells, "");
	done = timer && bc_loop_thread_start(made, "t", &thread, NULL) == 0;
	bc_loop_thread_join(thread);
	bc_timer_destroy(timer);
	bc_loop_destroy(made);
	return done;
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(make_and_destroy, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tasks_run_later_and_in_the_order_posted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_list_is_posted_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(what_follows_a_stop_in_the_queue_still_runs, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_is_posted_during_the_stop_runs_in_the_last_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(a_loop_runs_again_after_a_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(destroy_runs_what_is_still_posted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_task_that_posts_itself_runs_once_a_turn, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_task_at_a_turns_end_may_add_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_a_turn_logs_leaves_in_one_write_at_its_end,
						setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_logged_waits_when_a_loop_has_stopped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_task_of_many_threads_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_loop_runs_until_it_is_stopped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_timer_restarts_and_dies_inside_its_own_fire,
						setup, teardown),
		cmocka_unit_test_setup_teardown(timers_fire_by_their_time_and_not_when_stopped,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_turn_begins_to_watch_wakes_whoever_waits_for_the_loop, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_timer_is_the_time_that_whoever_waits_may_wait,
						setup, teardown),
		cmocka_unit_test(a_uv_status_becomes_a_code_and_a_sentence),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
