/* SPDX-License-Identifier: MIT */
/*
 * A whole shop in one process for the tests of core and of the API: the memory engine behind a
 * wrapper that can refuse or stall an operation, a wall clock that the test turns, a sandbox for a
 * partner, delivery, upkeep and API, all on one loop. Durations are short by the shop's config;
 * tests wait for a condition.
 */
#ifndef BC_TESTS_SHOP_FIXTURE_H
#define BC_TESTS_SHOP_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>

#include "base/err.h"
#include "base/log.h"
#include "core/upkeep.h"
#include "daemon/api.h"
#include "net/http_client.h"
#include "sandbox/sandbox.h"
#include "store/engine.h"

enum { RIG_GUARD_MS = 20000, RIG_LOOK_MS = 1 };

/* --- a clock that the test turns --- */

static _Atomic int64_t wall_offset_ms, elapsed_offset_ms;

static inline uint64_t rig_wall_ms(const struct bc_clock *c)
{
	(void)c;
	return bc_wall_ms(&bc_clock_system) + (uint64_t)atomic_load(&wall_offset_ms);
}

static inline uint64_t rig_elapsed_ms(const struct bc_clock *c)
{
	(void)c;
	return bc_elapsed_ms(&bc_clock_system) + (uint64_t)atomic_load(&elapsed_offset_ms);
}

/* So long passes, by both clocks; timers that are set go on as they were. */
static inline void pass_time(int64_t ms)
{
	atomic_fetch_add(&wall_offset_ms, ms);
	atomic_fetch_add(&elapsed_offset_ms, ms);
}

static const struct bc_clock rig_clock = { rig_wall_ms, rig_elapsed_ms };

/* --- an engine that refuses and stalls --- */

static struct {
	struct bc_engine engine;
	atomic_int refuse_kind, refuse_left; /* so many operations of that kind are BC_ESTORE */
	atomic_bool refuse_writes;	     /* every transaction, as a full disk does */
	atomic_int stall_kind;		     /* -1 = none */
	atomic_bool stalled;		     /* one waits */
	atomic_uint seen[BC_STORE_KINDS];
	pthread_mutex_t lock;
	pthread_cond_t go_on;
} faulty = { .lock = PTHREAD_MUTEX_INITIALIZER, .go_on = PTHREAD_COND_INITIALIZER };

static inline int faulty_begin(void *engine, struct bc_engine_fault *fault)
{
	if (!atomic_load(&faulty.refuse_writes))
		return bc_engine_memory.begin(engine, fault);
	fault->reach = BC_REACH_WRITES;
	bc_err_hint(&fault->err, "free some");
	return bc_err_set(&fault->err, BC_ESTORE, "no space left");
}

static inline int faulty_apply(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	atomic_fetch_add(&faulty.seen[op->kind], 1);
	pthread_mutex_lock(&faulty.lock);
	while (atomic_load(&faulty.stall_kind) == (int)op->kind) {
		atomic_store(&faulty.stalled, true);
		pthread_cond_wait(&faulty.go_on, &faulty.lock);
	}
	pthread_mutex_unlock(&faulty.lock);
	if (atomic_load(&faulty.refuse_kind) == (int)op->kind &&
	    atomic_fetch_sub(&faulty.refuse_left, 1) > 0) {
		op->result = bc_err_set(&op->err, BC_ESTORE, "refused by the test");
		return 0;
	}
	return bc_engine_memory.apply(engine, op, fault);
}

static inline void stall(int kind)
{
	atomic_store(&faulty.stalled, false);
	atomic_store(&faulty.stall_kind, kind);
}

static inline void go_on(void)
{
	pthread_mutex_lock(&faulty.lock);
	atomic_store(&faulty.stall_kind, -1);
	pthread_cond_broadcast(&faulty.go_on);
	pthread_mutex_unlock(&faulty.lock);
}

static inline void refuse(enum bc_store_kind kind, int times)
{
	atomic_store(&faulty.refuse_left, times);
	atomic_store(&faulty.refuse_kind, (int)kind);
}

