/* SPDX-License-Identifier: MIT */
/* See app.h. The stages stand at the end; each has an open and a close. */
#include "daemon/app.h"

#include <signal.h>

#include "base/err.h"
#include "daemon/app_impl.h"

static int open_config(struct bc_app *app, struct bc_err *err)
{
	app->config = bc_app_config_create(app->started);
	return app->config ? 0 : bc_err_nomem(err);
}

static void close_config(struct bc_app *app)
{
	bc_shop_config_unref(app->config);
}

static int open_loop(struct bc_app *app, struct bc_err *err)
{
	return bc_loop_create(&app->loop, err);
}

static void close_loop(struct bc_app *app)
{
	bc_loop_destroy(app->loop);
}

/* --- API, listener ------------------------------------------------------------------------------
 */

static size_t connections(void *ctx)
{
	const struct bc_app *app = ctx;
	return app->listener ? bc_listener_connections(app->listener) : 0;
}

static int open_api(struct bc_app *app, struct bc_err *err)
{
	struct bc_api_options options = { .shop = &app->shop,
					  .delivery = app->delivery,
					  .commerce = { .pull = app->pull,
							.comments = app->comments,
							.journal = app->journal },
					  .connections = connections,
					  .key_folder = app->started->hash_key
								? NULL
								: app->started->state,
					  .ctx = app };
	if (app->gateway) {
		options.commerce.tokens = app->tokens;
		options.commerce.gateway = app->gateway;
		options.commerce.upstream = &app->upstream;
	}
	return bc_api_create(app->loop, &options, &app->api, err);
}

static void close_api(struct bc_app *app)
{
	bc_api_destroy(app->api);
}

static int open_listener(struct bc_app *app, struct bc_err *err)
{
	struct bc_listener_options options = bc_app_listener_options(app->started);
	options.gateway = app->gateway;
	if (app->mode < BC_APP_SERVE)
		return 0;
	int result = bc_listener_create(app->loop, app->api, &options, &app->listener, err);
	if (!result)
		bc_state_lock_note(app->lock, bc_listener_address(app->listener));
	return result;
}

static void listener_part_closed(void *ctx)
{
	struct bc_app *app = ctx;
	if (--app->closing_parts == 0)
		bc_loop_stop(app->loop);
}

static void close_listener(struct bc_app *app)
{
	if (!app->listener)
		return;
	/* A request outlives its connection when that is cut: all must be over. */
	app->closing_parts = app->gateway ? 3 : 2;
	if (app->gateway) {
		bc_tokens_stop(app->tokens);
		bc_gateway_stop(app->gateway, listener_part_closed, app);
	}
	bc_listener_close(app->listener, BC_APP_STOP_GRACE_MS, listener_part_closed, app);
	bc_api_stop(app->api, listener_part_closed, app);
	bc_loop_run(app->loop);
	bc_listener_destroy(app->listener);
}

static void on_signal(void *ctx, int signum)
{
	struct bc_app *app = ctx;
	if (signum == SIGHUP) {
		bc_app_reload(app);
		return;
	}
	if (app->closing) {
		bc_log_flush();
		_Exit(1); /* asked twice: what is acknowledged is on disk */
	}
	app->closing = true;
	bc_log_info("daemon.stopping", BC_LI("signal", signum));
	bc_loop_stop(app->loop);
}

static int open_signals(struct bc_app *app, struct bc_err *err)
{
	static const int watched[] = { SIGTERM, SIGINT, SIGHUP };
	int result = 0;
	if (app->mode < BC_APP_SERVE)
		return 0;
	for (size_t i = 0; i < BC_COUNT(watched) && !result; i++)
		result = bc_signal_watch(app->loop, watched[i], on_signal, app, &app->signals[i],
					 err);
	return result;
}

/* From here on SIGTERM ends it at once, as a second one does; SIGHUP must not. All other threads
 * block signals, so blocking it here bridges the moment between two ways of handling it. */
static void close_signals(struct bc_app *app)
{
	sigset_t hup, before;
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &hup, &before);
	for (size_t i = 0; i < BC_COUNT(app->signals); i++)
		bc_signal_destroy(app->signals[i]);
	if (app->signals[0])
		signal(SIGHUP, SIG_IGN);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* --- the service manager --------------------------------------------------------------------- */

/* The last stage: who is told that the daemon is ready may connect at once. */
static int open_notify(struct bc_app *app, struct bc_err *err)
{
	struct bc_notify_options options = { .delivery_loop = app->delivery_loop,
					     .store = app->store };
	if (app->mode < BC_APP_SERVE)
		return 0;
	bc_notify_read_environment(&options);
	int result = bc_notify_create(app->loop, &options, &app->notify, err);
	if (!result)
		bc_notify_ready(app->notify);
	return result;
}

static void close_notify(struct bc_app *app)
{
	bc_notify_stopping(app->notify);
	bc_notify_destroy(app->notify);
	app->notify = NULL; /* a SIGHUP may still come while the listener closes */
}

/* --- the stages ----------------------------------------------------------------------------------
 */

/* A failed open cleans up after itself; close undoes a successful one. */
static const struct stage {
	int (*open)(struct bc_app *app, struct bc_err *err);
	void (*close)(struct bc_app *app);
} stages[] = {
	{ open_config, close_config },
	{ bc_app_open_state, bc_app_close_state },
	{ open_loop, close_loop },
	{ bc_app_open_store, bc_app_close_store },
	{ bc_app_check_key, NULL },
	{ bc_app_open_delivery, bc_app_close_delivery },
	{ bc_app_open_gateway, bc_app_close_gateway },
	{ open_api, close_api },
	{ bc_app_open_thread, bc_app_close_thread },
	{ open_signals, close_signals },
	{ open_listener, close_listener },
	{ bc_app_open_edge, bc_app_close_edge },
	{ bc_app_open_input, bc_app_close_input },
	{ open_notify, close_notify },
};

int bc_app_open(struct bc_settings *settings, enum bc_app_mode mode, struct bc_app **ret_app,
		struct bc_err *err)
{
	struct bc_app *app = calloc(1, sizeof(*app));
	int result = 0;
	if (!app)
		return bc_err_nomem(err);
	app->mode = mode;
	app->started = bc_settings_ref(settings);
	app->settings = bc_settings_ref(settings);
	while (!result && app->stages_open < BC_COUNT(stages)) {
		result = stages[app->stages_open].open(app, err);
		if (!result)
			app->stages_open++;
	}
	if (result)
		bc_app_close(app);
	else
		*ret_app = app;
	return result;
}

void bc_app_close(struct bc_app *app)
{
	if (!app)
		return;
	app->closing = true;
	while (app->stages_open--)
		if (stages[app->stages_open].close)
			stages[app->stages_open].close(app);
	bc_app_reload_finish(app);
	bc_settings_unref(app->settings);
	bc_settings_unref(app->started);
	free(app);
}

const char *bc_app_address(const struct bc_app *app)
{
	return app->listener ? bc_listener_address(app->listener) : "";
}

void bc_app_run(struct bc_app *app)
{
	bc_loop_run(app->loop);
}
