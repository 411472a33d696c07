/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: the reader of Adobe's journal, on the delivery loop, where a slow journal stalls
 * no listener. A journal that was off at the start stays off until a restart, and so does its URL;
 * as whom it is asked follows a reload.
 */
#include "base/err.h"
#include "daemon/app_impl.h"

/* The URL is the one of the start. */
static struct bc_journal_config config_of(const struct bc_app *app, const struct bc_settings *s)
{
	return (struct bc_journal_config){ .url = app->started->journal_url,
					   .client_id = s->events_client_id,
					   .org_id = s->oauth_org_id,
					   .proxy = s->commerce_proxy,
					   .ca_file = s->commerce_ca_file,
					   .timeout_ms = s->oauth_timeout_ms };
}

int bc_app_open_journal(struct bc_app *app, struct bc_err *err)
{
	if (app->mode < BC_APP_SERVE || !app->tokens || !app->started->journal_url)
		return 0;
	struct bc_journal_config config = config_of(app, app->started);
	return bc_journal_create(app->delivery_loop, &app->shop, app->tokens, &config,
				 &app->journal, err);
}

int bc_app_reload_journal(struct bc_app *app, struct bc_shop_config *rules,
			  const struct bc_settings *s, struct bc_err *err)
{
	/* Commerce that is switched off by it stays on until a restart. */
	if (!app->journal || !s->events_client_id)
		return 0;
	struct bc_journal_config config = config_of(app, s);
	return bc_journal_reconfigure(app->journal, rules, &config, err);
}

void bc_app_stop_journal(struct bc_app *app)
{
	if (!app->journal)
		return;
	app->parts_running++;
	/* It may wait for a token, and nobody is to wait for that. */
	bc_tokens_stop(app->tokens);
	bc_journal_stop(app->journal, bc_app_part_stopped, app);
}

void bc_app_close_journal(struct bc_app *app)
{
	bc_journal_destroy(app->journal);
	app->journal = NULL;
}
