/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: Prometheus text, or OpenMetrics for who asks for it: the same samples, but that a
 * counter's family goes without its `_total` and that the page says where it ends. Counts of rows
 * come from the store (three reads), the rest from counters. Families are written one after the
 * other, each with its HELP and TYPE.
 */
#include <string.h>

#include "core/alerts.h"
#include "core/return_rate.h"
#include "daemon/metrics_page.h"

enum { METRICS_MAX_BYTES = 1024 * 1024 };

void page_add(struct page *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!p->failed)
		p->failed = bc_buf_addv(&p->out, fmt, ap) != 0;
	va_end(ap);
}

void page_family(struct page *p, const char *name, const char *type, const char *help)
{
	bool cut = p->openmetrics && strcmp(type, "counter") == 0;
	int len = (int)(strlen(name) - (cut ? strlen("_total") : 0));
	page_add(p, "# HELP backchannel_%.*s %s\n# TYPE backchannel_%.*s %s\n", len, name, help,
		 len, name, type);
}

const char *page_bound(char text[PAGE_BOUND_BYTES], double bound)
{
	int len = snprintf(text, PAGE_BOUND_BYTES, "%g", bound);
	if (!strpbrk(text, ".e"))
		snprintf(text + len, (size_t)(PAGE_BOUND_BYTES - len), ".0");
	return text;
}