static inline void faulty_reset(void)
{
	faulty.engine = bc_engine_memory;
	faulty.engine.begin = faulty_begin;
	faulty.engine.apply = faulty_apply;
	atomic_store(&faulty.refuse_kind, -1);
	atomic_store(&faulty.refuse_writes, false);
	atomic_store(&faulty.stall_kind, -1);
	for (size_t i = 0; i < BC_STORE_KINDS; i++)
		atomic_store(&faulty.seen[i], 0);
}

/* --- the shop --- */

#define KEY_CANARY     "canary-api-key-1"
#define KEY_CANARY_TWO "canary-api-key-2"

static const char *const rig_params[] = { "sovReqToken", NULL };

struct rig {
	struct bc_loop *loop;
	struct bc_sandbox *sandbox;
	struct bc_http_client *client; /* to the sandbox's own routes */
	char base_url[160];
	struct bc_secret *keys[2], *hash_key;
	struct bc_product products[2];
	struct bc_shop_config config;
	struct bc_shop shop;
	struct bc_store *store;
	struct bc_delivery *delivery;
	struct bc_upkeep *upkeep;
	struct bc_api *api;
	unsigned parts;	       /* that have not stopped yet */
	struct bc_timer *look; /* one, so that waiting allocates nothing */
	bool failed;	       /* the condition did not come */
};

static struct rig rig;

static inline void rig_on_due(void *ctx)
{
	(void)ctx;
	if (rig.delivery)
		bc_delivery_wake(rig.delivery);
}

static inline void rig_on_final(void *ctx, struct bc_str order)
{
	(void)ctx;
	if (rig.api)
		bc_api_order_final(rig.api, order);
}

struct look {
	bool (*met)(void *ctx);
	void *ctx;
	uint64_t until_ms;
};
static struct look now;

static inline void look(void *ctx)
{
	(void)ctx;
	bool met = now.met(now.ctx);
	rig.failed = !met && bc_elapsed_ms(&rig_clock) > now.until_ms;
	if (met || rig.failed)
		bc_loop_stop(rig.loop);
	else
		bc_timer_start(rig.look, RIG_LOOK_MS);
}

/* Runs the loop until the condition is met, at most so long; whether it was. */
static inline bool run_until_within(bool (*met)(void *ctx), void *ctx, uint64_t ms)
{
	now = (struct look){ met, ctx, bc_elapsed_ms(&rig_clock) + ms };
	bc_timer_start(rig.look, 0);
	bc_loop_run(rig.loop);
	return !rig.failed;
}

static inline void run_until(bool (*met)(void *ctx), void *ctx)
{
	if (!run_until_within(met, ctx, RIG_GUARD_MS))
		fail_msg("what the test waits for did not come in %d ms", RIG_GUARD_MS);
}

static inline bool finish_seen(void *ctx)
{
	(void)ctx;
	return atomic_load(&faulty.seen[BC_STORE_FINISH]) > 0;
}

static inline bool is_set(void *ctx)
{
	return *(bool *)ctx;
}

static inline bool no_parts(void *ctx)
{
	(void)ctx;
	return rig.parts == 0;
}

static inline bool never(void *ctx)
{
	(void)ctx;
	return false;
}

/* Lets things happen for a while: for what must *not* happen. */
static inline void run_for(uint64_t ms)
{
	(void)run_until_within(never, NULL, ms);
}

static inline void part_over(void *ctx)
{
	(void)ctx;
	rig.parts--;
}

static inline void open_sandbox(const char *faults)
{
	struct bc_err err = { 0 };
	struct bc_sandbox_options options = { .listen = "127.0.0.1:0", .faults = faults };
	if (bc_sandbox_create(rig.loop, &options, &rig.sandbox, &err))
		fail_msg("%s", err.text);
	snprintf(rig.base_url, sizeof(rig.base_url), "http://%s/ext",
		 bc_sandbox_address(rig.sandbox));
}

