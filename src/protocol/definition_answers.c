/* SPDX-License-Identifier: MIT */
/*
 * See definition.h: is there a row for every answer, and an answer for every row? All statuses from
 * 100 to 999 are asked for with no body, an empty one and each message of the rows, for a young
 * click and an old one, at the first attempt and later. Rows tell statuses apart by ranges alone,
 * so one status stands for all up to the next bound.
 */
#include "protocol/definition_impl.h"

#include <string.h>

#include "protocol/partner_impl.h"
#include "protocol/token.h"

enum { STATUS_FIRST = 100, STATUS_LAST = 999, AGES = 2, ATTEMPTS = 2 };

static unsigned line_of_row(const struct bc_check *c, size_t row)
{
	return c->d ? c->d->row_lines[row] : 0;
}

static void name_row(const struct bc_answer_rule *row, char *text, size_t bytes)
{
	if (row->status_from == row->status_to)
		bc_format(text, bytes, "[answer %d]", row->status_from);
	else
		bc_format(text, bytes, "[answer %d-%d]", row->status_from, row->status_to);
}

/* --- each row by itself ---------------------------------------------------------------------- */

static void check_words(struct bc_check *c, size_t at)
{
	const struct bc_answer_rule *row = &c->partner->rules[at];
	char name[32];
	name_row(row, name, sizeof(name));
	if (c->d && !c->d->row_has_outcome[at])
		bc_check_tell(c, line_of_row(c, at), true,
			      "write outcome = delivered, retry, suspect or reject",
			      "%s has no outcome", name);
	if (!row->meaning[0])
		bc_check_tell(c, line_of_row(c, at), true,
			      "write meaning = what the answer says, in words for an operator",
			      "%s has no meaning", name);
	if (!row->hint[0] && row->outcome != BC_OUTCOME_DELIVERED)
		bc_check_tell(c, line_of_row(c, at), true,
			      "write hint = what to do about it; \"nothing to do: it is sent again "
			      "by itself\" is one",
			      "%s has no hint", name);
}

static void check_sense(struct bc_check *c, size_t at)
{
	const struct bc_answer_rule *row = &c->partner->rules[at];
	bool passing = row->status_to >= 500 || row->status_from == 408 || row->status_from == 429;
	char name[32];
	name_row(row, name, sizeof(name));
	if (row->outcome == BC_OUTCOME_DELIVERED && !row->message &&
	    (row->status_from < 200 || row->status_to > 299))
		bc_check_tell(c, line_of_row(c, at), true,
			      "let it be 200-299, or ask for a message that only a success has",
			      "%s delivers by a status that is no success", name);
	if ((row->outcome == BC_OUTCOME_REJECT || row->outcome == BC_OUTCOME_SUSPECT) && passing &&
	    !row->message)
		bc_check_tell(c, line_of_row(c, at), false,
			      "write outcome = retry, unless the partner says otherwise",
			      "%s gives up on what passes", name);
	if (row->message &&
	    bc_token_is_safe(row->message, strlen(row->message), c->partner->token_also))
		bc_check_tell(c, line_of_row(c, at), false,
			      "ask for more of the answer, with a blank or a quote in it: a "
			      "visitor may bring any token, and an answer may repeat it",
			      "the message of %s could be a token", name);
}

/* --- all of them together -------------------------------------------------------------------- */

struct walk {
	struct bc_check *c;
	bool reached[BC_DEFINITION_ROWS_MAX];
	int uncovered_from, uncovered_to; /* the first statuses without a row; 0: none */
};

static struct bc_partner_answer ask(int status, const char *body, bool young, bool again)
{
	return (struct bc_partner_answer){ .status = status,
					   .request_sent = true,
					   .body = body,
					   .body_bytes = body ? strlen(body) : 0,
					   .click_age_ms = young ? 0 : UINT64_MAX,
					   .attempt = again ? 2 : 1 };
}

/* The next status that some row tells from the one before. */
static int next_bound(const struct bc_partner *p, int status)
{
	int next = STATUS_LAST + 1;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct bc_answer_rule *row = &p->rules[i];
		if (row->status_from > status && row->status_from < next)
			next = row->status_from;
		if (row->status_to + 1 > status && row->status_to + 1 < next)
			next = row->status_to + 1;
	}
	return next;
}

static void note(struct walk *w, const struct bc_partner_answer *answer, int next)
{
	const struct bc_partner *p = w->c->partner;
	const struct bc_answer_rule *row = bc_partner_find_rule(p, answer);
	if (row) {
		w->c->tally->answers += (unsigned long)(next - answer->status);
		if (row - p->rules < BC_DEFINITION_ROWS_MAX)
			w->reached[row - p->rules] = true;
	} else if (!w->uncovered_from) {
		w->uncovered_from = answer->status;
		w->uncovered_to = next - 1;
	} else if (w->uncovered_to + 1 == answer->status) {
		w->uncovered_to = next - 1;
	}
}

static void ask_all(struct walk *w, const char *body)
{
	for (int kind = 0; kind < AGES * ATTEMPTS; kind++) {
		for (int status = STATUS_FIRST, next; status <= STATUS_LAST; status = next) {
			next = next_bound(w->c->partner, status);
			struct bc_partner_answer answer =
				ask(status, body, kind % AGES == 1, kind / AGES == 1);
			note(w, &answer, next);
		}
	}
}

