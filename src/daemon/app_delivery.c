/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: what runs on the delivery loop, and the thread that runs it. Alerts are there
 * first and go last, since a lane that changes as delivery stops is still told.
 */
#include "daemon/app_impl.h"

static void on_due(void *ctx)
{
	struct bc_app *app = ctx;
	if (app->delivery)
		bc_delivery_wake(app->delivery);
}

static void on_final(void *ctx, struct bc_str order)
{
	struct bc_app *app = ctx;
	bc_comments_wake(app->comments);
	bc_api_order_final(app->api, order);
}

static int open_parts(struct bc_app *app, struct bc_err *err)
{
	int result = bc_alerts_create(app->delivery_loop, &app->shop, &app->alerts, err);
	app->shop.alerts = app->alerts;
	if (!result)
		result = bc_delivery_create(app->delivery_loop, &app->shop, &app->delivery, err);
	if (!result)
		result = bc_upkeep_create(app->delivery_loop, &app->shop, app->delivery,
					  &app->upkeep, err);
	if (!result)
		result = bc_app_open_tokens(app, err);
	if (!result)
		result = bc_app_open_orders(app, err);
	if (!result)
		result = bc_app_open_journal(app, err);
	if (!result)
		bc_upkeep_watch(app->upkeep, app->tokens, app->journal);
	return result;
}

int bc_app_open_delivery(struct bc_app *app, struct bc_err *err)
{
	if (app->mode < BC_APP_DELIVER)
		return 0;
	int result = bc_loop_create(&app->delivery_loop, err);
	if (!result)
		result = open_parts(app, err);
	if (result)
		bc_app_close_delivery(app);
	return result;
}

void bc_app_close_delivery(struct bc_app *app)
{
	if (!app->delivery_loop)
		return;
	bc_app_close_journal(app);
	bc_app_close_orders(app);
	bc_tokens_destroy(app->tokens);
	bc_upkeep_destroy(app->upkeep);
	bc_delivery_destroy(app->delivery);
	bc_alerts_destroy(app->alerts);
	bc_loop_destroy(app->delivery_loop);
}

/* --- the thread ------------------------------------------------------------------------------ */

int bc_app_open_thread(struct bc_app *app, struct bc_err *err)
{
	if (!app->delivery)
		return 0;
	app->shop.ctx = app;
	app->shop.on_due = on_due;
	app->shop.on_final = on_final;
	return bc_loop_thread_start(app->delivery_loop, "delivery", &app->delivery_thread, err);
}

static void delivery_loop_done(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, from_delivery);
	bc_loop_stop(app->loop);
}

static void alerts_stopped(void *ctx)
{
	struct bc_app *app = ctx;
	bc_loop_post(app->loop, &app->from_delivery);
}

void bc_app_part_stopped(void *ctx)
{
	struct bc_app *app = ctx;
	if (--app->parts_running == 0)
		bc_alerts_stop(app->alerts, BC_APP_ALERTS_GRACE_MS, alerts_stopped, app);
}

static void stop_parts(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, to_delivery);
	app->parts_running = 3; /* this very function is one */
	bc_delivery_stop(app->delivery, BC_APP_STOP_GRACE_MS, bc_app_part_stopped, app);
	bc_upkeep_stop(app->upkeep, bc_app_part_stopped, app);
	bc_app_stop_orders(app);
	bc_app_stop_journal(app);
	bc_app_part_stopped(app);
}

void bc_app_close_thread(struct bc_app *app)
{
	if (!app->delivery_thread)
		return;
	app->to_delivery.run = stop_parts;
	app->from_delivery.run = delivery_loop_done;
	bc_loop_post(app->delivery_loop, &app->to_delivery);
	bc_loop_run(app->loop);
	bc_loop_thread_join(app->delivery_thread);
}
