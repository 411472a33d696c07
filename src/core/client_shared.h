/* SPDX-License-Identifier: MIT */
/*
 * The library's client inside the daemon: on a loop that others use too, with the daemon's one
 * token and its one view of whether Commerce wants to be left alone. Calls go through
 * bc_client_start; there is no blocking form and no dispatch.
 */
#ifndef BC_CORE_CLIENT_SHARED_H
#define BC_CORE_CLIENT_SHARED_H

#include <backchannel/client.h>

#include "core/tokens.h"
#include "core/upstream.h"

struct bc_client_shared {
	struct bc_loop *loop;	  /* borrowed, as all here */
	struct bc_tokens *tokens; /* NULL: calls go without a token */
	struct bc_upstream *upstream;
	const struct bc_clock *clock;
};

/* As bc_client_create; of options only what is about Commerce, oauth_client_id (for x-api-key) and
 * oauth_org_id are read. */
BC_MUST_CHECK int bc_client_create_shared(const struct bc_client_options *options,
					  const struct bc_client_shared *shared,
					  struct bc_client **ret_client, struct bc_err *err);
/* Every call ends with BC_ESTATE, now; none may begin. The loop's thread. bc_client_destroy, which
 * must still follow, wants the loop for itself: its thread has ended. */
void bc_client_end(struct bc_client *client);

#endif
