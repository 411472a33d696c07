/* SPDX-License-Identifier: MIT */
/* What the files that write GET /metrics share. Families are added one after the other, each with
 * its HELP and TYPE; a page that had no memory stays failed. */
#ifndef BC_DAEMON_METRICS_PAGE_H
#define BC_DAEMON_METRICS_PAGE_H

#include <stdio.h>

#include "daemon/api_impl.h"

enum { PAGE_BOUND_BYTES = 24 };

struct page {
	struct bc_buf out;
	bool failed, openmetrics;
	struct call *call;
	const struct shop_view *view;
	const struct bc_lane_status *status;
	size_t status_count;
};

void page_add(struct page *p, const char *fmt, ...) BC_PRINTF(2, 3);
void page_family(struct page *p, const char *name, const char *type, const char *help);
/* A histogram's bound as a number with a fraction, as OpenMetrics has it: series must not be others
 * in the other format. */
const char *page_bound(char text[PAGE_BOUND_BYTES], double bound);
unsigned long long page_load(atomic_uint_fast64_t *counter);

void page_add_commerce(struct page *p); /* metrics_commerce.c; nothing while Commerce is off */
void page_add_edge(struct page *p);	/* metrics_edge.c */

#endif
