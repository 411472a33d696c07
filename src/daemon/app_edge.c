/* SPDX-License-Identifier: MIT */
/*
 * See app_impl.h: where clicks come in beside the API, the public listener and the datagram input.
 * Both are off by default. They close before the API does, which may be asked meanwhile.
 */
#include "daemon/app_impl.h"

/* Beacons wait for one commit at most, so they are not given what the API's requests are. */
enum { EDGE_GRACE_MS = 3 * 1000, QUEUE_MIN = 128 };

static void closed(void *ctx)
{
	struct bc_app *app = ctx;
	bc_loop_stop(app->loop);
}

static void news(void *ctx)
{
	struct bc_app *app = ctx;
	if (app->journal)
		bc_journal_wake(app->journal);
}

int bc_app_open_edge(struct bc_app *app, struct bc_err *err)
{
	struct bc_edge_options options = { .shop = &app->shop,
					   .delivery_loop = app->delivery_loop,
					   .settings = app->started,
					   .news = news,
					   .ctx = app };
	if (app->mode < BC_APP_SERVE || !app->started->edge)
		return 0;
	int result = bc_edge_create(app->loop, &options, &app->edge, err);
	if (!result)
		bc_log_info("edge.listening", BC_LS("listen", bc_edge_address(app->edge)));
	return result;
}

void bc_app_close_edge(struct bc_app *app)
{
	if (!app->edge)
		return;
	bc_edge_close(app->edge, EDGE_GRACE_MS, closed, app);
	bc_loop_run(app->loop);
	bc_edge_destroy(app->edge);
	app->edge = NULL; /* a SIGHUP may still come while the other listener closes */
}

/* A web server does not wait when the socket is full: it drops the line. */
static void tell_input(const struct bc_input *input)
{
	uint32_t queue = bc_input_queue(input);
	bc_log_info("input.listening", BC_LS("listen", bc_input_address(input)),
		    BC_LU("buffer_bytes", bc_input_buffer_bytes(input)));
	if (queue && queue < QUEUE_MIN)
		bc_log_warning("input.small_queue", BC_LU("datagrams", queue),
			       BC_LS("hint",
				     "set net.unix.max_dgram_qlen to 512 before the daemon "
				     "starts: what a web server finds no room for is lost"));
}

int bc_app_open_input(struct bc_app *app, struct bc_err *err)
{
	const struct bc_settings *s = app->started;
	struct bc_input_options options = { .listen = s->input,
					    .group = s->input_group,
					    .fd = s->sockets.of[BC_SOCKET_INPUT].fd };
	if (app->mode < BC_APP_SERVE || !s->input)
		return 0;
	int result = bc_input_create(app->loop, &app->shop, &options, &app->input, err);
	if (!result)
		tell_input(app->input);
	return result;
}

void bc_app_close_input(struct bc_app *app)
{
	if (!app->input)
		return;
	bc_input_close(app->input, closed, app);
	bc_loop_run(app->loop);
	bc_input_destroy(app->input);
	app->input = NULL;
}

void bc_app_reload_edge(struct bc_app *app, struct bc_settings *settings,
			struct bc_shop_config *config)
{
	if (app->edge)
		bc_edge_reconfigure(app->edge, settings, config);
	if (app->input)
		bc_input_reconfigure(app->input, config);
}
