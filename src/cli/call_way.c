/* SPDX-License-Identifier: MIT */
/*
 * How a call gets to Commerce. A daemon is asked first: it has a token and its connections. Where
 * none runs on this machine, a client of our own does the same with the credential of the settings.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/call.h"
#include "cli/credential.h"
#include "cli/remote.h"

struct call_way {
	struct bc_settings *settings; /* a reference */
	struct call_daemon *daemon;   /* owned; NULL: the client's way was taken */
	struct bc_client *client;     /* owned; NULL before that */
	bool settled;		      /* a daemon answered once: it stays the way */
};

void call_answer_finish(struct call_answer *a)
{
	bc_client_answer_finish(&a->got);
	free(a->head);
	*a = (struct call_answer){ 0 };
}

enum bc_exit call_way_open(const struct bc_invocation *in, struct call_way **ret)
{
	struct bc_err err = { 0 };
	struct call_way *w = calloc(1, sizeof(*w));
	if (!w) {
		bc_err_nomem(&err);
		return bc_cli_fail(&err);
	}
	enum bc_exit result = bc_cli_settings(in, &w->settings);
	if (!result) {
		bc_log_setup(BC_LOG_ERROR, w->settings->log_json);
		if (call_daemon_open(w->settings, &w->daemon, &err))
			result = bc_cli_fail(&err);
	}
	if (result)
		call_way_close(w);
	else
		*ret = w;
	return result;
}

void call_way_close(struct call_way *w)
{
	if (!w)
		return;
	bc_client_destroy(w->client);
	call_daemon_close(w->daemon);
	bc_settings_unref(w->settings);
	free(w);
}

/* --- without a daemon ------------------------------------------------------------------------ */

static const char *reveal(const struct bc_secret *secret)
{
	return secret ? bc_secret_reveal(secret) : NULL;
}

/* A cache file that cannot be used costs a token request each time, which nobody would notice. */
static void warn_of_cache(const struct bc_settings *s)
{
	struct bc_err err = { 0 };
	if (bc_credential_check_cache(s, &err))
		bc_cli_fail(&err);
}

static int open_client(struct call_way *w, struct bc_err *err)
{
	const struct bc_settings *s = w->settings;
	int result = bc_credential_check(s, err);
	if (result)
		return result;
	warn_of_cache(s);
	bc_credential_hush_log();
	struct bc_client_options options = {
		.run_thread = true,
		.oauth_token_url = s->oauth_endpoint,
		.oauth_client_id = s->oauth_client_id,
		.oauth_client_secret = reveal(s->oauth_client_secret),
		.oauth_client_secret_next = reveal(s->oauth_client_secret_next),
		.oauth_org_id = s->oauth_org_id,
		.oauth_scopes = s->oauth_scope,
		.oauth_scope_separator =
			s->oauth_scope_separator && strcmp(s->oauth_scope_separator, "space") == 0
				? " "
				: ",",
		.oauth_auth = s->oauth_basic ? BC_OAUTH_AUTH_BASIC : BC_OAUTH_AUTH_BODY,
		.oauth_timeout_ms = (uint32_t)s->oauth_timeout_ms,
		.oauth_cache_file = s->oauth_cache_file,
		.commerce_base_url = s->commerce_base_url,
		.commerce_flavor = s->commerce_is,
		.proxy = s->commerce_proxy,
		.ca_file = s->commerce_ca_file,
	};
	return bc_client_create(&options, &w->client, err);
}

/* The client keeps no head but the content type. */
static int add_head(struct call_answer *a, struct bc_err *err)
{
	const char *type = a->got.content_type;
	if (asprintf(&a->head, "%s%s%s", type[0] ? "Content-Type: " : "", type,
		     type[0] ? "\n" : "") >= 0)
		return 0;
	a->head = NULL;
	call_answer_finish(a);
	return bc_err_nomem(err);
}

static int ask_client(struct call_way *w, const struct bc_client_request *request,
		      struct call_answer *ret, struct bc_err *err)
{
	struct call_answer a = { 0 };
	int result = w->client ? 0 : open_client(w, err);
	if (!result)
		result = bc_client_call(w->client, request, &a.got, err);
	if (result == BC_EIO) /* it broke off: to who calls, no answer is no answer */
		result = err->code = BC_EUNREACH;
	if (!result)
		result = add_head(&a, err);
	if (!result)
		*ret = a;
	return result;
}

int call_way_ask(struct call_way *w, const struct bc_client_request *request,
		 struct call_answer *ret, struct bc_err *err)
{
	struct bc_err trouble = { 0 };
	bool absent = false;
	if (!w->daemon)
		return ask_client(w, request, ret, err);
	int result = call_daemon_ask(w->daemon, request, ret, &absent, &trouble);
	if (!absent || w->settled || !bc_remote_is_here(w->settings)) {
		w->settled |= !absent;
		if (result)
			*err = trouble;
		return result;
	}
	call_daemon_close(w->daemon);
	w->daemon = NULL;
	return ask_client(w, request, ret, err);
}
