/* SPDX-License-Identifier: MIT */
/* What a client was told to work by: checked, completed with the defaults, copied. */
#include <string.h>

#include "base/err.h"
#include "core/client_impl.h"
#include "net/http_url.h"

#define IMS_BASE_URL "https://ims-na1.adobelogin.com"
#define IMS_PATH     "/ims/token/v3"

enum {
	ARENA_BYTES = 1024,
	ARENA_MAX_BYTES = 256 * 1024,
	CONCURRENCY = 64,
	OAUTH_TIMEOUT_MS = 10 * 1000
};

static bool given(const char *text)
{
	return text && text[0];
}

/* NULL and "" stay NULL. */
static const char *keep(struct client_settings *s, const char *text, bool *failed)
{
	char *copy = given(text) ? bc_arena_dup(s->arena, text, strlen(text)) : NULL;
	*failed |= given(text) && !copy;
	return copy;
}

static const char *keep_line(struct client_settings *s, const char *name, const char *value,
			     bool *failed)
{
	char *line = given(value) ? bc_arena_printf(s->arena, "%s: %s", name, value) : NULL;
	*failed |= given(value) && !line;
	return line;
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static int check_pair(const struct bc_client_options *o, struct bc_err *err)
{
	if (given(o->oauth_client_id) == given(o->oauth_client_secret))
		return 0;
	bc_err_set(err, BC_EINVAL, "%s is missing, %s is set",
		   given(o->oauth_client_id) ? "oauth_client_secret" : "oauth_client_id",
		   given(o->oauth_client_id) ? "oauth_client_id" : "oauth_client_secret");
	bc_err_hint(err, "set both, or neither for calls without a token");
	return BC_EINVAL;
}

/* They become header fields. */
static int check_texts(const struct bc_client_options *o, struct bc_err *err)
{
	const struct {
		const char *name, *text;
	} texts[] = { { "oauth_client_id", o->oauth_client_id },
		      { "oauth_org_id", o->oauth_org_id },
		      { "user_agent", o->user_agent } };
	for (size_t i = 0; i < BC_COUNT(texts); i++)
		if (!is_plain(texts[i].text))
			return bc_err_tell(
				err, BC_EINVAL,
				"copy the value again, without what stands before and after it",
				"%s holds a control or a non-ASCII character", texts[i].name);
	return 0;
}

static int check_urls(const struct bc_client_options *o, struct bc_err *err)
{
	const struct {
		const char *name, *url;
	} urls[] = { { "oauth_base_url", o->oauth_base_url },
		     { "oauth_token_url", o->oauth_token_url },
		     { "commerce_base_url", o->commerce_base_url } };
	struct bc_commerce_target target;
	int result = 0;
	for (size_t i = 0; i < BC_COUNT(urls) && !result; i++)
		if (given(urls[i].url))
			result = bc_http_url_check(urls[i].url, urls[i].name, err);
	if (result || !given(o->commerce_base_url))
		return result;
	/* Now rather than with the first call. */
	result = bc_commerce_target_build(o->commerce_base_url, o->commerce_flavor, "/V1", NULL,
					  &target, err);
	if (!result)
		free(target.url);
	return result;
}

/* --- OAuth ----------------------------------------------------------------------------------- */

static int read_scope(struct client_settings *s, const struct bc_client_options *o,
		      struct bc_err *err)
{
	const char *list = o->oauth_scopes;
	bc_autofree char *joined = NULL;
	bool failed = false;
	if (!list)
		list = given(o->oauth_token_url) ? "" : BC_CLIENT_SCOPES;
	int result = bc_oauth_scope_join(
		list, given(o->oauth_scope_separator) ? o->oauth_scope_separator : ",", &joined,
		err);
	if (result)
		return result;
	s->oauth.scope = keep(s, joined, &failed);
	return failed ? bc_err_nomem(err) : 0;
}

static const char *token_url(struct client_settings *s, const struct bc_client_options *o,
			     bool *failed)
{
	const char *base = given(o->oauth_base_url) ? o->oauth_base_url : IMS_BASE_URL;
	size_t len = strlen(base);
	if (given(o->oauth_token_url))
		return keep(s, o->oauth_token_url, failed);
	while (len && base[len - 1] == '/')
		len--;
	char *url = bc_arena_printf(s->arena, "%.*s" IMS_PATH, (int)len, base);
	*failed |= !url;
	return url;
}

static struct bc_secret *keep_secret(const char *text, bool *failed)
{
	struct bc_secret *secret = given(text) ? bc_secret_create(text, strlen(text)) : NULL;
	*failed |= given(text) && !secret;
	return secret;
}

static int read_oauth(struct client_settings *s, const struct bc_client_options *o,
		      struct bc_err *err)
{
	bool failed = false;
	s->oauth = (struct bc_oauth_config){
		.client_id = keep(s, o->oauth_client_id, &failed),
		.token_url = token_url(s, o, &failed),
		.secret = keep_secret(o->oauth_client_secret, &failed),
		.secret_next = keep_secret(o->oauth_client_secret_next, &failed),
		.cache_file = keep(s, o->oauth_cache_file, &failed),
		.auth = o->oauth_auth,
		.timeout_ms = o->oauth_timeout_ms ? o->oauth_timeout_ms : OAUTH_TIMEOUT_MS,
		.proxy = s->proxy,
		.ca_file = s->ca_file,
	};
	return failed ? bc_err_nomem(err) : read_scope(s, o, err);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int read_all(struct client_settings *s, const struct bc_client_options *o, bool shared,
		    struct bc_err *err)
{
	bool failed = false;
	s->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	if (!s->arena)
		return bc_err_nomem(err);
	s->base_url = keep(s, o->commerce_base_url, &failed);
	s->flavor = o->commerce_flavor;
	s->concurrency = o->concurrency ? o->concurrency : CONCURRENCY;
	s->proxy = keep(s, o->proxy, &failed);
	s->ca_file = keep(s, o->ca_file, &failed);
	s->user_agent =
		keep(s, given(o->user_agent) ? o->user_agent : "backchannel/" BC_VERSION, &failed);
	s->org_line = keep_line(s, "x-gw-ims-org-id", o->oauth_org_id, &failed);
	s->api_key_line = keep_line(s, "x-api-key", o->oauth_client_id, &failed);
	if (failed)
		return bc_err_nomem(err);
	return given(o->oauth_client_id) && !shared ? read_oauth(s, o, err) : 0;
}

int bc_client_settings_read(const struct bc_client_options *options, bool shared,
			    struct client_settings *ret_settings, struct bc_err *err)
{
	struct client_settings s = { 0 };
	int result = shared ? 0 : check_pair(options, err);
	if (!result)
		result = check_texts(options, err);
	if (!result)
		result = check_urls(options, err);
	if (!result)
		result = read_all(&s, options, shared, err);
	if (result)
		bc_client_settings_finish(&s);
	else
		*ret_settings = s;
	return result;
}

void bc_client_settings_finish(struct client_settings *s)
{
	bc_secret_unref(s->oauth.secret);
	bc_secret_unref(s->oauth.secret_next);
	bc_arena_destroy(s->arena);
	*s = (struct client_settings){ 0 };
}
