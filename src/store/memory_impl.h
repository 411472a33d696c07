/* SPDX-License-Identifier: MIT */
/*
 * What the files of the memory engine share: items, the orders they are found in, and the rows the
 * rules work on. Nothing is undone by a rollback; instead each function below changes nothing when
 * it returns BC_ENOMEM.
 */
#ifndef BC_STORE_MEMORY_IMPL_H
#define BC_STORE_MEMORY_IMPL_H

#include "store/engine.h"
#include "store/returns.h"
#include "store/rules.h"
#include "store/tally.h"
#include "store/tree.h"

enum { MEM_KEY_BYTES = 32 };

struct mem_attempt {
	struct bc_attempt a; /* error lives in error, key_fingerprint in key */
	char *error;	     /* owned */
	char key[MEM_KEY_BYTES];
};

struct mem_order {
	struct bc_order o;
	char *texts;		      /* owned; what o's slices point to */
	struct mem_attempt *attempts; /* owned */
	uint32_t attempt_count;
	struct bc_tree_node by_id, by_row;
	struct bc_tree_node by_token;		  /* when it has a token hash */
	struct bc_tree_node by_due;		  /* pending: partner, product, due, row */
	struct bc_tree_node by_click, by_session; /* unattributed and waiting; then by row */
};

struct mem_click {
	struct bc_click c;
	char *texts; /* owned */
	uint64_t serial;
	struct bc_tree_node by_id, by_expiry, by_session;
};

struct mem_meta {
	char *key, *value; /* owned */
	struct bc_tree_node by_key;
};

struct mem {
	struct bc_tree orders_by_id, orders_by_row, orders_by_token, orders_by_due;
	struct bc_tree orders_by_click, orders_by_session;
	struct bc_tree clicks_by_id, clicks_by_expiry, clicks_by_session;
	struct bc_tree metas;
	struct mem_lane *lanes; /* owned */
	uint64_t last_row, last_serial;
	struct bc_store_counts counts;
	struct bc_returns returns; /* settled by a purge only: nothing here turns back */
	struct bc_tally tally;	   /* likewise */
};

/* memory_items.c */
void mem_init(struct mem *m);
void mem_finish(struct mem *m);
/* All of an item's strings are copied; 0 or BC_ENOMEM. */
int mem_save_order(struct mem *m, struct mem_order *rec, const struct bc_order *order);
int mem_add_order(struct mem *m, struct bc_order *order); /* fills row */
void mem_delete_order(struct mem *m, struct mem_order *rec);
int mem_add_click(struct mem *m, const struct bc_click *click);
void mem_delete_click(struct mem *m, struct mem_click *rec);
int mem_put_meta(struct mem *m, struct bc_str key, struct bc_str value);
/* Copies with strings in arena; 0 or BC_ENOMEM. */
int mem_copy_order(const struct bc_order *from, struct bc_arena *arena, struct bc_order *ret_order);
int mem_copy_click(const struct bc_click *from, struct bc_arena *arena, struct bc_click *ret_click);
int mem_copy_text(struct bc_str from, struct bc_arena *arena, struct bc_str *ret_text);

/* memory_lanes.c: 0 or BC_ENOMEM. */
int mem_put_lane(struct mem *m, struct bc_store_op *op);
int mem_tell_lanes(struct mem *m, struct bc_store_op *op);
const struct bc_lane_record *mem_find_lane(void *m, struct bc_str partner, struct bc_str product);
void mem_finish_lanes(struct mem *m);

/* memory_rows.c: NULL where there is none. */
extern const struct bc_rule_rows mem_rows;
struct mem_order *mem_order_by_id(struct mem *m, struct bc_str order);
struct mem_order *mem_order_below(struct mem *m, uint64_t row); /* 0: the newest */
struct mem_order *mem_order_due(struct mem *m, const struct mem_order *after, struct bc_str partner,
				struct bc_str product);
struct mem_click *mem_click_by_id(struct mem *m, const uint8_t *id);
struct mem_meta *mem_meta_by_key(struct mem *m, struct bc_str key);

#endif
