/* SPDX-License-Identifier: MIT */
/* See metrics_page.h: the families of Commerce: access token, gateway, upstream, its orders. */
#include "core/intake.h"
#include "daemon/metrics_page.h"

static void add_tokens(struct page *p, const struct bc_api_commerce *c)
{
	struct bc_tokens_view v;
	bc_tokens_look(c->tokens, &v);
	page_family(p, "token_requests_total", "counter",
		    "Requests to the token endpoint, by what came of them.");
	for (int i = 0; i < BC_OAUTH_RESULTS; i++)
		page_add(p, "backchannel_token_requests_total{result=\"%s\"} %llu\n",
			 bc_oauth_result_name((enum bc_oauth_result)i),
			 (unsigned long long)v.requests[i]);
	page_family(p, "token_state", "gauge", "1 for the state the access token is in.");
	for (int i = 0; i < BC_TOKEN_STATES; i++)
		page_add(p, "backchannel_token_state{state=\"%s\"} %d\n", bc_token_state_name[i],
			 (int)v.state == i);
	page_family(p, "token_expires_seconds", "gauge",
		    "How long the access token may still be sent; 0 without one.");
	page_add(p, "backchannel_token_expires_seconds %.3f\n", (double)v.expires_in_ms / 1000);
}

static void add_calls(struct page *p, const struct bc_gateway *g)
{
	page_family(p, "gateway_requests_total", "counter",
		    "Calls through the gateway, by method and the status that came of them.");
	for (size_t i = 0; i < bc_gateway_code_count(g); i++) {
		const struct bc_gateway_code *c = bc_gateway_code_at(g, i);
		page_add(p, "backchannel_gateway_requests_total{method=\"%s\",code=\"%d\"} %llu\n",
			 c->method, c->status, (unsigned long long)c->count);
	}
}

static void add_shape_durations(struct page *p, const struct bc_gateway_shape *s)
{
	unsigned long long sum = 0;
	for (int i = 0; i <= BC_GATEWAY_DURATION_BUCKETS; i++) {
		char bound[PAGE_BOUND_BYTES] = "+Inf";
		sum += s->buckets[i];
		if (i < BC_GATEWAY_DURATION_BUCKETS)
			page_bound(bound, bc_gateway_bound_ms[i] / 1000.0);
		page_add(p,
			 "backchannel_gateway_duration_seconds_bucket{method=\"%s\",path=\"%s\","
			 "le=\"%s\"} %llu\n",
			 s->method, s->shape, bound, sum);
	}
	page_add(p,
		 "backchannel_gateway_duration_seconds_sum{method=\"%s\",path=\"%s\"} %.3f\n"
		 "backchannel_gateway_duration_seconds_count{method=\"%s\",path=\"%s\"} %llu\n",
		 s->method, s->shape, (double)s->sum_ms / 1000, s->method, s->shape, sum);
}

static void add_durations(struct page *p, const struct bc_gateway *g)
{
	page_family(p, "gateway_duration_seconds", "histogram",
		    "Time from a call's arrival to the end of its answer, by method and path.");
	for (size_t i = 0; i < bc_gateway_shape_count(g); i++)
		add_shape_durations(p, bc_gateway_shape_at(g, i));
}

static void add_upstream(struct page *p, struct bc_upstream *u)
{
	page_family(p, "upstream_refusals_total", "counter",
		    "Answers of Commerce that were met here, by status.");
	page_add(p, "backchannel_upstream_refusals_total{code=\"401\"} %llu\n",
		 page_load(&u->refused_401));
	page_add(p, "backchannel_upstream_refusals_total{code=\"429\"} %llu\n",
		 page_load(&u->refused_429));
}

static void add_orders(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	page_family(p, "intake_total", "counter",
		    "Orders as Commerce told of them, by the way they came and what came of it.");
	for (int i = 0; i < BC_INTAKE_SOURCES; i++)
		for (int r = 0; r < BC_INTAKE_RESULTS; r++)
			page_add(p, "backchannel_intake_total{source=\"%s\",result=\"%s\"} %llu\n",
				 bc_intake_source_name[i], bc_intake_result_name[r],
				 page_load(&s->intake[i][r]));
}

static void add_journal_state(struct page *p, const struct bc_journal_view *v, bool on)
{
	page_family(p, "journal_state", "gauge",
		    "1 for the state the journal's reader is in; all 0 while it is off.");
	for (int i = 0; i < BC_JOURNAL_STATES; i++)
		page_add(p, "backchannel_journal_state{state=\"%s\"} %d\n",
			 bc_journal_state_name[i], on && (int)v->state == i);
	page_family(p, "journal_lag_seconds", "gauge",
		    "How old what was not read yet may be; 0: read to the end.");
	page_add(p, "backchannel_journal_lag_seconds %.3f\n", (double)v->lag_ms / 1000);
	page_family(p, "journal_events_per_minute", "gauge",
		    "The pace of the journal's reader when it last read.");
	page_add(p, "backchannel_journal_events_per_minute %llu\n",
		 (unsigned long long)v->events_per_minute);
}

static void add_journal(struct page *p, struct bc_journal *journal)
{
	struct bc_journal_view v = { 0 };
	if (journal)
		bc_journal_look(journal, &v);
	page_family(p, "journal_events_total", "counter", "Events that were read and are on disk.");
	page_add(p, "backchannel_journal_events_total %llu\n", (unsigned long long)v.events);
	page_family(p, "journal_failures_total", "counter",
		    "Times the journal could not be read on; it is tried again.");
	page_add(p, "backchannel_journal_failures_total %llu\n", (unsigned long long)v.failures);
	page_family(p, "journal_expired_total", "counter",
		    "Times the journal had forgotten what came next.");
	page_add(p, "backchannel_journal_expired_total %llu\n", (unsigned long long)v.expired);
	add_journal_state(p, &v, journal != NULL);
}

static void add_comments(struct page *p, struct bc_comments *comments)
{
	uint64_t counts[BC_COMMENT_RESULTS] = { 0 };
	if (comments)
		bc_comments_counts(comments, counts);
	page_family(p, "comments_total", "counter", "Comments on orders in Commerce.");
	for (int i = 0; i < BC_COMMENT_RESULTS; i++)
		page_add(p, "backchannel_comments_total{result=\"%s\"} %llu\n",
			 bc_comment_result_name[i], (unsigned long long)counts[i]);
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
