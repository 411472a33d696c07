/* SPDX-License-Identifier: MIT */
/*
 * The life of the sandbox's IMS and of its settings: those of the start are kept, so that a test
 * can change what it likes and put everything back.
 */
#include "sandbox/ims.h"

#include <string.h>

enum { LIFE_MS = 86399 * 1000 }; /* what Adobe's documents show */

void bc_ims_scopes_finish(struct ims_scopes *s)
{
	while (s->count > 0)
		free(s->name[--s->count]);
}

void bc_ims_settings_finish(struct ims_settings *s)
{
	free(s->client_id);
	free(s->org_id);
	while (s->secret_count > 0)
		bc_secret_unref(s->secrets[--s->secret_count]);
	bc_ims_scopes_finish(&s->scopes);
	*s = (struct ims_settings){ 0 };
}

/* NULL and "" stay NULL. */
static bool text_copy(const char *text, char **ret_copy)
{
	*ret_copy = text && *text ? strdup(text) : NULL;
	return *ret_copy || !text || !*text;
}

static bool scopes_copy(const struct ims_scopes *from, struct ims_scopes *to)
{
	to->any = from->any;
	for (; to->count < from->count; to->count++) {
		to->name[to->count] = strdup(from->name[to->count]);
		if (!to->name[to->count])
			return false;
	}
	return true;
}

bool bc_ims_settings_copy(const struct ims_settings *from, struct ims_settings *ret_to)
{
	struct ims_settings to = *from;
	bool client, org;

	to.scopes = (struct ims_scopes){ 0 };
	client = text_copy(from->client_id, &to.client_id);
	org = text_copy(from->org_id, &to.org_id);
	for (size_t i = 0; i < to.secret_count; i++)
		bc_secret_ref(to.secrets[i]);
	if (client && org && scopes_copy(&from->scopes, &to.scopes)) {
		*ret_to = to;
		return true;
	}
	bc_ims_settings_finish(&to);
	return false;
}

const struct bc_secret *bc_ims_secret_find(const struct ims_settings *s, struct bc_str secret)
{
	for (size_t i = 0; i < s->secret_count; i++)
		if (bc_secret_equals(s->secrets[i], secret.ptr, secret.len))
			return s->secrets[i];
	return NULL;
}

static void secret_add(struct ims_settings *s, struct bc_secret *secret)
{
	if (secret)
		s->secrets[s->secret_count++] = bc_secret_ref(secret);
}

static bool start_read(struct ims *m, const struct bc_sandbox_options *options)
{
	struct ims_settings *s = &m->start;
	bool client = text_copy(options->ims_client_id, &s->client_id);
	bool org = text_copy(options->ims_org_id, &s->org_id);

	secret_add(s, options->ims_secret);
	secret_add(s, options->ims_secret_next);
	s->any_secret = s->secret_count == 0;
	s->scopes.any = true;
	s->life_ms = LIFE_MS;
	s->granted = true;
	return client && org;
}

struct ims *bc_ims_create(const struct bc_sandbox_options *options)
{
	struct ims *m = calloc(1, sizeof(*m));

	if (m && start_read(m, options) && bc_ims_reset(m))
		return m;
	bc_ims_destroy(m);
	return NULL;
}

void bc_ims_destroy(struct ims *m)
{
	if (!m)
		return;
	bc_ims_tokens_forget(m);
	bc_ims_settings_finish(&m->start);
	bc_ims_settings_finish(&m->now);
	free(m);
}

bool bc_ims_reset(struct ims *m)
{
	struct ims_settings fresh;

	bc_ims_tokens_forget(m);
	m->books = (struct ims_books){ 0 };
	if (!bc_ims_settings_copy(&m->start, &fresh))
		return false;
	bc_ims_settings_finish(&m->now);
	m->now = fresh;
	return true;
}
