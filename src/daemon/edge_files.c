/* SPDX-License-Identifier: MIT */
/* See edge_impl.h: /capture.js, which a storefront's pages load from here or, better, a copy of
 * which the shop serves itself. It changes only with the program. */
#include <stdio.h>

#include "daemon/edge_impl.h"
#include "daemon/web_files.h"

static uint64_t fnv1a(const unsigned char *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

void edge_capture_js(struct edge_call *call)
{
	struct bc_str file = { (const char *)bc_web_capture_js, bc_web_capture_js_bytes };
	struct bc_str known = bc_http_header(call->http, "if-none-match");
	char tag[24];
	snprintf(tag, sizeof(tag), "\"%016llx\"",
		 (unsigned long long)fnv1a(bc_web_capture_js, bc_web_capture_js_bytes));
	char *extra = bc_arena_printf(call->http->arena,
				      "ETag: %s\r\nCache-Control: public, max-age=3600\r\n"
				      "X-Content-Type-Options: nosniff\r\n",
				      tag);
	if (!extra)
		edge_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
	else if (known.ptr && (bc_str_eq(known, "*") || bc_str_icontains(known, tag)))
		edge_empty(call, 304, extra);
	else
		edge_text(call, 200, "text/javascript", extra, file);
}
