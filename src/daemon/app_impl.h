/* SPDX-License-Identifier: MIT */
/*
 * What the files of the app share; private to them.
 *
 *	app.c		the stages of start and end, signals, listener
 *	app_store.c	state directory, lock, hash key, store
 *	app_delivery.c	the delivery loop and its thread, delivery, upkeep, alerts
 *	app_commerce.c	token manager and gateway
 *	app_orders.c	what asks Commerce about its orders, and tells it of them
 *	app_intake.c	the reader of the journal
 *	app_edge.c	public listener and datagram input
 *	app_config.c	a snapshot of the settings as the shop's rules
 *	app_reload.c	SIGHUP
 *	app_call.c	one API request in process
 *
 * Everything here belongs to the main thread, but what stands on the delivery loop.
 */
#ifndef BC_DAEMON_APP_IMPL_H
#define BC_DAEMON_APP_IMPL_H

#include "core/alerts.h"
#include "core/comments.h"
#include "core/gateway.h"
#include "core/journal.h"
#include "core/pull.h"
#include "core/state.h"
#include "core/upkeep.h"
#include "daemon/app.h"
#include "daemon/edge.h"
#include "daemon/input.h"
#include "daemon/listener.h"
#include "daemon/notify.h"
#include "net/signals.h"

enum { BC_APP_STOP_GRACE_MS = 10 * 1000, BC_APP_ALERTS_GRACE_MS = 3 * 1000 };

/* Keys that were in force before: the log refuses them to the end (see bc_secret_occurs). */
enum { BC_APP_FORMER_SECRETS = 64 };

struct bc_app_reload {
	const struct bc_settings_source *source; /* borrowed; NULL: SIGHUP changes nothing */
	bool busy;				 /* the delivery loop is asked to take over */
	bool again;				 /* SIGHUP came meanwhile */
	struct bc_settings *settings;		 /* a reference; of the one under way */
	struct bc_shop_config *config;		 /* likewise */
	struct bc_settings_report report;
	struct bc_err err; /* of the delivery loop */
	int result;
	struct bc_task there, back;
	struct bc_secret *former[BC_APP_FORMER_SECRETS]; /* references; a ring */
	size_t former_next;
};

struct bc_app {
	enum bc_app_mode mode;
	size_t stages_open;
	struct bc_settings *started;  /* a reference; what needs a restart is in force as it says */
	struct bc_settings *settings; /* a reference; in force */
	struct bc_shop_config *config; /* a reference; the first one */
	struct bc_shop shop;
	struct bc_state_lock *lock;
	struct bc_secret *hash_key;
	struct bc_store *store;
	struct bc_loop *loop, *delivery_loop;
	struct bc_loop_thread *delivery_thread;
	struct bc_alerts *alerts;
	struct bc_delivery *delivery;
	struct bc_upkeep *upkeep;
	struct bc_upstream upstream;
	struct bc_tokens *tokens; /* the delivery loop's; NULL: Commerce is off */
	/* Likewise, and on the delivery loop too. */
	struct bc_client *client;
	struct bc_pull *pull;
	struct bc_comments *comments;
	struct bc_journal *journal; /* NULL: off */
	struct bc_gateway *gateway; /* likewise */
	struct bc_api *api;
	struct bc_listener *listener;
	struct bc_edge *edge;	/* NULL: off */
	struct bc_input *input; /* NULL: off */
	struct bc_notify *notify;
	struct bc_signal *signals[3];
	bool closing;
	unsigned closing_parts; /* listener, API, gateway */
	struct bc_task to_delivery, from_delivery;
	unsigned parts_running; /* on the delivery loop, and asked to stop; the delivery loop's */
	struct bc_app_reload reload;
};

/* --- stages: a failed open cleans up after itself, close undoes a successful one ------------- */

BC_MUST_CHECK int bc_app_open_state(struct bc_app *app, struct bc_err *err);
void bc_app_close_state(struct bc_app *app);
BC_MUST_CHECK int bc_app_open_store(struct bc_app *app, struct bc_err *err);
void bc_app_close_store(struct bc_app *app);
/* A store answers only to the hash key it was made with. */
BC_MUST_CHECK int bc_app_check_key(struct bc_app *app, struct bc_err *err);

BC_MUST_CHECK int bc_app_open_delivery(struct bc_app *app, struct bc_err *err);
void bc_app_close_delivery(struct bc_app *app);
BC_MUST_CHECK int bc_app_open_thread(struct bc_app *app, struct bc_err *err);
void bc_app_close_thread(struct bc_app *app);

BC_MUST_CHECK int bc_app_open_tokens(struct bc_app *app, struct bc_err *err);
BC_MUST_CHECK int bc_app_open_gateway(struct bc_app *app, struct bc_err *err);
void bc_app_close_gateway(struct bc_app *app);
BC_MUST_CHECK int bc_app_open_orders(struct bc_app *app, struct bc_err *err);
void bc_app_close_orders(struct bc_app *app);
void bc_app_stop_orders(struct bc_app *app); /* the delivery loop's */
void bc_app_reload_orders(struct bc_app *app, struct bc_shop_config *config,
			  const struct bc_settings *s); /* likewise */
BC_MUST_CHECK int bc_app_open_journal(struct bc_app *app, struct bc_err *err);
void bc_app_close_journal(struct bc_app *app);
void bc_app_stop_journal(struct bc_app *app); /* the delivery loop's */
BC_MUST_CHECK int bc_app_reload_journal(struct bc_app *app, struct bc_shop_config *rules,
					const struct bc_settings *s,
					struct bc_err *err); /* likewise */
/* One of parts_running is over; ctx: the app. */
void bc_app_part_stopped(void *ctx);
/* The delivery loop's, the main loop's. */
BC_MUST_CHECK int bc_app_reload_tokens(struct bc_app *app, const struct bc_settings *s,
				       struct bc_err *err);
void bc_app_reload_gateway(struct bc_app *app, const struct bc_settings *s);

BC_MUST_CHECK int bc_app_open_edge(struct bc_app *app, struct bc_err *err);
void bc_app_close_edge(struct bc_app *app);
BC_MUST_CHECK int bc_app_open_input(struct bc_app *app, struct bc_err *err);
void bc_app_close_input(struct bc_app *app);
/* The main loop's. */
void bc_app_reload_edge(struct bc_app *app, struct bc_settings *settings,
			struct bc_shop_config *config);

/* --- settings -------------------------------------------------------------------------------- */

/* What the listener asks by a snapshot, borrowed from it. */
struct bc_listener_options bc_app_listener_options(const struct bc_settings *settings);

/* SIGHUP. */
void bc_app_reload(struct bc_app *app);
/* Lets go of what is left of it; nothing is under way any more. */
void bc_app_reload_finish(struct bc_app *app);

#endif
