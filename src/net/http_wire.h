/* SPDX-License-Identifier: MIT */
/*
 * A stream's exchange on its connection, private to the HTTP client. Who gets false finds in
 * call->result and call->cut why the call is over, and concludes it.
 */
#ifndef BC_NET_HTTP_WIRE_H
#define BC_NET_HTTP_WIRE_H

#include "net/http_pool.h"

/* Takes a connection and sends, or has one made. Calls no function of the stream. 0; BC_EINVAL,
 * BC_ENOMEM. *ret_wake: it has to be gone on with in the loop's next turn. */
BC_MUST_CHECK int bc_http_wire_start(struct bc_http_call *call, struct bc_http_pool *pool,
				     const struct bc_http_exchange *x, bool *ret_wake,
				     struct bc_err *err);
/* It was resumed, or its connection stands: sends what there is. */
BC_MUST_CHECK bool bc_http_wire_go_on(struct bc_http_call *call, struct bc_http_pool *pool);
/* Its connection is ready; see http_pool.h. */
BC_MUST_CHECK bool bc_http_wire_ready(struct bc_http_call *call, struct bc_http_pool *pool,
				      int events);
/* It is over: its connection serves the next one, or is closed. */
void bc_http_wire_leave(struct bc_http_call *call, struct bc_http_pool *pool, bool ended_well);

#endif
