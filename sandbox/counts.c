/* SPDX-License-Identifier: MIT */
/*
 * A balanced tree of tokens (the C library's), each with its two counters, and totals beside it.
 * Test tokens, such as a lane's probes, are totalled apart: they are no customers.
 */
#include "sandbox/counts.h"

#include <search.h>
#include <string.h>

struct token_entry {
	struct bc_str token; /* in data, or whatever is looked for */
	uint64_t posts;
	uint64_t accepted;
	bool test;
	char data[];
};

struct bc_counts {
	void *tree; /* tsearch's; entries owned */
	size_t tokens;
	uint64_t posts;
	uint64_t accepted; /* tokens, not requests */
	uint64_t repeated;
	uint64_t test_posts;
	uint64_t test_accepted;
};

static int entry_compare(const void *a, const void *b)
{
	const struct token_entry *x = a, *y = b;
	size_t shorter = x->token.len < y->token.len ? x->token.len : y->token.len;
	int order = shorter ? memcmp(x->token.ptr, y->token.ptr, shorter) : 0;

	if (order != 0)
		return order;
	return (x->token.len > y->token.len) - (x->token.len < y->token.len);
}

struct bc_counts *bc_counts_create(void)
{
	return calloc(1, sizeof(struct bc_counts));
}

void bc_counts_clear(struct bc_counts *c)
{
	tdestroy(c->tree, free);
	*c = (struct bc_counts){ 0 };
}

void bc_counts_destroy(struct bc_counts *c)
{
	if (!c)
		return;
	bc_counts_clear(c);
	free(c);
}

static struct token_entry *entry_find(const struct bc_counts *c, struct bc_str token)
{
	struct token_entry wanted = { .token = token };
	struct token_entry *const *node = tfind(&wanted, &c->tree, entry_compare);

	return node ? *node : NULL;
}

static struct token_entry *entry_add(struct bc_counts *c, struct bc_str token, bool test)
{
	struct token_entry *e =
		c->tokens < BC_COUNTS_TOKENS_MAX ? malloc(sizeof(*e) + token.len) : NULL;

	if (!e)
		return NULL;
	*e = (struct token_entry){ .token = { e->data, token.len }, .test = test };
	memcpy(e->data, token.ptr, token.len);
	if (!tsearch(e, &c->tree, entry_compare)) {
		free(e);
		return NULL;
	}
	c->tokens++;
	return e;
}

void bc_counts_posted(struct bc_counts *c, struct bc_str token, bool test)
{
	struct token_entry *e = entry_find(c, token);

	if (!e)
		e = entry_add(c, token, test);
	if (e)
		e->posts++;
	c->posts += !test;
	c->test_posts += test;
}

void bc_counts_accepted(struct bc_counts *c, struct bc_str token, bool test)
{
	struct token_entry *e = entry_find(c, token);
	bool again = e && e->accepted++ > 0;

	if (test)
		c->test_accepted++;
	else if (again)
		c->repeated++;
	else
		c->accepted++;
}

static void put_number(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

static void add_entry(json_t *tokens, const struct token_entry *e)
{
	json_t *counts = json_object();
	bc_autofree char *key = bc_str_dup(e->token);

	put_number(counts, "posts", e->posts);
	put_number(counts, "accepted", e->accepted);
	if (e->test)
		json_object_set_new(counts, "test", json_true());
	if (key)
		json_object_set_new(tokens, key, counts);
	else
		json_decref(counts);
}

static void walk_entry(const void *node, VISIT visit, void *tokens)
{
	if (visit == postorder || visit == leaf)
		add_entry(tokens, *(struct token_entry *const *)node);
}

json_t *bc_counts_json(const struct bc_counts *c, struct bc_str token)
{
	json_t *all = json_object(), *tokens = json_object();
	const struct token_entry *one = token.ptr ? entry_find(c, token) : NULL;

	if (one)
		add_entry(tokens, one);
	else if (!token.ptr)
		twalk_r(c->tree, walk_entry, tokens);
	if (json_object_set_new(all, "tokens", tokens) < 0) {
		json_decref(all);
		return NULL;
	}
	put_number(all, "posts", c->posts);
	put_number(all, "accepted", c->accepted);
	put_number(all, "repeated", c->repeated);
	put_number(all, "test_posts", c->test_posts);
	put_number(all, "test_accepted", c->test_accepted);
	return all;
}
