/* SPDX-License-Identifier: MIT */
/*
 * What the grammar of tokens is made of, for those who know a partner's own: see token.c for the
 * wall that an alphabet is.
 */
#ifndef BC_PROTOCOL_TOKEN_H
#define BC_PROTOCOL_TOKEN_H

#include <stdbool.h>

#include <backchannel/token.h>

/* All that a definition may add to [A-Za-z0-9_-]: RFC 3986's other unreserved characters, and the
 * colon, which click ids of impact.com hold. None of them ends a cookie, a header or a path. */
#define BC_TOKEN_ALSO ".~:"

/* Right length, and of [A-Za-z0-9_-] and also (NULL: no more)? */
bool bc_token_is_safe(const char *token, size_t len, const char *also);
/* In shape, n stands for a letter or digit, every other character for itself. */
bool bc_token_has_shape(const char *token, size_t len, const char *shape);
/* pattern NULL: everything fits. len is at most BC_TOKEN_MAX. */
bool bc_token_fits(const struct bc_token_pattern *pattern, const char *token, size_t len);

#endif
