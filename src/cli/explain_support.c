/* SPDX-License-Identifier: MIT */
/*
 * `backchannel explain ID --support`: the block that the guide wants at hand before one writes to
 * Sovendus: product id, which token, codes and messages, what speaks. No key in it, and the token
 * only as its hash.
 */
#include "cli/explain_support.h"

#include <stdio.h>
#include <string.h>

static const char *product_id(const struct bc_settings *s, const char *label)
{
	for (size_t i = 0; i < s->product_count; i++)
		if (!strcmp(s->products[i].label, label) && s->products[i].id)
			return s->products[i].id;
	return "not configured here";
}

static void print_attempt(const json_t *a)
{
	json_int_t status = json_integer_value(json_object_get(a, "status"));
	printf("  %s  ", bc_json_text(a, "at"));
	if (status)
		printf("HTTP %d", (int)status);
	else
		printf("no answer");
	const char *error = bc_json_text(a, "error");
	printf("  %s%s%s  (key %s)\n", bc_json_text(a, "outcome"), error[0] ? "  " : "", error,
	       bc_json_text(a, "key_fingerprint"));
}

static void print_lane(const json_t *story)
{
	const char *state = bc_json_text(story, "lane_state");
	const char *reason = bc_json_text(story, "lane_reason");
	if (state[0])
		printf("Lane:            %s (%s%s%s)\n", bc_json_text(story, "lane"), state,
		       reason[0] ? ": " : "", reason);
}

/* What comes next, and when: the order's own turn, or its lane's. */
static void print_next(const json_t *story)
{
	const char *lane = bc_json_text(story, "lane_state");
	const char *trial = bc_json_text(story, "lane_next_probe_at");
	const char *due = bc_json_text(story, "next_attempt_at");
	if (strcmp(bc_json_text(story, "state"), "pending") != 0)
		return;
	if (!strcmp(lane, "paused"))
		puts("Next request:    none until the lane is resumed");
	else if (trial[0])
		printf("Next request:    the lane's at %s\n", trial);
	else if (due[0])
		printf("Next request:    not before %s\n", due);
}

/* Without the names of the id's parts a partner's support knows its address all the same. */
static void print_endpoint(const struct bc_settings *settings, const char *label)
{
	for (size_t i = 0; i < settings->product_count; i++) {
		const struct bc_settings_product *p = &settings->products[i];
		if (strcmp(p->label, label) == 0 && p->definition != &bc_partner_sovendus) {
			printf("Endpoint:        %s %s%s\n", p->definition->method,
			       p->url ? p->url : "", p->definition->path);
			return;
		}
	}
	printf("Endpoint:        POST %s/{productId}/{token}/api\n", settings->sovendus_base_url);
}

void bc_explain_support(const struct bc_settings *settings, const json_t *story)
{
	size_t i;
	json_t *attempt;
	const json_t *click = json_object_get(story, "click");
	printf("Product ID:      %s\n", product_id(settings, bc_json_text(story, "product")));
	const char *reason = bc_json_text(story, "reason");
	printf("Order:           %s (%s%s%s)\n", bc_json_text(story, "order"),
	       bc_json_text(story, "state"), reason[0] ? ": " : "", reason);
	print_lane(story);
	printf("Token:           #%s (%s token; the value itself is never printed)\n",
	       bc_json_text(click, "token_hash"), bc_json_text(story, "kind"));
	print_endpoint(settings, bc_json_text(story, "product"));
	printf("Implementation:  backchannel %s (C, libcurl)\n", BC_VERSION);
	puts("Requests and answers:");
	json_array_foreach(json_object_get(story, "attempts"), i, attempt) print_attempt(attempt);
	if (!json_array_size(json_object_get(story, "attempts")))
		puts("  none was sent");
	print_next(story);
}
