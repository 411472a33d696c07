/* SPDX-License-Identifier: MIT */
/*
 * See metrics_page.h. The one place that writes a line of GET /metrics: whatever it prints has its
 * row, and the labels of its row.
 */
#include "daemon/metrics_page.h"

#include <stdio.h>
#include <string.h>

enum { BOUND_BYTES = 24 };

static void add(struct page *p, const char *fmt, ...) BC_PRINTF(2, 3);

static void add(struct page *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!p->failed)
		p->failed = bc_buf_addv(&p->out, fmt, ap) != 0;
	va_end(ap);
}

void page_family(struct page *p, enum metric metric)
{
	const struct metric_row *row = p->family = &metric_rows[metric];
	bool cut = p->openmetrics && strcmp(row->type, "counter") == 0;
	int len = (int)(strlen(row->name) - (cut ? strlen("_total") : 0));
	add(p, "# HELP backchannel_%.*s %s\n# TYPE backchannel_%.*s %s\n", len, row->name,
	    row->help, len, row->name, row->type);
}

static void add_label(struct page *p, const char *name, const char *value, const char **before)
{
	BC_ASSERT(!name == !value);
	if (!name)
		return;
	add(p, "%s%s=\"%s\"", *before, name, value);
	*before = ",";
}

/* Up to the blank before the value. le: a histogram's bound, or NULL. */
static void add_series(struct page *p, const char *part, const char *a, const char *b,
		       const char *le)
{
	const struct metric_label *labels = p->family->labels;
	const char *before = "{";
	add(p, "backchannel_%s%s", p->family->name, part);
	add_label(p, labels[0].name, a, &before);
	add_label(p, labels[1].name, b, &before);
	add_label(p, le ? "le" : NULL, le, &before);
	add(p, *before == ',' ? "} " : " ");
}

void page_count(struct page *p, const char *a, const char *b, uint64_t n)
{
	add_series(p, "", a, b, NULL);
	add(p, "%llu\n", (unsigned long long)n);
}

void page_number(struct page *p, const char *a, const char *b, double number)
{
	add_series(p, "", a, b, NULL);
	add(p, "%.12g\n", number);
}

/* --- a sample for each value of a label ------------------------------------------------------ */

const char *metric_value(const struct metric_label *label, size_t i)
{
	return label->value ? label->value(i) : label->values[i];
}

static const struct metric_label *last_label(const struct page *p)
{
	const struct metric_label *labels = p->family->labels;
	return labels[1].name ? &labels[1] : &labels[0];
}

static void add_each(struct page *p, const char *a, size_t i, uint64_t n)
{
	const char *value = metric_value(last_label(p), i);
	page_count(p, a ? a : value, a ? value : NULL, n);
}

void page_counts(struct page *p, const char *a, const uint64_t *counts)
{
	for (size_t i = 0; i < last_label(p)->count; i++)
		add_each(p, a, i, counts[i]);
}

void page_counters(struct page *p, const char *a, atomic_uint_fast64_t *counters)
{
	for (size_t i = 0; i < last_label(p)->count; i++)
		add_each(p, a, i, page_load(&counters[i]));
}

void page_states(struct page *p, const char *a, int state)
{
	for (size_t i = 0; i < last_label(p)->count; i++)
		add_each(p, a, i, (int)i == state);
}

uint64_t page_load(atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- histograms ------------------------------------------------------------------------------ */

/* A bound as a number with a fraction, as OpenMetrics has it: series must not be others in the
 * other format. */
static const char *bound_text(char text[BOUND_BYTES], double bound)
{
	int len = snprintf(text, BOUND_BYTES, "%g", bound);
	if (!strpbrk(text, ".e"))
		snprintf(text + len, (size_t)(BOUND_BYTES - len), ".0");
	return text;
}

void page_histogram(struct page *p, const char *a, const char *b, const struct page_histogram *h)
{
	unsigned long long count = 0;
	char bound[BOUND_BYTES];
	for (size_t i = 0; i <= h->bound_count; i++) {
		count += h->counts[i];
		add_series(p, "_bucket", a, b,
			   i < h->bound_count ? bound_text(bound, h->bounds[i]) : "+Inf");
		add(p, "%llu\n", count);
	}
	add_series(p, "_sum", a, b, NULL);
	add(p, "%.12g\n", h->sum);
	add_series(p, "_count", a, b, NULL);
	add(p, "%llu\n", count);
}
