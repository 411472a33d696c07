/* SPDX-License-Identifier: MIT */
/*
 * Whether a URL may be sent a secret, by the same parser that the HTTP client sends with: what two
 * parsers read differently would be checked as one host and reached as another.
 */
#ifndef BC_NET_HTTP_URL_H
#define BC_NET_HTTP_URL_H

#include "base/attr.h"

/*
 * https anywhere, http only to this very machine (localhost, 127.0.0.0/8, ::1).
 * what    names it in err: "oauth_token_url"
 * result  0; BC_EINVAL: another scheme, http elsewhere, no URL, one with a user or a fragment;
 *         BC_ENOMEM. No text shows a user's name.
 */
BC_MUST_CHECK int bc_http_url_check(const char *url, const char *what, struct bc_err *err);

#endif
