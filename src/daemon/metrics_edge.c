/* SPDX-License-Identifier: MIT */
/* See metrics_page.h: the families of the public listener and of the datagram input. */
#include "daemon/metrics_page.h"

void page_add_edge(struct page *p)
{
	struct bc_shop_stats *s = &p->call->api->shop->stats;
	page_family(p, "edge_landings_total", "counter",
		    "Landings told to the public listener, by what came of them.");
	for (int i = 0; i < BC_LANDINGS; i++)
		page_add(p, "backchannel_edge_landings_total{result=\"%s\"} %llu\n",
			 bc_landing_name[i], page_load(&s->landings[i]));
	page_family(p, "event_deliveries_total", "counter",
		    "Deliveries of Adobe's events, by what came of them.");
	for (int i = 0; i < BC_EVENTS_RESULTS; i++)
		page_add(p, "backchannel_event_deliveries_total{result=\"%s\"} %llu\n",
			 bc_events_result_name[i], page_load(&s->events[i]));
	page_family(p, "webhooks_total", "counter", "Webhooks of Commerce, by what came of them.");
	for (int i = 0; i < BC_WEBHOOKS; i++)
		page_add(p, "backchannel_webhooks_total{result=\"%s\"} %llu\n", bc_webhook_name[i],
			 page_load(&s->webhooks[i]));
	page_family(p, "input_taken_total", "counter",
		    "Clicks of the datagram input that are stored.");
	page_add(p, "backchannel_input_taken_total %llu\n", page_load(&s->input_taken));
	page_family(p, "input_dropped_total", "counter",
		    "Datagrams that came to nothing, by reason.");
	for (int i = 0; i < BC_INPUT_DROPS; i++)
		page_add(p, "backchannel_input_dropped_total{reason=\"%s\"} %llu\n",
			 bc_input_drop_name[i], page_load(&s->input_dropped[i]));
}
