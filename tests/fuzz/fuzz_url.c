/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the search for a token in a URL. The input is the URL. A second reader, written the slow
 * and obvious way (cut the query out, split it, decode whole names and values into buffers), must
 * agree with the fast one in result and token.
 */
#include <backchannel/token.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const usual[] = { "sovReqToken", NULL };
static const char *const several[] = { "t", "sovReqToken", "a b", "x[]", "", NULL };
static const char *const *const param_sets[] = { usual, several };

static bool is_param(const struct bc_buf *name, const char *const *params)
{
	for (; name->len > 0 && *params; params++) {
		if (name->len == strlen(*params) && memcmp(name->data, *params, name->len) == 0)
			return true;
	}
	return false;
}

/* One "name=value": 1 a token, now in ret_token; 0 not ours, or empty; BC_EINVAL no token. */
static int slow_pair(struct bc_str pair, const char *const *params,
		     const struct bc_token_pattern *pattern, struct bc_buf *ret_token)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf name;
	BC_CLEANUP(bc_buf_finish) struct bc_buf value;
	struct bc_str raw_value = pair;
	struct bc_str raw_name = bc_str_split(&raw_value, '=');
	bc_buf_init(&name, BC_URL_MAX);
	bc_buf_init(&value, BC_URL_MAX);
	BC_ASSERT(bc_percent_decode(&name, raw_name, true) == 0);
	if (raw_value.len > 0)
		BC_ASSERT(bc_percent_decode(&value, raw_value, true) == 0);
	if (value.len == 0 || !is_param(&name, params))
		return 0;
	if (bc_token_classify_strict(value.data, value.len, pattern) == BC_TOKEN_INVALID)
		return BC_EINVAL;
	bc_buf_reset(ret_token);
	BC_ASSERT(bc_buf_add(ret_token, value.data, value.len) == 0);
	return 1;
}

static int slow_token(struct bc_str url, const char *const *params,
		      const struct bc_token_pattern *pattern, struct bc_buf *ret_token)
{
	if (url.len > BC_URL_MAX)
		return BC_ETOOBIG;
	struct bc_str rest = url;
	struct bc_str query = bc_str_split(&rest, '#');
	bc_str_split(&query, '?');
	int result = 0;
	while (query.ptr) {
		int r = slow_pair(bc_str_split(&query, '&'), params, pattern, ret_token);
		if (r == 1 || result == 0)
			result = r;
	}
	return result;
}

static void compare(struct bc_str url, const char *const *params,
		    const struct bc_token_pattern *pattern)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf wanted;
	char token[BC_TOKEN_MAX + 1];
	bc_buf_init(&wanted, BC_TOKEN_MAX);
	memset(token, '!', sizeof(token));
	int result = bc_url_token(url.ptr, url.len, params, pattern, token);
	BC_ASSERT(result == slow_token(url, params, pattern, &wanted));
	if (result != 1) {
		BC_ASSERT(token[0] == '!' && token[BC_TOKEN_MAX] == '!');
		return;
	}
	size_t len = strlen(token);
	BC_ASSERT(len == wanted.len && memcmp(token, wanted.data, len) == 0);
	BC_ASSERT(bc_token_classify_strict(token, len, pattern) != BC_TOKEN_INVALID);
}

/* The path is a part of the URL without query or fragment, or "/". */
static void check_path(struct bc_str url)
{
	const char *path = NULL;
	size_t len = 0;
	bc_url_path(url.ptr, url.len, &path, &len);
	BC_ASSERT(path && len > 0);
	BC_ASSERT(!memchr(path, '?', len) && !memchr(path, '#', len));
	bool inside = (uintptr_t)path >= (uintptr_t)url.ptr &&
		      (uintptr_t)path + len <= (uintptr_t)url.ptr + url.len;
	BC_ASSERT(inside || (len == 1 && *path == '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bc_token_pattern *guide;
	struct bc_str url = { size > 0 ? (const char *)data : "", size };
	if (!guide)
		BC_ASSERT(bc_token_pattern_create("guide", &guide, NULL) == 0);
	for (size_t i = 0; i < BC_COUNT(param_sets); i++) {
		compare(url, param_sets[i], NULL);
		compare(url, param_sets[i], guide);
	}
	check_path(url);
	return 0;
}
