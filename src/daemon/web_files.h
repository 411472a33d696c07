/* SPDX-License-Identifier: MIT */
/*
 * The files of web/ that the program carries and serves, as bytes. The build makes their C files,
 * one a file of web/ (cmake/embed.cmake), so none of them stands in the tree; none ends in a NUL.
 */
#ifndef BC_DAEMON_WEB_FILES_H
#define BC_DAEMON_WEB_FILES_H

#include <stddef.h>

/* Click capture in the storefront, what a page loads by <script src=".../capture.js">. ASCII. */
extern const unsigned char bc_web_capture_js[];
extern const size_t bc_web_capture_js_bytes;

#endif
