/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: Prometheus text, or OpenMetrics for who asks for it: the same samples, but that a
 * counter's family goes without its `_total` and that the page says where it ends. Counts of rows
 * come from the store (three reads), the rest from counters. What each family is called and means
 * stands in metrics_table.c.
 */
#include <stdio.h>
#include <string.h>

#include "core/alerts.h"
#include "core/return_rate.h"
#include "daemon/metrics_page.h"

enum { METRICS_MAX_BYTES = 1024 * 1024 };

static void add_intake(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	uint64_t clicks[] = { page_load(&s->clicks_production), page_load(&s->clicks_test),
			      page_load(&s->clicks_refused) };
	page_family(p, METRIC_CLICKS_TOTAL);
	page_counts(p, NULL, clicks);
	page_family(p, METRIC_ORDERS_TOTAL);
	page_counters(p, NULL, s->orders);
	page_family(p, METRIC_CONVERSIONS);
	page_counts(p, NULL, p->view->counts.orders);
}

static void add_oldest(struct page *p)
{
	uint64_t now = bc_wall_ms(p->call->api->shop->clock);
	char name[BC_LANE_NAME_BYTES];
	page_family(p, METRIC_PENDING_OLDEST_SECONDS);
	for (uint32_t i = 0; i < p->view->lane_count; i++) {
		const struct bc_lane_count *c = &p->view->lanes[i];
		uint64_t age = c->oldest_ms && now > c->oldest_ms ? now - c->oldest_ms : 0;
		page_number(p, bc_lane_name(c->partner, c->product, name), NULL,
			    (double)age / 1000);
	}
}

static void add_lanes(struct page *p)
{
	page_family(p, METRIC_ATTEMPTS_TOTAL);
	for (size_t i = 0; i < p->status_count; i++)
		page_counts(p, p->status[i].name, p->status[i].attempts);
	page_family(p, METRIC_LANE_STATE);
	for (size_t i = 0; i < p->status_count; i++)
		page_states(p, p->status[i].name, (int)p->status[i].state);
}

static void add_transitions(struct page *p)
{
	uint64_t alerts[BC_ALERT_RESULTS];
	page_family(p, METRIC_LANE_TRANSITIONS_TOTAL);
	for (size_t i = 0; i < p->status_count; i++)
		page_counts(p, p->status[i].name, p->status[i].entered);
	bc_alerts_counts(p->call->api->shop->alerts, alerts);
	page_family(p, METRIC_ALERTS_TOTAL);
	page_counts(p, NULL, alerts);
}