static inline void default_config(void)
{
	static const char *const labels[] = { "default", "second" }, *const ids[] = { "P", "Q" };
	static const char *const keys[] = { KEY_CANARY, KEY_CANARY_TWO };
	for (size_t i = 0; i < 2; i++) {
		rig.keys[i] = bc_secret_create(keys[i], strlen(keys[i]));
		rig.products[i] = (struct bc_product){ .label = labels[i],
						       .partner = &bc_partner_sovendus,
						       .base_url = rig.base_url,
						       .id = ids[i],
						       .key = rig.keys[i],
						       .landing = i ? "/second/" : NULL };
	}
	rig.hash_key = bc_secret_create("0123456789abcdef", 16);
	rig.config = (struct bc_shop_config){
		.products = rig.products,
		.product_count = 2,
		.partner = &bc_partner_sovendus,
		.params = rig_params,
		.click_ttl_ms = 60000,
		.order_adopt_ms = 60000,
		.order_keep_ms = 3600000,
		.retry = { 5, 20, 60000 },
		.connect_timeout_ms = 2000,
		.timeout_ms = 5000,
		.lease_ms = 10000,
		.probe_ms = 30,
		.concurrency = 4,
	};
}

static inline int rig_setup(void **state)
{
	struct bc_store_options options = { .url = "", .clock = &rig_clock };
	struct bc_http_client_options client = { 0 };
	(void)state;
	bc_log_setup(BC_LOG_ERROR, false);
	rig = (struct rig){ 0 };
	faulty_reset();
	atomic_store(&wall_offset_ms, 0);
	atomic_store(&elapsed_offset_ms, 0);
	if (bc_loop_create(&rig.loop, NULL) ||
	    bc_http_client_create(rig.loop, &client, &rig.client, NULL) ||
	    bc_store_open_engine(&faulty.engine, &options, &rig.store, NULL))
		return -1;
	rig.look = bc_timer_create(rig.loop, look, NULL);
	open_sandbox(NULL);
	default_config();
	rig.shop = (struct bc_shop){ .config = &rig.config,
				     .clock = &rig_clock,
				     .store = rig.store,
				     .hash_key = rig.hash_key,
				     .on_final = rig_on_final,
				     .on_due = rig_on_due };
	return 0;
}

static inline void start_api(void)
{
	struct bc_err err = { 0 };
	struct bc_api_options options = { .shop = &rig.shop, .delivery = rig.delivery };
	if (bc_api_create(rig.loop, &options, &rig.api, &err))
		fail_msg("%s", err.text);
}

static inline void stop_api(void)
{
	rig.parts = 1;
	bc_api_stop(rig.api, part_over, NULL);
	run_until(no_parts, NULL);
	bc_api_destroy(rig.api);
	rig.api = NULL;
}

/* An API that is there already is made anew: it holds on to its delivery. */
static inline void start_delivery(void)
{
	struct bc_err err = { 0 };
	bool with_api = rig.api != NULL;
	if (with_api)
		stop_api();
	if (bc_delivery_create(rig.loop, &rig.shop, &rig.delivery, &err))
		fail_msg("%s", err.text);
	if (with_api)
		start_api();
}

static inline void start_upkeep(void)
{
	struct bc_err err = { 0 };
	if (bc_upkeep_create(rig.loop, &rig.shop, rig.delivery, &rig.upkeep, &err))
		fail_msg("%s", err.text);
}

/* Stops and destroys delivery; the API goes on without. */
static inline void stop_delivery(uint64_t grace_ms)
{
	bool with_api = rig.api != NULL;
	if (with_api)
		stop_api();
	rig.parts = 1;
	bc_delivery_stop(rig.delivery, grace_ms, part_over, NULL);
	run_until(no_parts, NULL);
	bc_delivery_destroy(rig.delivery);
	rig.delivery = NULL;
	if (with_api)
		start_api();
}

static inline void stop_upkeep(void)
{
	rig.parts = 1;
	bc_upkeep_stop(rig.upkeep, part_over, NULL);
	run_until(no_parts, NULL);
	bc_upkeep_destroy(rig.upkeep);
	rig.upkeep = NULL;
}

static inline int rig_teardown(void **state)
{
	(void)state;
	go_on();
	if (rig.api)
		stop_api();
	if (rig.upkeep)
		stop_upkeep();
	if (rig.delivery)
		stop_delivery(0);
	bc_store_close(rig.store);
	bc_http_client_destroy(rig.client);
	rig.parts = 1;
	bc_sandbox_close(rig.sandbox, part_over, NULL);
	run_until(no_parts, NULL);
	bc_timer_destroy(rig.look);
	bc_loop_destroy(rig.loop);
	bc_secret_unref(rig.keys[0]);
	bc_secret_unref(rig.keys[1]);
	bc_secret_unref(rig.hash_key);
	return 0;
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

#endif
