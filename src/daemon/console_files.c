/* SPDX-License-Identifier: MIT */
/*
 * What the API's listener serves of its own: the console (web/), its charts, the description of the
 * API. They hold nothing of the shop, so they need no API token. A browser keeps them and asks each
 * time whether they changed, so that a new program never meets a page of the old one.
 *
 * The page may use what comes from here and nothing else: no other host, no script inside the page
 * and no style but the one it was built with, no frame around it, no form that leaves.
 */
#include <string.h>

#include "daemon/api_impl.h"
#include "daemon/web_files.h"

/* Accept-Encoding: is this coding a quality of zero? "gzip;q=0", "gzip; q=0.00". */
static bool is_refused(struct bc_str parameters)
{
	while (parameters.ptr) {
		struct bc_str value = bc_str_trim(bc_str_split(&parameters, ';'));
		struct bc_str name = bc_str_trim(bc_str_split(&value, '='));
		if (!bc_str_ieq(name, "q"))
			continue;
		value = bc_str_trim(value);
		for (size_t i = 0; i < value.len; i++)
			if (value.ptr[i] != '0' && value.ptr[i] != '.')
				return false;
		return true;
	}
	return false;
}

static bool takes_gzip(struct bc_str accepted)
{
	bool any = false;
	while (accepted.ptr) {
		struct bc_str rest = bc_str_split(&accepted, ',');
		struct bc_str coding = bc_str_trim(bc_str_split(&rest, ';'));
		if (bc_str_ieq(coding, "gzip"))
			return !is_refused(rest);
		if (bc_str_ieq(coding, "*"))
			any = !is_refused(rest);
	}
	return any;
}

/* If-None-Match: weak and strong tags are the same here, a proxy may have weakened ours. */
static bool is_known(struct bc_str tags, const char *tag)
{
	while (tags.ptr) {
		struct bc_str one = bc_str_trim(bc_str_split(&tags, ','));
		if (bc_str_starts(one, "W/"))
			one = (struct bc_str){ one.ptr + 2, one.len - 2 };
		if (bc_str_eq(one, tag) || bc_str_eq(one, "*"))
			return true;
	}
	return false;
}

static char *headers(struct call *call, const char *tag, bool gzip)
{
	return bc_arena_printf(call->request->arena,
			       "ETag: %s\r\n"
			       "Cache-Control: no-cache\r\n"
			       "Vary: Accept-Encoding\r\n"
			       "%s"
			       "Content-Security-Policy: default-src 'none'; script-src 'self'; "
			       "style-src 'self' '%s'; img-src 'self' data:; connect-src 'self'; "
			       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
			       "X-Content-Type-Options: nosniff\r\n"
			       "Referrer-Policy: no-referrer\r\n"
			       "Cross-Origin-Opener-Policy: same-origin\r\n"
			       "Cross-Origin-Resource-Policy: same-origin\r\n",
			       tag, gzip ? "Content-Encoding: gzip\r\n" : "",
			       bc_web_console_html_style);
}

static void serve(struct call *call, const struct bc_web_file *file, const char *content_type)
{
	bool gzip = takes_gzip(call_header(call, "accept-encoding"));
	/* Two forms are two things to a cache, so each has its own tag. */
	char *tag = bc_arena_printf(call->request->arena, "\"%s%s\"", file->hash, gzip ? "-z" : "");
	bool known = tag && is_known(call_header(call, "if-none-match"), tag);
	struct bc_api_answer a = { .status = 200,
				   .content_type = content_type,
				   .extra = tag ? headers(call, tag, gzip && !known) : NULL,
				   .body = gzip ? file->gzip : file->plain };
	if (known)
		a = (struct bc_api_answer){ .status = 304, .extra = a.extra };
	if (a.extra)
		call_answer(call, &a);
	else
		call_problem(call, BC_PROBLEM_BUSY, "no memory for the answer", "try again");
}

void get_console_html(struct call *call)
{
	serve(call, &bc_web_console_html, "text/html; charset=utf-8");
}

void get_console_js(struct call *call)
{
	serve(call, &bc_web_console_js, "text/javascript; charset=utf-8");
}

void get_console_base_js(struct call *call)
{
	serve(call, &bc_web_console_base_js, "text/javascript; charset=utf-8");
}

void get_console_orders_js(struct call *call)
{
	serve(call, &bc_web_console_orders_js, "text/javascript; charset=utf-8");
}

void get_console_start_js(struct call *call)
{
	serve(call, &bc_web_console_start_js, "text/javascript; charset=utf-8");
}

void get_dygraph_css(struct call *call)
{
	serve(call, &bc_web_dygraph_css, "text/css; charset=utf-8");
}

void get_dygraph_js(struct call *call)
{
	serve(call, &bc_web_dygraph_js, "text/javascript; charset=utf-8");
}

void get_openapi_yaml(struct call *call)
{
	serve(call, &bc_web_openapi_yaml, "application/yaml");
}
