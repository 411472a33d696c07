/* SPDX-License-Identifier: MIT */
/*
 * Click tokens: what counts as one, and how one is found in a landing URL.
 *
 * A production token is opaque. The guide draws it as aaaaa-aaaa-aaa-aaaaa, but Sovendus's own
 * samples do not all follow that shape, so only a safe alphabet is asked of it: [A-Za-z0-9_-], 4 to
 * 128 characters, bytes kept as they are. Only test tokens have an enforced shape: 5-test-3-5
 * letters or digits. No function here allocates, blocks or keeps state, except the pattern object;
 * all are thread-safe.
 */
#ifndef BACKCHANNEL_TOKEN_H
#define BACKCHANNEL_TOKEN_H

#include <stddef.h>

#include <backchannel/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BC_TOKEN_MIN = 4, BC_TOKEN_MAX = 128, BC_URL_MAX = 8192 };

enum bc_token_kind {
	BC_TOKEN_INVALID,    /* not a token: refuse it before it reaches any URL */
	BC_TOKEN_PRODUCTION, /* a customer's click */
	BC_TOKEN_TEST	     /* 12345-test-123-12345 and its like: accepted, counted apart */
};

/* "invalid", "production", "test". */
BC_API const char *bc_token_kind_name(enum bc_token_kind kind);

/* Classifies len bytes at token (no NUL needed). */
BC_API enum bc_token_kind bc_token_classify(const char *token, size_t len);

/*
 * An optional stricter rule for production tokens; test tokens always pass it.
 * pattern   "guide" = the guide's 5-4-3-5 letters and digits; else a POSIX extended regular
 *           expression that the whole token must match
 * result    0; BC_EINVAL: it is empty or does not compile (err says why); BC_ENOMEM
 * The pattern belongs to the caller: bc_token_pattern_destroy (NULL is fine).
 */
struct bc_token_pattern;
BC_API BC_MUST_CHECK int bc_token_pattern_create(const char *pattern,
						 struct bc_token_pattern **ret_pattern,
						 struct bc_err *err);
BC_API void bc_token_pattern_destroy(struct bc_token_pattern *pattern);

/*
 * As bc_token_classify, and production tokens must match pattern when it is not NULL. Should the
 * regular expression library run out of memory the token passes: the alphabet has been checked,
 * and a click must not be lost to a rule that could not be asked.
 */
BC_API enum bc_token_kind bc_token_classify_strict(const char *token, size_t len,
						   const struct bc_token_pattern *pattern);

/*
 * Finds the click token in a URL: absolute, or relative to the shop ("/p?a=b"), or a bare query
 * that starts with '?'. Names and values are percent-decoded ('+' is a space); names are compared
 * case-sensitively; the fragment does not count; of several values the last valid one wins.
 * params    parameter names, at least one, ended by NULL: { "sovReqToken", NULL }
 * ret_token at least BC_TOKEN_MAX + 1 bytes; untouched unless the result is 1
 * result    1 found; 0 the URL has none of the parameters (or only empty values);
 *           BC_EINVAL a parameter is there but no value of it is a token;
 *           BC_ETOOBIG the URL is longer than BC_URL_MAX
 */
BC_API BC_MUST_CHECK int bc_url_token(const char *url, size_t len, const char *const *params,
				      const struct bc_token_pattern *pattern, char *ret_token);

/*
 * The path of such a URL as it stands there, not decoded, without query and fragment; what product
 * prefixes are compared with. ret_path points into url, or to a static "/" when the path is empty.
 * A URL has a host only behind "scheme://": "//x/y", as a request line may bring it, is all path.
 */
BC_API void bc_url_path(const char *url, size_t len, const char **ret_path, size_t *ret_len);

#ifdef __cplusplus
}
#endif
#endif
