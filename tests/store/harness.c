/* SPDX-License-Identifier: MIT */
/* See harness.h. */
#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "store/fault_impl.h"
#include "store/memory_impl.h"
#include "store/sqlite_impl.h"

const char *rig_engine = "memory";
bool rig_wrapped;

/* --- completions --------------------------------------------------------------------------- */

static void mailbox_post(struct bc_store_origin *origin, struct bc_store_op *ops)
{
	struct mailbox *box = BC_CONTAINER(origin, struct mailbox, base);
	pthread_mutex_lock(&box->lock);
	*box->last = ops;
	while (*box->last)
		box->last = &(*box->last)->next;
	box->posts++;
	pthread_cond_signal(&box->arrived);
	pthread_mutex_unlock(&box->lock);
}

void mailbox_init(struct mailbox *box)
{
	*box = (struct mailbox){ .base.post = mailbox_post };
	box->last = &box->first;
	pthread_mutex_init(&box->lock, NULL);
	pthread_cond_init(&box->arrived, NULL);
}

void mailbox_finish(struct mailbox *box)
{
	assert_null(box->first);
	pthread_cond_destroy(&box->arrived);
	pthread_mutex_destroy(&box->lock);
}

unsigned mailbox_serve(struct mailbox *box)
{
	unsigned n = 0;
	pthread_mutex_lock(&box->lock);
	while (!box->first)
		pthread_cond_wait(&box->arrived, &box->lock);
	struct bc_store_op *ops = box->first;
	box->first = NULL;
	box->last = &box->first;
	pthread_mutex_unlock(&box->lock);
	for (const struct bc_store_op *op = ops; op; op = op->next)
		n++;
	bc_store_complete(ops);
	return n;
}

uint64_t mailbox_posts(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	uint64_t posts = box->posts;
	pthread_mutex_unlock(&box->lock);
	return posts;
}

/* --- the rig ------------------------------------------------------------------------------- */

static bool keeps_rows(void)
{
	return strcmp(rig_engine, "memory") != 0;
}

static const struct bare {
	const struct bc_engine *engine;
	const struct bc_rule_rows *rows;
} * bare(void)
{
	static const struct bare memory = { &bc_engine_memory, &mem_rows };
	static const struct bare sqlite = { &bc_engine_sqlite, &sq_rows };
	return keeps_rows() ? &sqlite : &memory;
}

static void open_bare(struct rig *r)
{
	struct bc_err err = { 0 };
	const char *rest;
	const struct bc_engine *engine = bc_engine_find(r->url, &rest);
	void **handle = rig_wrapped ? &r->wrapper : &r->bare;
	if (engine->open(rest, &bc_clock_system, handle, &err))
		fail_msg("%s", err.text);
	if (rig_wrapped)
		assert_ptr_equal(bc_fault_inner(r->wrapper, &r->bare), bare()->engine);
}

static void close_bare(struct rig *r)
{
	if (r->wrapper)
		bc_engine_faults.close(r->wrapper);
	else if (r->bare)
		bare()->engine->close(r->bare);
}

void rig_open(struct rig *r)
{
	struct bc_err err = { 0 };
	const struct bc_store_options options = { .url = r->url, .clock = &bc_clock_system };
	if (bc_store_open(&options, &r->store, &err))
		fail_msg("%s", err.text);
}

bool rig_reopen(struct rig *r)
{
	bc_store_close(r->store);
	rig_open(r);
	if (!keeps_rows())
		assert_counts(r, "");
	return keeps_rows();
}

static struct rig *rig_create(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	const char *wrap = rig_wrapped ? "fault::" : "";
	if (keeps_rows()) {
		snprintf(r->folder, sizeof(r->folder), "/tmp/bc-store-XXXXXX");
		assert_non_null(mkdtemp(r->folder));
		snprintf(r->url, sizeof(r->url), "%s%s:%s/test.db", wrap, rig_engine, r->folder);
	} else {
		snprintf(r->url, sizeof(r->url), "%s%s:", wrap, rig_engine);
	}
	mailbox_init(&r->box);
	r->arena = bc_arena_create(64 * 1024, 256 * 1024 * 1024);
	assert_non_null(r->arena);
	return r;
}

int rig_setup(void **state)
{
	*state = rig_create();
	rig_open(*state);
	return 0;
}

int rig_setup_bare(void **state)
{
	*state = rig_create();
	open_bare(*state);
	return 0;
}

static void remove_folder(const char *folder)
{
	char path[384];
	struct dirent *entry;
	DIR *dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(folder);
}

int rig_teardown(void **state)
{
	struct rig *r = *state;
	close_bare(r);
	bc_store_close(r->store);
	mailbox_finish(&r->box);
	bc_arena_destroy(r->arena);
	if (r->folder[0])
		remove_folder(r->folder);
	free(r);
	return 0;
}

