/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: Adobe Commerce. The token manager works on the delivery loop, where a slow token
 * endpoint stalls no listener; the gateway on the main loop, beside the connections it answers.
 * Commerce that was off at the start stays off until a restart.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "daemon/app_impl.h"
#include "daemon/problem.h"

enum { RULES_MAX = 64, CONNECT_TIMEOUT_MS = 5000 };

/* --- what the settings say -------------------------------------------------------------------- */

struct bc_oauth_config bc_app_oauth_config(const struct bc_settings *s)
{
	return (struct bc_oauth_config){ .token_url = s->oauth_endpoint,
					 .client_id = s->oauth_client_id,
					 .secret = s->oauth_client_secret,
					 .secret_next = s->oauth_client_secret_next,
					 .scope = s->oauth_scope,
					 .auth = s->oauth_basic ? BC_OAUTH_AUTH_BASIC
								: BC_OAUTH_AUTH_BODY,
					 .timeout_ms = s->oauth_timeout_ms,
					 .cache_file = s->oauth_cache_file,
					 .proxy = s->commerce_proxy,
					 .ca_file = s->commerce_ca_file };
}

/* The gateway's configuration and what it points to. */
struct gateway_config {
	struct bc_gateway_config config;
	struct bc_gateway_rule rules[RULES_MAX];
	char methods[RULES_MAX][16];
};

/* "METHOD /prefix"; the settings have checked them. */
static void read_rules(struct gateway_config *g, char *const *allow)
{
	size_t n = 0;
	for (; allow && *allow && n < RULES_MAX; allow++, n++) {
		struct bc_str prefix = bc_str_of(*allow), method = bc_str_split(&prefix, ' ');
		BC_ASSERT(bc_str_copy(g->methods[n], sizeof(g->methods[n]), method) == 0);
		/* The prefix ends the text: trimming it leaves it NUL-terminated. */
		g->rules[n] = (struct bc_gateway_rule){ g->methods[n], bc_str_trim(prefix).ptr };
	}
	g->config.rules = g->rules;
	g->config.rule_count = n;
}

static void read_gateway(struct gateway_config *g, const struct bc_settings *s)
{
	*g = (struct gateway_config){ .config = { .base_url = s->commerce_base_url,
						  .flavor = s->commerce_is,
						  .client_id = s->oauth_client_id,
						  .org_id = s->oauth_org_id,
						  .proxy = s->commerce_proxy,
						  .ca_file = s->commerce_ca_file,
						  .wait_ms = s->gateway_wait_ms,
						  .timeout_ms = s->gateway_timeout_ms,
						  .connect_timeout_ms = CONNECT_TIMEOUT_MS,
						  .hold_bytes = (size_t)s->gateway_hold_bytes } };
	read_rules(g, s->gateway_allow);
}

/* --- tokens ----------------------------------------------------------------------------------- */

int bc_app_open_tokens(struct bc_app *app, struct bc_err *err)
{
	const struct bc_settings *s = app->started;
	if (!s->oauth_client_id)
		return 0;
	struct bc_oauth_config config = bc_app_oauth_config(s);
	struct bc_tokens_options options = { .clock = app->shop.clock,
					     .changed = bc_alerts_token_changed,
					     .ctx = app->alerts,
					     /* A command asks when it needs one. */
					     .eager = app->mode == BC_APP_SERVE };
	bc_upstream_init(&app->upstream, app->shop.clock);
	return bc_tokens_create(app->delivery_loop, &config, &options, &app->tokens, err);
}

int bc_app_reload_tokens(struct bc_app *app, const struct bc_settings *s, struct bc_err *err)
{
	if (!app->tokens || !s->oauth_client_id)
		return 0;
	struct bc_oauth_config config = bc_app_oauth_config(s);
	return bc_tokens_reconfigure(app->tokens, &config, err);
}

/* --- the gateway ------------------------------------------------------------------------------ */

static const enum bc_problem problems[] = {
	[BC_GATEWAY_BAD_REQUEST] = BC_PROBLEM_BAD_REQUEST,
	[BC_GATEWAY_FORBIDDEN] = BC_PROBLEM_FORBIDDEN,
	[BC_GATEWAY_THROTTLED] = BC_PROBLEM_BUSY,
	[BC_GATEWAY_UNREACHABLE] = BC_PROBLEM_UPSTREAM_UNREACHABLE,
	[BC_GATEWAY_TIMED_OUT] = BC_PROBLEM_UPSTREAM_TIMEOUT,
	[BC_GATEWAY_CREDENTIAL_REFUSED] = BC_PROBLEM_CREDENTIAL_REFUSED,
	[BC_GATEWAY_BUSY] = BC_PROBLEM_BUSY,
};

static void refuse(void *ctx, struct bc_http_request *req, enum bc_gateway_refusal refusal,
		   const char *detail, const char *hint, const char *extra)
{
	(void)ctx;
	int status = bc_gateway_status(refusal);
	struct bc_str body = bc_problem_body(req->arena, problems[refusal], status, detail, hint);
	bc_http_respond(req, status, bc_problem_content_type, extra, body.ptr, body.len);
}

int bc_app_open_gateway(struct bc_app *app, struct bc_err *err)
{
	if (!app->tokens || app->mode < BC_APP_SERVE)
		return 0;
	struct gateway_config g;
	struct bc_gateway_options options = { .clock = app->shop.clock,
					      .tokens = app->tokens,
					      .upstream = &app->upstream,
					      .refuse = refuse,
					      .ctx = app };
	read_gateway(&g, app->started);
	return bc_gateway_create(app->loop, &g.config, &options, &app->gateway, err);
}

void bc_app_close_gateway(struct bc_app *app)
{
	bc_gateway_destroy(app->gateway);
}

void bc_app_reload_gateway(struct bc_app *app, const struct bc_settings *s)
{
	struct bc_err err = { 0 };
	if (!app->gateway || !s->commerce_base_url)
		return;
	struct gateway_config g;
	read_gateway(&g, s);
	if (bc_gateway_reconfigure(app->gateway, &g.config, &err))
		bc_log_error("settings.kept", BC_LS("problem", err.text),
			     BC_LS("meaning", "the gateway works by the settings of before"));
}