static bool same(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* A label names a product at one partner. Where two partners have the same, it names both: a
 * series must not stand twice. */
static bool stands_above(const struct shop_view *view, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (same(view->returns[i].product, view->returns[n].product))
			return true;
	return false;
}

static void add_rate(struct page *p, struct bc_str product, int window)
{
	uint64_t orders = 0, delivered = 0;
	char label[BC_LABEL_MAX + 1];
	for (uint32_t i = 0; i < p->view->return_count; i++) {
		const struct bc_return_count *r = &p->view->returns[i];
		if (!same(r->product, product))
			continue;
		orders += bc_return_orders(r, window);
		delivered += r->orders[window][BC_ORDER_DELIVERED];
	}
	snprintf(label, sizeof(label), "%.*s", (int)product.len, product.ptr);
	if (!orders)
		return;
	uint64_t millionths = (delivered * 1000000 + orders / 2) / orders; /* as in the summary */
	page_number(p, label, bc_window_name[window], (double)millionths / 1e6);
}

static void add_returns(struct page *p)
{
	page_family(p, METRIC_RETURN_RATE);
	for (uint32_t i = 0; i < p->view->return_count; i++)
		for (int w = 0; w < BC_WINDOWS && !stands_above(p->view, i); w++)
			add_rate(p, p->view->returns[i].product, w);
}

static void add_durations(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	struct page_histogram h = { .bound_count = BC_DURATION_BUCKETS,
				    .sum = (double)page_load(&s->duration_ms_sum) / 1000 };
	for (int i = 0; i < BC_DURATION_BUCKETS; i++)
		h.bounds[i] = bc_duration_bound_ms[i] / 1000.0;
	for (int i = 0; i <= BC_DURATION_BUCKETS; i++)
		h.counts[i] = page_load(&s->duration_bucket[i]);
	page_family(p, METRIC_ATTEMPT_DURATION_SECONDS);
	page_histogram(p, NULL, NULL, &h);
}

/* Each bound is twice the one before; the first is a unit. */
static void add_doubling(struct page *p, const uint32_t *buckets, double unit, double sum)
{
	struct page_histogram h = { .bound_count = BC_STORE_COMMIT_BUCKETS - 1, .sum = sum };
	for (int i = 0; i < BC_STORE_COMMIT_BUCKETS; i++) {
		h.bounds[i] = (double)(1u << i) * unit;
		h.counts[i] = buckets[i];
	}
	page_histogram(p, NULL, NULL, &h);
}

static void add_store(struct page *p)
{
	struct bc_store_stats s;
	bc_store_stats(p->call->api->shop->store, &s);
	page_family(p, METRIC_STORE_COMMIT_SECONDS);
	add_doubling(p, s.commit_us_bucket, 0.0001, (double)s.commit_us_total / 1e6);
	page_family(p, METRIC_STORE_BATCH_SIZE);
	add_doubling(p, s.batch_bucket, 1, (double)s.committed);
	page_family(p, METRIC_STORE_BYTES);
	if (s.has_size)
		page_count(p, NULL, NULL, s.bytes);
	page_family(p, METRIC_STORE_FREE_BYTES);
	if (s.has_size)
		page_count(p, NULL, NULL, s.free_bytes);
	page_family(p, METRIC_STORE_WRITABLE);
	page_count(p, NULL, NULL, s.writable && !s.broken);
}

static void add_daemon(struct page *p)
{
	const struct bc_api *api = p->call->api;
	if (api->connections) {
		page_family(p, METRIC_HTTP_CONNECTIONS);
		page_count(p, NULL, NULL, api->connections(api->ctx));
	}
	page_family(p, METRIC_STREAMS);
	page_count(p, NULL, NULL, api->streams.count);
	page_family(p, METRIC_BUILD_INFO);
	page_count(p, BC_VERSION, NULL, 1);
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Prometheus names both, the one that it likes better first; who says nothing gets the plain one.
 */
static bool wants_openmetrics(const struct call *call)
{
	struct bc_str accept = call_header(call, "accept");
	while (accept.ptr) {
		struct bc_str rest = bc_str_split(&accept, ',');
		struct bc_str type = bc_str_trim(bc_str_split(&rest, ';'));
		if (bc_str_ieq(type, "application/openmetrics-text"))
			return true;
		if (bc_str_ieq(type, "text/plain"))
			return false;
	}
	return false;
}

static void answer_page(const struct page *page)
{
	static const char plain[] = "text/plain; version=0.0.4; charset=utf-8";
	static const char open[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	call_text(page->call, 200, page->openmetrics ? open : plain,
		  (struct bc_str){ page->out.data, page->out.len });
}

static void answer_metrics(struct call *call, const struct shop_view *view)
{
	struct page page = { .call = call, .view = view, .openmetrics = wants_openmetrics(call) };
	page.status = call_lanes(call, &page.status_count);
	page.failed = !page.status;
	bc_buf_init(&page.out, METRICS_MAX_BYTES);
	add_intake(&page);
	add_returns(&page);
	add_oldest(&page);
	add_lanes(&page);
	add_transitions(&page);
	add_durations(&page);
	page_add_commerce(&page);
	page_add_edge(&page);
	add_store(&page);
	add_daemon(&page);
	if (page.openmetrics && !page.failed)
		page.failed = bc_buf_adds(&page.out, "# EOF\n") != 0;
	if (page.failed)
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the metrics", "try again");
	else
		answer_page(&page);
	bc_buf_finish(&page.out);
}

void get_metrics(struct call *call)
{
	call_view(call, answer_metrics);
}
