/* SPDX-License-Identifier: MIT */
/* See app.h. The stages stand at the end; each has an open and a close. */
#include "daemon/app.h"

#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "core/state.h"
#include "core/upkeep.h"
#include "daemon/listener.h"
#include "daemon/notify.h"
#include "net/signals.h"

enum { STOP_GRACE_MS = 10 * 1000, STORE_ARENA_MAX = 64 * 1024 };

struct bc_app {
	enum bc_app_mode mode;
	size_t stages_open;
	struct bc_settings *settings; /* a reference */
	struct bc_product *products;  /* owned */
	struct bc_shop_config config;
	struct bc_shop shop;
	struct bc_state_lock *lock;
	struct bc_secret *hash_key;
	struct bc_store *store;
	struct bc_loop *loop, *delivery_loop;
	struct bc_loop_thread *delivery_thread;
	struct bc_delivery *delivery;
	struct bc_upkeep *upkeep;
	struct bc_api *api;
	struct bc_listener *listener;
	struct bc_notify *notify;
	struct bc_signal *signals[3];
	bool closing;
	unsigned closing_parts; /* listener, API */
	struct bc_task to_delivery, from_delivery;
	atomic_int parts_running; /* delivery, upkeep */
};

/* --- settings -> the shop's rules ------------------------------------------------------------ */

static int open_config(struct bc_app *app, struct bc_err *err)
{
	const struct bc_settings *s = app->settings;
	app->products = calloc(s->product_count ? s->product_count : 1, sizeof(*app->products));
	if (!app->products)
		return bc_err_nomem(err);
	for (size_t i = 0; i < s->product_count; i++)
		app->products[i] = (struct bc_product){ .label = s->products[i].label,
							.partner = &bc_partner_sovendus,
							.base_url = s->sovendus_base_url,
							.id = s->products[i].id,
							.key = s->products[i].key,
							.landing = s->products[i].landing };
	app->config = (struct bc_shop_config){
		.products = app->products,
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
	};
	return 0;
}

static void close_config(struct bc_app *app)
{
	free(app->products);
}

/* --- state directory, key -------------------------------------------------------------------- */

static int open_state(struct bc_app *app, struct bc_err *err)
{
	int result = bc_state_dir_make(app->settings->state, err);
	if (!result)
		result = bc_state_lock(app->settings->state, &app->lock, err);
	if (result)
		return result;
	if (app->settings->hash_key)
		app->hash_key = bc_secret_ref(app->settings->hash_key);
	else
		result = bc_state_hash_key(app->settings->state, &app->hash_key, err);
	if (result) {
		bc_state_unlock(app->lock);
		app->lock = NULL;
	}
	return result;
}

static void close_state(struct bc_app *app)
{
	bc_secret_unref(app->hash_key);
	bc_state_unlock(app->lock);
}

/* --- loop and store --------------------------------------------------------------------------- */

static int open_loop(struct bc_app *app, struct bc_err *err)
{
	return bc_loop_create(&app->loop, err);
}

static void close_loop(struct bc_app *app)
{
	bc_loop_destroy(app->loop);
}

static int open_store(struct bc_app *app, struct bc_err *err)
{
	struct bc_store_options options = { .url = app->settings->store,
					    .clock = &bc_clock_system };
	int result = bc_store_open(&options, &app->store, err);
	app->shop = (struct bc_shop){ .config = &app->config,
				      .clock = &bc_clock_system,
				      .store = app->store,
				      .hash_key = app->hash_key,
				      .hash_key_previous = app->settings->hash_key_previous };
	return result;
}

static void close_store(struct bc_app *app)
{
	bc_store_close(app->store);
}

static void store_answered(struct bc_store_op *op)
{
	struct bc_loop *loop = op->ctx;
	bc_loop_stop(loop);
}

/* One operation before anything else runs on the loop. */
static int store_now(struct bc_app *app, struct bc_store_op *op, struct bc_err *err)
{
	struct bc_origin origin;
	bc_origin_init(&origin, app->loop);
	op->done = store_answered;
	op->ctx = app->loop;
	bc_store_submit(app->store, &origin.base, op);
	bc_loop_run(app->loop);
	bc_origin_finish(&origin);
	if (op->result && op->result != BC_ENOENT)
		*err = op->err;
	return op->result;
}

