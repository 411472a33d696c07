/* SPDX-License-Identifier: MIT */
/*
 * What the reader of the journal shows of itself: its state to whoever looks, from any thread; and
 * its pace. A run is what was read since there was last nothing to read; it is counted when a page
 * is on disk, and told of when it ends, or every JOURNAL_PACE_MS of a long one.
 */
#include "base/err.h"
#include "base/log.h"
#include "core/journal_impl.h"

const char *const bc_journal_state_name[BC_JOURNAL_STATES] = {
	[BC_JOURNAL_IDLE] = "idle",
	[BC_JOURNAL_READING] = "reading",
	[BC_JOURNAL_WAITING] = "waiting",
};

void journal_show_state(struct bc_journal *j, enum bc_journal_state state, uint64_t next_try_ms)
{
	pthread_mutex_lock(&j->lock);
	j->view.state = state;
	j->view.next_try_ms = next_try_ms;
	pthread_mutex_unlock(&j->lock);
}

/* How old what has not been read yet may be. Under the lock. */
static uint64_t lag_ms(const struct bc_journal *j)
{
	uint64_t now = bc_wall_ms(j->shop->clock);
	uint64_t known = j->known_wall_ms ? j->known_wall_ms : j->started_wall_ms;
	return j->view.state != BC_JOURNAL_IDLE && now > known ? now - known : 0;
}

void bc_journal_look(struct bc_journal *j, struct bc_journal_view *ret_view)
{
	uint64_t now = bc_elapsed_ms(j->shop->clock);
	pthread_mutex_lock(&j->lock);
	*ret_view = j->view;
	ret_view->lag_ms = lag_ms(j);
	pthread_mutex_unlock(&j->lock);
	ret_view->next_try_ms = ret_view->next_try_ms > now ? ret_view->next_try_ms - now : 0;
}

/* --- the pace -------------------------------------------------------------------------------- */

static uint64_t per_minute(uint64_t events, uint64_t ms)
{
	return events * JOURNAL_MINUTE_MS / (ms > 1000 ? ms : 1000);
}

static void show_pace(struct bc_journal *j, uint64_t now)
{
	struct journal_run *run = &j->run;
	uint64_t pace = per_minute(run->minute_events, now - run->minute_ms);
	run->minute_ms = now;
	run->minute_events = 0;
	pthread_mutex_lock(&j->lock);
	j->view.events_per_minute = pace;
	pthread_mutex_unlock(&j->lock);
}

static void tell_pace(struct bc_journal *j, uint64_t now)
{
	const struct journal_run *run = &j->run;
	struct bc_journal_view v;
	bc_journal_look(j, &v);
	bc_log_info("journal.reading", BC_LU("events", run->events), BC_LU("orders", run->orders),
		    BC_LU("events_per_minute", per_minute(run->events, now - run->started_ms)),
		    BC_LU("lag_s", v.lag_ms / 1000));
}

/* More than a page is worth a line; single events come all day. */
static void tell_end(const struct bc_journal *j, uint64_t now)
{
	const struct journal_run *run = &j->run;
	bc_log_at(run->pages > 1 ? BC_LOG_INFO : BC_LOG_DEBUG, "journal.read",
		  BC_LU("events", run->events), BC_LU("orders", run->orders),
		  BC_LU("pages", run->pages), BC_LMS("took", now - run->started_ms),
		  BC_LU("events_per_minute", per_minute(run->events, now - run->started_ms)));
}

static void run_begin(struct bc_journal *j)
{
	uint64_t now = j->asked_ms;
	j->run = (struct journal_run){ .started_ms = now, .told_ms = now, .minute_ms = now };
}

void journal_run_end(struct bc_journal *j, uint64_t now)
{
	if (!j->run.pages)
		return;
	show_pace(j, now);
	tell_end(j, now);
	j->run = (struct journal_run){ 0 };
}

static void show_page(struct bc_journal *j, const struct journal_page *page)
{
	pthread_mutex_lock(&j->lock);
	struct bc_journal_view *v = &j->view;
	v->state = BC_JOURNAL_READING;
	v->events += page->events;
	v->orders += page->order_count;
	v->pages++;
	if (page->newest_ms)
		j->known_wall_ms = v->last_event_ms = page->newest_ms;
	pthread_mutex_unlock(&j->lock);
}

void journal_recovered(struct bc_journal *j)
{
	if (!j->failures)
		return;
	bc_log_info("journal.recovered", BC_LU("failures", j->failures));
	j->failures = 0;
	pthread_mutex_lock(&j->lock);
	bc_err_clear(&j->view.last);
	pthread_mutex_unlock(&j->lock);
}

void journal_count(struct bc_journal *j, const struct journal_page *page)
{
	uint64_t now = bc_elapsed_ms(j->shop->clock);
	struct journal_run *run = &j->run;
	journal_recovered(j);
	if (!run->pages)
		run_begin(j);
	run->pages++;
	run->events += page->events;
	run->minute_events += page->events;
	run->orders += page->order_count;
	j->news = false;
	show_page(j, page);
	if (now - run->minute_ms >= JOURNAL_MINUTE_MS)
		show_pace(j, now);
	if (now - run->told_ms < JOURNAL_PACE_MS)
		return;
	run->told_ms = now;
	tell_pace(j, now);
}
