/* SPDX-License-Identifier: MIT */
/* See gateway.h: its life, its configuration, and what it lets in. */
#include "core/gateway.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/gateway_impl.h"

#define PREFIX "/accs"

enum { SETUP_ARENA_BYTES = 2048, SETUP_ARENA_MAX_BYTES = 256 * 1024 };

/* --- configuration --------------------------------------------------------------------------- */

void setup_unref(struct setup *s)
{
	if (!s || --s->references)
		return;
	bc_http_client_destroy(s->client);
	bc_arena_destroy(s->arena);
	free(s);
}

/* NULL stays NULL; *failed when there is no memory. */
static const char *keep(struct bc_arena *arena, const char *text, bool *failed)
{
	char *copy = text ? bc_arena_dup(arena, text, strlen(text)) : NULL;
	*failed |= text && !copy;
	return copy;
}

static int keep_rules(struct setup *s, const struct bc_gateway_config *c)
{
	bool failed = false;
	struct bc_gateway_rule *rules =
		bc_arena_alloc(s->arena, (c->rule_count + 1) * sizeof(*rules));
	for (size_t i = 0; rules && i < c->rule_count; i++)
		rules[i] = (struct bc_gateway_rule){ keep(s->arena, c->rules[i].method, &failed),
						     keep(s->arena, c->rules[i].prefix, &failed) };
	s->config.rules = rules;
	return !rules || failed ? BC_ENOMEM : 0;
}

static int keep_config(struct setup *s, const struct bc_gateway_config *c)
{
	bool failed = false;
	s->arena = bc_arena_create(SETUP_ARENA_BYTES, SETUP_ARENA_MAX_BYTES);
	if (!s->arena)
		return BC_ENOMEM;
	s->config = *c;
	s->config.base_url = keep(s->arena, c->base_url, &failed);
	s->config.client_id = keep(s->arena, c->client_id, &failed);
	s->config.org_id = keep(s->arena, c->org_id, &failed);
	s->config.proxy = keep(s->arena, c->proxy, &failed);
	s->config.ca_file = keep(s->arena, c->ca_file, &failed);
	return failed ? BC_ENOMEM : keep_rules(s, c);
}

static int setup_create(struct bc_loop *loop, const struct bc_gateway_config *config,
			struct setup **ret_setup, struct bc_err *err)
{
	struct bc_http_client_options options = { .proxy = config->proxy,
						  .ca_file = config->ca_file,
						  .connections_max = 256 };
	struct setup *s = calloc(1, sizeof(*s));
	if (!s)
		return bc_err_nomem(err);
	s->references = 1;
	int result = keep_config(s, config) ? bc_err_nomem(err) : 0;
	if (!result)
		result = bc_http_client_create(loop, &options, &s->client, err);
	if (result)
		setup_unref(s);
	else
		*ret_setup = s;
	return result;
}

/* --- what is let in -------------------------------------------------------------------------- */

