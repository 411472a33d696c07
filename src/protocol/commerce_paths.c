/* SPDX-License-Identifier: MIT */
/*
 * Where a call goes. A caller's path is read as [rest [STORE]] RESOURCE and written down again in
 * the way of the flavor; the resource and the query go on byte for byte. Invariants: the URL stays
 * on the base's host and below its path whatever the caller sends, because nothing in it would be
 * resolved away; and no escape stands in a segment that decides, so that what is decided here is
 * what the other side reads.
 */
#include "protocol/commerce_impl.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"

/* Slices of the caller's texts; an absent store is none. */
struct route {
	bool is_rest;
	struct bc_str store;
	struct bc_str resource; /* without its leading slash, never empty */
	struct bc_str query;	/* with its '?' */
};

/* What stands behind "/rest" and is no store view. */
static const char *const rest_roots[] = { "async", "schema" };

/* "V1", and what may follow it some day. */
static bool is_version(struct bc_str segment)
{
	uint64_t number;
	struct bc_str digits = { segment.ptr + 1, segment.len - 1 };
	return segment.len >= 2 && segment.ptr[0] == 'V' && bc_parse_u64(digits, &number) == 0;
}

static bool is_rest_root(struct bc_str segment)
{
	for (size_t i = 0; i < BC_COUNT(rest_roots); i++) {
		if (bc_str_eq(segment, rest_roots[i]))
			return true;
	}
	return is_version(segment);
}

/* A code that would be read as a resource in its place is none. */
static bool is_store(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      c == '_'))
			return false;
	}
	return s.len > 0 && s.len < BC_COMMERCE_STORE_BYTES && !is_rest_root(s);
}

/* Everything in front of the first slash, the whole without one. */
static struct bc_str first_segment(struct bc_str path)
{
	return bc_str_split(&path, '/');
}

/* Drops a segment and the slash behind it. */
static struct bc_str behind(struct bc_str path, struct bc_str segment)
{
	size_t bytes = segment.len < path.len ? segment.len + 1 : path.len;
	return (struct bc_str){ path.ptr + bytes, path.len - bytes };
}

/* Refusals of a path. By then it is known to be printable ASCII. */
enum refusal { TAKEN, EMPTY, WHOLE_URL, ESCAPED, BAD_STORE, UNTAME };
static const struct {
	const char *problem;
	const char *hint;
} refusals[] = {
	[EMPTY] = { "names no resource", "write it as /V1/orders/1, without empty segments in "
					 "front" },
	[WHOLE_URL] = { "is a whole URL", "write what stands behind the base URL only, such as "
					  "/V1/orders/1" },
	[ESCAPED] = { "begins with an escaped segment",
		      "write the segments up to the version without percent escapes" },
	[BAD_STORE] = { "names a store view that is none",
			"a store view's code is 1 to 64 letters, digits and '_', such as "
			"/rest/default/V1/orders" },
	[UNTAME] = { "holds a dot segment or a control byte, maybe encoded",
		     "write the path that is meant, without . and .. between its slashes" },
};

/* For the segments that decide: nobody may read them otherwise. */
static enum refusal check_plain(struct bc_str segment)
{
	if (memchr(segment.ptr, ':', segment.len))
		return WHOLE_URL;
	return memchr(segment.ptr, '%', segment.len) ? ESCAPED : TAKEN;
}

static enum refusal read_route(struct bc_str path, struct route *route)
{
	struct bc_str first = first_segment(path);
	enum refusal why = check_plain(first);
	if (why != TAKEN)
		return why;
	route->is_rest = bc_str_eq(first, "rest") || is_rest_root(first);
	route->resource = path;
	if (bc_str_eq(first, "rest")) {
		route->resource = behind(path, first);
		struct bc_str second = first_segment(route->resource);
		if (second.len > 0 && !is_rest_root(second)) {
			route->store = second;
			route->resource = behind(route->resource, second);
		}
	}
	if (route->store.ptr && !is_store(route->store))
		return BAD_STORE;
	if (route->resource.len == 0 || route->resource.ptr[0] == '/')
		return EMPTY;
	why = check_plain(first_segment(route->resource));
	if (why != TAKEN)
		return why;
	return bc_commerce_is_tame(path, BC_COMMERCE_DECODINGS) ? TAKEN : UNTAME;
}

/* The place is told, not the byte's neighbours: a text with such bytes is not fit to be shown. */
static int check_bytes(struct bc_str s, enum bc_commerce_place place, struct bc_err *err)
{
	size_t good = bc_commerce_url_bytes(s, place);
	if (good == s.len)
		return 0;
	bc_err_set(err, BC_EINVAL, "the %s has a byte that no URL holds as it is, 0x%02X at %zu",
		   place == BC_COMMERCE_IN_PATH ? "path" : "query",
		   (unsigned)(unsigned char)s.ptr[good], good);
	bc_err_hint(err, "percent-encode it: a blank is %%20, an umlaut its UTF-8 bytes, a "
			 "percent sign %%25");
	return BC_EINVAL;
}