static int keep_fingerprint(struct bc_app *app, const char *fingerprint, struct bc_err *err)
{
	struct bc_store_op op = { .kind = BC_STORE_PUT_META };
	op.in.meta.key = BC_STR("hash_key");
	op.in.meta.value = bc_str_of(fingerprint);
	return store_now(app, &op, err);
}

static bool is_previous_key(const struct bc_app *app, struct bc_str kept)
{
	char fingerprint[BC_FINGERPRINT_BYTES];
	if (!app->settings->hash_key_previous)
		return false;
	bc_secret_fingerprint(app->settings->hash_key_previous, fingerprint);
	return bc_str_eq(kept, fingerprint);
}

static int refuse_key(struct bc_str kept, const char *fingerprint, struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "the store was made with another hash key (%.*s, not %s)",
		   (int)kept.len, kept.ptr, fingerprint);
	bc_err_hint(err,
		    "restore hash.key in the state directory, or set BACKCHANNEL_HASH_KEY to the "
		    "one it was made with; to change keys give that one as hash.key_previous");
	return BC_EINVAL;
}

/*
 * A store answers only to the key it was made with: under another one no session and no used token
 * would be found again, silently. Where the former key is named, both are looked under.
 */
static int check_key(struct bc_app *app, struct bc_arena *arena, struct bc_err *err)
{
	char fingerprint[BC_FINGERPRINT_BYTES];
	struct bc_store_op op = { .kind = BC_STORE_GET_META, .arena = arena };
	bc_secret_fingerprint(app->hash_key, fingerprint);
	op.in.meta.key = BC_STR("hash_key");
	int result = store_now(app, &op, err);
	if (result == BC_ENOENT || (!result && is_previous_key(app, op.out.meta)))
		return keep_fingerprint(app, fingerprint, err);
	if (!result && !bc_str_eq(op.out.meta, fingerprint))
		return refuse_key(op.out.meta, fingerprint, err);
	return result;
}

static int open_key_check(struct bc_app *app, struct bc_err *err)
{
	struct bc_arena *arena = bc_arena_create(1024, STORE_ARENA_MAX);
	if (!arena)
		return bc_err_nomem(err);
	int result = check_key(app, arena, err);
	bc_arena_destroy(arena);
	return result;
}

/* --- delivery ----------------------------------------------------------------------------------
 */

static void on_due(void *ctx)
{
	struct bc_app *app = ctx;
	if (app->delivery)
		bc_delivery_wake(app->delivery);
}

static void on_final(void *ctx, struct bc_str order)
{
	struct bc_app *app = ctx;
	bc_api_order_final(app->api, order);
}

static int open_delivery(struct bc_app *app, struct bc_err *err)
{
	if (app->mode < BC_APP_DELIVER)
		return 0;
	int result = bc_loop_create(&app->delivery_loop, err);
	if (!result)
		result = bc_delivery_create(app->delivery_loop, &app->shop, &app->delivery, err);
	if (!result)
		result = bc_upkeep_create(app->delivery_loop, &app->shop, app->delivery,
					  &app->upkeep, err);
	if (!result)
		return 0;
	bc_upkeep_destroy(app->upkeep);
	bc_delivery_destroy(app->delivery);
	if (app->delivery_loop)
		bc_loop_destroy(app->delivery_loop);
	return result;
}

static void close_delivery(struct bc_app *app)
{
	if (!app->delivery_loop)
		return;
	bc_upkeep_destroy(app->upkeep);
	bc_delivery_destroy(app->delivery);
	bc_loop_destroy(app->delivery_loop);
}

static void delivery_loop_done(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, from_delivery);
	bc_loop_stop(app->loop);
}

static void part_stopped(void *ctx)
{
	struct bc_app *app = ctx;
	if (atomic_fetch_sub(&app->parts_running, 1) == 1)
		bc_loop_post(app->loop, &app->from_delivery);
}

static void stop_parts(struct bc_task *task)
{
	struct bc_app *app = BC_CONTAINER(task, struct bc_app, to_delivery);
	bc_delivery_stop(app->delivery, STOP_GRACE_MS, part_stopped, app);
	bc_upkeep_stop(app->upkeep, part_stopped, app);
}

