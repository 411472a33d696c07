/* SPDX-License-Identifier: MIT */
/*
 * The public listener: landing beacon, /capture.js, events and webhooks of Adobe Commerce, and
 * nothing of the API. Whatever comes is hostile until it is proven: every path that is not in the
 * route table (edge.c) is a 404 that names nothing, bodies are bounded each and all together, and
 * addresses are limited in how many landings they may report.
 *
 * One loop's thread, but for the counters.
 */
#ifndef BC_DAEMON_EDGE_H
#define BC_DAEMON_EDGE_H

#include "core/shop.h"
#include "daemon/settings.h"
#include "net/loop.h"

struct bc_edge;

struct bc_edge_options {
	struct bc_shop *shop;	       /* borrowed */
	struct bc_loop *delivery_loop; /* borrowed; where what is outbound runs; NULL: nothing is */
	struct bc_settings *settings;  /* a reference is taken; edge is set */
	/* Events are there to be fetched: wakes the journal. Any thread; may be NULL. */
	void (*news)(void *ctx);
	void *ctx;
};

/* 0, BC_EINVAL (an address), BC_EBUSY (it is in use), BC_EIO, BC_ENOMEM. */
BC_MUST_CHECK int bc_edge_create(struct bc_loop *loop, const struct bc_edge_options *options,
				 struct bc_edge **ret_edge, struct bc_err *err);
/* Where it listens: "127.0.0.1:8788" with the real port, or "unix:PATH". */
const char *bc_edge_address(const struct bc_edge *e);
/* Works by these from the next request on; what needs a restart stays. Takes references. */
void bc_edge_reconfigure(struct bc_edge *e, struct bc_settings *settings,
			 struct bc_shop_config *config);
/* Takes no more; done(ctx) once, later, when the last connection is gone and every request is
 * answered. */
void bc_edge_close(struct bc_edge *e, uint64_t grace_ms, void (*done)(void *ctx), void *ctx);
void bc_edge_destroy(struct bc_edge *e); /* after close's done only; NULL is fine */

#endif