/* Splits at the first '?', which stays with the query, and drops a leading slash of the path. */
static struct bc_str cut_query(const char *text, struct bc_str *ret_query)
{
	size_t path_bytes = strcspn(text, "?");
	*ret_query = bc_str_of(text + path_bytes);
	size_t slash = text[0] == '/' ? 1 : 0;
	return (struct bc_str){ text + slash, path_bytes - slash };
}

static int parse_path(const char *text, struct route *ret_route, struct bc_err *err)
{
	struct route route = { 0 };
	struct bc_str path = cut_query(text, &route.query);
	int r = check_bytes(path, BC_COMMERCE_IN_PATH, err);
	if (r == 0)
		r = check_bytes(route.query, BC_COMMERCE_IN_QUERY, err);
	if (r < 0)
		return r;
	enum refusal why = read_route(path, &route);
	if (why != TAKEN) {
		bc_err_set(err, BC_EINVAL, "path \"/%.*s\" %s",
			   path.len < 120 ? (int)path.len : 120, path.ptr, refusals[why].problem);
		bc_err_hint(err, "%s", refusals[why].hint);
		return BC_EINVAL;
	}
	*ret_route = route;
	return 0;
}

/* A store that is named beside the path wins over the path's own. */
static int choose_store(struct route *route, const char *store, struct bc_err *err)
{
	if (!store || !store[0])
		return 0;
	route->store = bc_str_of(store);
	if (is_store(route->store))
		return 0;
	bool quotable =
		bc_commerce_url_bytes(route->store, BC_COMMERCE_IN_QUERY) == route->store.len;
	bc_err_set(err, BC_EINVAL, "store view \"%.80s\" is none", quotable ? store : "...");
	bc_err_hint(err, "its code is 1 to 64 letters, digits and '_', such as default or all");
	return BC_EINVAL;
}

static int add_str(struct bc_buf *url, const char *before, struct bc_str s)
{
	int r = bc_buf_adds(url, before);
	return r < 0 || s.len == 0 ? r : bc_buf_add(url, s.ptr, s.len);
}

/* ret_resource_at: where the resource's slash stands. */
static int write_url(struct bc_buf *url, struct bc_str base, const struct route *route, bool paas,
		     size_t *ret_resource_at)
{
	int r = add_str(url, "", base);
	if (r == 0 && paas && route->is_rest)
		r = add_str(url, route->store.len > 0 ? "/rest/" : "/rest", route->store);
	*ret_resource_at = url->len;
	if (r == 0)
		r = add_str(url, "/", route->resource);
	return r < 0 ? r : add_str(url, "", route->query);
}

static int too_long(struct bc_err *err)
{
	bc_err_set(err, BC_ETOOBIG, "the URL is longer than %d bytes", BC_COMMERCE_URL_MAX);
	bc_err_hint(err, "ask for less at once, or send it as the body of a POST to /graphql");
	return BC_ETOOBIG;
}

/* Only what cannot fail any more happens to ret_target. */
static int fill_target(struct bc_str base, const struct route *route, bool paas,
		       struct bc_commerce_target *ret_target, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf url;
	struct bc_commerce_target made = { 0 };
	size_t resource_at;
	bc_buf_init(&url, BC_COMMERCE_URL_MAX);
	int r = write_url(&url, base, route, paas, &resource_at);
	if (r < 0)
		return r == BC_ETOOBIG ? too_long(err) : bc_err_nomem(err);
	bool in_header = !paas || !route->is_rest;
	r = bc_str_copy(made.store, sizeof(made.store), in_header ? route->store : BC_STR(""));
	BC_ASSERT(r == 0);
	made.url = bc_buf_take(&url);
	if (!made.url)
		return bc_err_nomem(err);
	made.resource = made.url + resource_at;
	*ret_target = made;
	return 0;
}

int bc_commerce_target_build(const char *base_url, enum bc_commerce_flavor flavor, const char *path,
			     const char *store, struct bc_commerce_target *ret_target,
			     struct bc_err *err)
{
	struct bc_commerce_base base;
	struct route route;
	int r = bc_commerce_base_parse(base_url, &base, err);
	if (r < 0)
		return r;
	if (path && strlen(path) > BC_COMMERCE_URL_MAX)
		return too_long(err);
	r = parse_path(path ? path : "", &route, err);
	if (r == 0)
		r = choose_store(&route, store, err);
	if (r < 0)
		return r;
	if (flavor == BC_COMMERCE_AUTO)
		flavor = bc_commerce_flavor_of(base_url);
	return fill_target(base.text, &route, flavor == BC_COMMERCE_PAAS, ret_target, err);
}
