/* SPDX-License-Identifier: MIT */
/*
 * One question to the journal: the token it is signed with, the call, and what its status means. A
 * 401 is asked again once, with another token. What the answer's body says counts only in a 200,
 * and where a 400 says that the position is at fault.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/journal_impl.h"

enum { EXCERPT_BYTES = 160 };

void journal_call_end(struct bc_journal *j)
{
	bc_http_call_cancel(j->call);
	j->call = NULL;
	bc_access_token_unref(j->token);
	j->token = NULL;
	if (j->authorization)
		bc_wipe(j->authorization, strlen(j->authorization));
	free(j->authorization);
	j->authorization = NULL;
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct meaning {
	int from, to;
	const char *text, *hint;
} meanings[] = {
	{ 0, 0, "the journal cannot be reached", "look at DNS, the firewall and commerce.proxy" },
	{ 200, 200, "the journal's page is longer than 2 MiB",
	  "Adobe's have 1.5 MB at most: is journal.url the journaling endpoint?" },
	{ 300, 399, "the journal redirects, which is not followed",
	  "copy the journaling endpoint of the event registration into journal.url" },
	{ 401, 401, "the journal does not take the access token",
	  "add the scope adobeio_api to oauth.scopes, and the I/O Management API to the project "
	  "in Adobe's Developer Console" },
	{ 403, 403, "the journal is closed to this client",
	  "add the I/O Management API to the project in Adobe's Developer Console, and the scope "
	  "adobeio_api to oauth.scopes; events.client_id and oauth.org_id must be those of the "
	  "registration" },
	{ 400, 400, "the journal does not understand the question",
	  "copy the journaling endpoint of the event registration into journal.url" },
	{ 404, 404, "there is no journal at journal.url",
	  "copy the journaling endpoint of the event registration into journal.url" },
	{ 410, 410, "the journal says that even its oldest events have expired",
	  "it is asked again; tell Adobe if it goes on" },
	{ 429, 429, "the journal asks to be called less often", "who else reads it?" },
	{ 500, 599, "the journal fails", "it is asked again; nothing is lost for seven days" },
};

static const struct meaning *meaning_of(int status)
{
	static const struct meaning odd = { 0, 0, "the journal's answer is none of a journal's",
					    "is journal.url the journaling endpoint?" };
	for (size_t i = 0; i < BC_COUNT(meanings); i++)
		if (status >= meanings[i].from && status <= meanings[i].to)
			return &meanings[i];
	return &odd;
}

/* What it said, as far as it is text; it goes into a log. */
static void excerpt(struct bc_str body, char text[EXCERPT_BYTES])
{
	struct bc_str line = bc_str_trim(bc_str_split(&body, '\n'));
	if (line.len >= EXCERPT_BYTES)
		line.len = EXCERPT_BYTES - 1;
	if (bc_str_copy(text, EXCERPT_BYTES, line))
		text[0] = '\0';
}

static void take_failure(struct bc_journal *j, const struct bc_http_answer *answer)
{
	/* A page that broke off is a matter of the line, whatever its status. */
	const struct meaning *m = meaning_of(answer->error ? 0 : answer->status);
	struct bc_err err = { 0 };
	char said[EXCERPT_BYTES] = "";
	if (answer->error)
		bc_err_set(&err, BC_EUNREACH, "%s: %s", m->text, answer->error_text);
	if (answer->status >= 300)
		excerpt(answer->body, said);
	bc_err_set(&err, BC_EUNREACH, "%s (%d)%s%s", m->text, answer->status, said[0] ? ": " : "",
		   said);
	bc_err_hint(&err, "%s", m->hint);
	journal_fail(j, &err, answer);
}

static void wait_for_token(struct bc_journal *j, uint64_t not_generation);

/* The token may be from before the scope was added, or withdrawn. */
static void take_refusal(struct bc_journal *j, const struct bc_http_answer *answer)
{
	uint64_t generation = j->token->generation;
	bool again = !j->refused && bc_tokens_refused(j->tokens, generation);
	j->refused = true;
	journal_call_end(j);
	if (again)
		wait_for_token(j, generation);
	else
		take_failure(j, answer);
}

/* The link leads nowhere any more; what it went on from is known all the same. */
static bool leave_link(struct bc_journal *j)
{
	if (!j->place.next)
		return false;
	free(j->place.next);
	j->place.next = NULL;
	bc_log_info("journal.link_left", BC_LS("url", j->asked_url));
	return true;
}

/* From the oldest on: what was between is gone, what is seen again changes nothing. */
static void begin_anew(struct bc_journal *j)
{
	bc_log_warning("journal.expired", BC_LS("position", j->place.position),
		       BC_LS("meaning", "the journal no longer has what came after the last event "
					"that was read; it is read from its oldest event on"),
		       BC_LS("hint", "backchannel pull fetches what it has forgotten"));
	journal_place_finish(&j->place);
	pthread_mutex_lock(&j->lock);
	j->view.expired++;
	pthread_mutex_unlock(&j->lock);
	journal_ask(j);
}

