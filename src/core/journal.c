/* SPDX-License-Identifier: MIT */
/* See journal.h and journal_impl.h. */
#include "core/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/journal_impl.h"

/* --- settings -------------------------------------------------------------------------------- */

void journal_settings_finish(struct journal_settings *s)
{
	free(s->url);
	free(s->client_id);
	free(s->proxy);
	free(s->ca_file);
	free(s->key_line);
	free(s->org_line);
	*s = (struct journal_settings){ 0 };
}

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool copy_line(char **to, const char *name, const char *value)
{
	*to = NULL;
	if (value && asprintf(to, "%s: %s", name, value) < 0)
		*to = NULL;
	return *to || !value;
}

int journal_settings_copy(struct journal_settings *to, const struct bc_journal_config *from,
			  struct bc_err *err)
{
	*to = (struct journal_settings){ .timeout_ms = from->timeout_ms };
	if (copy_text(&to->url, from->url) && copy_text(&to->client_id, from->client_id) &&
	    copy_text(&to->proxy, from->proxy) && copy_text(&to->ca_file, from->ca_file) &&
	    copy_line(&to->key_line, "x-api-key", from->client_id) &&
	    copy_line(&to->org_line, "x-ims-org-id", from->org_id))
		return 0;
	journal_settings_finish(to);
	return bc_err_nomem(err);
}

static int open_client(struct bc_loop *loop, const struct journal_settings *s,
		       struct bc_http_client **ret_client, struct bc_err *err)
{
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = s->proxy,
						  .ca_file = s->ca_file,
						  .connections_max = 2 };
	return bc_http_client_create(loop, &options, ret_client, err);
}

/* --- rests and back-offs --------------------------------------------------------------------- */

/* 0: it did not say. */
static uint64_t retry_after_ms(const struct bc_journal *j, const struct bc_http_answer *answer)
{
	uint64_t ms;
	if (!answer || !answer->retry_after ||
	    bc_retry_after_parse(answer->retry_after, answer->date, bc_wall_ms(j->shop->clock),
				 &ms))
		return 0;
	return ms < JOURNAL_REST_MAX_MS ? ms : JOURNAL_REST_MAX_MS;
}

static void sleep_for(struct bc_journal *j, enum bc_journal_state state, uint64_t ms)
{
	journal_show_state(j, state, bc_elapsed_ms(j->shop->clock) + ms);
	bc_timer_start(j->timer, ms);
}

/* What is left of the least time between two questions. */
static uint64_t gap_ms(const struct bc_journal *j, uint64_t now)
{
	uint64_t passed = now - j->asked_ms;
	return passed < JOURNAL_GAP_MS ? JOURNAL_GAP_MS - passed : 0;
}

/* The link of an empty answer goes further than the last event's: past what was filtered. */
static void move_on(struct bc_journal *j, const char *link)
{
	char *next = NULL;
	if (!link || bc_link_find(bc_str_of(link), "next", j->asked_url, &next))
		return;
	free(j->place.next);
	j->place.next = next;
}

void journal_rest(struct bc_journal *j, const struct bc_http_answer *answer)
{
	uint64_t now = bc_elapsed_ms(j->shop->clock);
	uint64_t rest = retry_after_ms(j, answer);
	journal_recovered(j);
	journal_run_end(j, now);
	move_on(j, answer->link);
	if (!answer->retry_after)
		rest = JOURNAL_REST_MS;
	if (rest < gap_ms(j, now) || j->news)
		rest = gap_ms(j, now);
	j->news = false;
	pthread_mutex_lock(&j->lock);
	j->known_wall_ms = bc_wall_ms(j->shop->clock);
	pthread_mutex_unlock(&j->lock);
	sleep_for(j, BC_JOURNAL_IDLE, rest);
}

static void tell_failure(struct bc_journal *j, const struct bc_err *err, uint64_t delay_ms)
{
	/* Texts quote answers, which may differ each time; the hint is that of the kind. */
	bool again = j->failures > 1 && strcmp(j->view.last.hint, err->hint) == 0;
	bc_log_at(again ? BC_LOG_DEBUG : BC_LOG_WARNING, "journal.failed",
		  BC_LS("problem", err->text), BC_LS("hint", err->hint),
		  BC_LMS("next_try", delay_ms));
}

void journal_fail(struct bc_journal *j, const struct bc_err *err,
		  const struct bc_http_answer *answer)
{
	struct bc_retry_policy policy = j->desk.config->retry;
	uint64_t random;
	bc_random(&random, sizeof(random));
	if (policy.cap_ms > JOURNAL_BACKOFF_MAX_MS)
		policy.cap_ms = JOURNAL_BACKOFF_MAX_MS;
	uint64_t delay =
		bc_retry_delay_ms(&policy, ++j->failures, retry_after_ms(j, answer), random);
	tell_failure(j, err, delay);
	pthread_mutex_lock(&j->lock);
	j->view.failures++;
	j->view.last = *err;
	pthread_mutex_unlock(&j->lock);
	sleep_for(j, BC_JOURNAL_WAITING, delay);
}

/* --- the beginning --------------------------------------------------------------------------- */

static void tell_begin(const struct bc_journal *j, bool other)
{
	bc_log_info("journal.begins", BC_LS("url", j->settings.url),
		    BC_LS("after", j->place.position ? j->place.position : "nothing"),
		    BC_LS("meaning", j->place.position ? NULL
				     : other ? "journal.url is another one than before: from the "
					       "oldest event on"
					     : "from the oldest event on"));
}

