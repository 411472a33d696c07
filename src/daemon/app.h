/* SPDX-License-Identifier: MIT */
/*
 * Everything together: state directory, lock, key, store, shop, loops, delivery, API, listener.
 * `serve` opens all of it; the command line, when no daemon runs, opens it without a listener and
 * calls the API in process. Start-up is one table of stages (app.c): each opens one thing, and what
 * was opened is closed in reverse.
 *
 * SIGHUP reads the settings again and swaps them in one go, or says what is wrong and changes
 * nothing; no connection, request or attempt is dropped for it (app_reload.c).
 */
#ifndef BC_DAEMON_APP_H
#define BC_DAEMON_APP_H

#include "base/buf.h"
#include "core/tokens.h"
#include "daemon/settings.h"

struct bc_app;
struct bc_shop_config;

enum bc_app_mode {
	BC_APP_OFFLINE, /* store and API, nothing sent, nothing heard */
	BC_APP_DELIVER, /* and conversions are handed back */
	BC_APP_SERVE	/* and the listener is open */
};

/*
 * result 0; BC_EBUSY: another process has the store (err names it); BC_EINVAL, BC_EIO, BC_ESTORE:
 * err says which stage and what to do. settings: a reference is taken.
 */
BC_MUST_CHECK int bc_app_open(struct bc_settings *settings, enum bc_app_mode mode,
			      struct bc_app **ret_app, struct bc_err *err);
/* Where the API listens ("127.0.0.1:8787"); "" when it does not. */
const char *bc_app_address(const struct bc_app *app);

/* Where SIGHUP reads the settings again; without it, it changes nothing. source: borrowed until
 * close. To be called before bc_app_run. */
void bc_app_reload_from(struct bc_app *app, const struct bc_settings_source *source);

/* Serves until SIGTERM or SIGINT has been obeyed: no new connection, every request answered, every
 * hand-back under way settled or, after the grace time, cut (it goes out again). A second signal
 * cuts at once. */
void bc_app_run(struct bc_app *app);

/*
 * One API request, in process; runs the loop until it is answered. Not while bc_app_run runs.
 * body NULL = none. ret_body: initialised by the caller.
 * result 0 with *ret_status set, or BC_ENOMEM.
 */
BC_MUST_CHECK int bc_app_call(struct bc_app *app, const char *method, const char *path_and_query,
			      const char *body, int *ret_status, struct bc_buf *ret_body);

/* How a token manager works by these settings; borrowed from them. */
struct bc_oauth_config bc_app_oauth_config(const struct bc_settings *s);

/* The shop's rules by a snapshot, which they hold. One reference, the caller's; NULL: no memory. */
BC_MUST_CHECK struct bc_shop_config *bc_app_config_create(struct bc_settings *settings);

/* Stops what runs, closes what is open. NULL is fine. */
void bc_app_close(struct bc_app *app);

#endif
