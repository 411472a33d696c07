/* SPDX-License-Identifier: MIT */
/*
 * Acknowledged is durable: a child process says by pipe what was completed to it, is killed at a
 * random moment, and every row it named is there when the store is opened again. Rows that were not
 * named may be there too; the counts and the returns must be those of the rows. Of a page all is
 * there, its position too, or nothing.
 */
#include "pages.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, WINDOW = 64, NAME_BYTES = 32, ORDERS_MAX = 200000 };

/* --- the child ----------------------------------------------------------------------------- */

struct put {
	struct bc_store_op click, order;
	struct bc_arena *arena;
	char name[NAME_BYTES];
	int fd;
	unsigned *waiting;
};

static void order_done(struct bc_store_op *op)
{
	struct put *put = op->ctx;
	if (op->result || op->out.accept.order.state != BC_ORDER_PENDING ||
	    write(put->fd, put->name, NAME_BYTES) != NAME_BYTES)
		_exit(1);
	(*put->waiting)--;
	bc_arena_destroy(put->arena);
}

static void click_done(struct bc_store_op *op)
{
	if (op->result)
		_exit(1);
}

static void submit_put(struct rig *r, int fd, unsigned round, unsigned i, unsigned *waiting)
{
	struct bc_arena *arena = bc_arena_create(4096, 65536);
	struct put *put = bc_arena_alloc(arena, sizeof(*put));
	snprintf(put->name, NAME_BYTES, "%u-%u", round, i);
	put->arena = arena;
	put->fd = fd;
	put->waiting = waiting;
	put->click = (struct bc_store_op){ .kind = BC_STORE_PUT_CLICK, .done = click_done };
	struct bc_click *click = &put->click.in.put_click.click;
	fill_hash(click->id, put->name);
	fill_hash(click->token_hash, put->name);
	click->token = bc_str_of(put->name);
	click->expires_ms = 1000;
	put->order = (struct bc_store_op){
		.kind = BC_STORE_ACCEPT_ORDER, .done = order_done, .arena = arena, .ctx = put
	};
	put->order.in.accept.order = bc_str_of(put->name);
	put->order.in.accept.has_click = true;
	fill_hash(put->order.in.accept.click, put->name);
	(*waiting)++;
	bc_store_submit(r->store, &r->box.base, &put->click);
	bc_store_submit(r->store, &r->box.base, &put->order);
}

static void child(const char *url, int fd, unsigned round)
{
	struct rig r = { 0 };
	unsigned waiting = 0;
	mailbox_init(&r.box);
	snprintf(r.url, sizeof(r.url), "%s", url);
	const struct bc_store_options options = { .url = r.url, .clock = &bc_clock_system };
	if (bc_store_open(&options, &r.store, NULL))
		_exit(2);
	for (unsigned i = 0; i < ORDERS_MAX; i++) {
		submit_put(&r, fd, round, i, &waiting);
		while (waiting >= WINDOW)
			mailbox_serve(&r.box);
	}
	_exit(3);
}

/* --- the parent ---------------------------------------------------------------------------- */

struct names {
	char (*names)[NAME_BYTES];
	size_t count, room;
};

static void add_name(struct names *n, const char *name)
{
	if (n->count == n->room) {
		n->room = n->room ? 2 * n->room : 1024;
		n->names = realloc(n->names, n->room * NAME_BYTES);
		assert_non_null(n->names);
	}
	memcpy(n->names[n->count++], name, NAME_BYTES);
}

/* Reads names until the pipe is at its end. A name is written whole or not at all. */
static void read_names(int fd, struct names *n)
{
	char name[NAME_BYTES];
	ssize_t got;
	while ((got = read(fd, name, NAME_BYTES)) == NAME_BYTES)
		add_name(n, name);
	assert_int_equal(got, 0);
}

/* Kills the child after a random number of acknowledgements, which is a random moment of its work.
 */
static void run_and_kill(struct rig *r, unsigned round, struct names *n)
{
	int fds[2], status;
	char name[NAME_BYTES];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child(r->url, fds[1], round);
	}
	close(fds[1]);
	size_t until = n->count + 1 + (size_t)rand() % 3000;
	while (n->count < until && read(fds[0], name, NAME_BYTES) == NAME_BYTES)
		add_name(n, name);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	read_names(fds[0], n);
	close(fds[0]);
}

/* All orders of this test are of the first bucket, and pending. */
static uint64_t returns_pending(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_RETURNS);
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.returns.count, 1);
	return op->out.returns.products[0].orders[0][BC_ORDER_PENDING];
}

/* Clicks and orders that came, in the one bucket there is: the rows, as none was deleted. */
static void assert_tallied(struct rig *r, const struct bc_store_counts *c)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_HISTORY);
	op->in.history.step_ms = 5 * 60 * 1000;
	op->in.history.steps = 1;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.history.clicks[0], c->clicks);
	assert_int_equal(op->out.history.orders[0], c->orders[BC_ORDER_PENDING]);
}

