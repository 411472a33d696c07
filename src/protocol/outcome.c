/* SPDX-License-Identifier: MIT */
/*
 * Reads a partner's answer by the rows of its definition. Invariants: every answer has exactly one
 * verdict, with words for an operator; the status decides, and a body only where a row asks for its
 * message. That any 2xx delivers, because sending a counted conversion again is worse than a
 * strange body, is a row as well: a partner whose success stands in the body has others. What a
 * suspect lane does next is the lane's business.
 */

#include <string.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/str.h"
#include "protocol/partner_impl.h"

static const char *const outcome_names[BC_OUTCOMES] = {
	[BC_OUTCOME_UNKNOWN] = "unknown", [BC_OUTCOME_DELIVERED] = "delivered",
	[BC_OUTCOME_RETRY] = "retry",	  [BC_OUTCOME_SUSPECT] = "suspect",
	[BC_OUTCOME_REJECT] = "reject",
};

/* What no partner's table can say, because no answer came, or none that HTTP knows. */
static const struct bc_answer_rule no_answer = {
	.outcome = BC_OUTCOME_UNKNOWN,
	.meaning = "the request went out, but no whole answer came back: it may have been counted",
	.hint = "nothing to do: it is sent again by itself; if this lasts, run `backchannel "
		"check`, which names the hop that fails",
};
static const struct bc_answer_rule never_left = {
	.outcome = BC_OUTCOME_RETRY,
	.meaning = "the partner could not be reached, so nothing was sent",
	.hint = "nothing to do: it is sent again by itself; if this lasts, run `backchannel "
		"check`, which tries name resolution, proxy, TLS and the partner in turn",
};
static const struct bc_answer_rule no_rule = {
	.outcome = BC_OUTCOME_RETRY,
	.meaning = "the answer's status is none that this partner is known to give",
	.hint = "nothing to do: it is sent again by itself; if this lasts, something between here "
		"and the partner answers in its place: check the base URL and the proxy",
};

const char *bc_outcome_name(enum bc_outcome outcome)
{
	return (unsigned)outcome < BC_OUTCOMES ? outcome_names[outcome] : "unknown";
}

int bc_outcome_parse(const char *name, enum bc_outcome *ret_outcome)
{
	for (unsigned i = 0; i < BC_OUTCOMES; i++) {
		if (strcmp(name, outcome_names[i]) == 0) {
			*ret_outcome = (enum bc_outcome)i;
			return 0;
		}
	}
	return BC_EINVAL;
}

static struct bc_str body_of(const struct bc_partner_answer *answer)
{
	return (struct bc_str){ answer->body, answer->body ? answer->body_bytes : 0 };
}

static bool rule_fits(const struct bc_answer_rule *rule, const struct bc_partner_answer *answer)
{
	if (answer->status < rule->status_from || answer->status > rule->status_to)
		return false;
	if (rule->young_click &&
	    (answer->attempt != 1 || answer->click_age_ms >= BC_YOUNG_CLICK_MS))
		return false;
	return !rule->message || bc_str_icontains(body_of(answer), rule->message);
}

const struct bc_answer_rule *bc_partner_find_rule(const struct bc_partner *partner,
						  const struct bc_partner_answer *answer)
{
	for (size_t i = 0; i < partner->rule_count; i++) {
		if (rule_fits(&partner->rules[i], answer))
			return &partner->rules[i];
	}
	return NULL;
}

static const struct bc_answer_rule *find_rule(const struct bc_partner *partner,
					      const struct bc_partner_answer *answer)
{
	if (answer->status == 0)
		return answer->request_sent ? &no_answer : &never_left;
	const struct bc_answer_rule *rule = bc_partner_find_rule(partner, answer);
	return rule ? rule : &no_rule;
}

static void decref(json_t **slot)
{
	json_decref(*slot);
}

/*
 * Is the body the JSON object of the partner's documents, with the token that was handed back?
 * Without memory for parsing it counts as odd, which costs a warning and nothing else.
 */
static bool is_documented_echo(const char *const *echo, const struct bc_partner_answer *answer)
{
	struct bc_str body = body_of(answer);
	if (body.len == 0)
		return false;
	BC_CLEANUP(decref)
	json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	for (size_t i = 0; echo[i]; i++) {
		if (!json_is_string(json_object_get(root, echo[i])))
			return false;
	}
	const json_t *first = json_object_get(root, echo[0]);
	struct bc_str token = { json_string_value(first), json_string_length(first) };
	return !answer->token || bc_str_eq(token, answer->token);
}

struct bc_partner_verdict bc_partner_read_answer(const struct bc_partner *partner,
						 const struct bc_partner_answer *answer)
{
	const struct bc_answer_rule *rule = find_rule(partner, answer);
	return (struct bc_partner_verdict){
		.outcome = rule->outcome,
		.meaning = rule->meaning,
		.hint = rule->hint,
		.odd_body = rule->outcome == BC_OUTCOME_DELIVERED && partner->echo &&
			    !is_documented_echo(partner->echo, answer),
	};
}
