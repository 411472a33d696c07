/* SPDX-License-Identifier: MIT */
/*
 * Every token that the sandbox's IMS issued, with its end, so that Commerce can tell a dead one
 * from one it never saw: one look-up a call. Times are of the elapsed clock. A token keeps its
 * number; killing all of them is a mark on the numbers.
 */
#include <string.h>

#include "sandbox/ims.h"

static struct ims_token *find(const struct ims *m, struct bc_str text)
{
	return (struct ims_token *)(void *)bc_map_find(&m->tokens.map, text);
}

enum ims_life bc_ims_token_look(const struct ims *m, struct bc_str text, uint64_t now_ms,
				const struct ims_token **ret_token)
{
	const struct ims_token *t = find(m, text);

	if (!t)
		return IMS_UNKNOWN;
	if (ret_token)
		*ret_token = t;
	return t->number > m->tokens.dead_until && now_ms < t->dies_ms ? IMS_ALIVE : IMS_DEAD;
}

static void forget(struct ims_tokens *tokens, struct ims_token **slot)
{
	if (!*slot)
		return;
	bc_map_remove(&tokens->map, &(*slot)->node);
	free(*slot);
	*slot = NULL;
}

bool bc_ims_token_keep(struct ims *m, struct bc_str text, struct bc_str client_id, uint64_t dies_ms)
{
	struct ims_tokens *tokens = &m->tokens;
	struct ims_token **slot = &tokens->ring[(tokens->issued + 1) % IMS_TOKENS_MAX];
	struct ims_token *t = malloc(sizeof(*t) + text.len + client_id.len);

	if (!t)
		return false;
	*t = (struct ims_token){ .node.key = { t->data, text.len },
				 .number = tokens->issued + 1,
				 .dies_ms = dies_ms,
				 .client_id = { t->data + text.len, client_id.len } };
	memcpy(t->data, text.ptr, text.len);
	memcpy(t->data + text.len, client_id.ptr, client_id.len);
	forget(tokens, slot);
	if (!bc_map_add(&tokens->map, &t->node)) {
		free(t);
		return false;
	}
	*slot = t;
	tokens->issued++;
	return true;
}

void bc_ims_tokens_kill(struct ims *m)
{
	m->tokens.dead_until = m->tokens.issued;
}

bool bc_ims_token_kill(struct ims *m, struct bc_str text)
{
	struct ims_token *t = find(m, text);

	if (t)
		t->dies_ms = 0;
	return t != NULL;
}

void bc_ims_tokens_forget(struct ims *m)
{
	for (size_t i = 0; i < IMS_TOKENS_MAX && m->tokens.map.count > 0; i++)
		forget(&m->tokens, &m->tokens.ring[i]);
	bc_map_finish(&m->tokens.map);
}
