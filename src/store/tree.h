/* SPDX-License-Identifier: MIT */
/*
 * An ordered set whose nodes are members of its items, so that adding one needs no memory and
 * cannot fail. A treap: balanced by random priorities. One thread's.
 */
#ifndef BC_STORE_TREE_H
#define BC_STORE_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct bc_tree_node {
	struct bc_tree_node *left, *right;
	uint32_t priority;
	bool linked;
};

/* Order of two items: negative, 0, positive. Two linked items are never equal. */
typedef int bc_tree_compare(const struct bc_tree_node *a, const struct bc_tree_node *b);

struct bc_tree {
	bc_tree_compare *compare;
	struct bc_tree_node *root;
	uint32_t seed;
};

void bc_tree_init(struct bc_tree *t, bc_tree_compare *compare);
void bc_tree_add(struct bc_tree *t, struct bc_tree_node *node);	   /* no equal one may be linked */
void bc_tree_remove(struct bc_tree *t, struct bc_tree_node *node); /* not linked is fine */
/* The first item at or after key, or after it; NULL when there is none. */
struct bc_tree_node *bc_tree_at(const struct bc_tree *t, const struct bc_tree_node *key);
struct bc_tree_node *bc_tree_after(const struct bc_tree *t, const struct bc_tree_node *key);
/* The last item before key. */
struct bc_tree_node *bc_tree_before(const struct bc_tree *t, const struct bc_tree_node *key);
struct bc_tree_node *bc_tree_first(const struct bc_tree *t);

#endif
