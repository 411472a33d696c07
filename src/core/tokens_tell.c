/* SPDX-License-Identifier: MIT */
/*
 * What is said of the credential: a log line for each token and each turn for the worse, and to
 * whoever listens (the daemon's alerts) that the credential changes its state. A failure that goes
 * on is said once, then at debug: the endpoint may be down for a day. Secrets and tokens stand here
 * as fingerprints only.
 */
#include "core/tokens_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* --- changes --------------------------------------------------------------------------------- */

static const char *const headline[BC_TOKEN_STATES] = {
	[BC_TOKEN_FRESH] = "there is an access token again",
	[BC_TOKEN_NONE] = "there is no access token any more",
	[BC_TOKEN_REFUSED] = "the OAuth credential is refused",
};

static void changed(struct bc_tokens *t, enum bc_token_state to)
{
	const struct bc_err *why = &t->record.last;
	const char *reason = to == BC_TOKEN_FRESH ? "" : why->text;
	int from = t->told;
	char text[BC_ERR_TEXT_BYTES + 64];
	t->told = (int)to;
	/* The first token is no news. */
	if (!t->options.changed || from == (int)to || (from < 0 && to == BC_TOKEN_FRESH))
		return;
	snprintf(text, sizeof(text), "backchannel: %s%s%s", headline[to], reason[0] ? ": " : "",
		 reason);
	t->options.changed(
		t->options.ctx,
		&(struct bc_token_change){ .from = from < 0 ? NULL : bc_token_state_name[from],
					   .to = bc_token_state_name[to],
					   .reason = reason[0] ? reason : NULL,
					   .hint = reason[0] ? why->hint : NULL,
					   .text = text,
					   .at_ms = bc_wall_ms(t->clock) });
}

static enum bc_log_level level(const struct bc_tokens *t, enum bc_log_level wanted)
{
	return t->options.quiet ? BC_LOG_DEBUG : wanted;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static uint64_t lives_s(const struct bc_tokens *t, const struct bc_access_token *token)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	return token->times.expires_ms > now_ms ? (token->times.expires_ms - now_ms) / 1000 : 0;
}

void bc_tokens_tell_issued(struct bc_tokens *t, const struct bc_access_token *token,
			   const struct bc_http_answer *answer)
{
	char secret[BC_FINGERPRINT_BYTES];
	bc_secret_fingerprint(t->flight.secret, secret);
	bc_log_at(level(t, BC_LOG_INFO), "token.issued", BC_LU("generation", token->generation),
		  BC_LS("fingerprint", token->fingerprint),
		  BC_LU("expires_in_s", lives_s(t, token)), BC_LMS("duration", answer->duration_ms),
		  BC_LS("secret", secret), BC_LU("on_next", t->record.using));
}

void bc_tokens_tell_cached(struct bc_tokens *t, const struct bc_access_token *token)
{
	bc_log_at(level(t, BC_LOG_INFO), "token.cached", BC_LU("generation", token->generation),
		  BC_LS("fingerprint", token->fingerprint),
		  BC_LU("expires_in_s", lives_s(t, token)), BC_LS("file", t->settings.cache_file));
}

void bc_tokens_tell_assumed(struct bc_tokens *t, uint64_t life_ms)
{
	if (t->told_assumed)
		return;
	t->told_assumed = true;
	bc_log_at(level(t, BC_LOG_WARNING), "token.lifetime_assumed",
		  BC_LU("life_s", life_ms / 1000),
		  BC_LS("hint", "the token endpoint's expires_in is missing or absurd; ask its "
				"operator"));
}

void bc_tokens_tell_good(struct bc_tokens *t, uint64_t failures)
{
	if (failures)
		bc_log_at(level(t, BC_LOG_INFO), "token.recovered", BC_LU("failures", failures),
			  BC_LU("after_s", (bc_elapsed_ms(t->clock) - t->failing_since_ms) / 1000));
	t->told_gone = false;
	changed(t, BC_TOKEN_FRESH);
}

