/* SPDX-License-Identifier: MIT */
/*
 * The guide's code, line by line in C. The lines that each part stands for are quoted above it. The
 * flow is the Node sample's: processOrderCompletion awaits axios, so orders wait side by side. The
 * cache is the Python sample's, as Django has it by default: in the memory of the process. (The
 * Node sample has Redis there, which outlives the shop's process, though not its own without
 * further settings.) The 86400 seconds that an entry lives are longer than any run.
 *
 * What is left open is left open as there: tokens are not looked at, nothing is tried again,
 * nothing but a 2xx clears the cache, and the order is not asked for whether it was sent before.
 */
#include "cli/demo_sample.h"

#include <string.h>

#include "base/err.h"

enum { LOGGED_TOKEN_CHARACTERS = 8, ANSWER_MAX_BYTES = 64 * 1024 };

/* --- cache -------------------------------------------------------------------------------------
 */

/* Python: cache_key = f"sovendus_token_{session_id}"
 * session_id = request.session.session_key, which is None until the session is saved. */
static const char *cache_key(struct demo_sample *s, const char *session)
{
	return demo_text(s->d, "sovendus_token_%s", session ? session : "None");
}

static struct demo_sample_entry *cache_find(struct demo_sample *s, const char *key)
{
	for (size_t i = 0; i < s->cached; i++)
		if (strcmp(s->cache[i].key, key) == 0)
			return &s->cache[i];
	return NULL;
}

/* Python: cache.set(cache_key, sov_req_token, 86400)
 * Node:   client.setex(cacheKey, 86400, sovReqToken); */
static void cache_set(struct demo_sample *s, const char *key, const char *token)
{
	struct demo_sample_entry *entry = cache_find(s, key);
	if (!entry) {
		BC_ASSERT(s->cached < DEMO_SAMPLE_SESSIONS);
		entry = &s->cache[s->cached++];
	}
	*entry = (struct demo_sample_entry){ key, token };
}

/* Python: cache.delete(cache_key)
 * Node:   await client.del(cacheKey); */
static void cache_delete(struct demo_sample *s, const char *key)
{
	struct demo_sample_entry *entry = cache_find(s, key);
	if (entry)
		entry->token = NULL;
}

void demo_sample_restart(struct demo_sample *s)
{
	BC_ASSERT(s->under_way == 0);
	s->cached = 0;
}

/* --- step 1: token capture ---------------------------------------------------------------------
 */

/* Node: const sovReqToken = req.query.sovReqToken; */
static const char *query_token(struct demo_sample *s, const char *url)
{
	const char *query = strchr(url, '?');
	struct bc_str rest = bc_str_of(query ? query + 1 : "");
	while (rest.len) {
		struct bc_str value = bc_str_split(&rest, '&');
		if (bc_str_eq(bc_str_split(&value, '='), "sovReqToken") && value.ptr)
			return demo_text(s->d, "%.*s", (int)value.len, value.ptr);
	}
	return "";
}

/* Node: function captureSovendusToken(req, res, next) */
void demo_sample_capture(struct demo_sample *s, const char *url, const char *session)
{
	const char *token = query_token(s, url);
	/* if (sovReqToken) { */
	if (!token[0])
		return;
	cache_set(s, cache_key(s, session), token);
	/* console.log(`Sovendus token captured: ${sovReqToken.substring(0, 8)}...`); */
	fprintf(s->console, "Sovendus token captured: %.*s...\n", LOGGED_TOKEN_CHARACTERS, token);
}

/* --- step 2: order completion ------------------------------------------------------------------
 */

/* One call of processOrderCompletion that awaits its answer. In the demo's arena. */
struct completion {
	struct demo_sample *s;
	const char *order, *key, *url, *body;
};

/* Node: handleError(error), "switch (status)" and its default; then "Request failed". */
static const char *handle_error(struct demo_sample *s, const struct bc_http_answer *answer)
{
	static const struct {
		int status;
		const char *error;
	} known[] = {
		{ 403, "Unauthorized - check API key" },
		{ 404, "Invalid API call - check URL" },
		{ 405, "Method not allowed - use POST" },
		{ 422, "Invalid parameters - check Product ID and token" },
	};
	if (!answer->status || answer->error)
		return demo_text(s->d, "Request failed: %s", answer->error_text);
	for (size_t i = 0; i < BC_COUNT(known); i++)
		if (known[i].status == answer->status)
			return known[i].error;
	return demo_text(s->d, "API error: %d", answer->status);
}

static void fail(struct demo_sample *s, const char *what, const char *why)
{
	s->failures++;
	fprintf(s->console, "%s: %s\n", what, why);
}

/* What follows "const result = await sovendusAPI.sendConversion(token);" */
static void answered(void *ctx, const struct bc_http_answer *answer)
{
	const struct completion *c = ctx;
	struct demo_sample *s = c->s;
	s->under_way--;
	if (answer->duration_ms > s->longest_ms)
		s->longest_ms = answer->duration_ms;
	/* if (result.success) { axios rejects every status but 2xx */
	if (answer->status >= 200 && answer->status < 300 && !answer->error) {
		cache_delete(s, c->key);
		/* console.log(`Sovendus conversion sent for order ${orderId}`); */
		fprintf(s->console, "Sovendus conversion sent for order %s\n", c->order);
	} else {
		/* console.error(`Sovendus API error: ${result.error}`); and that is all */
		fail(s, "Sovendus API error", handle_error(s, answer));
	}
	bc_loop_stop(s->d->loop);
}

/* Node: async sendConversion(token)
 *	method: 'POST', url: `${this.baseUrl}/${this.productId}/${token}/api`,
 *	headers: { 'Content-Type': 'application/json' }, data: { apiKey: this.apiKey },
 *	timeout: 30000 */
static int send_conversion(struct demo_sample *s, struct completion *c, const char *token,
			   struct bc_err *err)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	c->url = demo_text(s->d, "%s/%s/%s/api", s->base_url, s->product_id, token);
	c->body = demo_text(s->d, "{\"apiKey\":\"%s\"}", s->api_key);
	struct bc_http_exchange exchange = { .method = "POST",
					     .url = c->url,
					     .headers = headers,
					     .body = c->body,
					     .body_bytes = strlen(c->body),
					     .timeout_ms = s->timeout_ms,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	return bc_http_call_start(s->d->client, &exchange, answered, c, NULL, err);
}

/* Node: async function processOrderCompletion(sessionId, orderId) */
void demo_sample_order(struct demo_sample *s, const char *session, const char *order)
{
	struct bc_err err = { 0 };
	const char *key = cache_key(s, session);
	/* const token = await client.get(cacheKey); */
	const struct demo_sample_entry *entry = cache_find(s, key);
	/* if (token) { ... } else console.log('No Sovendus token found for this session'); */
	if (!entry || !entry->token) {
		fputs("No Sovendus token found for this session\n", s->console);
		return;
	}
	struct completion *c = bc_arena_alloc(s->d->arena, sizeof(*c));
	if (c)
		*c = (struct completion){ .s = s, .order = order, .key = key };
	else
		bc_err_nomem(&err);
	/* } catch (error) { console.error('Error processing Sovendus conversion:', error); } */
	if (!c || send_conversion(s, c, entry->token, &err))
		fail(s, "Error processing Sovendus conversion", err.text);
	else
		s->under_way++;
}
