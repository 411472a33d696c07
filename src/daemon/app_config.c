/* SPDX-License-Identifier: MIT */
/* See app_impl.h: from a snapshot of the settings to what the shop and the listener work by. */
#include <string.h>

#include "daemon/app_impl.h"

/* The rules and the products they name; strings and secrets are the snapshot's. */
struct made {
	struct bc_shop_config config;
	struct bc_settings *settings; /* a reference */
	struct bc_product products[];
};

static void release(struct bc_shop_config *config)
{
	struct made *made = config->owner;
	bc_settings_unref(made->settings);
	free(made);
}

static struct bc_product product_of(const struct bc_settings_product *p)
{
	return (struct bc_product){ .label = p->label,
				    .partner = p->definition,
				    .edition = p->edition,
				    .base_url = p->url,
				    .id = p->id,
				    .key = p->key,
				    .landing = p->landing };
}

static void fill_products(struct made *made)
{
	const struct bc_settings *s = made->settings;
	for (size_t i = 0; i < s->product_count; i++)
		made->products[i] = product_of(&s->products[i]);
}

static bool lists(char *const *list, const char *what)
{
	for (; list && *list; list++)
		if (strcmp(*list, what) == 0)
			return true;
	return false;
}

struct bc_shop_config *bc_app_config_create(struct bc_settings *settings)
{
	const struct bc_settings *s = settings;
	struct made *made = calloc(1, sizeof(*made) + s->product_count * sizeof(made->products[0]));
	if (!made)
		return NULL;
	made->settings = bc_settings_ref(settings);
	fill_products(made);
	made->config = (struct bc_shop_config){
		.references = 1,
		.release = release,
		.owner = made,
		.products = made->products,
		.product_count = s->product_count,
		.partner = &bc_partner_sovendus,
		.params = (const char *const *)s->sovendus_params,
		.pattern = s->token_pattern,
		.click_ttl_ms = s->click_ttl_ms,
		.order_adopt_ms = s->order_adopt_ms,
		.order_keep_ms = s->order_keep_ms,
		.retry = { s->retry_base_ms, s->retry_cap_ms, s->retry_deadline_ms },
		.connect_timeout_ms = s->delivery_connect_timeout_ms,
		.timeout_ms = s->delivery_timeout_ms,
		.lease_ms = s->lane_lease_ms,
		.probe_ms = s->lane_probe_ms,
		.concurrency = (uint32_t)s->lane_concurrency,
		.proxy = s->delivery_proxy,
		.alert_url = s->alert_url,
		.return_rate_alert_pct = (uint32_t)s->alert_return_rate,
		.return_rate_orders = (uint32_t)s->alert_return_rate_orders,
		.completed_states = (const char *const *)s->commerce_completed,
		.click_attribute = s->commerce_click_attribute,
		.comment_delivered = lists(s->commerce_comments, "delivered"),
		.comment_rejected = lists(s->commerce_comments, "rejected"),
	};
	return &made->config;
}

struct bc_listener_options bc_app_listener_options(const struct bc_settings *s)
{
	return (struct bc_listener_options){ .listen = s->listen,
					     .fd = s->sockets.of[BC_SOCKET_LISTEN].fd,
					     .hosts = s->http_hosts,
					     .api_token = s->api_token,
					     .connections_max = s->http_connections,
					     .body_max_bytes = s->http_body_bytes,
					     .head_timeout_ms = s->http_head_timeout_ms };
}
