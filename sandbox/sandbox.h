/* SPDX-License-Identifier: MIT */
/*
 * The sandbox: a stand-in for the services that backchannel speaks to, on one port of a loop. It
 * answers as their documents say, records what it is asked, keeps the partner's books (taken, taken
 * twice), and goes wrong on demand. What it serves is one table of routes; see docs/sandbox.md.
 *
 * It records requests as they came, keys included: bind it to loopback.
 * Everything runs on the loop's thread.
 */
#ifndef BC_SANDBOX_SANDBOX_H
#define BC_SANDBOX_SANDBOX_H

#include "base/buf.h"
#include "base/secret.h"
#include "net/loop.h"

struct bc_sandbox;

/* Borrowed during create only; secrets are counted. */
struct bc_sandbox_options {
	const char *listen;	   /* "127.0.0.1:0"; as bc_http_server_options.listen */
	const char *faults;	   /* a spec, see sandbox/faults.h; NULL = none */
	const char *product_id;	   /* SOVENDUS_PRODUCT_ID; NULL or "" = any product */
	struct bc_secret *api_key; /* SOVENDUS_API_KEY; NULL = any key that is not empty */
	const char *ims_client_id; /* IMS_CLIENT_ID; NULL or "" = any client */
	/* IMS_CLIENT_SECRET and _NEXT, which are both good; neither = any secret that is not empty
	 */
	struct bc_secret *ims_secret, *ims_secret_next;
	const char *ims_org_id; /* IMS_ORG_ID; NULL or "" = any organization */
};

/* 0; BC_EINVAL (listen or faults text), BC_EBUSY (address in use), BC_EIO, BC_ENOMEM. */
BC_MUST_CHECK int bc_sandbox_create(struct bc_loop *loop, const struct bc_sandbox_options *options,
				    struct bc_sandbox **ret_sandbox, struct bc_err *err);
/* Where it listens: "127.0.0.1:8899", with the real port; before it "http://" makes the base. */
const char *bc_sandbox_address(const struct bc_sandbox *s);
/* Resets what hangs, delays or trickles, closes every connection, frees s, then calls done(ctx)
 * once, later. done may be NULL. */
void bc_sandbox_close(struct bc_sandbox *s, void (*done)(void *ctx), void *ctx);

/* Adds the routes and the words of the fault language, as text for people (GET /_sandbox, --help).
 * 0, BC_ENOMEM, BC_ETOOBIG. */
BC_MUST_CHECK int bc_sandbox_help(struct bc_buf *out);

#endif
