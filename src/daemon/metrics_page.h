/* SPDX-License-Identifier: MIT */
/*
 * What the files that write GET /metrics share, and the table of all families. A family's row is
 * the one place that has its name, type, labels and words: the page prints from it, and so does the
 * table in docs/operation.md. Families are added one after the other, each with its HELP, TYPE and
 * samples; a page that had no memory stays failed.
 */
#ifndef BC_DAEMON_METRICS_PAGE_H
#define BC_DAEMON_METRICS_PAGE_H

#include "daemon/api_impl.h"

/* In the order of docs/operation.md; each is called as its row, in capitals. */
enum metric {
	METRIC_CLICKS_TOTAL,
	METRIC_ORDERS_TOTAL,
	METRIC_CONVERSIONS,
	METRIC_PENDING_OLDEST_SECONDS,
	METRIC_ATTEMPTS_TOTAL,
	METRIC_LANE_STATE,
	METRIC_LANE_TRANSITIONS_TOTAL,
	METRIC_RETURN_RATE,
	METRIC_ALERTS_TOTAL,
	METRIC_ATTEMPT_DURATION_SECONDS,
	METRIC_TOKEN_REQUESTS_TOTAL,
	METRIC_TOKEN_STATE,
	METRIC_TOKEN_EXPIRES_SECONDS,
	METRIC_GATEWAY_REQUESTS_TOTAL,
	METRIC_GATEWAY_DURATION_SECONDS,
	METRIC_UPSTREAM_REFUSALS_TOTAL,
	METRIC_INTAKE_TOTAL,
	METRIC_JOURNAL_EVENTS_TOTAL,
	METRIC_JOURNAL_FAILURES_TOTAL,
	METRIC_JOURNAL_EXPIRED_TOTAL,
	METRIC_JOURNAL_STATE,
	METRIC_JOURNAL_LAG_SECONDS,
	METRIC_JOURNAL_EVENTS_PER_MINUTE,
	METRIC_COMMENTS_TOTAL,
	METRIC_EDGE_LANDINGS_TOTAL,
	METRIC_EVENT_DELIVERIES_TOTAL,
	METRIC_WEBHOOKS_TOTAL,
	METRIC_INPUT_TAKEN_TOTAL,
	METRIC_INPUT_DROPPED_TOTAL,
	METRIC_STORE_COMMIT_SECONDS,
	METRIC_STORE_BATCH_SIZE,
	METRIC_STORE_BYTES,
	METRIC_STORE_FREE_BYTES,
	METRIC_STORE_WRITABLE,
	METRIC_HTTP_CONNECTIONS,
	METRIC_STREAMS,
	METRIC_BUILD_INFO,
	METRICS
};

/* A label has few values, which are known, or is described in words. */
struct metric_label {
	const char *name; /* NULL: there is none */
	const char *const *values;
	const char *(*value)(size_t i); /* instead of values */
	size_t count;
	const char *is;
};
const char *metric_value(const struct metric_label *label, size_t i);

struct metric_row {
	const char *name, *type; /* without the "backchannel_" of all */
	struct metric_label labels[2];
	const char *help;   /* one sentence: HELP, and what it means in the documentation */
	const char *advice; /* documentation only, as Markdown; NULL: none */
};
extern const struct metric_row metric_rows[METRICS];

struct page {
	struct bc_buf out;
	bool failed, openmetrics;
	struct call *call;
	const struct shop_view *view;
	const struct bc_lane_status *status;
	size_t status_count;
	const struct metric_row *family; /* the one that samples are added to */
};

void page_family(struct page *p, enum metric metric);

/* One sample of the family. a, b: the values of its labels, NULL where it has none. */
void page_count(struct page *p, const char *a, const char *b, uint64_t n);
void page_number(struct page *p, const char *a, const char *b, double number);

/* A sample for each value of the family's last label; a: the value of the one before, if there is
 * one. What is counted is in the order of the values; of states the one that it is in has a 1. */
void page_counts(struct page *p, const char *a, const uint64_t *counts);
void page_counters(struct page *p, const char *a, atomic_uint_fast64_t *counters);
void page_states(struct page *p, const char *a, int state);

enum { PAGE_BOUNDS_MAX = 16 };
struct page_histogram {
	double bounds[PAGE_BOUNDS_MAX];
	uint64_t counts[PAGE_BOUNDS_MAX + 1]; /* up to each bound, from the one before; above all */
	size_t bound_count;
	double sum;
};
void page_histogram(struct page *p, const char *a, const char *b, const struct page_histogram *h);

uint64_t page_load(atomic_uint_fast64_t *counter);

void page_add_commerce(struct page *p); /* metrics_commerce.c; nothing while Commerce is off */
void page_add_edge(struct page *p);	/* metrics_edge.c */

#endif
