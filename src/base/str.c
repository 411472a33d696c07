/* SPDX-License-Identifier: MIT */
/*
 * Borrowed slices: comparing, trimming, splitting, copying. Numbers and units are in units.c, hex
 * and percent encoding in encode.c. Case is ASCII case and no locale is asked: a header name must
 * compare the same on a Turkish server. An absent slice (ptr NULL) behaves as an empty one here.
 */
#include "base/str.h"

#include <string.h>

struct bc_str bc_str_of(const char *cstr)
{
	return (struct bc_str){ .ptr = cstr, .len = cstr ? strlen(cstr) : 0 };
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same_folded(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

bool bc_str_eq(struct bc_str a, const char *b)
{
	if (a.len == 0)
		return !b[0];
	return a.ptr[0] == b[0] && a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

bool bc_str_ieq(struct bc_str a, const char *b)
{
	size_t i = 0;

	/* Names are looked up in lists: nearly always the first letter tells. */
	while (i < a.len && b[i] && fold(a.ptr[i]) == fold(b[i]))
		i++;
	return i == a.len && !b[i];
}

bool bc_str_starts(struct bc_str s, const char *prefix)
{
	size_t len = strlen(prefix);

	return len == 0 || (s.len >= len && memcmp(s.ptr, prefix, len) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct bc_str bc_str_trim(struct bc_str s)
{
	while (s.len && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool bc_str_icontains(struct bc_str haystack, const char *needle)
{
	size_t len = strlen(needle);

	if (len == 0)
		return true;
	for (size_t i = 0; len <= haystack.len && i <= haystack.len - len; i++)
		if (same_folded(haystack.ptr + i, needle, len))
			return true;
	return false;
}

char *bc_str_dup(struct bc_str s)
{
	char *copy = malloc(s.len + 1);

	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

int bc_str_copy(char *dst, size_t dst_bytes, struct bc_str s)
{
	BC_ASSERT(dst_bytes > 0);
	dst[0] = '\0';
	if (s.len >= dst_bytes)
		return BC_ETOOBIG;
	if (s.len)
		memcpy(dst, s.ptr, s.len);
	dst[s.len] = '\0';
	return 0;
}

struct bc_str bc_str_split(struct bc_str *rest, char sep)
{
	struct bc_str whole = *rest;
	const char *at = whole.len ? memchr(whole.ptr, sep, whole.len) : NULL;

	if (!at) {
		*rest = (struct bc_str){ 0 };
		return whole;
	}
	rest->ptr = at + 1;
	rest->len = whole.len - (size_t)(at + 1 - whole.ptr);
	return (struct bc_str){ .ptr = whole.ptr, .len = (size_t)(at - whole.ptr) };
}
