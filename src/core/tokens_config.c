/* SPDX-License-Identifier: MIT */
/* What a token manager was told to work by: an owned copy, and what differs between two of them. */
#include "core/tokens_impl.h"

#include <string.h>

#include "base/err.h"

/* NULL and "" are the same: none. */
static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_secret(const struct bc_secret *a, const struct bc_secret *b)
{
	if (!a || !b)
		return a == b;
	return bc_secret_equals(a, bc_secret_reveal(b), bc_secret_len(b));
}

static int check(const struct bc_oauth_config *from, struct bc_err *err)
{
	struct bc_str url = bc_str_of(from->token_url);
	if (!bc_str_starts(url, "https://") && !bc_str_starts(url, "http://"))
		return bc_err_tell(err, BC_EINVAL, "set oauth.endpoint to an address with https://",
				   "the token URL \"%s\" is not an http(s) one",
				   from->token_url ? from->token_url : "");
	if (!from->client_id || !from->client_id[0])
		return bc_err_tell(err, BC_EINVAL,
				   "set IMS_CLIENT_ID to the client ID of the project in Adobe's "
				   "Developer Console",
				   "the OAuth client id is missing");
	if (!from->secret || !bc_secret_len(from->secret))
		return bc_err_tell(err, BC_EINVAL,
				   "set IMS_CLIENT_SECRET to the client secret of that project, or "
				   "name a file that holds it",
				   "the OAuth client secret is missing");
	return 0;
}

/* False without memory. */
static bool copy_text(char **to, const char *from)
{
	*to = from && from[0] ? strdup(from) : NULL;
	return *to || !from || !from[0];
}

int bc_token_settings_copy(struct token_settings *to, const struct bc_oauth_config *from,
			   struct bc_err *err)
{
	int result = check(from, err);
	if (result)
		return result;
	*to = (struct token_settings){ .auth = from->auth,
				       .timeout_ms =
					       from->timeout_ms ? from->timeout_ms : TIMEOUT_MS };
	to->secrets[0] = bc_secret_ref(from->secret);
	if (from->secret_next && bc_secret_len(from->secret_next))
		to->secrets[1] = bc_secret_ref(from->secret_next);
	if (copy_text(&to->token_url, from->token_url) &&
	    copy_text(&to->client_id, from->client_id) && copy_text(&to->scope, from->scope) &&
	    copy_text(&to->cache_file, from->cache_file) && copy_text(&to->proxy, from->proxy) &&
	    copy_text(&to->ca_file, from->ca_file))
		return 0;
	bc_token_settings_finish(to);
	return bc_err_nomem(err);
}

void bc_token_settings_finish(struct token_settings *s)
{
	char *const texts[] = { s->token_url,  s->client_id, s->scope,
				s->cache_file, s->proxy,     s->ca_file };
	for (size_t i = 0; i < BC_COUNT(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < TOKEN_SECRETS; i++)
		bc_secret_unref(s->secrets[i]);
	*s = (struct token_settings){ 0 };
}

bool bc_token_settings_same_client(const struct token_settings *a, const struct token_settings *b)
{
	return same_text(a->token_url, b->token_url) && same_text(a->client_id, b->client_id) &&
	       same_text(a->scope, b->scope);
}

bool bc_token_settings_same(const struct token_settings *a, const struct token_settings *b)
{
	return bc_token_settings_same_client(a, b) && same_secret(a->secrets[0], b->secrets[0]) &&
	       same_secret(a->secrets[1], b->secrets[1]) && a->auth == b->auth &&
	       a->timeout_ms == b->timeout_ms && same_text(a->cache_file, b->cache_file) &&
	       same_text(a->proxy, b->proxy) && same_text(a->ca_file, b->ca_file);
}

int bc_token_settings_index(const struct token_settings *s, const struct bc_secret *secret)
{
	for (int i = 0; i < TOKEN_SECRETS; i++)
		if (s->secrets[i] && same_secret(s->secrets[i], secret))
			return i;
	return -1;
}

bool bc_token_settings_second_differs(const struct token_settings *s)
{
	return s->secrets[1] && !same_secret(s->secrets[0], s->secrets[1]);
}