static bool is_repeated(const struct bc_partner *p, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (p->rules[i].message && strcmp(p->rules[i].message, p->rules[at].message) == 0)
			return true;
	}
	return false;
}

static void tell_uncovered(const struct walk *w)
{
	char range[32];
	if (!w->uncovered_from)
		return;
	bc_format(range, sizeof(range), "%d to %d", w->uncovered_from, w->uncovered_to);
	bc_check_tell(w->c, w->c->d ? w->c->d->last_line : 0, true,
		      "end with rows that catch the rest, the last of them [answer 100-999]",
		      "no row takes every answer of the statuses %s", range);
}

/* Names a row that an earlier one hides, for its words are never read. */
static void tell_unreached(const struct walk *w, size_t at)
{
	const struct bc_partner *p = w->c->partner;
	const struct bc_answer_rule *row = &p->rules[at];
	struct bc_partner_answer answer =
		ask(row->status_from, row->message, row->young_click, false);
	const struct bc_answer_rule *hides = bc_partner_find_rule(p, &answer);
	char name[32], other[32] = "an earlier row";
	name_row(row, name, sizeof(name));
	if (hides)
		name_row(hides, other, sizeof(other));
	unsigned line = hides ? line_of_row(w->c, (size_t)(hides - p->rules)) : 0;
	char hint[160];
	bc_format(hint, sizeof(hint),
		  "the first row that fits decides: put this one before %s, or take it out", other);
	if (line)
		bc_format(hint, sizeof(hint),
			  "the first row that fits decides: put this one before %s in line %u, or "
			  "take it out",
			  other, line);
	bc_check_tell(w->c, line_of_row(w->c, at), true, hint, "%s is never reached", name);
}

static void walk(struct bc_check *c)
{
	struct walk w = { .c = c };
	const struct bc_partner *p = c->partner;
	ask_all(&w, NULL);
	ask_all(&w, "");
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i].message && !is_repeated(p, i))
			ask_all(&w, p->rules[i].message);
	}
	tell_uncovered(&w);
	for (size_t i = 0; i < p->rule_count && i < BC_DEFINITION_ROWS_MAX; i++) {
		if (!w.reached[i])
			tell_unreached(&w, i);
	}
}

/* --- its own tests --------------------------------------------------------------------------- */

static void run_test(struct bc_check *c, const struct bc_definition_test *test)
{
	struct bc_partner_answer answer = ask(test->status, test->body, test->young, test->again);
	struct bc_partner_verdict verdict = bc_partner_read_answer(c->partner, &answer);
	const struct bc_answer_rule *row = bc_partner_find_rule(c->partner, &answer);
	char hint[96] = "add a row for it";
	c->tally->tests++;
	if (!test->has_outcome) {
		bc_check_tell(c, test->line, true,
			      "write outcome = delivered, retry, suspect or reject",
			      "the test says no outcome");
		return;
	}
	if (verdict.outcome == test->outcome)
		return;
	if (row)
		bc_format(hint, sizeof(hint),
			  "the row in line %u decides it: change one of the two",
			  line_of_row(c, (size_t)(row - c->partner->rules)));
	bc_check_tell(c, test->line, true, hint, "the answer comes to \"%s\", and not to \"%s\"",
		      bc_outcome_name(verdict.outcome), bc_outcome_name(test->outcome));
}

/* What the tests of a definition should show at least. */
static void check_tests(struct bc_check *c)
{
	bool delivered = false, refused = false, by_body = false;
	for (size_t i = 0; i < c->d->test_count; i++) {
		const struct bc_definition_test *test = &c->d->tests[i];
		bool taken = test->outcome == BC_OUTCOME_DELIVERED;
		run_test(c, test);
		delivered |= test->has_outcome && taken;
		refused |= test->has_outcome && !taken && test->status / 100 == 2;
	}
	for (size_t i = 0; i < c->partner->rule_count; i++)
		by_body |= c->partner->rules[i].message &&
			   c->partner->rules[i].outcome == BC_OUTCOME_DELIVERED;
	if (!delivered)
		bc_check_tell(c, c->d->last_line, false,
			      "add [test 200] with the body of a real success, and outcome = "
			      "delivered",
			      "no test shows an answer that is delivered");
	else if (by_body && !refused)
		bc_check_tell(c, c->d->last_line, false,
			      "add a [test 200] with the body of a failure, and what it comes to",
			      "success stands in the body, and no test shows a 2xx without it");
}

static void check_sources(struct bc_check *c)
{
	size_t without = 0, first = 0;
	for (size_t i = c->partner->rule_count; i-- > 0;) {
		without += !c->partner->rules[i].source;
		first = c->partner->rules[i].source ? first : i;
	}
	if (without)
		bc_check_tell(c, line_of_row(c, first), false,
			      "write source = URL of the public document, or source = unverified",
			      "%zu of %zu answers say no source, the first one here", without,
			      c->partner->rule_count);
}

void bc_check_answers(struct bc_check *c)
{
	bool delivers = false;
	for (size_t i = 0; i < c->partner->rule_count; i++) {
		check_words(c, i);
		check_sense(c, i);
		delivers |= c->partner->rules[i].outcome == BC_OUTCOME_DELIVERED;
	}
	if (!delivers)
		bc_check_tell(c, c->d ? c->d->last_line : 0, true,
			      "write [answer 200-299] with outcome = delivered",
			      "no answer is ever \"delivered\"");
	walk(c);
	if (!c->d)
		return;
	check_tests(c);
	check_sources(c);
}
