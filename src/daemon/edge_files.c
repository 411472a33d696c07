/* SPDX-License-Identifier: MIT */
/* See edge_impl.h: /capture.js, which a storefront's pages load from here or, better, a copy of
 * which the shop serves itself. It changes only with the program. */
#include "daemon/edge_impl.h"
#include "daemon/web_files.h"

void edge_capture_js(struct edge_call *call)
{
	struct bc_str known = bc_http_header(call->http, "if-none-match");
	char *extra = bc_arena_printf(call->http->arena,
				      "ETag: \"%s\"\r\nCache-Control: public, max-age=3600\r\n"
				      "X-Content-Type-Options: nosniff\r\n",
				      bc_web_capture_js.hash);
	if (!extra)
		edge_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
	else if (known.ptr &&
		 (bc_str_eq(known, "*") || bc_str_icontains(known, bc_web_capture_js.hash)))
		edge_empty(call, 304, extra);
	else
		edge_text(call, 200, "text/javascript", extra, bc_web_capture_js.plain);
}