int run_each_engine(const struct CMUnitTest *tests, size_t n)
{
	static const struct {
		const char *name, *engine;
		bool wrapped;
	} engines[] = {
		{ "memory", "memory", false },
		{ "sqlite", "sqlite", false },
		{ "memory in fault", "memory", true },
		{ "sqlite in fault", "sqlite", true },
	};
	int failed = 0;
	for (size_t i = 0; i < BC_COUNT(engines); i++) {
		rig_engine = engines[i].engine;
		rig_wrapped = engines[i].wrapped;
		failed += _cmocka_run_group_tests(engines[i].name, tests, n, NULL, NULL);
	}
	return failed;
}

static void mark_done(struct bc_store_op *op)
{
	*(bool *)op->ctx = true;
}

static int run_bare(struct rig *r, struct bc_store_op *op)
{
	const struct bc_engine *engine = rig_wrapped ? &bc_engine_faults : bare()->engine;
	void *handle = rig_wrapped ? r->wrapper : r->bare;
	struct bc_engine_fault fault = { 0 };
	assert_int_equal(engine->begin(handle, &fault), 0);
	assert_int_equal(engine->apply(handle, op, &fault), 0);
	assert_int_equal(engine->commit(handle, &fault), 0);
	return op->result;
}

int rig_run(struct rig *r, struct bc_store_op *op)
{
	bool done = false;
	if (r->bare)
		return run_bare(r, op);
	op->ctx = &done;
	op->done = mark_done;
	bc_store_submit(r->store, &r->box.base, op);
	while (!done)
		mailbox_serve(&r->box);
	return op->result;
}

struct bc_store_op *rig_op(struct rig *r, enum bc_store_kind kind)
{
	struct bc_store_op *op = bc_arena_alloc(r->arena, sizeof(*op));
	assert_non_null(op);
	op->kind = kind;
	op->arena = r->arena;
	return op;
}

/* --- operations ---------------------------------------------------------------------------- */

void fill_hash(uint8_t *hash, const char *text)
{
	memset(hash, 0, BC_HASH_BYTES);
	memcpy(hash, text, strnlen(text, BC_HASH_BYTES));
}

struct bc_store_op *put_click(struct rig *r, struct click click)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	struct bc_click *c = &op->in.put_click.click;
	fill_hash(c->id, click.id);
	c->has_session = click.session != NULL;
	if (click.session)
		fill_hash(c->session, click.session);
	c->token = bc_str_of(click.token);
	fill_hash(c->token_hash, click.token);
	c->partner = BC_STR("partner");
	c->product = bc_str_of(click.product);
	c->captured_ms = click.at;
	c->expires_ms = click.at + (click.ttl ? click.ttl : 1000);
	op->in.put_click.adopt_after_ms = click.adopt_after;
	op->in.put_click.due_ms = click.at;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

const struct bc_click *stored_click(struct rig *r, const char *id)
{
	uint8_t hash[BC_CLICK_ID_BYTES];
	struct bc_click *click = bc_arena_alloc(r->arena, sizeof(*click));
	assert_non_null(click);
	fill_hash(hash, id);
	int found = bare()->rows->find_click(r->bare, hash, r->arena, click);
	assert_true(found >= 0);
	return found ? click : NULL;
}

struct bc_store_op *report(struct rig *r, struct report report)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	struct bc_accept *a = &op->in.accept;
	a->order = bc_str_of(report.order);
	a->partner = BC_STR("partner");
	a->product = bc_str_of(report.product ? report.product : "default");
	a->token = bc_str_of(report.token);
	if (report.token)
		fill_hash(a->token_hash, report.token);
	a->has_click = report.click != NULL;
	if (report.click)
		fill_hash(a->click, report.click);
	a->has_session = report.session != NULL;
	if (report.session)
		fill_hash(a->session, report.session);
	a->has_previous = report.old_token || report.old_session;
	fill_hash(a->token_hash_previous, report.old_token ? report.old_token : "");
	fill_hash(a->session_previous, report.old_session ? report.old_session : "");
	a->now_ms = a->due_ms = report.at;
	a->deadline_ms = report.deadline;
	if (rig_run(r, op))
		fail_msg("%s", op->err.text);
	return op;
}

struct bc_order *convert(struct rig *r, const char *order, uint64_t at)
{
	char token[64];
	snprintf(token, sizeof(token), "token-%s", order);
	/* Hashes are the first 16 bytes: the order's name must not be cut. */
	assert_true(strlen(token) <= BC_HASH_BYTES);
	struct bc_store_op *op = report(r, (struct report){ order, .token = token, .at = at });
	assert_int_equal(op->out.accept.order.state, BC_ORDER_PENDING);
	return &op->out.accept.order;
}

