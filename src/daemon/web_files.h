/* SPDX-License-Identifier: MIT */
/*
 * The files that the program carries and serves, as bytes. The build makes their C files
 * (cmake/embed.cmake), so none of them stands in the tree. They change only with the program.
 */
#ifndef BC_DAEMON_WEB_FILES_H
#define BC_DAEMON_WEB_FILES_H

#include "base/str.h"

struct bc_web_file {
	struct bc_str plain, gzip; /* neither ends in a NUL */
	const char *hash;	   /* of the plain bytes, 32 hex digits */
};

/* Click capture in the storefront, what a page loads by <script src=".../capture.js">. ASCII. */
extern const struct bc_web_file bc_web_capture_js;
/* The console (web/), and the charts it draws: Debian's dygraphs. */
extern const struct bc_web_file bc_web_console_html, bc_web_console_js, bc_web_console_base_js,
	bc_web_console_orders_js, bc_web_console_start_js, bc_web_dygraph_css, bc_web_dygraph_js;
/* The hash of the style within the page, as a content security policy has it. */
extern const char bc_web_console_html_style[];
/* What the API is, for programs: docs/openapi.yaml. */
extern const struct bc_web_file bc_web_openapi_yaml;

#endif
