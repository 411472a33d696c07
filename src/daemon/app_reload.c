/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: SIGHUP. The settings are read and checked as at a start; whatever is wrong, all
 * stays as it was. Then the delivery loop takes over, which alone may still fail (no memory), and
 * after it the main loop: API, listener, log. So an order for a product that was added is accepted
 * only when there is a lane for it. A request or an attempt that is under way ends by the rules it
 * began with.
 *
 * One reload at a time; a SIGHUP that comes meanwhile starts another one after it. What needs a
 * restart is compared with the snapshot of the start, all else with the one in force.
 */
#include "base/err.h"
#include "daemon/app_impl.h"

enum { CHANGES_MAX_BYTES = 2000 }; /* a longer list is cut by the log */

/* --- what is said ---------------------------------------------------------------------------- */

static void log_errors(const struct bc_settings_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct bc_settings_finding *f = &report->findings[i];
		if (f->severity == BC_SETTINGS_ERROR)
			bc_log_error("settings.refused", BC_LS("where", f->where),
				     BC_LS("problem", f->problem.text),
				     BC_LS("hint", f->problem.hint));
	}
}

static void log_warnings(const struct bc_settings_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct bc_settings_finding *f = &report->findings[i];
		if (f->severity == BC_SETTINGS_WARNING)
			bc_log_warning("settings.warning", BC_LS("where", f->where),
				       BC_LS("problem", f->problem.text),
				       BC_LS("hint", f->problem.hint));
	}
}

static void log_kept(const struct bc_err *err, size_t errors)
{
	bc_log_error("settings.kept", BC_LU("errors", errors), BC_LS("problem", err->text),
		     BC_LS("meaning", "the settings of before stay in force"));
}

/* The line that ends it comes last. */
static void log_reloaded(struct bc_app *app, const struct bc_settings *before)
{
	struct bc_app_reload *r = &app->reload;
	struct bc_buf changes;
	if (bc_settings_restart_needed(app->started, r->settings, &r->report) ||
	    bc_settings_hidden(before, r->settings, &r->report))
		bc_log_warning("settings.warning", BC_LS("problem", "no memory to look further"));
	log_warnings(&r->report);
	bc_buf_init(&changes, CHANGES_MAX_BYTES);
	int result = bc_settings_changes(before, r->settings, &changes);
	if (!result || result == BC_ETOOBIG)
		bc_log_info("settings.reloaded",
			    BC_LS("changed", changes.len ? changes.data : "nothing"),
			    BC_LS("more", result ? "not all are named" : NULL),
			    BC_LU("products", r->settings->product_count));
	else
		bc_log_info("settings.reloaded", BC_LS("changed", "no memory to name it"));
	bc_buf_finish(&changes);
}

/* --- secrets that were in force -------------------------------------------------------------- */

static int is_same(void *ctx, struct bc_secret *secret)
{
	const struct bc_secret *other = ctx;
	return bc_secret_equals(secret, bc_secret_reveal(other), bc_secret_len(other));
}

static bool is_kept(const struct bc_app *app, struct bc_secret *secret)
{
	const struct bc_app_reload *r = &app->reload;
	for (size_t i = 0; i < BC_APP_FORMER_SECRETS; i++)
		if (r->former[i] && is_same(secret, r->former[i]))
			return true;
	return bc_settings_each_secret(r->settings, is_same, secret) ||
	       bc_settings_each_secret(app->started, is_same, secret);
}

/* A key that was changed because it is known is still none to be logged. */
static int keep_secret(void *ctx, struct bc_secret *secret)
{
	struct bc_app *app = ctx;
	struct bc_app_reload *r = &app->reload;
	if (is_kept(app, secret))
		return 0;
	struct bc_secret **slot = &r->former[r->former_next++ % BC_APP_FORMER_SECRETS];
	bc_secret_unref(*slot);
	*slot = bc_secret_ref(secret);
	return 0;
}

