/* SPDX-License-Identifier: MIT */
/* `backchannel sandbox`: the stand-in for Sovendus and Adobe, in the foreground. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "net/signals.h"
#include "sandbox/sandbox.h"

struct options {
	const char *listen, *faults;
};

struct running {
	struct bc_loop *loop;
	struct bc_sandbox *sandbox;
	struct bc_signal *signals[2];
};

static void closed(void *ctx)
{
	struct running *r = ctx;
	bc_loop_stop(r->loop);
}

static void stop(void *ctx, int signum)
{
	struct running *r = ctx;
	(void)signum;
	for (size_t i = 0; i < BC_COUNT(r->signals); i++) {
		bc_signal_destroy(r->signals[i]);
		r->signals[i] = NULL;
	}
	bc_sandbox_close(r->sandbox, closed, r);
}

/* NULL when it is not set. */
static struct bc_secret *secret_of(const char *name)
{
	const char *text = getenv(name);
	return text && text[0] ? bc_secret_create(text, bc_str_of(text).len) : NULL;
}

static int start(struct running *r, const struct options *o, struct bc_err *err)
{
	struct bc_sandbox_options options = {
		.listen = o->listen ? o->listen : "127.0.0.1:8799",
		.faults = o->faults,
		.product_id = getenv("SOVENDUS_PRODUCT_ID"),
		.api_key = secret_of("SOVENDUS_API_KEY"),
		.ims_client_id = getenv("IMS_CLIENT_ID"),
		.ims_secret = secret_of("IMS_CLIENT_SECRET"),
		.ims_secret_next = secret_of("IMS_CLIENT_SECRET_NEXT"),
		.ims_org_id = getenv("IMS_ORG_ID"),
	};
	int result = bc_loop_create(&r->loop, err);
	if (!result)
		result = bc_sandbox_create(r->loop, &options, &r->sandbox, err);
	bc_secret_unref(options.api_key);
	bc_secret_unref(options.ims_secret);
	bc_secret_unref(options.ims_secret_next);
	if (!result)
		result = bc_signal_watch(r->loop, SIGTERM, stop, r, &r->signals[0], err);
	if (!result)
		result = bc_signal_watch(r->loop, SIGINT, stop, r, &r->signals[1], err);
	return result;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct running r = { 0 };
	struct bc_err err = { 0 };
	signal(SIGPIPE, SIG_IGN);
	if (start(&r, in->options, &err)) {
		enum bc_exit result = bc_cli_fail(&err);
		if (r.loop && !r.sandbox)
			bc_loop_destroy(r.loop);
		return err.code == BC_EINVAL ? BC_EXIT_USAGE : result;
	}
	printf("sandbox listening on http://%s\n", bc_sandbox_address(r.sandbox));
	printf("point the daemon at it: SOVENDUS_BASE_URL=http://%s/ext\n"
	       "  IMS_BASE_URL=http://%s API_ENDPOINT=http://%s/tenant\n",
	       bc_sandbox_address(r.sandbox), bc_sandbox_address(r.sandbox),
	       bc_sandbox_address(r.sandbox));
	fflush(stdout);
	bc_loop_run(r.loop);
	bc_loop_destroy(r.loop);
	return BC_EXIT_DONE;
}

static const struct bc_option rows[] = {
	{ "listen", 0, "A:P", offsetof(struct options, listen),
	  "where to listen (127.0.0.1:8799; port 0: any)" },
	{ "faults", 0, "SPEC", offsetof(struct options, faults),
	  "what goes wrong, e.g. 'status=503 first=3'" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_sandbox = {
	.name = "sandbox",
	.summary = "run the stand-in for Sovendus and Adobe, to try things without touching them",
	.operands = "",
	.details = "Takes the SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY of its environment, and its "
		   "IMS_CLIENT_ID, IMS_CLIENT_SECRET, IMS_CLIENT_SECRET_NEXT and IMS_ORG_ID, or, "
		   "without them, any. GET /_sandbox/requests shows what it was asked; "
		   "docs/sandbox.md has the rest.",
	.example = "backchannel sandbox --listen 127.0.0.1:8799",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.run = run,
};
