/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: Prometheus text. Counts of rows come from the store (two reads), the rest from
 * counters. Families are written one after the other, each with its HELP and TYPE.
 */
#include <string.h>

#include "daemon/api_impl.h"

enum { METRICS_MAX_BYTES = 256 * 1024, LANES_MAX = 64 };

/* What one page is made of. */
struct page {
	struct bc_buf out;
	bool failed;
	struct call *call;
	struct bc_store_counts counts;
	const struct bc_store_op *lanes; /* result of BC_STORE_LANES */
	struct bc_lane_status status[LANES_MAX];
	size_t status_count;
};

static void add(struct page *p, const char *fmt, ...) BC_PRINTF(2, 3);
static void add(struct page *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!p->failed)
		p->failed = bc_buf_addv(&p->out, fmt, ap) != 0;
	va_end(ap);
}

static void family(struct page *p, const char *name, const char *type, const char *help)
{
	add(p, "# HELP backchannel_%s %s\n# TYPE backchannel_%s %s\n", name, help, name, type);
}

static unsigned long long load(atomic_uint_fast64_t *counter)
{
	return (unsigned long long)atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_intake(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	family(p, "clicks_total", "counter", "Click tokens captured, by kind.");
	add(p, "backchannel_clicks_total{kind=\"production\"} %llu\n", load(&s->clicks_production));
	add(p, "backchannel_clicks_total{kind=\"test\"} %llu\n", load(&s->clicks_test));
	add(p, "backchannel_clicks_total{kind=\"refused\"} %llu\n", load(&s->clicks_refused));
	family(p, "orders_total", "counter", "Orders reported, by what came of it.");
	for (int i = 0; i < BC_ORDER_RESULTS; i++)
		add(p, "backchannel_orders_total{result=\"%s\"} %llu\n", bc_order_result_name[i],
		    load(&s->orders[i]));
	family(p, "conversions", "gauge", "Orders in the store, by state.");
	for (int i = 0; i < BC_ORDER_STATES; i++)
		add(p, "backchannel_conversions{state=\"%s\"} %llu\n",
		    bc_order_state_name((enum bc_order_state)i),
		    (unsigned long long)p->counts.orders[i]);
}

static void add_oldest(struct page *p)
{
	uint64_t now = bc_wall_ms(p->call->api->shop->clock);
	char name[BC_LANE_NAME_BYTES];
	family(p, "pending_oldest_seconds", "gauge",
	       "Age of the oldest pending conversion, by lane.");
	for (uint32_t i = 0; i < p->lanes->out.lanes.count; i++) {
		const struct bc_lane_count *c = &p->lanes->out.lanes.lanes[i];
		uint64_t age = c->oldest_ms && now > c->oldest_ms ? now - c->oldest_ms : 0;
		add(p, "backchannel_pending_oldest_seconds{lane=\"%s\"} %.3f\n",
		    bc_lane_name(c->partner, c->product, name), (double)age / 1000);
	}
}

static void add_lanes(struct page *p)
{
	family(p, "attempts_total", "counter", "Hand-back requests, by lane and outcome.");
	for (size_t i = 0; i < p->status_count; i++)
		for (int o = 0; o < BC_OUTCOMES; o++)
			add(p, "backchannel_attempts_total{lane=\"%s\",outcome=\"%s\"} %llu\n",
			    p->status[i].name, bc_outcome_name((enum bc_outcome)o),
			    (unsigned long long)p->status[i].attempts[o]);
	family(p, "lane_state", "gauge", "1 for the state a lane is in.");
	for (size_t i = 0; i < p->status_count; i++)
		for (int s = 0; s < BC_LANE_STATES; s++)
			add(p, "backchannel_lane_state{lane=\"%s\",state=\"%s\"} %d\n",
			    p->status[i].name, bc_lane_state_name[s], (int)p->status[i].state == s);
}

static void add_durations(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	unsigned long long sum = 0;
	family(p, "attempt_duration_seconds", "histogram", "Time a hand-back request took.");
	for (int i = 0; i < BC_DURATION_BUCKETS; i++) {
		sum += load(&s->duration_bucket[i]);
		add(p, "backchannel_attempt_duration_seconds_bucket{le=\"%g\"} %llu\n",
		    bc_duration_bound_ms[i] / 1000.0, sum);
	}
	sum += load(&s->duration_bucket[BC_DURATION_BUCKETS]);
	add(p, "backchannel_attempt_duration_seconds_bucket{le=\"+Inf\"} %llu\n", sum);
	add(p, "backchannel_attempt_duration_seconds_sum %.3f\n",
	    (double)load(&s->duration_ms_sum) / 1000);
	add(p, "backchannel_attempt_duration_seconds_count %llu\n", sum);
}

static void add_histogram(struct page *p, const char *name, const uint32_t *buckets, double unit,
			  double total)
{
	unsigned long long sum = 0;
	for (int i = 0; i < 16; i++) {
		sum += buckets[i];
		if (i < 15)
			add(p, "backchannel_%s_bucket{le=\"%g\"} %llu\n", name,
			    (double)(1u << i) * unit, sum);
	}
	add(p, "backchannel_%s_bucket{le=\"+Inf\"} %llu\n", name, sum);
	add(p, "backchannel_%s_sum %.6f\nbackchannel_%s_count %llu\n", name, total, name, sum);
}

static void add_store(struct page *p)
{
	struct bc_store_stats s;
	bc_store_stats(p->call->api->shop->store, &s);
	family(p, "store_commit_seconds", "histogram",
	       "Time a group commit took until it was durable.");
	add_histogram(p, "store_commit_seconds", s.commit_us_bucket, 0.0001,
		      (double)s.commit_us_total / 1e6);
	family(p, "store_batch_size", "histogram", "Operations in one commit.");
	add_histogram(p, "store_batch_size", s.batch_bucket, 1, (double)s.committed);
	family(p, "store_writable", "gauge", "1 while the store takes writes.");
	add(p, "backchannel_store_writable %d\n", s.writable && !s.broken);
	if (p->call->api->connections) {
		family(p, "http_connections", "gauge", "Open connections of the API listener.");
		add(p, "backchannel_http_connections %zu\n",
		    p->call->api->connections(p->call->api->ctx));
	}
	family(p, "build_info", "gauge", "The version that runs.");
	add(p, "backchannel_build_info{version=\"%s\"} 1\n", BC_VERSION);
}

static void render(struct call *call, struct bc_store_op *lanes)
{
	struct page *page = call->extra;
	page->lanes = lanes;
	if (call->api->delivery)
		page->status_count =
			bc_delivery_lanes(call->api->delivery, page->status, LANES_MAX);
	if (page->status_count > LANES_MAX)
		page->status_count = LANES_MAX;
	bc_buf_init(&page->out, METRICS_MAX_BYTES);
	add_intake(page);
	add_oldest(page);
	add_lanes(page);
	add_durations(page);
	add_store(page);
	/* Answering ends the request, and the page in its arena with it. */
	struct bc_buf out = page->out;
	if (page->failed)
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the metrics", "try again");
	else
		call_text(call, 200, "text/plain; version=0.0.4; charset=utf-8",
			  (struct bc_str){ out.data, out.len });
	bc_buf_finish(&out);
}

static void lanes_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	if (op->result)
		call_error(call, op->result, &op->err);
	else
		render(call, op);
}

static void counts_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	struct page *page = call->extra;
	if (op->result) {
		call_error(call, op->result, &op->err);
		return;
	}
	page->counts = op->out.counts;
	call->op = (struct bc_store_op){ .kind = BC_STORE_LANES,
					 .done = lanes_read,
					 .arena = call->request->arena };
	bc_desk_submit(&call->api->desk, &call->op);
}

void get_metrics(struct call *call)
{
	struct page *page = bc_arena_alloc(call->request->arena, sizeof(*page));
	if (!page) {
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the metrics", "try again");
		return;
	}
	page->call = call;
	call->extra = page;
	call->op = (struct bc_store_op){ .kind = BC_STORE_COUNTS,
					 .done = counts_read,
					 .arena = call->request->arena };
	bc_desk_submit(&call->api->desk, &call->op);
}
