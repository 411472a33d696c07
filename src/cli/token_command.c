/* SPDX-License-Identifier: MIT */
/*
 * `backchannel token`: how the access token for Commerce stands, or the token itself. A running
 * daemon is asked for its own; where none runs, one is fetched here and the same is told of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/credential.h"
#include "cli/remote.h"

struct options {
	bool show;
};

/* --- telling ------------------------------------------------------------------------------- */

static const char *span(const json_t *view, const char *name, char *text, size_t bytes)
{
	json_int_t seconds = json_integer_value(json_object_get(view, name));
	return bc_format_span((uint64_t)seconds * 1000, text, bytes);
}

static void tell_next_try(const json_t *view)
{
	char text[48];
	if (json_object_get(view, "next_try_in"))
		printf("  it is asked for again in %s\n",
		       span(view, "next_try_in", text, sizeof(text)));
}

static void tell_problem(const json_t *view, const char *before)
{
	const char *problem = bc_json_text(view, "problem"), *hint = bc_json_text(view, "hint");
	if (!problem[0])
		return;
	printf("%s%s\n", before, problem);
	if (hint[0])
		printf("  %s\n", hint);
	tell_next_try(view);
}

static void tell_usable(const json_t *view, const char *next)
{
	char left[48];
	const char *print = bc_json_text(view, "fingerprint");
	printf("%s for %s (generation %lld%s%s)\n", bc_json_text(view, "state"),
	       span(view, "expires_in", left, sizeof(left)),
	       (long long)json_integer_value(json_object_get(view, "generation")),
	       print[0] ? ", " : "", print);
	if (json_object_get(view, "refresh_in"))
		printf("  another one is due in %s\n",
		       span(view, "refresh_in", left, sizeof(left)));
	else if (!bc_json_text(view, "problem")[0])
		printf("  %s\n", next);
	tell_problem(view, "  the last attempt to get another one failed: ");
}

static void tell_fresh(const json_t *view)
{
	tell_usable(view, "another one is fetched long before it expires");
}

static void tell_stale(const json_t *view)
{
	tell_usable(view, "it is used, and another one is being asked for");
}

static void tell_none(const json_t *view)
{
	if (bc_json_text(view, "problem")[0])
		tell_problem(view, "none: ");
	else
		puts("none yet: it is being asked for");
}

static void tell_refused(const json_t *view)
{
	tell_problem(view, "refused: ");
}

static const struct {
	const char *state;
	void (*tell)(const json_t *view);
	enum bc_exit exit; /* with a problem; without one, 0 where it is usable */
} states[] = {
	{ "fresh", tell_fresh, BC_EXIT_DONE },
	{ "stale", tell_stale, BC_EXIT_DONE },
	{ "none", tell_none, BC_EXIT_UNREACHABLE },
	{ "refused", tell_refused, BC_EXIT_REFUSED },
};

static enum bc_exit tell(const struct bc_invocation *in, const json_t *view)
{
	const char *state = bc_json_text(view, "state");
	enum bc_exit result = BC_EXIT_FAILED;
	size_t row = 0;
	while (row < BC_COUNT(states) && strcmp(states[row].state, state) != 0)
		row++;
	if (row < BC_COUNT(states) && (!states[row].exit || bc_json_text(view, "problem")[0]))
		result = states[row].exit;
	if (in->json)
		bc_remote_print_json(&(struct bc_reply){ .json = (json_t *)view });
	else if (row < BC_COUNT(states))
		states[row].tell(view);
	return result;
}

static enum bc_exit show(const struct bc_invocation *in, const json_t *view)
{
	if (in->json)
		bc_remote_print_json(&(struct bc_reply){ .json = (json_t *)view });
	else
		puts(bc_json_text(view, "access_token"));
	if (isatty(STDERR_FILENO))
		fputs("this is a secret: who has it may call Commerce as you until it expires\n",
		      stderr);
	return BC_EXIT_DONE;
}

/* --- the daemon's ---------------------------------------------------------------------------- */

