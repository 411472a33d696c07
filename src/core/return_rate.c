/* SPDX-License-Identifier: MIT */
/* See return_rate.h. */
#include "core/return_rate.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/alerts.h"
#include "core/lanes.h"

enum { WINDOW = 1 /* 24 h */ };

/* Products whose rate is low, by the name of their lane. */
struct low {
	struct low *next;
	char lane[BC_LANE_NAME_BYTES];
};

struct bc_return_rate {
	struct bc_shop *shop; /* borrowed */
	struct low *low;
};

struct bc_return_rate *bc_return_rate_create(struct bc_shop *shop)
{
	struct bc_return_rate *r = calloc(1, sizeof(*r));
	if (r)
		r->shop = shop;
	return r;
}

void bc_return_rate_destroy(struct bc_return_rate *r)
{
	if (!r)
		return;
	for (struct low *l = r->low, *next; l; l = next) {
		next = l->next;
		free(l);
	}
	free(r);
}

uint64_t bc_return_orders(const struct bc_return_count *count, int window)
{
	uint64_t orders = 0;
	for (int state = 0; state < BC_ORDER_STATES; state++)
		if (state != BC_ORDER_CANCELLED)
			orders += count->orders[window][state];
	return orders;
}

static struct low **find(struct bc_return_rate *r, const char *lane)
{
	struct low **at = &r->low;
	while (*at && strcmp((*at)->lane, lane) != 0)
		at = &(*at)->next;
	return at;
}

static void tell(const struct bc_return_rate *r, const char *lane, const char *label, bool low,
		 const char *reason)
{
	static const char *const states[] = { "normal", "low" };
	char text[BC_LANE_NAME_BYTES + 160];
	const char *hint = low ? "backchannel lanes says what holds them; backchannel orders "
				 "--state rejected lists what the partner refused"
			       : "";
	snprintf(text, sizeof(text), "backchannel: the return rate of %s is %s: %s", lane,
		 states[low], reason);
	bc_log_at(low ? BC_LOG_ERROR : BC_LOG_INFO, "return_rate.state", BC_LS("lane", lane),
		  BC_LS("from", states[!low]), BC_LS("to", states[low]), BC_LS("reason", reason),
		  BC_LS("hint", hint));
	bc_alerts_raise(r->shop->alerts, &(struct bc_alert){ .event = "return_rate.state",
							     .lane = lane,
							     .product = label,
							     .from = states[!low],
							     .to = states[low],
							     .reason = reason,
							     .hint = hint,
							     .page = "return-rate",
							     .text = text,
							     .at_ms = bc_wall_ms(r->shop->clock) });
}

static void remember(struct low **at, const char *lane)
{
	*at = calloc(1, sizeof(**at));
	if (*at) /* else it is told again at the next look */
		snprintf((*at)->lane, sizeof((*at)->lane), "%s", lane);
}

static void forget(struct low **at)
{
	struct low *gone = *at;
	*at = gone->next;
	free(gone);
}

static void look_at(struct bc_return_rate *r, const struct bc_shop_config *config,
		    const struct bc_return_count *count)
{
	char lane[BC_LANE_NAME_BYTES], label[BC_LABEL_MAX + 1] = "", reason[96];
	uint64_t orders = bc_return_orders(count, WINDOW);
	uint64_t delivered = count->orders[WINDOW][BC_ORDER_DELIVERED];
	bool low = config->return_rate_alert_pct && orders &&
		   orders >= config->return_rate_orders &&
		   delivered * 100 < orders * config->return_rate_alert_pct;
	struct low **known = find(r, bc_lane_name(count->partner, count->product, lane));
	if (low == (*known != NULL) || bc_str_copy(label, sizeof(label), count->product))
		return;
	snprintf(reason, sizeof(reason), "%llu of %llu conversions of the last 24 h delivered",
		 (unsigned long long)delivered, (unsigned long long)orders);
	if (low)
		remember(known, lane);
	else
		forget(known);
	tell(r, lane, label, low, reason);
}

void bc_return_rate_look(struct bc_return_rate *r, const struct bc_shop_config *config,
			 const struct bc_return_count *products, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		look_at(r, config, &products[i]);
}
