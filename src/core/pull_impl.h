/* SPDX-License-Identifier: MIT */
/*
 * Inside a pull.
 *
 *	pull.c			life, the pages, how it is told
 *	pull_search.c		what Commerce is asked, and how its answer is read
 *	pull_reconcile.c	orders reported here that Commerce did not tell of
 */
#ifndef BC_CORE_PULL_IMPL_H
#define BC_CORE_PULL_IMPL_H

#include <pthread.h>

#include "core/pull.h"

enum { PULL_PAGE = 100, PULL_LOOKUP = 25, PULL_TEXT_BYTES = 32 };

/* One page of orders as Commerce answered it; texts in the arena. */
struct pull_page {
	struct bc_commerce_order *orders;
	size_t count, refused;
	size_t items; /* that came: a whole page has PULL_PAGE */
	uint64_t total;
	uint64_t last_updated_ms, last_entity_id; /* of the last item */
};

struct bc_pull {
	struct bc_loop *loop;	  /* borrowed */
	struct bc_shop *shop;	  /* borrowed */
	struct bc_client *client; /* borrowed */
	struct bc_desk desk;
	struct bc_timer *timer;
	uint64_t every_ms;
	struct bc_task asked; /* somebody wants one; posted at most once */
	atomic_bool asking;
	atomic_uint_fast64_t asked_since_ms;

	bool running, busy, stopping; /* busy: a call or an operation is under way */
	bool keeps_position;	      /* it was begun without a time */
	struct bc_arena *arena;	      /* of one page */
	struct pull_page page;
	uint64_t cursor_ms, cursor_id; /* pages lie behind it */
	char position[PULL_TEXT_BYTES + 24];

	/* Reconciling. */
	struct bc_arena *list_arena; /* of one list of ours */
	struct bc_order *listed;
	uint32_t listed_count, listed_next;
	uint64_t before_row;
	struct bc_str lookup[PULL_LOOKUP]; /* numbers that are being looked up */
	size_t lookup_count;

	struct bc_store_op op;
	pthread_mutex_t lock;
	struct bc_pull_view view; /* under the lock */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

/* pull_search.c: paths to ask for, free() them. NULL: err says why. */
char *bc_pull_page_path(uint64_t cursor_ms, uint64_t cursor_id, struct bc_err *err);
char *bc_pull_lookup_path(const struct bc_str *orders, size_t count, struct bc_err *err);
/* Can this number stand in a list? */
bool bc_pull_is_listable(struct bc_str order);
/* 0; BC_EINVAL: no list of orders, or one whose last order has no time or id; BC_ENOMEM. */
BC_MUST_CHECK int bc_pull_page_read(struct bc_str body, const char *click_attribute,
				    struct bc_arena *arena, struct pull_page *ret_page,
				    struct bc_err *err);
/* "2026-11-22 00:54:31" in UTC. text: PULL_TEXT_BYTES. Returns text. */
char *bc_pull_time(uint64_t wall_ms, char *text);

/* pull.c */
void bc_pull_ask(struct bc_pull *p, char *path, bc_client_done *done); /* path is freed */
void bc_pull_fail(struct bc_pull *p, const struct bc_err *err);
/* Reads the answer into p->page. False: it is none, and the pull has failed. */
bool bc_pull_page_came(struct bc_pull *p, int result, const struct bc_client_answer *answer,
		       const struct bc_err *err);
void bc_pull_finish(struct bc_pull *p);
void bc_pull_count(struct bc_pull *p, const struct bc_intake_taken *taken);
void bc_pull_submit(struct bc_pull *p, enum bc_store_kind kind, struct bc_arena *arena,
		    void (*done)(struct bc_store_op *op));
/* Nothing is under way any more, or it stops: then nothing may be begun. */
bool bc_pull_rests(struct bc_pull *p);
/* pull_reconcile.c: begins, after the last page. */
void bc_pull_reconcile(struct bc_pull *p);

#endif