static void place_known(struct bc_store_op *op)
{
	struct bc_journal *j = BC_CONTAINER(op, struct bc_journal, place_op);
	int result = op->result == BC_ENOENT ? 0 : op->result;
	bool other = false;
	j->placing = false;
	if (j->stopping) {
		journal_check_stopped(j);
		return;
	}
	if (!op->result) {
		result = journal_place_read(op->out.meta, j->settings.url, &j->place);
		other = result == BC_ENOENT;
		result = result == BC_ENOMEM ? bc_err_nomem(&op->err) : 0;
	}
	if (result) {
		journal_fail(j, &op->err, NULL);
		return;
	}
	j->placed = true;
	tell_begin(j, other);
	journal_ask(j);
}

static void find_place(struct bc_journal *j)
{
	bc_arena_reset(j->arena);
	j->placing = true;
	j->place_op = (struct bc_store_op){ .kind = BC_STORE_GET_META,
					    .done = place_known,
					    .arena = j->arena };
	j->place_op.in.meta.key = BC_STR(JOURNAL_POSITION_KEY);
	bc_desk_submit(&j->desk, &j->place_op);
}

static void turn(void *ctx)
{
	struct bc_journal *j = ctx;
	if (j->stopping)
		return;
	if (j->placed)
		journal_ask(j);
	else
		find_place(j);
}

static void woken(struct bc_task *task)
{
	struct bc_journal *j = BC_CONTAINER(task, struct bc_journal, wake);
	uint64_t now = bc_elapsed_ms(j->shop->clock);
	atomic_store(&j->woken, false);
	bool under_way = j->call || j->waiting || j->placing || j->storing;
	if (j->stopping)
		journal_check_stopped(j);
	else if (under_way)
		j->news = true;
	else if (j->view.state == BC_JOURNAL_IDLE)
		sleep_for(j, BC_JOURNAL_IDLE, gap_ms(j, now));
}

void bc_journal_wake(struct bc_journal *j)
{
	if (!atomic_exchange(&j->woken, true))
		bc_loop_post(j->loop, &j->wake);
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_journal_create(struct bc_loop *loop, struct bc_shop *shop, struct bc_tokens *tokens,
		      const struct bc_journal_config *config, struct bc_journal **ret_journal,
		      struct bc_err *err)
{
	struct bc_journal *j = calloc(1, sizeof(*j));
	if (!j)
		return bc_err_nomem(err);
	*j = (struct bc_journal){ .loop = loop,
				  .shop = shop,
				  .tokens = tokens,
				  .wake.run = woken,
				  .started_wall_ms = bc_wall_ms(shop->clock) };
	j->view.state = BC_JOURNAL_READING;
	pthread_mutex_init(&j->lock, NULL);
	int result = journal_settings_copy(&j->settings, config, err);
	if (!result)
		result = bc_desk_init(&j->desk, shop, loop, err);
	if (!result)
		result = open_client(loop, &j->settings, &j->client, err);
	j->timer = bc_timer_create(loop, turn, j);
	j->arena = bc_arena_create(JOURNAL_ARENA_BYTES, JOURNAL_ARENA_MAX);
	if (!result && (!j->timer || !j->arena))
		result = bc_err_nomem(err);
	if (result) {
		bc_journal_destroy(j);
		return result;
	}
	bc_timer_start(j->timer, 0);
	*ret_journal = j;
	return 0;
}

int bc_journal_reconfigure(struct bc_journal *j, struct bc_shop_config *rules,
			   const struct bc_journal_config *config, struct bc_err *err)
{
	struct journal_settings settings;
	struct bc_http_client *client;
	if (j->stopping)
		return 0;
	int result = journal_settings_copy(&settings, config, err);
	if (result)
		return result;
	result = open_client(j->loop, &settings, &client, err);
	if (result) {
		journal_settings_finish(&settings);
		return result;
	}
	bool asking = j->call != NULL;
	journal_call_end(j);
	bc_http_client_destroy(j->client);
	journal_settings_finish(&j->settings);
	j->client = client;
	j->settings = settings;
	bc_desk_reconfigure(&j->desk, rules);
	/* What is under way goes on by itself; what was dropped, or waits, is tried at once. */
	if (asking || !(j->waiting || j->placing || j->storing))
		bc_timer_start(j->timer, 0);
	return 0;
}

void journal_check_stopped(struct bc_journal *j)
{
	void (*stopped)(void *) = j->stopped;
	if (!j->stopping || !stopped || j->waiting || j->placing || j->storing ||
	    atomic_load(&j->woken))
		return;
	j->stopped = NULL;
	stopped(j->stopped_ctx);
}

void bc_journal_stop(struct bc_journal *j, void (*done)(void *ctx), void *ctx)
{
	j->stopping = true;
	j->stopped = done;
	j->stopped_ctx = ctx;
	bc_timer_stop(j->timer);
	journal_call_end(j);
	/* Never from inside this call: the wake task finds everything at rest. */
	bc_journal_wake(j);
}

void bc_journal_destroy(struct bc_journal *j)
{
	if (!j)
		return;
	journal_call_end(j);
	bc_timer_destroy(j->timer);
	bc_http_client_destroy(j->client);
	bc_desk_finish(&j->desk);
	bc_arena_destroy(j->arena);
	journal_page_finish(&j->page);
	journal_place_finish(&j->place);
	journal_settings_finish(&j->settings);
	free(j->asked_url);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