/* --- one reload ------------------------------------------------------------------------------ */

static void let_go(struct bc_app_reload *r)
{
	bc_shop_config_unref(r->config);
	r->config = NULL;
	bc_settings_unref(r->settings);
	r->settings = NULL;
	bc_settings_report_finish(&r->report);
	bc_err_clear(&r->err);
	r->busy = false;
}

static void end(struct bc_app *app)
{
	struct bc_app_reload *r = &app->reload;
	let_go(r);
	bc_notify_ready(app->notify);
	if (!r->again)
		return;
	r->again = false;
	bc_app_reload(app);
}

static void refuse(struct bc_app *app)
{
	struct bc_app_reload *r = &app->reload;
	log_errors(&r->report);
	log_warnings(&r->report);
	log_kept(&r->err, r->report.errors);
	end(app);
}

/* By the more talkative of both levels, so that the change of the level is seen. */
static void swap_log(struct bc_app *app, const struct bc_settings *before)
{
	const struct bc_settings *after = app->reload.settings;
	bool quieter = after->log_level < before->log_level;
	bc_log_setup(quieter ? before->log_level : after->log_level, after->log_json);
	log_reloaded(app, before);
	bc_log_setup(after->log_level, after->log_json);
}

static void taken_over(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, reload.back);
	struct bc_app_reload *r = &app->reload;
	if (app->closing) {
		let_go(r);
		return;
	}
	if (r->result) {
		refuse(app);
		return;
	}
	struct bc_settings *before = app->settings;
	struct bc_listener_options listener = bc_app_listener_options(r->settings);
	bc_api_reconfigure(app->api, r->config);
	bc_listener_reconfigure(app->listener, &listener);
	bc_app_reload_edge(app, r->settings, r->config);
	bc_app_reload_gateway(app, r->settings);
	bc_settings_each_secret(before, keep_secret, app);
	swap_log(app, before);
	app->settings = bc_settings_ref(r->settings);
	bc_settings_unref(before);
	end(app);
}

/* On the delivery loop. */
static void take_over(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, reload.there);
	struct bc_app_reload *r = &app->reload;
	r->result = bc_delivery_reconfigure(app->delivery, r->config, &r->err);
	if (!r->result)
		r->result = bc_app_reload_tokens(app, r->settings, &r->err);
	if (!r->result)
		r->result = bc_app_reload_journal(app, r->config, r->settings, &r->err);
	if (!r->result) {
		bc_alerts_reconfigure(app->alerts, r->config);
		bc_upkeep_reconfigure(app->upkeep, r->config);
		bc_app_reload_orders(app, r->config, r->settings);
	}
	bc_loop_post(app->loop, &r->back);
}

static int read_settings(struct bc_app *app)
{
	struct bc_app_reload *r = &app->reload;
	int result = bc_settings_load(r->source, &r->settings, &r->report, &r->err);
	if (!result)
		result = bc_settings_check_reload(app->started, r->settings, &r->report, &r->err);
	if (result)
		return result;
	r->config = bc_app_config_create(r->settings);
	return r->config ? 0 : bc_err_nomem(&r->err);
}

void bc_app_reload(struct bc_app *app)
{
	struct bc_app_reload *r = &app->reload;
	if (app->closing || !r->source)
		return;
	if (r->busy) {
		r->again = true;
		return;
	}
	bc_notify_reloading(app->notify);
	if (read_settings(app)) {
		refuse(app);
		return;
	}
	r->busy = true;
	r->there.run = take_over;
	r->back.run = taken_over;
	bc_loop_post(app->delivery_loop, &r->there);
}

void bc_app_reload_from(struct bc_app *app, const struct bc_settings_source *source)
{
	app->reload.source = source;
}

void bc_app_reload_finish(struct bc_app *app)
{
	let_go(&app->reload);
	for (size_t i = 0; i < BC_APP_FORMER_SECRETS; i++)
		bc_secret_unref(app->reload.former[i]);
}
