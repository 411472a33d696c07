/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: the daemon's own calls of Commerce, on the delivery loop. They share the token
 * and the sleep that Commerce asks for with the gateway, and never keep a hand-back waiting.
 */
#include "core/client_shared.h"
#include "daemon/app_impl.h"

enum { CONCURRENCY = 4 };

static int open_client(struct bc_app *app, struct bc_err *err)
{
	const struct bc_settings *s = app->started;
	struct bc_client_options options = { .oauth_client_id = s->oauth_client_id,
					     .oauth_org_id = s->oauth_org_id,
					     .commerce_base_url = s->commerce_base_url,
					     .commerce_flavor = s->commerce_is,
					     .concurrency = CONCURRENCY,
					     .proxy = s->commerce_proxy,
					     .ca_file = s->commerce_ca_file };
	struct bc_client_shared shared = { .loop = app->delivery_loop,
					   .tokens = app->tokens,
					   .upstream = &app->upstream,
					   .clock = app->shop.clock };
	return bc_client_create_shared(&options, &shared, &app->client, err);
}

int bc_app_open_orders(struct bc_app *app, struct bc_err *err)
{
	if (!app->tokens || !app->started->commerce_base_url)
		return 0;
	uint64_t every_ms = app->mode < BC_APP_SERVE ? 0 : app->started->commerce_pull_ms;
	int result = open_client(app, err);
	if (!result)
		result = bc_pull_create(app->delivery_loop, &app->shop, app->client, every_ms,
					&app->pull, err);
	if (!result)
		result = bc_comments_create(app->delivery_loop, &app->shop, app->client,
					    &app->comments, err);
	return result;
}

void bc_app_reload_orders(struct bc_app *app, struct bc_shop_config *config,
			  const struct bc_settings *s)
{
	if (!app->client)
		return;
	bc_pull_reconfigure(app->pull, config, s->commerce_pull_ms);
	bc_comments_reconfigure(app->comments, config);
}

void bc_app_stop_orders(struct bc_app *app)
{
	if (!app->client)
		return;
	app->parts_running += 2;
	bc_pull_stop(app->pull, bc_app_part_stopped, app);
	bc_comments_stop(app->comments, bc_app_part_stopped, app);
	bc_client_end(app->client);
}

void bc_app_close_orders(struct bc_app *app)
{
	bc_client_destroy(app->client);
	bc_comments_destroy(app->comments);
	bc_pull_destroy(app->pull);
}
