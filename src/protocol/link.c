/* SPDX-License-Identifier: MIT */
/*
 * URLs that the other side names, judged against one that the shop's engineer configured, see
 * events.h. Whoever follows them sends a credential along, so the reading is narrower than RFC
 * 3986: http and https, no user, no bytes outside the URL alphabet, and hosts made of what hosts
 * are made of. What two readers could take differently is not followed.
 */
#include "protocol/events.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"

enum { URL_MAX_BYTES = 8 * 1024, FIELDS_MAX_BYTES = 64 * 1024 };

/* All borrowed from the URL. */
struct url {
	bool https;
	struct bc_str origin; /* "https://host:port" as written */
	struct bc_str host;   /* with the brackets of an IPv6 address */
	uint64_t port;
	struct bc_str path;  /* from its slash on; may be empty */
	struct bc_str query; /* from its '?' on; may be empty */
};

static struct bc_str from(struct bc_str s, size_t bytes)
{
	return (struct bc_str){ s.ptr + bytes, s.len - bytes };
}

/* How many bytes of s come before the first one of set, or all. */
static size_t until(struct bc_str s, const char *set)
{
	size_t i = 0;
	while (i < s.len && !(s.ptr[i] && strchr(set, s.ptr[i])))
		i++;
	return i;
}

static bool is_alnum(char c)
{
	char lower = (char)(c | 0x20);
	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

/* Letters, digits and those of set, and nothing else. */
static bool only(struct bc_str s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !(s.ptr[i] && strchr(set, s.ptr[i])))
			return false;
	return true;
}

/* Whether an address in brackets is one is for whoever connects to it. */
static bool is_v6(struct bc_str address)
{
	for (size_t i = 0; i < address.len; i++)
		if (!strchr("0123456789abcdefABCDEF:.", address.ptr[i]))
			return false;
	return address.len >= 2;
}

/* "" is no name, and neither is one that begins oddly. */
static bool is_host(struct bc_str host)
{
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		return is_v6((struct bc_str){ host.ptr + 1, host.len - 2 });
	return host.len > 0 && only(host, "-._") && is_alnum(host.ptr[0]);
}

static bool read_port(struct bc_str text, struct url *u)
{
	u->port = u->https ? 443 : 80;
	if (text.len == 0)
		return true;
	struct bc_str digits = from(text, 1);
	return text.ptr[0] == ':' && bc_parse_u64(digits, &u->port) == 0 && u->port > 0 &&
	       u->port <= 65535;
}

