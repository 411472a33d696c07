/* SPDX-License-Identifier: MIT */
/* See metrics_page.h: the families of the public listener and of the datagram input. */
#include "daemon/metrics_page.h"

void page_add_edge(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	page_family(p, METRIC_EDGE_LANDINGS_TOTAL);
	page_counters(p, NULL, s->landings);
	page_family(p, METRIC_EVENT_DELIVERIES_TOTAL);
	page_counters(p, NULL, s->events);
	page_family(p, METRIC_WEBHOOKS_TOTAL);
	page_counters(p, NULL, s->webhooks);
	page_family(p, METRIC_INPUT_TAKEN_TOTAL);
	page_count(p, NULL, NULL, page_load(&s->input_taken));
	page_family(p, METRIC_INPUT_DROPPED_TOTAL);
	page_counters(p, NULL, s->input_dropped);
}
