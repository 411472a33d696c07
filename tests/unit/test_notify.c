/* SPDX-License-Identifier: MIT */
/* What the service manager hears: a fake one listens, threads are made to hang. */
#include "daemon/notify.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "failing_malloc.h"

enum { WATCHDOG_MS = 40, ROUND_MS = WATCHDOG_MS / 2, PATIENCE_MS = 10 * 1000 };

static struct bc_loop *loop, *delivery_loop;
static struct bc_loop_thread *delivery_thread;
static struct bc_store *store;
static char folder[] = "/tmp/bc-notify-XXXXXX";
static char path[sizeof(folder) + 16];
static char abstract_name[sizeof(folder) + 16];
static int manager = -1; /* the fake one's socket */
static char heard[1024]; /* all but pings, each ended by "|" */
static unsigned pings;

/* --- the fake manager ------------------------------------------------------------------------ */

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/notify", folder);
	snprintf(abstract_name, sizeof(abstract_name), "@%s", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void manager_listen(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
}

static void manager_hear(void)
{
	char text[256];
	ssize_t n;

	while ((n = recv(manager, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		if (strcmp(text, "WATCHDOG=1") == 0) {
			pings++;
			continue;
		}
		strncat(heard, text, sizeof(heard) - strlen(heard) - 1);
		strncat(heard, "|", sizeof(heard) - strlen(heard) - 1);
	}
	assert_int_equal(errno, EAGAIN);
}

/* --- the daemon's parts ---------------------------------------------------------------------- */

static int setup(void **state)
{
	const struct bc_store_options options = {
		.url = "memory:", .clock = &bc_clock_system, .queue_max = 2
	};
	(void)state;
	heard[0] = '\0';
	pings = 0;
	return bc_loop_create(&loop, NULL) || bc_loop_create(&delivery_loop, NULL) ||
	       bc_loop_thread_start(delivery_loop, "delivery", &delivery_thread, NULL) ||
	       bc_store_open(&options, &store, NULL);
}

static int teardown(void **state)
{
	(void)state;
	bc_loop_thread_join(delivery_thread);
	bc_store_close(store);
	bc_loop_destroy(delivery_loop);
	bc_loop_destroy(loop);
	if (manager >= 0)
		close(manager);
	manager = -1;
	unlink(path);
	return 0;
}

static struct bc_notify *notify_of(const char *name, uint64_t watchdog_ms)
{
	struct bc_notify_options options = { name, watchdog_ms, delivery_loop, store };
	struct bc_notify *n = NULL;

	assert_int_equal(bc_notify_create(loop, &options, &n, NULL), 0);
	return n;
}

static void stop_loop(void *ctx)
{
	(void)ctx;
	bc_loop_stop(loop);
}

/* The loop runs for so many of the watchdog's rounds. */
static void run_rounds(unsigned rounds)
{
	struct bc_timer *timer = bc_timer_create(loop, stop_loop, NULL);

	assert_non_null(timer);
	for (; rounds; rounds--) {
		bc_timer_start(timer, ROUND_MS);
		bc_loop_run(loop);
	}
	bc_timer_destroy(timer);
	manager_hear();
}

static void run_until_pinged(unsigned wanted)
{
	for (unsigned round = 0; pings < wanted && round < PATIENCE_MS / ROUND_MS; round++)
		run_rounds(1);
	assert_true(pings >= wanted);
}

/* --- messages -------------------------------------------------------------------------------- */

static void without_a_socket_every_call_does_nothing(void **state)
{
	struct bc_notify *nobody[] = { NULL, notify_of(NULL, WATCHDOG_MS), notify_of("", 0) };

	(void)state;
	manager_listen(path);
	for (size_t i = 0; i < BC_COUNT(nobody); i++) {
		bc_notify_ready(nobody[i]);
		bc_notify_reloading(nobody[i]);
		run_rounds(3);
		bc_notify_stopping(nobody[i]);
		bc_notify_destroy(nobody[i]);
	}
	assert_string_equal(heard, "");
	assert_int_equal(pings, 0);
}

static void a_whole_life_is_told_in_its_order(const char *name)
{
	unsigned long long reload_usec = 0;
	char rest[64] = "";

	manager_listen(name);
	struct bc_notify *n = notify_of(name, 0);
	manager_hear();
	assert_string_equal(heard, "");
	bc_notify_ready(n);
	bc_notify_reloading(n);
	bc_notify_ready(n);
	bc_notify_stopping(n);
	bc_notify_stopping(n);
	bc_notify_destroy(n);
	manager_hear();
	assert_int_equal(
		sscanf(heard, "READY=1|RELOADING=1\nMONOTONIC_USEC=%llu|%63s", &reload_usec, rest),
		2);
	assert_true(reload_usec > 0);
	assert_string_equal(rest, "READY=1|STOPPING=1|");
}

static void a_socket_with_a_path_hears_a_whole_life_in_its_order(void **state)
{
	(void)state;
	a_whole_life_is_told_in_its_order(path);
}

static void an_abstract_socket_hears_a_whole_life_in_its_order(void **state)
{
	(void)state;
	a_whole_life_is_told_in_its_order(abstract_name);
}

static void what_is_no_name_of_a_socket_is_refused_with_a_hint(void **state)
{
	char too_long[128] = "/";
	const char *const bad[] = { "notify", "/", "@", "vsock:2:1234", too_long };

	(void)state;
	memset(too_long + 1, 'x', 107);
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		struct bc_notify_options options = { bad[i], 0, delivery_loop, store };
		struct bc_notify *n = NULL;
		struct bc_err err = { 0 };
		assert_int_equal(bc_notify_create(loop, &options, &n, &err), BC_EINVAL);
		assert_null(n);
		assert_non_null(strstr(err.text, bad[i]));
		assert_string_equal(err.hint, "leave it to the service manager, or unset it");
	}
}

static void a_manager_that_is_gone_is_logged_and_stops_nothing(void **state)
{
	char line[512] = "";
	FILE *log = tmpfile();
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);

	(void)state;
	assert_non_null(log);
	bc_log_to_fd(fileno(log));
	bc_notify_ready(n);
	bc_notify_destroy(n);
	bc_log_to_fd(STDERR_FILENO);
	rewind(log);
	assert_non_null(fgets(line, sizeof(line), log));
	fclose(log);
	assert_non_null(strstr(line, "notify.failed"));
	assert_non_null(strstr(line, "READY=1"));
	assert_non_null(strstr(line, strerror(ENOENT)));
}

/* --- environment ----------------------------------------------------------------------------- */

static void the_watchdogs_time_is_read_when_it_is_meant_for_us(void **state)
{
	char us[16];
	snprintf(us, sizeof(us), "%d", (int)getpid());
	const struct {
		const char *usec, *pid;
		uint64_t expected_ms;
	} rows[] = {
		{ "90000000", us, 90000 },
		{ "90000000", NULL, 90000 },
		{ "90000000", "1", 0 },
		{ "90000000", "", 0 },
		{ "999", us, 0 },
		{ NULL, us, 0 },
		{ "", us, 0 },
		{ "-1", us, 0 },
		{ "90s", us, 0 },
		{ "99999999999999999999", us, 0 },
	};

	(void)state;
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_notify_options options = { 0 };
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (rows[i].usec)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		bc_notify_read_environment(&options);
		assert_string_equal(options.socket, "/run/notify");
		assert_int_equal(options.watchdog_ms, rows[i].expected_ms);
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* --- watchdog -------------------------------------------------------------------------------- */

static void pings_come_from_ready_to_stopping_and_only_then(void **state)
{
	(void)state;
	manager_listen(path);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	run_rounds(3);
	assert_int_equal(pings, 0);
	bc_notify_ready(n);
	run_until_pinged(3);
	bc_notify_stopping(n);
	manager_hear();
	unsigned before = pings;
	run_rounds(3);
	assert_int_equal(pings, before);
	bc_notify_destroy(n);
	manager_hear();
	assert_int_equal(pings, before);
	assert_string_equal(heard, "READY=1|STOPPING=1|");
}

static void being_told_ready_again_and_again_puts_no_ping_off(void **state)
{
	struct bc_timer *timer = bc_timer_create(loop, stop_loop, NULL);

	(void)state;
	assert_non_null(timer);
	manager_listen(path);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	for (unsigned i = 0; !pings && i < PATIENCE_MS; i++) {
		bc_notify_ready(n);
		bc_timer_start(timer, 1);
		bc_loop_run(loop);
		manager_hear();
	}
	assert_true(pings > 0);
	bc_timer_destroy(timer);
	bc_notify_destroy(n);
}

/* A thread that waits for the test, on whichever side the hook is put. */
struct hang {
	struct bc_task task;
	struct bc_store_origin origin;
	struct bc_store_op op;
	sem_t begun, over;
};

static void hang_here(struct hang *h)
{
	sem_post(&h->begun);
	while (sem_wait(&h->over) != 0)
		assert_int_equal(errno, EINTR);
}

static void hang_in_task(struct bc_task *task)
{
	hang_here(BC_CONTAINER(task, struct hang, task));
}

static void hang_in_post(struct bc_store_origin *origin, struct bc_store_op *ops)
{
	(void)ops;
	hang_here(BC_CONTAINER(origin, struct hang, origin));
}

static void ignore_posted(struct bc_store_origin *origin, struct bc_store_op *ops)
{
	(void)origin;
	(void)ops;
}

static void hang_begin(struct hang *h)
{
	sem_init(&h->begun, 0, 0);
	sem_init(&h->over, 0, 0);
	h->task.run = hang_in_task;
	h->origin.post = hang_in_post;
	h->op.kind = BC_STORE_COUNTS;
}

static void hang_end(struct hang *h)
{
	sem_destroy(&h->begun);
	sem_destroy(&h->over);
}

/* What is said of either thread: silence while it hangs, pings again after. */
static void no_ping_until_it_is_over(struct hang *h, struct bc_notify *n)
{
	sem_wait(&h->begun);
	bc_notify_ready(n);
	run_rounds(5);
	assert_int_equal(pings, 0);
	sem_post(&h->over);
	run_until_pinged(2);
	bc_notify_destroy(n);
	hang_end(h);
}

static void no_ping_leaves_while_the_delivery_loop_hangs(void **state)
{
	struct hang h = { 0 };

	(void)state;
	manager_listen(path);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	hang_begin(&h);
	bc_loop_post(delivery_loop, &h.task);
	no_ping_until_it_is_over(&h, n);
}

static void no_ping_leaves_while_the_stores_thread_hangs(void **state)
{
	struct hang h = { 0 };

	(void)state;
	manager_listen(path);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	hang_begin(&h);
	bc_store_submit(store, &h.origin, &h.op);
	no_ping_until_it_is_over(&h, n);
}

static void a_full_queues_refusal_is_no_sign_of_life(void **state)
{
	struct bc_store_origin quiet = { .post = ignore_posted };
	struct bc_store_op waiting[2] = { { .kind = BC_STORE_COUNTS },
					  { .kind = BC_STORE_COUNTS } };
	struct hang h = { 0 };

	(void)state;
	manager_listen(path);
	hang_begin(&h);
	bc_store_submit(store, &h.origin, &h.op);
	sem_wait(&h.begun);
	for (size_t i = 0; i < BC_COUNT(waiting); i++)
		bc_store_submit(store, &quiet, &waiting[i]);
	sem_post(&h.begun);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	no_ping_until_it_is_over(&h, n);
}

static void without_a_delivery_loop_the_store_alone_is_asked(void **state)
{
	struct bc_notify_options options = { path, WATCHDOG_MS, NULL, store };
	struct bc_notify *n = NULL;

	(void)state;
	manager_listen(path);
	assert_int_equal(bc_notify_create(loop, &options, &n, NULL), 0);
	bc_notify_ready(n);
	run_until_pinged(2);
	bc_notify_destroy(n);
}

static void an_end_amid_a_round_waits_for_it(void **state)
{
	struct hang h = { 0 };

	(void)state;
	manager_listen(path);
	struct bc_notify *n = notify_of(path, WATCHDOG_MS);
	hang_begin(&h);
	bc_loop_post(delivery_loop, &h.task);
	bc_notify_ready(n);
	run_rounds(3);
	sem_post(&h.over);
	bc_notify_destroy(n);
	manager_hear();
	assert_int_equal(pings, 0);
	hang_end(&h);
}

static bool make_and_destroy(void *ctx)
{
	struct bc_notify_options options = { path, WATCHDOG_MS, NULL, store };
	struct bc_notify *n = NULL;

	(void)ctx;
	int result = bc_notify_create(loop, &options, &n, NULL);
	assert_true(result == 0 || result == BC_ENOMEM);
	bc_notify_destroy(n);
	return result == 0;
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(make_and_destroy, NULL);
}

#define WITH_PARTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PARTS(without_a_socket_every_call_does_nothing),
		WITH_PARTS(a_socket_with_a_path_hears_a_whole_life_in_its_order),
		WITH_PARTS(an_abstract_socket_hears_a_whole_life_in_its_order),
		WITH_PARTS(what_is_no_name_of_a_socket_is_refused_with_a_hint),
		WITH_PARTS(a_manager_that_is_gone_is_logged_and_stops_nothing),
		cmocka_unit_test(the_watchdogs_time_is_read_when_it_is_meant_for_us),
		WITH_PARTS(pings_come_from_ready_to_stopping_and_only_then),
		WITH_PARTS(being_told_ready_again_and_again_puts_no_ping_off),
		WITH_PARTS(no_ping_leaves_while_the_delivery_loop_hangs),
		WITH_PARTS(no_ping_leaves_while_the_stores_thread_hangs),
		WITH_PARTS(a_full_queues_refusal_is_no_sign_of_life),
		WITH_PARTS(without_a_delivery_loop_the_store_alone_is_asked),
		WITH_PARTS(an_end_amid_a_round_waits_for_it),
		WITH_PARTS(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