static bool method_fits(const char *rule, const char *method)
{
	return strcmp(rule, "*") == 0 || strcmp(rule, method) == 0 ||
	       (strcmp(rule, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* The prefix itself, or what lies below it. */
static bool path_fits(const char *prefix, const char *resource)
{
	size_t len = strlen(prefix);
	if (strncmp(prefix, resource, len) != 0)
		return false;
	return (len && prefix[len - 1] == '/') || resource[len] == '\0' || resource[len] == '/' ||
	       resource[len] == '?';
}

static bool is_allowed(const struct bc_gateway_config *c, const char *method, const char *resource)
{
	for (size_t i = 0; i < c->rule_count; i++)
		if (method_fits(c->rules[i].method, method) &&
		    path_fits(c->rules[i].prefix, resource))
			return true;
	return c->rule_count == 0;
}

int bc_gateway_status(enum bc_gateway_refusal refusal)
{
	static const int statuses[] = {
		[BC_GATEWAY_BAD_REQUEST] = 400, [BC_GATEWAY_FORBIDDEN] = 403,
		[BC_GATEWAY_THROTTLED] = 429,	[BC_GATEWAY_UNREACHABLE] = 503,
		[BC_GATEWAY_TIMED_OUT] = 504,	[BC_GATEWAY_CREDENTIAL_REFUSED] = 503,
		[BC_GATEWAY_BUSY] = 503,
	};
	return statuses[refusal];
}

/* The log is not told the path: nobody knows what callers put into it. */
static void refuse(struct bc_gateway *g, struct bc_http_request *req,
		   enum bc_gateway_refusal refusal, const char *detail, const char *hint)
{
	bc_log_info("gateway.refused", BC_LS("id", req->id), BC_LS("method", req->method),
		    BC_LU("status", (uint64_t)bc_gateway_status(refusal)));
	g->options.refuse(g->options.ctx, req, refusal, detail, hint, NULL);
}

/* The target of "/accs/PATH?QUERY", in store view of the path. */
static int read_target(struct bc_gateway *g, struct bc_http_request *req,
		       struct bc_commerce_target *ret_target, struct bc_err *err)
{
	const struct bc_gateway_config *c = &g->setup->config;
	size_t skip = sizeof(PREFIX) - 1;
	char *path = bc_arena_dup(req->arena, req->target.ptr + skip, req->target.len - skip);
	if (!path)
		return bc_err_nomem(err);
	if (strlen(path) != req->target.len - skip)
		return bc_err_tell(err, BC_EINVAL,
				   "leave %00 out of the path: Commerce has no such path",
				   "the path has a NUL byte in it");
	return bc_commerce_target_build(c->base_url, c->flavor, path, NULL, ret_target, err);
}

void bc_gateway_handle(struct bc_gateway *g, struct bc_http_request *req)
{
	struct bc_commerce_target target = { 0 };
	struct bc_err err = { 0 };
	BC_ASSERT(bc_str_starts(req->path, PREFIX "/"));
	if (g->stopping) {
		refuse(g, req, BC_GATEWAY_BUSY, "the daemon stops", "ask again when it is back");
		return;
	}
	int result = read_target(g, req, &target, &err);
	if (result) {
		refuse(g, req, result == BC_ENOMEM ? BC_GATEWAY_BUSY : BC_GATEWAY_BAD_REQUEST,
		       err.text, err.hint);
		return;
	}
	if (is_allowed(&g->setup->config, req->method, target.resource)) {
		gateway_call_begin(g, req, &target);
		return;
	}
	refuse(g, req, BC_GATEWAY_FORBIDDEN, "gateway.allow does not name this method and path",
	       "add it to gateway.allow, or ask for what is allowed");
	free(target.url);
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_gateway_create(struct bc_loop *loop, const struct bc_gateway_config *config,
		      const struct bc_gateway_options *options, struct bc_gateway **ret_gateway,
		      struct bc_err *err)
{
	struct bc_gateway *g = calloc(1, sizeof(*g));
	if (!g)
		return bc_err_nomem(err);
	g->loop = loop;
	g->options = *options;
	int result = setup_create(loop, config, &g->setup, err);
	if (!result)
		result = bc_upstream_door_create(loop, options->upstream, &g->door, err);
	if (!result && gateway_line_open(g))
		result = bc_err_nomem(err);
	if (result)
		bc_gateway_destroy(g);
	else
		*ret_gateway = g;
	return result;
}

void bc_gateway_destroy(struct bc_gateway *g)
{
	if (!g)
		return;
	BC_ASSERT(!g->calls);
	gateway_line_close(g);
	bc_upstream_door_destroy(g->door);
	setup_unref(g->setup);
	free(g);
}

int bc_gateway_reconfigure(struct bc_gateway *g, const struct bc_gateway_config *config,
			   struct bc_err *err)
{
	struct setup *before = g->setup;
	int result = setup_create(g->loop, config, &g->setup, err);
	if (!result)
		setup_unref(before);
	return result;
}

void gateway_check_stopped(struct bc_gateway *g)
{
	void (*stopped)(void *) = g->stopped;
	if (!g->stopping || g->calls || !stopped)
		return;
	g->stopped = NULL;
	stopped(g->stopped_ctx);
}

void bc_gateway_stop(struct bc_gateway *g, void (*done)(void *ctx), void *ctx)
{
	g->stopping = true;
	g->stopped = done;
	g->stopped_ctx = ctx;
	for (struct gateway_call *call = g->calls, *next; call; call = next) {
		next = call->next;
		gateway_call_stop(call);
	}
	gateway_check_stopped(g);
}