/* --- failures -------------------------------------------------------------------------------- */

static uint64_t in_s(uint64_t ms)
{
	return (ms + 999) / 1000;
}

/* Each refusal is told once, however often it is probed for. */
static void tell_refused(struct bc_tokens *t, const struct token_failure *f)
{
	if (f->was_parked && strcmp(f->former_text, f->err.text) == 0)
		return;
	bc_log_at(level(t, BC_LOG_ERROR), "token.refused", BC_LS("secret", f->secret),
		  BC_LI("status", f->status), BC_LS("reason", f->err.text),
		  BC_LS("hint", f->err.hint), BC_LU("next_try_s", in_s(f->wait_ms)));
	changed(t, BC_TOKEN_REFUSED);
}

static void tell_throttled(struct bc_tokens *t, const struct token_failure *f)
{
	bc_log_at(level(t, f->repeated ? BC_LOG_DEBUG : BC_LOG_WARNING), "token.throttled",
		  BC_LI("status", f->status), BC_LU("next_try_s", in_s(f->wait_ms)),
		  BC_LS("reason", f->err.text), BC_LS("hint", f->err.hint));
}

static void tell_failed(struct bc_tokens *t, const struct token_failure *f)
{
	bc_log_at(level(t, f->repeated ? BC_LOG_DEBUG : BC_LOG_WARNING), "token.failed",
		  BC_LI("status", f->status), BC_LU("failures", t->record.failures),
		  BC_LU("next_try_s", in_s(f->wait_ms)), BC_LS("reason", f->err.text),
		  BC_LS("hint", f->err.hint));
}

static void (*const tell[BC_OAUTH_RESULTS])(struct bc_tokens *, const struct token_failure *) = {
	[BC_OAUTH_GRANTED] = tell_failed,	   [BC_OAUTH_CLIENT_REFUSED] = tell_refused,
	[BC_OAUTH_REQUEST_REFUSED] = tell_refused, [BC_OAUTH_THROTTLED] = tell_throttled,
	[BC_OAUTH_FAILED] = tell_failed,
};

void bc_tokens_tell_failure(struct bc_tokens *t, const struct token_failure *failure)
{
	tell[failure->why](t, failure);
}

void bc_tokens_tell_other(struct bc_tokens *t, const struct bc_err *why)
{
	char secret[BC_FINGERPRINT_BYTES];
	if (t->record.parked)
		return;
	bc_secret_fingerprint(t->flight.secret, secret);
	bc_log_at(level(t, BC_LOG_WARNING), "token.refused", BC_LS("secret", secret),
		  BC_LS("reason", why->text),
		  BC_LS("hint", "the other of the two client secrets is tried; take this one "
				"out of the settings"));
}

/* At a start one failure is no alarm: the network may come up after us. */
void bc_tokens_tell_gone(struct bc_tokens *t)
{
	const struct token_record *r = &t->record;
	bool had_one = t->generation > 0;
	if (t->told_gone || (!had_one && (r->parked || r->failures < 2)))
		return;
	t->told_gone = true;
	bc_log_at(level(t, BC_LOG_ERROR), "token.gone", BC_LU("failures", r->failures),
		  BC_LS("reason", r->last.text), BC_LS("hint", r->last.hint));
	if (!r->parked)
		changed(t, BC_TOKEN_NONE);
}

void bc_tokens_tell_cache(struct bc_tokens *t, const struct bc_err *err)
{
	if (t->told_cache)
		return;
	t->told_cache = true;
	bc_log_at(level(t, BC_LOG_WARNING), "token.cache_unusable",
		  BC_LS("file", t->settings.cache_file),
		  BC_LS("reason", err->text[0] ? err->text : "its content is not ours"),
		  BC_LS("hint", err->text[0] ? err->hint : "nothing: it is replaced"));
}
