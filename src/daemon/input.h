/* SPDX-License-Identifier: MIT */
/*
 * The datagram input: clicks as a web server's log tells of them, one JSON object a datagram (see
 * protocol/capture_line.h). A datagram is never answered, so who sends it never waits for us; what
 * cannot be taken is dropped and counted, by reason, in the shop's counters.
 *
 * While the store refuses, a bounded number of clicks waits here. One loop's thread.
 */
#ifndef BC_DAEMON_INPUT_H
#define BC_DAEMON_INPUT_H

#include "core/shop.h"

struct bc_input;

struct bc_input_options {
	const char *listen; /* "unix:PATH", "udp:HOST:PORT"; borrowed during create */
	const char *group;  /* who may write to the Unix socket; NULL: the daemon's own group */
	int fd;		    /* as in bc_datagram_options */
};

/* 0, BC_EINVAL (the address, the group), BC_EBUSY (another process has it), BC_EIO, BC_ENOMEM. */
BC_MUST_CHECK int bc_input_create(struct bc_loop *loop, struct bc_shop *shop,
				  const struct bc_input_options *options,
				  struct bc_input **ret_input, struct bc_err *err);
/* "unix:PATH", or "udp:127.0.0.1:8788" with the real port. */
const char *bc_input_address(const struct bc_input *in);
/* What the kernel keeps of datagrams that are not read yet. */
size_t bc_input_buffer_bytes(const struct bc_input *in);
/* How many wait at most in a Unix socket; 0 = UDP, or not known. */
uint32_t bc_input_queue(const struct bc_input *in);
/* Works by these rules from the next datagram on. Takes a reference. */
void bc_input_reconfigure(struct bc_input *in, struct bc_shop_config *config);
/* Reads what has come, then takes no more; done(ctx) once, later, when all of it is stored or
 * dropped. */
void bc_input_close(struct bc_input *in, void (*done)(void *ctx), void *ctx);
void bc_input_destroy(struct bc_input *in); /* after close's done only; NULL is fine */

#endif
