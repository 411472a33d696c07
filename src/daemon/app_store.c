/* SPDX-License-Identifier: MIT */
/* See app_impl.h: state directory, lock and hash key; the store, which answers only to the key it
 * was made with. */
#include "base/err.h"
#include "daemon/app_impl.h"

enum { ARENA_BYTES = 1024, ARENA_MAX_BYTES = 64 * 1024 };

int bc_app_open_state(struct bc_app *app, struct bc_err *err)
{
	int result = bc_state_dir_make(app->started->state, err);
	if (!result)
		result = bc_state_lock(app->started->state, &app->lock, err);
	if (result)
		return result;
	if (app->started->hash_key)
		app->hash_key = bc_secret_ref(app->started->hash_key);
	else
		result = bc_state_hash_key(app->started->state, &app->hash_key, err);
	if (result) {
		bc_state_unlock(app->lock);
		app->lock = NULL;
	}
	return result;
}

void bc_app_close_state(struct bc_app *app)
{
	bc_secret_unref(app->hash_key);
	bc_state_unlock(app->lock);
}

/* --- the store ------------------------------------------------------------------------------- */

static void warn_of_faults(const struct bc_app *app)
{
	const char *url = app->started->store;
	if (app->mode < BC_APP_SERVE || !bc_str_starts(bc_str_of(url), "fault:"))
		return;
	bc_log_warning("store.faults", BC_LS("store", url),
		       BC_LS("meaning", "this store fails on purpose; it is for tests only"));
}

int bc_app_open_store(struct bc_app *app, struct bc_err *err)
{
	struct bc_store_options options = { .url = app->started->store, .clock = &bc_clock_system };
	warn_of_faults(app);
	int result = bc_store_open(&options, &app->store, err);
	app->shop = (struct bc_shop){ .config = app->config,
				      .clock = &bc_clock_system,
				      .store = app->store,
				      .hash_key = app->hash_key,
				      .hash_key_previous = app->started->hash_key_previous };
	return result;
}

void bc_app_close_store(struct bc_app *app)
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
	if (!app->started->hash_key_previous)
		return false;
	bc_secret_fingerprint(app->started->hash_key_previous, fingerprint);
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

int bc_app_check_key(struct bc_app *app, struct bc_err *err)
{
	struct bc_arena *arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	if (!arena)
		return bc_err_nomem(err);
	int result = check_key(app, arena, err);
	bc_arena_destroy(arena);
	return result;
}