static bool read_url(struct bc_str text, struct url *ret)
{
	struct url u = { 0 };
	size_t scheme = until(text, ":") + 3;
	if (text.len == 0 || text.len > URL_MAX_BYTES || !only(text, "-._~:/?[]@!$&'()*+,;=%") ||
	    text.len < scheme || memcmp(text.ptr + scheme - 3, "://", 3) != 0)
		return false;
	struct bc_str name = { text.ptr, scheme - 3 };
	u.https = bc_str_ieq(name, "https");
	struct bc_str rest = from(text, scheme);
	struct bc_str authority = { rest.ptr, until(rest, "/?") };
	rest = from(rest, authority.len);
	size_t host = authority.len > 0 && authority.ptr[0] == '[' ? until(authority, "]") + 1
								   : until(authority, ":");
	if (host > authority.len)
		return false;
	u.host = (struct bc_str){ authority.ptr, host };
	u.origin = (struct bc_str){ text.ptr, scheme + authority.len };
	u.path = (struct bc_str){ rest.ptr, until(rest, "?") };
	u.query = from(rest, u.path.len);
	*ret = u;
	return (u.https || bc_str_ieq(name, "http")) && is_host(u.host) &&
	       read_port(from(authority, host), ret);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_origin(const struct url *a, const struct url *b)
{
	if (a->https != b->https || a->port != b->port || a->host.len != b->host.len)
		return false;
	for (size_t i = 0; i < a->host.len; i++)
		if (lower(a->host.ptr[i]) != lower(b->host.ptr[i]))
			return false;
	return true;
}

/* --- where a registration may be validated --------------------------------------------------- */

/* Is there a segment that some server on the way would take for a way up? */
static bool climbs(struct bc_str path)
{
	while (path.len > 0) {
		size_t len = until(path, "/");
		struct bc_str segment = { path.ptr, len };
		while (segment.len > 0 && (segment.ptr[0] == '.' || bc_str_starts(segment, "%2e") ||
					   bc_str_starts(segment, "%2E")))
			segment = from(segment, segment.ptr[0] == '.' ? 1 : 3);
		if (segment.len == 0 && len > 0)
			return true;
		path = from(path, len < path.len ? len + 1 : len);
	}
	return false;
}

bool bc_event_validation_url_ok(struct bc_str url, const char *base)
{
	struct url asked, ours;
	if (!read_url(url, &asked) || !read_url(bc_str_of(base), &ours) ||
	    !same_origin(&asked, &ours) || climbs(asked.path))
		return false;
	while (ours.path.len > 0 && ours.path.ptr[ours.path.len - 1] == '/')
		ours.path.len--;
	if (asked.path.len < ours.path.len ||
	    memcmp(asked.path.ptr, ours.path.ptr, ours.path.len) != 0)
		return false;
	return asked.path.len == ours.path.len || asked.path.ptr[ours.path.len] == '/';
}

/* --- Link (RFC 8288) ------------------------------------------------------------------------- */

static struct bc_str skip_blanks(struct bc_str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = from(s, 1);
	return s;
}

static bool take(struct bc_str *s, char c)
{
	*s = skip_blanks(*s);
	if (s->len == 0 || s->ptr[0] != c)
		return false;
	*s = from(*s, 1);
	return true;
}

/* A quoted text as it stands between its quotes, or a word. False: a quote that never ends. */
static bool take_value(struct bc_str *s, struct bc_str *ret)
{
	size_t len = 0;
	*s = skip_blanks(*s);
	if (!take(s, '"')) {
		len = until(*s, " \t;,");
		*ret = (struct bc_str){ s->ptr, len };
		*s = from(*s, len);
		return true;
	}
	while (len < s->len && s->ptr[len] != '"')
		len += s->ptr[len] == '\\' ? 2 : 1;
	if (len >= s->len)
		return false;
	*ret = (struct bc_str){ s->ptr, len };
	*s = from(*s, len + 1);
	return true;
}

/* Is wanted one of the words? */
static bool has_word(struct bc_str words, const char *wanted)
{
	while (words.ptr)
		if (bc_str_ieq(bc_str_split(&words, ' '), wanted))
			return true;
	return false;
}

/* The parameters of one link. Only the first rel counts (RFC 8288 3.3), and a link with an anchor
 * is about something else. False: they are broken. */
static bool take_params(struct bc_str *s, const char *rel, bool *ret_fits)
{
	bool related = false, seen = false, elsewhere = false;
	while (take(s, ';')) {
		struct bc_str value = { 0 };
		*s = skip_blanks(*s);
		struct bc_str name = { s->ptr, until(*s, " \t=;,") };
		*s = from(*s, name.len);
		if (take(s, '=') && !take_value(s, &value))
			return false;
		if (bc_str_ieq(name, "rel") && !seen) {
			seen = true;
			related = has_word(value, rel);
		}
		elsewhere = elsewhere || bc_str_ieq(name, "anchor");
	}
	*ret_fits = related && !elsewhere;
	return true;
}

/* The target of the first link that fits: 0, BC_ENOENT, BC_EINVAL. */
static int find_target(struct bc_str fields, const char *rel, struct bc_str *ret_target)
{
	for (;;) {
		bool fits = false;
		while (take(&fields, ','))
			;
		if (fields.len == 0)
			return BC_ENOENT;
		if (!take(&fields, '<'))
			return BC_EINVAL;
		struct bc_str target = { fields.ptr, until(fields, ">") };
		fields = from(fields, target.len);
		if (!take(&fields, '>') || !take_params(&fields, rel, &fits))
			return BC_EINVAL;
		if (fits) {
			*ret_target = bc_str_trim(target);
			return 0;
		}
		if (fields.len > 0 && fields.ptr[0] != ',')
			return BC_EINVAL;
	}
}

/* --- resolving (RFC 3986 5.2) ---------------------------------------------------------------- */

static int add(struct bc_buf *out, struct bc_str s)
{
	return bc_buf_add(out, s.ptr, s.len);
}

/* Drops the last segment of what stands behind `base` bytes, and the slash in front of it. */
static void drop_segment(struct bc_buf *out, size_t base)
{
	while (out->len > base && out->data[--out->len] != '/')
		;
}

/* Adds a path that begins with a slash, without its dot segments. */
static int add_path(struct bc_buf *out, size_t base, struct bc_str path)
{
	int result = 0;
	while (!result && path.len > 0) {
		struct bc_str segment = { path.ptr, 1 + until(from(path, 1), "/") };
		bool up = bc_str_eq(segment, "/.."), dot = bc_str_eq(segment, "/.");
		path = from(path, segment.len);
		if (up)
			drop_segment(out, base);
		if (!up && !dot)
			result = add(out, segment);
		else if (path.len == 0)
			result = bc_buf_adds(out, "/");
	}
	return result;
}

/* What the target's path means, seen from where we are: joined into scratch, then cleaned. */
static int resolve_path(struct bc_buf *out, const struct url *asked, struct bc_str path)
{
	struct bc_buf joined;
	size_t keep = asked->path.len;
	bc_buf_init(&joined, 2 * URL_MAX_BYTES);
	int result = 0;
	if (path.len == 0 || path.ptr[0] != '/') {
		while (keep > 0 && asked->path.ptr[keep - 1] != '/')
			keep--;
		result = keep > 0 ? bc_buf_add(&joined, asked->path.ptr, keep)
				  : bc_buf_adds(&joined, "/");
	}
	if (!result)
		result = add(&joined, path);
	if (!result)
		result = add_path(out, out->len, (struct bc_str){ joined.data, joined.len });
	bc_buf_finish(&joined);
	return result;
}

static bool is_absolute(struct bc_str target)
{
	size_t colon = until(target, ":/?");
	return colon < target.len && target.ptr[colon] == ':';
}

static int resolve(struct bc_buf *out, const struct url *asked, struct bc_str target)
{
	struct bc_str path = { target.ptr, until(target, "?") };
	struct bc_str query = from(target, path.len);
	if (is_absolute(target))
		return add(out, target);
	if (bc_str_starts(target, "//")) {
		int result = bc_buf_adds(out, asked->https ? "https:" : "http:");
		return result ? result : add(out, target);
	}
	int result = add(out, asked->origin);
	if (!result)
		result = path.len > 0 ? resolve_path(out, asked, path) : add(out, asked->path);
	if (!result)
		result = add(out, target.len > 0 ? query : asked->query);
	return result;
}

int bc_link_find(struct bc_str fields, const char *rel, const char *asked_url, char **ret_url)
{
	struct url asked, found;
	struct bc_str target = { 0 };
	struct bc_buf out;
	if (!fields.ptr || fields.len == 0)
		return BC_ENOENT;
	if (fields.len > FIELDS_MAX_BYTES || !read_url(bc_str_of(asked_url), &asked))
		return BC_EINVAL;
	int result = find_target(fields, rel, &target);
	if (result)
		return result;
	target.len = until(target, "#");
	bc_buf_init(&out, 2 * URL_MAX_BYTES);
	result = resolve(&out, &asked, target);
	if (!result && (!read_url((struct bc_str){ out.data, out.len }, &found) ||
			!same_origin(&asked, &found)))
		result = BC_EINVAL;
	char *url = result ? NULL : bc_buf_take(&out);
	bc_buf_finish(&out);
	if (!result && !url)
		return BC_ENOMEM;
	if (!result)
		*ret_url = url;
	return result == BC_ETOOBIG ? BC_EINVAL : result;
}
