/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: whose request it is. X-Forwarded-For grows to the right: each proxy adds whom it
 * heard. So it is read from the right, as long as whoever added an entry is trusted; what stands
 * further left anybody may have written. An entry that is no address ends the reading.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "daemon/edge_impl.h"

static bool is_trusted(const struct bc_edge *e, const struct bc_address *address)
{
	if (bc_address_is_loopback(address))
		return true;
	for (size_t i = 0; i < e->trusted_count; i++)
		if (bc_network_has(&e->trusted[i], address))
			return true;
	return false;
}

/* "10.1.2.3", "10.1.2.3:4711", "fd00::1", "[fd00::1]", "[fd00::1]:4711". */
static bool read_entry(struct bc_str entry, struct bc_address *ret_address)
{
	struct bc_str rest = bc_str_trim(entry);
	if (rest.len && rest.ptr[0] == '[') {
		rest = (struct bc_str){ rest.ptr + 1, rest.len - 1 };
		return !bc_address_parse(bc_str_split(&rest, ']'), ret_address);
	}
	if (!bc_address_parse(rest, ret_address))
		return true;
	struct bc_str host = bc_str_split(&rest, ':');
	return rest.ptr && !bc_address_parse(host, ret_address);
}

/* Takes the last entry off the list; absent when there is none. */
static struct bc_str take_last(struct bc_str *list)
{
	const char *comma = list->len ? memrchr(list->ptr, ',', list->len) : NULL;
	struct bc_str last = *list;
	if (!list->ptr)
		return last;
	if (comma) {
		size_t before = (size_t)(comma - list->ptr);
		last = (struct bc_str){ comma + 1, list->len - before - 1 };
		list->len = before;
	} else {
		*list = (struct bc_str){ NULL, 0 };
	}
	return last;
}

/* Goes through one field from its right; false: the visitor is found. */
static bool walk(const struct bc_edge *e, struct bc_str list, struct bc_address *visitor)
{
	struct bc_str entry;
	while ((entry = take_last(&list)).ptr) {
		struct bc_address address;
		if (!read_entry(entry, &address))
			return false;
		*visitor = address;
		if (!is_trusted(e, visitor))
			return false;
	}
	return true;
}

struct bc_address edge_visitor(const struct bc_edge *e, const struct bc_http_request *req)
{
	struct bc_address visitor = { { 0 } };
	/* A Unix socket has no address, and who may write to it is trusted; of a link-local one the
	 * zone is left out. */
	struct bc_str rest = bc_str_of(req->peer), peer = bc_str_split(&rest, '%');
	bool known = !bc_address_parse(peer, &visitor);
	if (known ? !is_trusted(e, &visitor) : !req->peer_local)
		return visitor;
	/* Several fields of one name are one list. */
	for (size_t i = req->header_count; i-- > 0;)
		if (bc_str_ieq(req->headers[i].name, "x-forwarded-for") &&
		    !walk(e, req->headers[i].value, &visitor))
			break;
	return visitor;
}

int edge_read_trusted(struct bc_edge *e, struct bc_err *err)
{
	char *const *list = e->settings->edge_trusted_proxies;
	struct bc_network *networks;
	size_t count = 0;
	while (list && list[count])
		count++;
	networks = calloc(count + 1, sizeof(*networks));
	if (!networks)
		return bc_err_nomem(err);
	/* The settings have checked them. */
	for (size_t i = 0; i < count; i++)
		BC_ASSERT(bc_network_parse(bc_str_of(list[i]), &networks[i]) == 0);
	free(e->trusted);
	e->trusted = networks;
	e->trusted_count = count;
	return 0;
}
