/* SPDX-License-Identifier: MIT */
/*
 * Who waits for a token. Two orders through the same structs: the list, in which they are served,
 * and a pairing heap by deadline, in which they are given up: only ever the first. Adding costs a
 * few writes, taking O(log n) amortised; nothing is allocated, so nothing can fail.
 *
 * Left to others: the mutex that guards it all, and why a wait ends.
 */
#include "core/tokens_impl.h"

#include "base/err.h"

/* --- the heap -------------------------------------------------------------------------------- */

static struct bc_token_wait *meld(struct bc_token_wait *a, struct bc_token_wait *b)
{
	struct bc_token_wait *top = b->deadline_ms < a->deadline_ms ? b : a;
	struct bc_token_wait *below = top == a ? b : a;
	below->sibling = top->child;
	top->child = below;
	return top;
}

static struct bc_token_wait *cut_first(struct bc_token_wait **list)
{
	struct bc_token_wait *first = *list;
	if (first) {
		*list = first->sibling;
		first->sibling = NULL;
	}
	return first;
}

/* Siblings become one heap: in pairs, then the pairs from the last to the first. */
static struct bc_token_wait *meld_all(struct bc_token_wait *list)
{
	struct bc_token_wait *pairs = NULL, *top = NULL;
	while (list) {
		struct bc_token_wait *a = cut_first(&list);
		struct bc_token_wait *b = cut_first(&list);
		if (b)
			a = meld(a, b);
		a->sibling = pairs;
		pairs = a;
	}
	while (pairs) {
		struct bc_token_wait *pair = cut_first(&pairs);
		top = top ? meld(top, pair) : pair;
	}
	return top;
}

/* --- both orders ----------------------------------------------------------------------------- */

void bc_token_waiters_add(struct token_waiters *w, struct bc_token_wait *wait)
{
	wait->next = wait->child = wait->sibling = NULL;
	wait->prev = w->last;
	if (w->last)
		w->last->next = wait;
	else
		w->first = wait;
	w->last = wait;
	w->root = w->root ? meld(w->root, wait) : wait;
}

struct bc_token_wait *bc_token_waiters_take(struct token_waiters *w)
{
	struct bc_token_wait *wait = w->root;
	if (wait->prev)
		wait->prev->next = wait->next;
	else
		w->first = wait->next;
	if (wait->next)
		wait->next->prev = wait->prev;
	else
		w->last = wait->prev;
	w->root = meld_all(wait->child);
	return wait;
}

/* --- the way back ---------------------------------------------------------------------------- */

/* A loop may be slow, and a machine may sleep meanwhile: what has run out is not handed over. */
static void run_done(struct bc_task *task)
{
	struct bc_token_wait *wait = BC_CONTAINER(task, struct bc_token_wait, task);
	if (wait->token && bc_oauth_freshness_at(&wait->token->times, bc_elapsed_ms(wait->clock)) ==
				   BC_OAUTH_EXPIRED) {
		bc_access_token_unref(wait->token);
		wait->token = NULL;
		wait->result = bc_err_tell(&wait->err, BC_ETIMEDOUT,
					   "try again: the next one is on its way",
					   "the access token ran out before it was used");
	}
	wait->done(wait);
}

static void post(struct token_posts *p, size_t row)
{
	bc_loop_post_list(p->rows[row].loop, p->rows[row].first);
}

/* The row of that loop; the first one's tasks leave when there is no room. */
static size_t row_of(struct token_posts *p, struct bc_loop *loop)
{
	size_t row = 0;
	while (row < p->count && p->rows[row].loop != loop)
		row++;
	if (row < p->count)
		return row;
	if (row == TOKEN_POST_LOOPS)
		post(p, row = 0);
	else
		p->count++;
	p->rows[row].loop = loop;
	p->rows[row].first = p->rows[row].last = NULL;
	return row;
}

void bc_token_posts_add(struct token_posts *p, struct bc_token_wait *wait,
			struct bc_access_token *token, const struct bc_err *err)
{
	size_t row = row_of(p, wait->loop);
	wait->token = token ? bc_access_token_ref(token) : NULL;
	wait->result = token ? 0 : err->code;
	if (!token)
		wait->err = *err;
	wait->task = (struct bc_task){ .run = run_done };
	if (p->rows[row].last)
		p->rows[row].last->next = &wait->task;
	else
		p->rows[row].first = &wait->task;
	p->rows[row].last = &wait->task;
}

void bc_token_posts_send(struct token_posts *p)
{
	for (size_t row = 0; row < p->count; row++)
		post(p, row);
	p->count = 0;
}
