/* SPDX-License-Identifier: MIT */
/*
 * A page of the journal on its way to the store: its events become orders, and these and the page's
 * position are one transaction. A page that is no page is a failure, for the journal may heal; an
 * event that is no order's is told of and passed over, for it never will.
 *
 * A journal that gives the same page again, whatever its link says, would be read for ever: that is
 * a failure, too, and the link is not followed again.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/journal_impl.h"

_Static_assert((int)BC_EVENTS_MAX <= (int)BC_PAGE_ITEMS_MAX, "the store takes any page whole");

void journal_page_finish(struct journal_page *page)
{
	journal_place_finish(&page->after);
	*page = (struct journal_page){ 0 };
}

static bool same(struct bc_str text, const char *other)
{
	return other && bc_str_eq(text, other);
}

/* --- its events ------------------------------------------------------------------------------ */

static void tell_unreadable(const struct bc_event *event, const struct bc_err *why)
{
	bc_log_warning("journal.event_unreadable", BC_LSTR("id", event->id),
		       BC_LSTR("position", event->position), BC_LS("problem", why->text),
		       BC_LS("hint", why->hint[0] ? why->hint : NULL));
}

/* 1: there is one more order; 0: it is passed over; BC_ENOMEM. */
static int read_event(struct bc_journal *j, const struct bc_event *event,
		      struct bc_commerce_order *ret_order, struct bc_err *err)
{
	struct bc_err why = { 0 };
	if (!bc_event_is_order(event->type))
		return 0;
	int result = event->order
			     ? bc_commerce_order_read(event->order, j->desk.config->click_attribute,
						      j->arena, ret_order, &why)
			     : bc_err_tell(&why, BC_EINVAL,
					   "add increment_id and state to the fields of the event "
					   "subscription",
					   "the event has no data.value");
	if (result == BC_EINVAL)
		tell_unreadable(event, &why);
	else if (result && err)
		*err = why;
	return result == BC_EINVAL ? 0 : result ? result : 1;
}

static void note_time(struct journal_page *page, const struct bc_event *event)
{
	uint64_t ms;
	if (event->time.len && bc_time_parse(event->time, &ms) == 0 && ms > page->newest_ms)
		page->newest_ms = ms;
}

static void tell_foreign(const struct bc_journal *j, size_t count, struct bc_str client_id)
{
	if (count)
		bc_log_warning("journal.foreign_events", BC_LU("events", count),
			       BC_LSTR("client_id", client_id),
			       BC_LS("expected", j->settings.client_id),
			       BC_LS("hint", "they are passed over; events.client_id must be the "
					     "client of the registration"));
}

static int read_events(struct bc_journal *j, const struct bc_event_list *list, struct bc_err *err)
{
	struct journal_page *page = &j->page;
	struct bc_str stranger = { 0 };
	size_t strangers = 0;
	page->events = list->count;
	page->orders = bc_arena_alloc(j->arena, (list->count + 1) * sizeof(*page->orders));
	if (!page->orders)
		return bc_err_nomem(err);
	for (size_t i = 0; i < list->count; i++) {
		const struct bc_event *event = &list->events[i];
		note_time(page, event);
		if (event->client_id.len && !same(event->client_id, j->settings.client_id)) {
			stranger = event->client_id;
			strangers++;
			continue;
		}
		int result = read_event(j, event, &page->orders[page->order_count], err);
		if (result < 0)
			return result;
		page->order_count += (size_t)result;
	}
	tell_foreign(j, strangers, stranger);
	return 0;
}

/* --- where it ends --------------------------------------------------------------------------- */

static void tell_link(const struct bc_journal *j, int result)
{
	if (result == BC_EINVAL)
		bc_log_warning("journal.link_refused", BC_LS("url", j->asked_url),
			       BC_LS("meaning", "the journal's next link leads to another host, or "
						"is none; it is asked by position instead"));
}

/* The link that goes on; NULL without one that can be followed. */
static int find_next(struct bc_journal *j, const char *link, char **ret_next, struct bc_err *err)
{
	char *next = NULL;
	int result = link ? bc_link_find(bc_str_of(link), "next", j->asked_url, &next) : BC_ENOENT;
	if (result == BC_ENOMEM)
		return bc_err_nomem(err);
	tell_link(j, result);
	/* One that leads here again leads nowhere. */
	if (next && strcmp(next, j->asked_url) == 0) {
		free(next);
		next = NULL;
	}
	*ret_next = next;
	return 0;
}

static int find_end(struct bc_journal *j, const struct bc_event_list *list, const char *link,
		    struct bc_err *err)
{
	struct bc_str last = list->events[list->count - 1].position;
	if (same(last, j->place.position)) {
		free(j->place.next);
		j->place.next = NULL;
		bc_err_set(err, BC_EINVAL, "the journal gives the same page again");
		bc_err_hint(err, "it is asked again, by position; tell Adobe if it goes on");
		return BC_EINVAL;
	}
	j->page.after.position = bc_str_dup(last);
	if (!j->page.after.position)
		return bc_err_nomem(err);
	return find_next(j, link, &j->page.after.next, err);
}

/* --- to the store ---------------------------------------------------------------------------- */

static void store_failed(struct bc_journal *j, const struct bc_err *why)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, why->code, "a page of the journal could not be stored: %s", why->text);
	bc_err_hint(&err, "%s", why->hint[0] ? why->hint : "see /readyz");
	journal_fail(j, &err, NULL);
}

static void page_stored(void *ctx, int result, const struct bc_err *err,
			const struct bc_intake_taken *taken)
{
	struct bc_journal *j = ctx;
	(void)taken;
	j->storing = false;
	if (!result) {
		journal_place_finish(&j->place);
		j->place = j->page.after;
		j->page.after = (struct journal_place){ 0 };
		journal_count(j, &j->page);
	}
	journal_page_finish(&j->page);
	if (j->stopping)
		journal_check_stopped(j);
	else if (result)
		store_failed(j, err);
	else
		journal_ask(j);
}

static int store(struct bc_journal *j, struct bc_err *err)
{
	struct journal_page *page = &j->page;
	struct bc_str text = journal_place_text(&page->after, j->settings.url, j->arena);
	if (!text.ptr)
		return bc_err_nomem(err);
	int result = bc_intake_take(&j->desk, j->arena, BC_INTAKE_JOURNAL, page->orders,
				    page->order_count, BC_STR(JOURNAL_POSITION_KEY), text,
				    page_stored, j, err);
	j->storing = result == 0;
	return result;
}

void journal_page_take(struct bc_journal *j, const struct bc_http_answer *answer)
{
	struct bc_event_list list = { 0 };
	struct bc_err err = { 0 };
	bc_arena_reset(j->arena);
	int result = bc_journal_page_read(answer->body, j->arena, &list, &err);
	if (!result && list.count == 0) {
		bc_event_list_finish(&list);
		journal_rest(j, answer);
		return;
	}
	if (!result)
		result = read_events(j, &list, &err);
	if (!result)
		result = find_end(j, &list, answer->link, &err);
	bc_event_list_finish(&list);
	if (!result)
		result = store(j, &err);
	if (!result)
		return;
	journal_page_finish(&j->page);
	journal_fail(j, &err, NULL);
}
