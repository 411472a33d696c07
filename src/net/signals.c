/* SPDX-License-Identifier: MIT */
/* See signals.h. */
#include "net/signals.h"

#include <uv.h>

#include "base/err.h"

struct bc_signal {
	uv_signal_t handle;
	void (*fire)(void *ctx, int signum);
	void *ctx;
};

static void signal_fired(uv_signal_t *handle, int signum)
{
	struct bc_signal *s = handle->data;
	s->fire(s->ctx, signum);
}

static void signal_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int bc_signal_watch(struct bc_loop *loop, int signum, void (*fire)(void *ctx, int signum),
		    void *ctx, struct bc_signal **ret_signal, struct bc_err *err)
{
	struct bc_signal *s = calloc(1, sizeof(*s));
	if (!s)
		return bc_err_nomem(err);
	s->fire = fire;
	s->ctx = ctx;
	int failed = uv_signal_init(bc_loop_uv(loop), &s->handle);
	if (failed) {
		free(s);
		return bc_err_tell(err, BC_EIO, bc_errno_hint(-failed), "cannot watch signals: %s",
				   uv_strerror(failed));
	}
	s->handle.data = s;
	failed = uv_signal_start(&s->handle, signal_fired, signum);
	if (failed) {
		bc_signal_destroy(s);
		return bc_err_tell(err, BC_EIO, bc_errno_hint(-failed),
				   "cannot watch signal %d: %s", signum, uv_strerror(failed));
	}
	*ret_signal = s;
	return 0;
}

void bc_signal_destroy(struct bc_signal *s)
{
	if (s)
		uv_close((uv_handle_t *)&s->handle, signal_closed);
}
