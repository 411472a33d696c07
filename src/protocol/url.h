/* SPDX-License-Identifier: MIT */
/* The search for a token in a landing URL, for whatever counts as one. */
#ifndef BC_PROTOCOL_URL_H
#define BC_PROTOCOL_URL_H

#include <stdbool.h>

#include <backchannel/token.h>

#include "base/attr.h"

/* len is at most BC_TOKEN_MAX; token is NUL-terminated behind it, and may hold NULs. */
typedef bool bc_url_is_token(const void *ctx, const char *token, size_t len);

/* As bc_url_token. */
BC_MUST_CHECK int bc_url_find(const char *url, size_t len, const char *const *params,
			      bc_url_is_token *is_token, const void *ctx, char *ret_token);

#endif
