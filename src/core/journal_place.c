/* SPDX-License-Identifier: MIT */
/*
 * Where the reader is in the journal. What goes on from there is the link that the journal gave
 * with the page, which may have moved to another path; should that lead nowhere, the registration's
 * own URL with the position of the last event does as well.
 *
 * What is stored is three lines: the registration's URL, the position, the link (may be empty). A
 * stored link is followed only where a fresh one would be: on the registration's own scheme, host
 * and port.
 */
#include <string.h>

#include "core/journal_impl.h"

enum { URL_MAX_BYTES = 16 * 1024, LINK_STORED_MAX = 4 * 1024 };

void journal_place_finish(struct journal_place *p)
{
	free(p->position);
	free(p->next);
	*p = (struct journal_place){ 0 };
}

struct bc_str journal_place_text(const struct journal_place *p, const char *url,
				 struct bc_arena *arena)
{
	bool linked = p->next && strlen(p->next) <= LINK_STORED_MAX;
	const char *text =
		bc_arena_printf(arena, "%s\n%s\n%s", url, p->position, linked ? p->next : "");
	return bc_str_of(text);
}

/* The link as if the registration had just given it. */
static int read_link(struct bc_str link, const char *url, char **ret_next)
{
	struct bc_buf field;
	bc_buf_init(&field, URL_MAX_BYTES);
	int result = bc_buf_adds(&field, "<");
	if (!result)
		result = bc_buf_add(&field, link.ptr, link.len);
	if (!result)
		result = bc_buf_adds(&field, ">; rel=\"next\"");
	if (!result)
		result = bc_link_find((struct bc_str){ field.data, field.len }, "next", url,
				      ret_next);
	bc_buf_finish(&field);
	return result == BC_ENOMEM ? BC_ENOMEM : 0;
}

int journal_place_read(struct bc_str text, const char *url, struct journal_place *ret_place)
{
	struct journal_place place = { 0 };
	struct bc_str next = text;
	struct bc_str of = bc_str_split(&next, '\n');
	struct bc_str position = bc_str_split(&next, '\n');
	if (!next.ptr || position.len == 0 || !bc_str_eq(of, url))
		return BC_ENOENT;
	place.position = bc_str_dup(position);
	int result = place.position ? 0 : BC_ENOMEM;
	if (!result && next.len > 0)
		result = read_link(next, url, &place.next);
	if (result)
		journal_place_finish(&place);
	else
		*ret_place = place;
	return result;
}

char *journal_place_url(const struct journal_place *p, const char *url)
{
	struct bc_buf out;
	if (p->next)
		return strdup(p->next);
	bc_buf_init(&out, URL_MAX_BYTES);
	int result = bc_buf_addf(&out, "%s?limit=%d", url, JOURNAL_PAGE_EVENTS);
	if (!result && p->position)
		result = bc_buf_adds(&out, "&since=");
	if (!result && p->position)
		result = bc_percent_encode(&out, bc_str_of(p->position));
	char *text = result ? NULL : bc_buf_take(&out);
	bc_buf_finish(&out);
	return text;
}
