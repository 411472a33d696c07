/* SPDX-License-Identifier: MIT */
/* The table of what a token endpoint's answers mean; oauth_answer.c reads answers with it. */
#ifndef BC_PROTOCOL_OAUTH_RULES_H
#define BC_PROTOCOL_OAUTH_RULES_H

#include <backchannel/oauth.h>

/* What the body is, whatever the status. */
enum bc_oauth_body {
	BC_OAUTH_BODY_ANY,	  /* in a rule: all of them */
	BC_OAUTH_BODY_CUT,	  /* broken off */
	BC_OAUTH_BODY_EMPTY,	  /* nothing, or blanks */
	BC_OAUTH_BODY_PAGE,	  /* markup: meant for a person */
	BC_OAUTH_BODY_OTHER,	  /* anything else that is not a JSON object */
	BC_OAUTH_BODY_OBJECT,	  /* one without access_token */
	BC_OAUTH_BODY_BAD_TOKEN,  /* access_token can't be sent as one */
	BC_OAUTH_BODY_OTHER_TYPE, /* of a type that is not bearer */
	BC_OAUTH_BODY_TOKEN
};

/* Fits when status, body, error and about do. */
struct bc_oauth_rule {
	int status_from, status_to;
	enum bc_oauth_body body;
	enum bc_oauth_result result;
	const char *error; /* the endpoint's code; NULL: any, or none */
	const char *about; /* a part of its description, in any case; NULL: any, or none */
	const char *meaning;
	const char *hint;
};

/* The first that fits counts; the last one fits everything. */
extern const struct bc_oauth_rule bc_oauth_rules[];
extern const size_t bc_oauth_rule_count;

/* error and description may be NULL. Never NULL. */
const struct bc_oauth_rule *bc_oauth_rule_find(int status, enum bc_oauth_body body,
					       const char *error, const char *description);

#endif
