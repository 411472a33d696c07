/* SPDX-License-Identifier: MIT */
/*
 * A store under test and short ways to speak to it. Each test gets a fresh store of the engine that
 * is under test; sqlite's lives in a folder of its own, which goes away with it.
 *
 * Times are small numbers: the rules take every time from the operation. Ids and hashes are made of
 * short texts.
 */
#ifndef BC_TESTS_STORE_HARNESS_H
#define BC_TESTS_STORE_HARNESS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "store/engine.h"
#include "store/rules.h"

/* A loop's end of a store: keeps what is posted until somebody takes it. */
struct mailbox {
	struct bc_store_origin base;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct bc_store_op *first, **last; /* guarded by lock */
	uint64_t posts;			   /* guarded by lock */
};
void mailbox_init(struct mailbox *box);
void mailbox_finish(struct mailbox *box);
/* Waits until something is there and completes it on this thread; returns how many. */
unsigned mailbox_serve(struct mailbox *box);
uint64_t mailbox_posts(struct mailbox *box);

struct rig {
	struct bc_store *store;
	void *bare;    /* the engine itself, without a store round it; then store is NULL */
	void *wrapper; /* the fault engine round bare, when the tests run wrapped */
	struct mailbox box;
	struct bc_arena *arena;
	char folder[64]; /* "" for engines without files */
	char url[128];
};
extern const char *rig_engine; /* the one under test: "memory", "sqlite" */
extern bool rig_wrapped;       /* in the fault engine, with no fault armed */

int rig_setup(void **state);
int rig_teardown(void **state);
void rig_open(struct rig *r);
/* Closes and opens again. Returns whether the engine keeps its rows over that; one that does not is
 * held to having forgotten them all. */
bool rig_reopen(struct rig *r);
/* Runs a group of tests once for each engine, plain and wrapped. Returns how many failed. */
int run_each_engine(const struct CMUnitTest *tests, size_t n);
#define RUN_EACH_ENGINE(tests) run_each_engine(tests, sizeof(tests) / sizeof((tests)[0]))
#define STORE_TEST(f)	       cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
/* The same on the bare engine, for what the contract does not show: see stored_click. */
int rig_setup_bare(void **state);
#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

/* A new operation in the rig's arena. */
struct bc_store_op *rig_op(struct rig *r, enum bc_store_kind kind);
/* Submits, waits, returns the result. */
int rig_run(struct rig *r, struct bc_store_op *op);

void fill_hash(uint8_t *hash, const char *text);
struct click {
	const char *id, *token, *session, *product;
	uint64_t at, ttl; /* ttl 0: 1000 */
	uint64_t adopt_after;
};
struct bc_store_op *put_click(struct rig *r, struct click click);

/* The row of a click, on a bare engine; NULL when there is none. */
const struct bc_click *stored_click(struct rig *r, const char *id);

struct report {
	const char *order, *token, *click, *session, *product;
	uint64_t at, deadline; /* deadline 0: none */
	/* Texts of the hashes that token and session had under the former key, if there was one. */
	const char *old_token, *old_session;
};
/* Runs an accept; the operation's result must be 0. */
struct bc_store_op *report(struct rig *r, struct report report);
/* The same for an order that must come out pending: a conversion with a token of its own. */
struct bc_order *convert(struct rig *r, const char *order, uint64_t at);

/* Leases of partner's default lane. */
struct bc_store_op *lease(struct rig *r, uint64_t at, uint32_t limit);
struct bc_store_op *lease_only(struct rig *r, const char *order, uint64_t at);
struct end {
	const char *order;
	uint32_t n;
	enum bc_order_state next;
	uint64_t at, due;
	const char *reason;
	bool clear_token;
};
int finish(struct rig *r, struct end end);
int cancel(struct rig *r, const char *order, uint64_t at);
struct bc_store_op *requeue(struct rig *r, const char *order, uint64_t at);
/* Leases the order and ends its attempt at once. */
void bring_to(struct rig *r, const char *order, enum bc_order_state state, uint64_t at);
struct bc_order *get(struct rig *r, const char *order); /* NULL when there is none */
struct bc_store_op *story(struct rig *r, const char *order);
struct bc_store_op *list(struct rig *r, struct bc_order_selector select);
struct bc_store_counts counts(struct rig *r);
enum bc_order_state state_of(struct rig *r, const char *order);

/* Counts in one comparison: "pending=1 delivered=2 clicks=3"; what is 0 is left out. */
void assert_counts(struct rig *r, const char *expected);
void assert_text(struct bc_str text, const char *expected);

#endif
