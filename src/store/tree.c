/* SPDX-License-Identifier: MIT */
/* See tree.h. Invariants: in key order from left to right; no child has a greater priority. */
#include "store/tree.h"

#include <stddef.h>

#include "base/attr.h"

void bc_tree_init(struct bc_tree *t, bc_tree_compare *compare)
{
	*t = (struct bc_tree){ .compare = compare, .seed = 2463534242U };
}

static uint32_t next_priority(struct bc_tree *t)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 17;
	t->seed ^= t->seed << 5;
	return t->seed;
}

/* Cuts a subtree into what is before key and what is after it. */
static void split(const struct bc_tree *t, struct bc_tree_node *node,
		  const struct bc_tree_node *key, struct bc_tree_node **ret_left,
		  struct bc_tree_node **ret_right)
{
	while (node) {
		if (t->compare(node, key) < 0) {
			*ret_left = node;
			ret_left = &node->right;
			node = node->right;
		} else {
			*ret_right = node;
			ret_right = &node->left;
			node = node->left;
		}
	}
	*ret_left = NULL;
	*ret_right = NULL;
}

/* Joins two subtrees, all of left before all of right. */
static struct bc_tree_node *join(struct bc_tree_node *left, struct bc_tree_node *right)
{
	struct bc_tree_node *root = NULL, **slot = &root;
	while (left && right) {
		if (left->priority >= right->priority) {
			*slot = left;
			slot = &left->right;
			left = left->right;
		} else {
			*slot = right;
			slot = &right->left;
			right = right->left;
		}
	}
	*slot = left ? left : right;
	return root;
}

void bc_tree_add(struct bc_tree *t, struct bc_tree_node *node)
{
	struct bc_tree_node **slot = &t->root;
	BC_ASSERT(!node->linked);
	node->priority = next_priority(t);
	while (*slot && (*slot)->priority >= node->priority)
		slot = t->compare(node, *slot) < 0 ? &(*slot)->left : &(*slot)->right;
	split(t, *slot, node, &node->left, &node->right);
	node->linked = true;
	*slot = node;
}

void bc_tree_remove(struct bc_tree *t, struct bc_tree_node *node)
{
	struct bc_tree_node **slot = &t->root;
	if (!node->linked)
		return;
	while (*slot != node) {
		BC_ASSERT(*slot);
		slot = t->compare(node, *slot) < 0 ? &(*slot)->left : &(*slot)->right;
	}
	*slot = join(node->left, node->right);
	node->linked = false;
}

static struct bc_tree_node *find(const struct bc_tree *t, const struct bc_tree_node *key, int least)
{
	struct bc_tree_node *found = NULL;
	for (struct bc_tree_node *node = t->root; node;) {
		if (t->compare(node, key) >= least) {
			found = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct bc_tree_node *bc_tree_at(const struct bc_tree *t, const struct bc_tree_node *key)
{
	return find(t, key, 0);
}

struct bc_tree_node *bc_tree_after(const struct bc_tree *t, const struct bc_tree_node *key)
{
	return find(t, key, 1);
}

struct bc_tree_node *bc_tree_before(const struct bc_tree *t, const struct bc_tree_node *key)
{
	struct bc_tree_node *found = NULL;
	for (struct bc_tree_node *node = t->root; node;) {
		if (t->compare(node, key) < 0) {
			found = node;
			node = node->right;
		} else {
			node = node->left;
		}
	}
	return found;
}

struct bc_tree_node *bc_tree_first(const struct bc_tree *t)
{
	struct bc_tree_node *node = t->root;
	while (node && node->left)
		node = node->left;
	return node;
}
