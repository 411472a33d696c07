/* SPDX-License-Identifier: MIT */
/* See metrics_page.h: the families of Commerce: access token, gateway, upstream, its orders. */
#include <stdio.h>
#include <string.h>

#include "core/intake.h"
#include "daemon/metrics_page.h"

static void add_tokens(struct page *p, const struct bc_api_commerce *c)
{
	struct bc_tokens_view v;
	bc_tokens_look(c->tokens, &v);
	page_family(p, METRIC_TOKEN_REQUESTS_TOTAL);
	page_counts(p, NULL, v.requests);
	page_family(p, METRIC_TOKEN_STATE);
	page_states(p, NULL, (int)v.state);
	page_family(p, METRIC_TOKEN_EXPIRES_SECONDS);
	page_number(p, NULL, NULL, (double)v.expires_in_ms / 1000);
}

static void add_calls(struct page *p, const struct bc_gateway *g)
{
	page_family(p, METRIC_GATEWAY_REQUESTS_TOTAL);
	for (size_t i = 0; i < bc_gateway_code_count(g); i++) {
		const struct bc_gateway_code *c = bc_gateway_code_at(g, i);
		char code[16];
		snprintf(code, sizeof(code), "%d", c->status);
		page_count(p, c->method, code, c->count);
	}
}

static void add_durations(struct page *p, const struct bc_gateway *g)
{
	struct page_histogram h = { .bound_count = BC_GATEWAY_DURATION_BUCKETS };
	for (int i = 0; i < BC_GATEWAY_DURATION_BUCKETS; i++)
		h.bounds[i] = bc_gateway_bound_ms[i] / 1000.0;
	page_family(p, METRIC_GATEWAY_DURATION_SECONDS);
	for (size_t i = 0; i < bc_gateway_shape_count(g); i++) {
		const struct bc_gateway_shape *s = bc_gateway_shape_at(g, i);
		memcpy(h.counts, s->buckets, sizeof(s->buckets));
		h.sum = (double)s->sum_ms / 1000;
		page_histogram(p, s->method, s->shape, &h);
	}
}

static void add_upstream(struct page *p, struct bc_upstream *u)
{
	uint64_t refused[] = { page_load(&u->refused_401), page_load(&u->refused_429) };
	page_family(p, METRIC_UPSTREAM_REFUSALS_TOTAL);
	page_counts(p, NULL, refused);
}

static void add_orders(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	page_family(p, METRIC_INTAKE_TOTAL);
	for (int i = 0; i < BC_INTAKE_SOURCES; i++)
		page_counters(p, bc_intake_source_name[i], s->intake[i]);
}

static void add_journal(struct page *p, struct bc_journal *journal)
{
	struct bc_journal_view v = { 0 };
	if (journal)
		bc_journal_look(journal, &v);
	page_family(p, METRIC_JOURNAL_EVENTS_TOTAL);
	page_count(p, NULL, NULL, v.events);
	page_family(p, METRIC_JOURNAL_FAILURES_TOTAL);
	page_count(p, NULL, NULL, v.failures);
	page_family(p, METRIC_JOURNAL_EXPIRED_TOTAL);
	page_count(p, NULL, NULL, v.expired);
	page_family(p, METRIC_JOURNAL_STATE);
	page_states(p, NULL, journal ? (int)v.state : -1);
	page_family(p, METRIC_JOURNAL_LAG_SECONDS);
	page_number(p, NULL, NULL, (double)v.lag_ms / 1000);
	page_family(p, METRIC_JOURNAL_EVENTS_PER_MINUTE);
	page_count(p, NULL, NULL, v.events_per_minute);
}

static void add_comments(struct page *p, struct bc_comments *comments)
{
	uint64_t counts[BC_COMMENT_RESULTS] = { 0 };
	if (comments)
		bc_comments_counts(comments, counts);
	page_family(p, METRIC_COMMENTS_TOTAL);
	page_counts(p, NULL, counts);
}

void page_add_commerce(struct page *p)
{
	const struct bc_api_commerce *c = &p->call->api->commerce;
	if (!c->tokens)
		return;
	add_tokens(p, c);
	add_calls(p, c->gateway);
	add_durations(p, c->gateway);
	add_upstream(p, c->upstream);
	add_orders(p);
	add_journal(p, c->journal);
	add_comments(p, c->comments);
}
