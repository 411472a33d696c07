/* SPDX-License-Identifier: MIT */
/*
 * The join on a bad day: the daemon is killed, orders come and one is taken back while it is away,
 * and no delivery of an event gets through. The journal keeps what was said. Then the shop takes
 * back the other order too, after its hand-back.
 */
#include "cli/demo.h"

#include <string.h>

#define TOKEN_KEPT	"12a3b-4c5d-6e7-8f9g3"
#define TOKEN_WITHDRAWN "12a3b-4c5d-6e7-8f9g4"
#define CANCELED	"canceled in Commerce"

enum { MISSED = 3 }; /* events while it is away: two orders, and the end of one of them */

struct order {
	const char *number, *entity_id;
};

/* As the steps before did it by a cart. */
static bool place(struct demo *d, const char *token, struct order *ret)
{
	const char *body = demo_text(
		d, "{\"state\":\"processing\",\"custom_attributes\":{\"bc_click\":\"t.%s\"}}",
		token);
	if (!demo_tell_sandbox(d, "POST", "/_sandbox/orders", body, 200))
		return false;
	ret->number = demo_field(d, "increment_id");
	ret->entity_id = demo_field(d, "entity_id");
	demo_note(d, "order %s comes, with the click t.%s", ret->number, token);
	return true;
}

static bool cancel(struct demo *d, const struct order *order)
{
	demo_note(d, "the shop cancels order %s in Commerce", order->number);
	return demo_tell_sandbox(d, "PUT", demo_text(d, "/_sandbox/orders/%s", order->entity_id),
				 "{\"state\":\"canceled\"}", 200);
}

static bool orders_meanwhile(struct demo *d, struct order *kept, struct order *withdrawn)
{
	demo_kill(&d->daemon);
	demo_note(d, "the daemon is killed (SIGKILL)");
	return place(d, TOKEN_KEPT, kept) && place(d, TOKEN_WITHDRAWN, withdrawn) &&
	       cancel(d, withdrawn) && demo_await_sender(d, MISSED) &&
	       demo_expect_field(d, "counts.pending", "3",
				 "Adobe's three deliveries fail, and are tried again in a minute");
}

static bool back_again(struct demo *d, const struct order *kept, const struct order *withdrawn)
{
	const char *edge = demo_text(d, "%s", d->daemon.edge);
	demo_note(d, "the daemon is started, and reads the journal from where it had come to");
	return demo_start_joined(d, edge) &&
	       demo_await(d, kept->number, "state", "delivered", "the first is handed back") &&
	       demo_partner_counts(d, TOKEN_KEPT, 1, 1, "the partner took it once") &&
	       demo_await(d, withdrawn->number, "state", "cancelled", "the second is withdrawn") &&
	       demo_expect_field(d, "reason", CANCELED, "because it is " CANCELED) &&
	       demo_partner_counts(d, TOKEN_WITHDRAWN, 0, 0, "the partner never heard of it") &&
	       demo_tell_sandbox(d, "GET", "/_sandbox/sender", NULL, 200) &&
	       demo_expect(d, atoi(demo_field(d, "counts.pending")) >= MISSED,
			   "all this by the journal: the deliveries that failed still wait",
			   demo_field(d, "counts"));
}

/* The partner has no call for it, so a person has to tell him: of this one alone. */
static bool too_late(struct demo *d, const struct order *kept, const struct order *withdrawn)
{
	static const char *const words[] = { "orders", "--revoked", "--state", "delivered", NULL };
	return cancel(d, kept) &&
	       demo_await(d, kept->number, "reason", CANCELED,
			  "this one was handed back already, so it is kept for the partner") &&
	       demo_command(d, words, 0,
			    "orders --revoked lists what the partner is to be told of") &&
	       demo_expect(d,
			   strstr(d->output, kept->number) && !strstr(d->output, withdrawn->number),
			   "that order, and not the one that was withdrawn in time", d->output);
}

bool demo_step_away(struct demo *d)
{
	struct order kept, withdrawn;
	return orders_meanwhile(d, &kept, &withdrawn) && back_again(d, &kept, &withdrawn) &&
	       too_late(d, &kept, &withdrawn) && demo_stop(d, &d->daemon) &&
	       (!d->nginx.pid || demo_stop(d, &d->nginx)) && demo_stop(d, &d->sandbox);
}
