/* SPDX-License-Identifier: MIT */
/* See explain_revoked.h. What matters to the shop is one thing: does the partner have it? */
#include "cli/explain_revoked.h"

#include <stdio.h>
#include <string.h>

#include "cli/remote.h"

#define INDENT "           "

bool bc_explain_is_revoked(const json_t *story)
{
	return bc_json_text(story, "revoked_at")[0] != '\0';
}

/* The one thing left to do when the partner has it, or may have it. */
static void tell_account_manager(const json_t *story)
{
	bool sovendus = !strncmp(bc_json_text(story, "lane"), "sovendus.", 9);
	printf(INDENT
	       "%s no call to take a conversion back: tell the account manager there.\n" INDENT
	       "backchannel orders --revoked lists every such order, with --export csv as a "
	       "file.\n",
	       sovendus ? "Sovendus publishes" : "backchannel knows");
}

static void after_delivery(const json_t *story)
{
	puts("nothing by itself: the partner has it, and the shop took the order back after that.");
	tell_account_manager(story);
}

static void on_its_way(const json_t *story)
{
	puts("the request is on its way, and the shop took the order back meanwhile. If the "
	     "partner\n" INDENT "does not take it, it is not sent again; if it does:");
	tell_account_manager(story);
}

/* An attempt without a clear answer may have arrived. */
static bool may_have_arrived(const json_t *story)
{
	size_t i;
	json_t *attempt;
	json_array_foreach(json_object_get(story, "attempts"), i, attempt)
	{
		if (!strcmp(bc_json_text(attempt, "outcome"), "unknown"))
			return true;
	}
	return false;
}

static void before_delivery(const json_t *story)
{
	const json_t *click = json_object_get(story, "click");
	if (may_have_arrived(story)) {
		puts("nothing by itself. An attempt had no clear answer, so the partner may have "
		     "it all the same.");
		tell_account_manager(story);
	} else {
		puts("nothing: the shop took the order back before it was handed back, and the "
		     "partner never had it.");
	}
	puts(INDENT "Should the shop replace it by an edited one, that one is handed back in its "
		    "place.");
	if (json_is_true(json_object_get(click, "token_kept")))
		printf(INDENT "backchannel retry %s hands it back although the shop took it "
			      "back.\n",
		       bc_json_text(story, "order"));
}

void bc_explain_revoked(const json_t *story)
{
	const char *state = bc_json_text(story, "state");
	if (!strcmp(state, "delivered"))
		after_delivery(story);
	else if (!strcmp(state, "sending"))
		on_its_way(story);
	else
		before_delivery(story);
}
