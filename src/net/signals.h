/* SPDX-License-Identifier: MIT */
/* Process signals, delivered on a loop as ordinary callbacks. Loop's thread only. */
#ifndef BC_NET_SIGNALS_H
#define BC_NET_SIGNALS_H

#include "net/loop.h"

struct bc_signal;
/* Calls fire(ctx, signum) each time signum arrives, until destroyed. 0, BC_ENOMEM or BC_EIO. */
BC_MUST_CHECK int bc_signal_watch(struct bc_loop *loop, int signum,
				  void (*fire)(void *ctx, int signum), void *ctx,
				  struct bc_signal **ret_signal, struct bc_err *err);
void bc_signal_destroy(struct bc_signal *s); /* NULL is fine */

#endif
