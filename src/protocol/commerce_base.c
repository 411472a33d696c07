/* SPDX-License-Identifier: MIT */
/*
 * Base URLs of Adobe Commerce and the flavor they speak for. A base that was accepted is scheme,
 * host, port and path prefix and nothing else, so that a path put behind it stays on that host.
 * Whether http is good enough for it is for the settings to say.
 */
#include "protocol/commerce_impl.h"

#include <string.h>

#include "base/err.h"

static const struct {
	const char *name;
	enum bc_commerce_flavor flavor;
} flavors[] = {
	{ "auto", BC_COMMERCE_AUTO },
	{ "saas", BC_COMMERCE_SAAS },
	{ "paas", BC_COMMERCE_PAAS },
};

int bc_commerce_flavor_parse(const char *name, enum bc_commerce_flavor *ret_flavor)
{
	for (size_t i = 0; name && i < BC_COUNT(flavors); i++) {
		if (strcmp(name, flavors[i].name) == 0) {
			*ret_flavor = flavors[i].flavor;
			return 0;
		}
	}
	return BC_EINVAL;
}

static bool consists_of(struct bc_str s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\0' || !strchr(bytes, s.ptr[i]))
			return false;
	}
	return s.len > 0;
}

#define DIGITS	   "0123456789"
#define HOST_BYTES DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._"
#define IPV6_BYTES DIGITS "abcdefABCDEF:."

/* Drops "http://" or "https://" in any case off s; false when neither is there. */
static bool drop_scheme(struct bc_str *s)
{
	static const char *const schemes[] = { "https://", "http://" };
	for (size_t i = 0; i < BC_COUNT(schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (s->len < len || !bc_str_ieq((struct bc_str){ s->ptr, len }, schemes[i]))
			continue;
		s->ptr += len;
		s->len -= len;
		return true;
	}
	return false;
}

static bool is_port(struct bc_str s)
{
	uint64_t port = 0;
	return consists_of(s, DIGITS) && bc_parse_u64(s, &port) == 0 && port >= 1 && port <= 65535;
}

/* Reads "host", "host:port", "[v6]" or "[v6]:port", all of it. */
static bool read_authority(struct bc_str s, struct bc_str *ret_host)
{
	bool bracketed = s.len > 0 && s.ptr[0] == '[';
	struct bc_str rest = bracketed ? (struct bc_str){ s.ptr + 1, s.len - 1 } : s;
	struct bc_str host = bc_str_split(&rest, bracketed ? ']' : ':');
	if (!consists_of(host, bracketed ? IPV6_BYTES : HOST_BYTES))
		return false;
	*ret_host = host;
	if (!bracketed)
		return !rest.ptr || is_port(rest);
	/* Behind the bracket nothing or a port. */
	if (!rest.ptr)
		return false;
	return rest.len == 0 ||
	       (rest.ptr[0] == ':' && is_port((struct bc_str){ rest.ptr + 1, rest.len - 1 }));
}

static bool read_base(const char *base_url, struct bc_commerce_base *ret_base)
{
	struct bc_str text = bc_str_of(base_url);
	while (text.len > 0 && text.ptr[text.len - 1] == '/')
		text.len--;
	struct bc_str rest = text;
	if (text.len > BC_COMMERCE_URL_MAX || !drop_scheme(&rest))
		return false;
	struct bc_commerce_base base = { .text = text };
	struct bc_str authority = bc_str_split(&rest, '/');
	if (!read_authority(authority, &base.host))
		return false;
	if (bc_commerce_url_bytes(rest, BC_COMMERCE_IN_PATH) != rest.len ||
	    !bc_commerce_is_tame(rest, BC_COMMERCE_DECODINGS))
		return false;
	*ret_base = base;
	return true;
}

/* What stands between scheme and '@' may be a password. */
int bc_commerce_base_parse(const char *base_url, struct bc_commerce_base *ret_base,
			   struct bc_err *err)
{
	if (read_base(base_url, ret_base))
		return 0;
	bool quotable = base_url && !strchr(base_url, '@') &&
			consists_of(bc_str_of(base_url), HOST_BYTES ":/?#[]%&=+ ");
	bc_err_set(err, BC_EINVAL, "the Commerce base URL \"%.100s\" is not one to build upon",
		   quotable ? base_url : "...");
	bc_err_hint(err, "write scheme, host, port and tenant only, without a user or a query, "
			 "such as https://na1.api.commerce.adobe.com/TENANT");
	return BC_EINVAL;
}

/* Four numbers, the first of them 127. */
static bool is_loopback_v4(struct bc_str host)
{
	unsigned numbers = 0;
	bool first_is_127 = bc_str_starts(host, "127.");
	while (host.ptr) {
		uint64_t value = 0;
		struct bc_str number = bc_str_split(&host, '.');
		if (number.len > 3 || bc_parse_u64(number, &value) < 0 || value > 255)
			return false;
		numbers++;
	}
	return first_is_127 && numbers == 4;
}

/* Every spelling of ::1: nothing but zeroes before the last digit. */
static bool is_loopback_v6(struct bc_str host)
{
	struct bc_str before = { host.ptr, host.len > 0 ? host.len - 1 : 0 };
	return before.len >= 2 && host.ptr[before.len] == '1' && consists_of(before, "0:") &&
	       memchr(before.ptr, ':', before.len);
}

static bool is_adobe_host(struct bc_str host)
{
	static const char zone[] = ".api.commerce.adobe.com";
	size_t zone_bytes = sizeof(zone) - 1;
	if (host.len > 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	if (host.len <= zone_bytes)
		return false;
	return bc_str_ieq((struct bc_str){ host.ptr + host.len - zone_bytes, zone_bytes }, zone);
}

enum bc_commerce_flavor bc_commerce_flavor_of(const char *base_url)
{
	struct bc_commerce_base base;
	if (!read_base(base_url, &base))
		return BC_COMMERCE_PAAS;
	bool saas = is_adobe_host(base.host) || bc_str_ieq(base.host, "localhost") ||
		    is_loopback_v4(base.host) || is_loopback_v6(base.host);
	return saas ? BC_COMMERCE_SAAS : BC_COMMERCE_PAAS;
}