static enum bc_exit daemons(const struct bc_invocation *in, const struct bc_reply *reply)
{
	const struct options *o = in->options;
	struct bc_err err = { 0 };
	if (reply->status != 200) {
		(void)call_refused(reply->json, reply->status, &err);
		return bc_cli_fail(&err);
	}
	return o->show ? show(in, reply->json) : tell(in, reply->json);
}

/* --- our own --------------------------------------------------------------------------------- */

static void put_seconds(json_t *view, const char *name, uint64_t ms)
{
	if (ms)
		json_object_set_new(view, name, json_integer((json_int_t)((ms + 999) / 1000)));
}

/* As GET /v1/token tells it. Nothing of ours tries again: there is no next_try_in. */
static json_t *view_of(const struct bc_credential *c, const struct bc_err *err, bool shown)
{
	const struct bc_tokens_view *v = &c->view;
	json_t *view = json_pack("{s:s, s:n, s:I, s:b}", "state", bc_token_state_name[v->state],
				 "expires_in", "generation", (json_int_t)v->generation, "cached",
				 c->cached);
	put_seconds(view, "expires_in", v->expires_in_ms);
	put_seconds(view, "refresh_in", c->refresh_in_ms);
	if (v->fingerprint[0])
		bc_json_put(view, "fingerprint", v->fingerprint);
	if (err->code) {
		bc_json_put(view, "problem", err->text);
		bc_json_put(view, "hint", err->hint);
	}
	if (shown && c->token)
		bc_json_put(view, "access_token", bc_secret_reveal(c->token));
	return view;
}

static void tell_where_from(const struct bc_settings *s, const struct bc_credential *c)
{
	struct bc_err err = { 0 };
	puts(c->cached ? "  no daemon runs: it is from oauth.cache_file"
	     : s->oauth_cache_file
		     ? "  no daemon runs: it was asked for just now"
		     : "  no daemon runs: it was asked for just now, and is forgotten; with "
		       "oauth.cache_file the next command would have it");
	if (bc_credential_check_cache(s, &err)) {
		fflush(stdout);
		bc_cli_fail(&err);
	}
}

static enum bc_exit our_own(const struct bc_invocation *in, const struct bc_settings *s)
{
	const struct options *o = in->options;
	struct bc_credential c = { 0 };
	struct bc_err err = { 0 };
	if (bc_credential_check(s, &err))
		return bc_cli_fail(&err);
	int result = bc_credential_fetch(s, &c, &err);
	if (result && (o->show || result == BC_EINVAL || result == BC_ENOMEM))
		return bc_cli_fail(&err);
	json_t *view = view_of(&c, &err, o->show);
	enum bc_exit exit = o->show ? show(in, view) : tell(in, view);
	if (!result && !in->json && !o->show)
		tell_where_from(s, &c);
	json_decref(view);
	bc_credential_finish(&c);
	return exit;
}

static enum bc_exit no_daemon(const struct bc_settings *s)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EUNREACH, "no daemon answers at %s", s->url);
	bc_err_hint(&err, "start it there, or unset BACKCHANNEL_URL to ask from here");
	return bc_cli_fail(&err);
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_settings *s = NULL;
	struct bc_reply reply;
	enum bc_exit result = bc_cli_settings(in, &s);
	if (result)
		return result;
	bc_log_setup(BC_LOG_ERROR, s->log_json);
	if (!bc_remote_ask(s, "GET", o->show ? "/v1/token?show=1" : "/v1/token", &reply))
		result = daemons(in, &reply);
	else if (bc_remote_is_here(s))
		result = our_own(in, s);
	else
		result = no_daemon(s);
	bc_reply_finish(&reply);
	bc_settings_unref(s);
	return result;
}

static const struct bc_option rows[] = {
	{ "show", 0, NULL, offsetof(struct options, show), "print the token alone: a secret" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_token = {
	.name = "token",
	.summary = "tell how the access token for Commerce stands, or show it",
	.operands = "",
	.details =
		"A running daemon is asked for its own. Where none runs, one is fetched from the "
		"token endpoint, or taken from oauth.cache_file. Exit 0 there is one, 3 the "
		"credential is refused, 4 the token endpoint is not reachable.",
	.example = "curl -H \"Authorization: Bearer $(backchannel token --show)\" ...",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.run = run,
};