unsigned long long page_load(atomic_uint_fast64_t *counter)
{
	return (unsigned long long)atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_intake(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	page_family(p, "clicks_total", "counter", "Click tokens captured, by kind.");
	page_add(p, "backchannel_clicks_total{kind=\"production\"} %llu\n",
		 page_load(&s->clicks_production));
	page_add(p, "backchannel_clicks_total{kind=\"test\"} %llu\n", page_load(&s->clicks_test));
	page_add(p, "backchannel_clicks_total{kind=\"refused\"} %llu\n",
		 page_load(&s->clicks_refused));
	page_family(p, "orders_total", "counter", "Orders reported, by what came of it.");
	for (int i = 0; i < BC_ORDER_RESULTS; i++)
		page_add(p, "backchannel_orders_total{result=\"%s\"} %llu\n",
			 bc_order_result_name[i], page_load(&s->orders[i]));
	page_family(p, "conversions", "gauge", "Orders in the store, by state.");
	for (int i = 0; i < BC_ORDER_STATES; i++)
		page_add(p, "backchannel_conversions{state=\"%s\"} %llu\n",
			 bc_order_state_name((enum bc_order_state)i),
			 (unsigned long long)p->view->counts.orders[i]);
}

static void add_oldest(struct page *p)
{
	uint64_t now = bc_wall_ms(p->call->api->shop->clock);
	char name[BC_LANE_NAME_BYTES];
	page_family(p, "pending_oldest_seconds", "gauge",
		    "Age of the oldest pending conversion, by lane.");
	for (uint32_t i = 0; i < p->view->lane_count; i++) {
		const struct bc_lane_count *c = &p->view->lanes[i];
		uint64_t age = c->oldest_ms && now > c->oldest_ms ? now - c->oldest_ms : 0;
		page_add(p, "backchannel_pending_oldest_seconds{lane=\"%s\"} %.3f\n",
			 bc_lane_name(c->partner, c->product, name), (double)age / 1000);
	}
}

static void add_lanes(struct page *p)
{
	page_family(p, "attempts_total", "counter", "Hand-back requests, by lane and outcome.");
	for (size_t i = 0; i < p->status_count; i++)
		for (int o = 0; o < BC_OUTCOMES; o++)
			page_add(p, "backchannel_attempts_total{lane=\"%s\",outcome=\"%s\"} %llu\n",
				 p->status[i].name, bc_outcome_name((enum bc_outcome)o),
				 (unsigned long long)p->status[i].attempts[o]);
	page_family(p, "lane_state", "gauge", "1 for the state a lane is in.");
	for (size_t i = 0; i < p->status_count; i++)
		for (int s = 0; s < BC_LANE_STATES; s++)
			page_add(p, "backchannel_lane_state{lane=\"%s\",state=\"%s\"} %d\n",
				 p->status[i].name, bc_lane_state_name[s],
				 (int)p->status[i].state == s);
}

static void add_transitions(struct page *p)
{
	uint64_t alerts[BC_ALERT_RESULTS];
	page_family(p, "lane_transitions_total", "counter", "Times a lane entered a state.");
	for (size_t i = 0; i < p->status_count; i++)
		for (int s = 0; s < BC_LANE_STATES; s++)
			page_add(p,
				 "backchannel_lane_transitions_total{lane=\"%s\",to=\"%s\"} %llu\n",
				 p->status[i].name, bc_lane_state_name[s],
				 (unsigned long long)p->status[i].entered[s]);
	bc_alerts_counts(p->call->api->shop->alerts, alerts);
	page_family(p, "alerts_total", "counter", "Alerts to alert.url, by what came of them.");
	for (int i = 0; i < BC_ALERT_RESULTS; i++)
		page_add(p, "backchannel_alerts_total{result=\"%s\"} %llu\n",
			 bc_alert_result_name[i], (unsigned long long)alerts[i]);
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
	for (uint32_t i = 0; i < p->view->return_count; i++) {
		const struct bc_return_count *r = &p->view->returns[i];
		if (!same(r->product, product))
			continue;
		orders += bc_return_orders(r, window);
		delivered += r->orders[window][BC_ORDER_DELIVERED];
	}
	if (orders)
		page_add(p, "backchannel_return_rate{product=\"%.*s\",window=\"%s\"} %.6g\n",
			 (int)product.len, product.ptr, bc_window_name[window],
			 (double)delivered / (double)orders);
}

static void add_returns(struct page *p)
{
	page_family(p, "return_rate", "gauge",
		    "Delivered of all conversions reported in the window, 0 to 1.");
	for (uint32_t i = 0; i < p->view->return_count; i++)
		for (int w = 0; w < BC_WINDOWS && !stands_above(p->view, i); w++)
			add_rate(p, p->view->returns[i].product, w);
}

static void add_durations(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	unsigned long long sum = 0;
	char bound[PAGE_BOUND_BYTES];
	page_family(p, "attempt_duration_seconds", "histogram", "Time a hand-back request took.");
	for (int i = 0; i < BC_DURATION_BUCKETS; i++) {
		sum += page_load(&s->duration_bucket[i]);
		page_add(p, "backchannel_attempt_duration_seconds_bucket{le=\"%s\"} %llu\n",
			 page_bound(bound, bc_duration_bound_ms[i] / 1000.0), sum);
	}
	sum += page_load(&s->duration_bucket[BC_DURATION_BUCKETS]);
	page_add(p, "backchannel_attempt_duration_seconds_bucket{le=\"+Inf\"} %llu\n", sum);
	page_add(p, "backchannel_attempt_duration_seconds_sum %.3f\n",
		 (double)page_load(&s->duration_ms_sum) / 1000);
	page_add(p, "backchannel_attempt_duration_seconds_count %llu\n", sum);
}

static void add_histogram(struct page *p, const char *name, const uint32_t *buckets, double unit,
			  double total)
{
	unsigned long long sum = 0;
	char bound[PAGE_BOUND_BYTES];
	for (int i = 0; i < 16; i++) {
		sum += buckets[i];
		if (i < 15)
			page_add(p, "backchannel_%s_bucket{le=\"%s\"} %llu\n", name,
				 page_bound(bound, (double)(1u << i) * unit), sum);
	}
	page_add(p, "backchannel_%s_bucket{le=\"+Inf\"} %llu\n", name, sum);
	page_add(p, "backchannel_%s_sum %.6f\nbackchannel_%s_count %llu\n", name, total, name, sum);
}

static void add_store(struct page *p)
{
	struct bc_store_stats s;
	bc_store_stats(p->call->api->shop->store, &s);
	page_family(p, "store_commit_seconds", "histogram",
		    "Time a group commit took until it was durable.");
	add_histogram(p, "store_commit_seconds", s.commit_us_bucket, 0.0001,
		      (double)s.commit_us_total / 1e6);
	page_family(p, "store_batch_size", "histogram", "Operations in one commit.");
	add_histogram(p, "store_batch_size", s.batch_bucket, 1, (double)s.committed);
	page_family(p, "store_bytes", "gauge", "What the store takes on disk, its log too.");
	if (s.has_size)
		page_add(p, "backchannel_store_bytes %llu\n", (unsigned long long)s.bytes);
	page_family(p, "store_free_bytes", "gauge",
		    "What is left to the store of its file system.");
	if (s.has_size)
		page_add(p, "backchannel_store_free_bytes %llu\n",
			 (unsigned long long)s.free_bytes);
	page_family(p, "store_writable", "gauge", "1 while the store takes writes.");
	page_add(p, "backchannel_store_writable %d\n", s.writable && !s.broken);
	if (p->call->api->connections) {
		page_family(p, "http_connections", "gauge",
			    "Open connections of the API listener.");
		page_add(p, "backchannel_http_connections %zu\n",
			 p->call->api->connections(p->call->api->ctx));
	}
	page_family(p, "streams", "gauge", "Open readers of GET /v1/stream: consoles.");
	page_add(p, "backchannel_streams %u\n", p->call->api->streams.count);
	page_family(p, "build_info", "gauge", "The version that runs.");
	page_add(p, "backchannel_build_info{version=\"%s\"} 1\n", BC_VERSION);
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
	if (page.openmetrics)
		page_add(&page, "# EOF\n");
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