static int open_thread(struct bc_app *app, struct bc_err *err)
{
	if (!app->delivery)
		return 0;
	app->shop.ctx = app;
	app->shop.on_due = on_due;
	app->shop.on_final = on_final;
	return bc_loop_thread_start(app->delivery_loop, "delivery", &app->delivery_thread, err);
}

static void close_thread(struct bc_app *app)
{
	if (!app->delivery_thread)
		return;
	atomic_store(&app->parts_running, 2);
	app->to_delivery.run = stop_parts;
	app->from_delivery.run = delivery_loop_done;
	bc_loop_post(app->delivery_loop, &app->to_delivery);
	bc_loop_run(app->loop);
	bc_loop_thread_join(app->delivery_thread);
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
					  .connections = connections,
					  .ctx = app };
	return bc_api_create(app->loop, &options, &app->api, err);
}

static void close_api(struct bc_app *app)
{
	bc_api_destroy(app->api);
}

static int open_listener(struct bc_app *app, struct bc_err *err)
{
	const struct bc_settings *s = app->settings;
	if (app->mode < BC_APP_SERVE)
		return 0;
	struct bc_listener_options options = { .listen = s->listen,
					       .hosts = s->http_hosts,
					       .api_token = s->api_token,
					       .connections_max = s->http_connections,
					       .body_max_bytes = s->http_body_bytes,
					       .head_timeout_ms = s->http_head_timeout_ms };
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
	/* A request outlives its connection when that is cut: both must be over. */
	app->closing_parts = 2;
	bc_listener_close(app->listener, STOP_GRACE_MS, listener_part_closed, app);
	bc_api_stop(app->api, listener_part_closed, app);
	bc_loop_run(app->loop);
	bc_listener_destroy(app->listener);
}

static void on_signal(void *ctx, int signum)
{
	struct bc_app *app = ctx;
	if (signum == SIGHUP) {
		bc_notify_reloading(app->notify);
		bc_log_warning(
			"settings.kept",
			BC_LS("meaning", "settings are read at start; restart to apply them"));
		bc_notify_ready(app->notify);
		return;
	}
	if (app->closing)
		_Exit(1); /* asked twice: what is acknowledged is on disk */
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

static void close_signals(struct bc_app *app)
{
	for (size_t i = 0; i < BC_COUNT(app->signals); i++)
		bc_signal_destroy(app->signals[i]);
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
	{ open_config, close_config },	 { open_state, close_state },
	{ open_loop, close_loop },	 { open_store, close_store },
	{ open_key_check, NULL },	 { open_delivery, close_delivery },
	{ open_api, close_api },	 { open_thread, close_thread },
	{ open_signals, close_signals }, { open_listener, close_listener },
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
	while (app->stages_open--)
		if (stages[app->stages_open].close)
			stages[app->stages_open].close(app);
	bc_settings_unref(app->settings);
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

/* --- one request in process
 * ----------------------------------------------------------------------- */

struct local_call {
	struct bc_api_request request;
	struct bc_app *app;
	int status;
	struct bc_buf *body;
	bool failed;
};

static void local_answered(struct bc_api_request *request, const struct bc_api_answer *a)
{
	struct local_call *c = BC_CONTAINER(request, struct local_call, request);
	c->status = a->status;
	c->failed = a->body.len && bc_buf_add(c->body, a->body.ptr, a->body.len);
	bc_loop_stop(c->app->loop);
}

int bc_app_call(struct bc_app *app, const char *method, const char *path_and_query,
		const char *body, int *ret_status, struct bc_buf *ret_body)
{
	struct bc_arena *arena = bc_arena_create(8192, 16 * 1024 * 1024);
	if (!arena)
		return BC_ENOMEM;
	struct bc_str query = bc_str_of(path_and_query);
	struct bc_str path = bc_str_split(&query, '?');
	struct local_call c = { .app = app,
				.body = ret_body,
				.request = { .method = method,
					     .path = path,
					     .query = query,
					     .body = bc_str_of(body),
					     .arena = arena,
					     .answer = local_answered } };
	bc_api_handle(app->api, &c.request);
	if (!c.status)
		bc_loop_run(app->loop);
	bc_arena_destroy(arena);
	*ret_status = c.status;
	return c.failed ? BC_ENOMEM : 0;
}