struct bc_store_op *lease(struct rig *r, uint64_t at, uint32_t limit)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LEASE);
	op->in.lease.now_ms = at;
	op->in.lease.lease_ms = at + 90;
	op->in.lease.limit = limit;
	op->in.lease.partner = BC_STR("partner");
	op->in.lease.product = BC_STR("default");
	op->in.lease.key_fingerprint = BC_STR("0a1b2c3d");
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

struct bc_store_op *lease_only(struct rig *r, const char *order, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LEASE);
	op->in.lease.now_ms = at;
	op->in.lease.lease_ms = at + 90;
	op->in.lease.only_order = bc_str_of(order);
	op->in.lease.key_fingerprint = BC_STR("0a1b2c3d");
	(void)rig_run(r, op);
	return op;
}

int finish(struct rig *r, struct end end)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_FINISH);
	op->in.finish.order = bc_str_of(end.order);
	op->in.finish.n = end.n;
	op->in.finish.next = end.next;
	op->in.finish.now_ms = end.at;
	op->in.finish.due_ms = end.due;
	op->in.finish.reason = bc_str_of(end.reason);
	op->in.finish.clear_token = end.clear_token;
	op->in.finish.count_failure = end.next == BC_ORDER_PENDING;
	op->in.finish.status = end.next == BC_ORDER_DELIVERED ? 200 : 503;
	op->in.finish.outcome = end.next == BC_ORDER_DELIVERED ? 1 : 2;
	op->in.finish.duration_ms = 7;
	op->in.finish.error =
		end.next == BC_ORDER_DELIVERED ? (struct bc_str){ 0 } : BC_STR("not now");
	return rig_run(r, op);
}

int cancel(struct rig *r, const char *order, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_CANCEL);
	op->in.cancel.order = bc_str_of(order);
	op->in.cancel.reason = BC_STR("asked for");
	op->in.cancel.now_ms = at;
	return rig_run(r, op);
}

struct bc_store_op *requeue(struct rig *r, const char *order, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.order = bc_str_of(order);
	op->in.requeue.now_ms = at;
	op->in.requeue.deadline_ms = at + 500;
	(void)rig_run(r, op);
	return op;
}

void bring_to(struct rig *r, const char *order, enum bc_order_state state, uint64_t at)
{
	if (state == BC_ORDER_PENDING)
		return;
	if (state == BC_ORDER_CANCELLED) {
		assert_int_equal(cancel(r, order, at), 0);
		return;
	}
	struct bc_store_op *op = lease_only(r, order, at);
	assert_int_equal(op->out.lease.count, 1);
	if (state == BC_ORDER_SENDING)
		return;
	uint32_t n = op->out.lease.orders[0].attempts;
	assert_int_equal(finish(r, (struct end){ order, n, state, at, .reason = "so it is" }), 0);
}

struct bc_store_op *story(struct rig *r, const char *order)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_GET_ORDER);
	op->in.get_order.order = bc_str_of(order);
	(void)rig_run(r, op);
	return op;
}

struct bc_order *get(struct rig *r, const char *order)
{
	struct bc_store_op *op = story(r, order);
	if (op->result == BC_ENOENT)
		return NULL;
	assert_int_equal(op->result, 0);
	return &op->out.story.order;
}

enum bc_order_state state_of(struct rig *r, const char *order)
{
	struct bc_order *o = get(r, order);
	assert_non_null(o);
	return o->state;
}

struct bc_store_op *list(struct rig *r, struct bc_order_selector select)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LIST_ORDERS);
	op->in.list.select = select;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

struct bc_store_counts counts(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_COUNTS);
	assert_int_equal(rig_run(r, op), 0);
	return op->out.counts;
}

/* --- assertions ---------------------------------------------------------------------------- */

void assert_counts(struct rig *r, const char *expected)
{
	char text[256] = "";
	size_t at = 0;
	struct bc_store_counts c = counts(r);
	for (int i = 0; i < BC_ORDER_STATES; i++) {
		if (c.orders[i])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s=%llu ",
					       bc_order_state_name((enum bc_order_state)i),
					       (unsigned long long)c.orders[i]);
	}
	if (c.clicks)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "clicks=%llu ",
				       (unsigned long long)c.clicks);
	if (at)
		text[at - 1] = '\0';
	assert_string_equal(text, expected);
}

void assert_text(struct bc_str text, const char *expected)
{
	char copy[512];
	if (!expected) {
		assert_null(text.ptr);
		return;
	}
	assert_non_null(text.ptr);
	assert_true(text.len < sizeof(copy));
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	assert_string_equal(copy, expected);
}