static void every_acknowledged_row_survives_a_kill(void **state)
{
	struct rig *r = *state;
	struct names n = { 0 };
	size_t lost = 0;
	unsigned seed = (unsigned)time(NULL);
	srand(seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bc_store_close(r->store);
		r->store = NULL;
		run_and_kill(r, round, &n);
		rig_open(r);
		for (size_t i = 0; i < n.count; i++) {
			bc_arena_reset(r->arena);
			const struct bc_order *o = get(r, n.names[i]);
			lost += !o || o->state != BC_ORDER_PENDING || !o->token.ptr;
		}
		bc_arena_reset(r->arena);
		struct bc_store_counts c = counts(r);
		assert_true(c.orders[BC_ORDER_PENDING] >= n.count);
		assert_int_equal(returns_pending(r), c.orders[BC_ORDER_PENDING]);
		assert_true(c.clicks >= c.orders[BC_ORDER_PENDING]);
		assert_tallied(r, &c);
	}
	print_message("kill -9: %d rounds (seed %u), acknowledged %zu, lost %zu\n", ROUNDS, seed,
		      n.count, lost);
	assert_int_equal(lost, 0);
	free(n.names);
}

/* --- pages --------------------------------------------------------------------------------- */

enum { PAGE_ORDERS = 40, PAGES_AHEAD = 4 };

static struct bc_store_op *numbered_page(struct rig *r, unsigned i)
{
	struct news news[PAGE_ORDERS] = { 0 };
	for (unsigned k = 0; k < PAGE_ORDERS; k++) {
		news[k].order = bc_arena_printf(r->arena, "%u-%u", i, k);
		news[k].token = news[k].order;
		news[k].at = 1;
		/* every other order of the page before is taken back */
		if (i && k % 4 == 3) {
			news[k].order = bc_arena_printf(r->arena, "%u-%u", i - 1, k - 1);
			news[k].reason = "canceled in Commerce";
		}
	}
	return new_page(r, news, PAGE_ORDERS, bc_arena_printf(r->arena, "%u", i));
}

struct page_run {
	int fd;
	unsigned waiting;
};

static void page_done(struct bc_store_op *op)
{
	struct page_run *run = op->ctx;
	char name[NAME_BYTES] = "";
	memcpy(name, op->in.page.value.ptr, op->in.page.value.len);
	if (op->result || write(run->fd, name, NAME_BYTES) != NAME_BYTES)
		_exit(1);
	run->waiting--;
	bc_arena_destroy(op->arena);
}

static void page_child(const char *url, int fd, unsigned first)
{
	struct rig r = { 0 };
	struct page_run run = { fd, 0 };
	mailbox_init(&r.box);
	r.arena = bc_arena_create(1024 * 1024, SIZE_MAX / 2);
	const struct bc_store_options options = { .url = url, .clock = &bc_clock_system };
	if (bc_store_open(&options, &r.store, NULL))
		_exit(2);
	for (unsigned i = first; i < ORDERS_MAX; i++) {
		struct bc_store_op *op = numbered_page(&r, i);
		/* An arena has one user at a time: what the store fills while the next page is made
		 * goes into one of the page's own. */
		op->arena = bc_arena_create(16 * 1024, 1024 * 1024);
		op->done = page_done;
		op->ctx = &run;
		run.waiting++;
		bc_store_submit(r.store, &r.box.base, op);
		while (run.waiting >= PAGES_AHEAD)
			mailbox_serve(&r.box);
	}
	_exit(3);
}

/* Returns the number of the last page that was acknowledged, or of the one before first. */
static long page_run_and_kill(struct rig *r, unsigned first)
{
	int fds[2], status;
	char name[NAME_BYTES];
	long last = (long)first - 1;
	unsigned until = 1 + (unsigned)rand() % 60, n = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		page_child(r->url, fds[1], first);
	}
	close(fds[1]);
	while (read(fds[0], name, NAME_BYTES) == NAME_BYTES) {
		assert_int_equal(strtol(name, NULL, 10), last + 1);
		last++;
		if (++n == until)
			kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(fds[0]);
	return last;
}

static void a_page_survives_a_kill_whole_with_its_position_or_not_at_all(void **state)
{
	struct rig *r = *state;
	unsigned first = 0, beyond = 0;
	for (unsigned round = 0; round < 2 * ROUNDS; round++) {
		bc_store_close(r->store);
		r->store = NULL;
		long last = page_run_and_kill(r, first);
		rig_open(r);
		bc_arena_reset(r->arena);
		const char *at = position(r);
		long stored = at ? strtol(at, NULL, 10) : -1;
		assert_true(stored >= last);
		beyond += stored > last;
		first = (unsigned)(stored + 1);
		/* Of each page but the first a quarter takes back, and no page is half there. */
		struct bc_store_counts c = counts(r);
		uint64_t taken_back = first ? (uint64_t)(first - 1) * PAGE_ORDERS / 4 : 0;
		uint64_t orders = (uint64_t)first * PAGE_ORDERS - taken_back;
		assert_int_equal(c.orders[BC_ORDER_CANCELLED], taken_back);
		assert_int_equal(c.orders[BC_ORDER_PENDING], orders - taken_back);
	}
	print_message("kill -9: %u pages in %u rounds, %u times one more than was acknowledged\n",
		      first, 2 * ROUNDS, beyond);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_acknowledged_row_survives_a_kill),
		STORE_TEST(a_page_survives_a_kill_whole_with_its_position_or_not_at_all),
	};
	rig_engine = "sqlite";
	int failed = cmocka_run_group_tests_name("crash", tests, NULL, NULL);
	rig_wrapped = true;
	return failed + cmocka_run_group_tests_name("crash in fault", tests, NULL, NULL);
}