static void take_gone(struct bc_journal *j, const struct bc_http_answer *answer)
{
	if (leave_link(j))
		journal_ask(j);
	else if (j->place.position)
		begin_anew(j);
	else
		take_failure(j, answer);
}

/* Does it say that the position is at fault? */
static bool blames_position(struct bc_str body)
{
	return bc_str_icontains(body, "position") || bc_str_icontains(body, "since");
}

static void take_bad(struct bc_journal *j, const struct bc_http_answer *answer)
{
	if (leave_link(j))
		journal_ask(j);
	else if (j->place.position && blames_position(answer->body))
		begin_anew(j);
	else
		take_failure(j, answer);
}

static void take_missing(struct bc_journal *j, const struct bc_http_answer *answer)
{
	if (leave_link(j))
		journal_ask(j);
	else
		take_failure(j, answer);
}

static const struct {
	int status;
	void (*take)(struct bc_journal *j, const struct bc_http_answer *answer);
} takers[] = {
	{ 200, journal_page_take }, { 204, journal_rest }, { 400, take_bad },
	{ 401, take_refusal },	    { 404, take_missing }, { 410, take_gone },
};

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct bc_journal *j = ctx;
	j->call = NULL;
	if (answer->status != 401) {
		journal_call_end(j);
		j->refused = false;
	}
	if (answer->status == 200 && !answer->complete) {
		take_failure(j, answer);
		return;
	}
	for (size_t i = 0; i < BC_COUNT(takers); i++)
		if (takers[i].status == answer->status) {
			takers[i].take(j, answer);
			return;
		}
	take_failure(j, answer);
}

/* --- the question ---------------------------------------------------------------------------- */

static int build(struct bc_journal *j)
{
	size_t n = 0;
	free(j->asked_url);
	j->asked_url = journal_place_url(&j->place, j->settings.url);
	if (asprintf(&j->authorization, "Authorization: Bearer %s",
		     bc_secret_reveal(j->token->secret)) < 0)
		j->authorization = NULL;
	if (!j->asked_url || !j->authorization)
		return BC_ENOMEM;
	j->headers[n++] = j->authorization;
	j->headers[n++] = j->settings.key_line;
	j->headers[n++] = "Accept: application/json";
	if (j->settings.org_line)
		j->headers[n++] = j->settings.org_line;
	j->headers[n] = NULL;
	return 0;
}

/* Takes the reference. */
static void send(struct bc_journal *j, struct bc_access_token *token)
{
	uint32_t timeout_ms = j->settings.timeout_ms < UINT32_MAX / 4
				      ? (uint32_t)j->settings.timeout_ms
				      : UINT32_MAX / 4;
	struct bc_err err = { 0 };
	j->token = token;
	j->asked_ms = bc_elapsed_ms(j->shop->clock);
	int result = build(j) ? bc_err_nomem(&err) : 0;
	/* A page is larger than what a token endpoint says, by which that time is chosen. */
	struct bc_http_exchange exchange = { .method = "GET",
					     .url = j->asked_url,
					     .headers = j->headers,
					     .connect_timeout_ms = timeout_ms,
					     .timeout_ms = 3 * timeout_ms,
					     .answer_max_bytes = JOURNAL_PAGE_BYTES };
	if (!result)
		result = bc_http_call_start(j->client, &exchange, answered, j, &j->call, &err);
	if (!result)
		return;
	journal_call_end(j);
	journal_fail(j, &err, NULL);
}

static void token_came(struct bc_token_wait *wait)
{
	struct bc_journal *j = BC_CONTAINER(wait, struct bc_journal, wait);
	struct bc_err err = { 0 };
	j->waiting = false;
	if (j->stopping) {
		bc_access_token_unref(wait->token);
		journal_check_stopped(j);
		return;
	}
	if (!wait->result) {
		send(j, wait->token);
		return;
	}
	bc_err_set(&err, wait->result, "there is no access token for the journal: %s",
		   wait->err.text);
	bc_err_hint(&err, "%s", wait->err.hint[0] ? wait->err.hint : "see backchannel token");
	journal_fail(j, &err, NULL);
}

static void wait_for_token(struct bc_journal *j, uint64_t not_generation)
{
	j->waiting = true;
	j->wait = (struct bc_token_wait){ .loop = j->loop,
					  .deadline_ms = bc_elapsed_ms(j->shop->clock) +
							 JOURNAL_TOKEN_WAIT_MS,
					  .not_generation = not_generation,
					  .done = token_came };
	bc_tokens_wait(j->tokens, &j->wait);
}

void journal_ask(struct bc_journal *j)
{
	struct bc_access_token *token = bc_tokens_get(j->tokens);
	if (token)
		send(j, token);
	else
		wait_for_token(j, 0);
}
