/* SPDX-License-Identifier: MIT */
/*
 * Tells whoever started the daemon how it is: the datagrams of sd_notify(3), READY, RELOADING,
 * STOPPING and the watchdog's pings, to the socket that $NOTIFY_SOCKET names. Without one every
 * call does nothing, so a daemon in a shell is the same program.
 *
 * A ping means that the daemon works, not that a timer fires: it is sent only after the delivery
 * loop has run a task and the store's thread has answered a question, both asked anew each time. A
 * thread that hangs for longer than the watchdog's time so gets the daemon restarted, which loses
 * nothing (design rule 1).
 */
#ifndef BC_DAEMON_NOTIFY_H
#define BC_DAEMON_NOTIFY_H

#include "net/loop.h"
#include "store/store.h"

struct bc_notify;

struct bc_notify_options {
	const char
		*socket; /* "/path", or "@name" for an abstract one; NULL or "" = nobody listens */
	uint64_t watchdog_ms;	       /* a ping is due each half of it; 0 = no pings */
	struct bc_loop *delivery_loop; /* runs on a thread of its own; NULL = there is none */
	struct bc_store *store;
};

/* Fills socket and watchdog_ms from NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of the
 * environment; the socket is borrowed from it. A value that is no number is no watchdog. */
void bc_notify_read_environment(struct bc_notify_options *options);

/* Sends nothing yet; pings begin with bc_notify_ready. 0, BC_ENOMEM, BC_EINVAL: no socket's name.
 */
BC_MUST_CHECK int bc_notify_create(struct bc_loop *loop, const struct bc_notify_options *options,
				   struct bc_notify **ret_notify, struct bc_err *err);

/* Loop's thread, all of them. One that cannot be sent is logged and nothing else: the service goes
 * on as it would without a manager. NULL is fine. */
void bc_notify_ready(struct bc_notify *n); /* started, or settings read again */
void bc_notify_reloading(struct bc_notify *n);
void bc_notify_stopping(struct bc_notify *n); /* no ping after it: a manager waits for none */

/* Runs the loop until the last question is answered: the delivery loop and the store must still
 * run, the loop must not. NULL is fine. */
void bc_notify_destroy(struct bc_notify *n);

#endif
