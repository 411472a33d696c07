/* SPDX-License-Identifier: MIT */
/*
 * alert.url: one small JSON POST for what somebody should know though nobody asked. Lane
 * transitions, a low return rate and what watch.h watches raise one; each is sent once, and again
 * when it did not arrive (3 times in all, within two minutes; the waits between are retry.base and
 * eight times that, at most 30 s). One POST is under way at a time. At most BC_ALERTS_WAITING wait;
 * the oldest is dropped and counted. Never blocks delivery. Delivery loop's thread only, but for
 * the counts.
 *
 * The body:
 * {"event","at","lane"|"product","from","to","reason","hint","runbook","text","version","pending"};
 * `text` is the whole in one sentence, which is what chat webhooks show; `runbook` is the page that
 * says what to do, below BC_DOCS_ROOT; `pending` is asked of the
 * store when it is sent, and left out when there is no lane or the store has no answer. No token,
 * no order, no key: a body that holds a live secret is dropped instead.
 */
#ifndef BC_CORE_ALERTS_H
#define BC_CORE_ALERTS_H

#include "core/shop.h"
#include "net/http_client.h"

struct bc_alerts;

enum { BC_ALERTS_WAITING = 64 };
enum bc_alert_result { BC_ALERT_SENT, BC_ALERT_FAILED, BC_ALERT_DROPPED, BC_ALERT_RESULTS };
extern const char *const bc_alert_result_name[BC_ALERT_RESULTS];

/* Copied by raise. NULL members are left out. */
struct bc_alert {
	const char *event; /* "lane.state", "return_rate.state" */
	const char *lane, *product;
	const char *from, *to;	   /* "suspect", "parked"; "normal", "low" */
	const char *reason, *hint; /* hint: NULL or empty: there is nothing to do */
	const char *page;	   /* of docs/howto, which says more: "lane-parked" */
	const char *text; /* required: "lane sovendus.default is parked: the key is wrong" */
	uint64_t at_ms;	  /* wall clock */
};

/* Before loop runs, or on its thread. 0, BC_ENOMEM. */
BC_MUST_CHECK int bc_alerts_create(struct bc_loop *loop, struct bc_shop *shop,
				   struct bc_alerts **ret_alerts, struct bc_err *err);
/* NULL alerts is fine. Nothing without a URL, and after stop. */
void bc_alerts_raise(struct bc_alerts *a, const struct bc_alert *alert);
/* For the token manager's options: alerts is a struct bc_alerts. */
struct bc_token_change;
void bc_alerts_token_changed(void *alerts, const struct bc_token_change *change);
/* Where to, from now on; without a URL, what waits is dropped. Takes a reference. */
void bc_alerts_reconfigure(struct bc_alerts *a, struct bc_shop_config *config);
/* Sends what waits, each once more at most, for at most grace_ms; then done(ctx), never inline. */
void bc_alerts_stop(struct bc_alerts *a, uint64_t grace_ms, void (*done)(void *ctx), void *ctx);
void bc_alerts_destroy(struct bc_alerts *a); /* NULL is fine; once the loop no longer runs */
/* Any thread. NULL: zeros. */
void bc_alerts_counts(struct bc_alerts *a, uint64_t ret_counts[BC_ALERT_RESULTS]);

#endif
