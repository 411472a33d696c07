/* SPDX-License-Identifier: MIT */
/*
 * The table of all metrics: what GET /metrics says of each, and docs/operation.md too, whose table
 * is rendered from this one (tests/unit/test_docs_tables.c). A row's help is one plain sentence;
 * what only a reader of the documentation needs is its advice.
 */
#include "core/alerts.h"
#include "core/comments.h"
#include "core/intake.h"
#include "daemon/metrics_page.h"

#define VALUES(array) .values = (array), .count = BC_COUNT(array)

static const char *const kinds[] = { "production", "test", "refused" };
static const char *const refusals[] = { "401", "429" };

static const char *order_state(size_t i)
{
	return bc_order_state_name((enum bc_order_state)i);
}

static const char *outcome(size_t i)
{
	return bc_outcome_name((enum bc_outcome)i);
}

static const char *oauth_result(size_t i)
{
	return bc_oauth_result_name((enum bc_oauth_result)i);
}

const struct metric_row metric_rows[METRICS] = {
	[METRIC_CLICKS_TOTAL] = {
		.name = "clicks_total",
		.type = "counter",
		.labels = { { "kind", VALUES(kinds) } },
		.help = "Click tokens captured, by kind; refused: the URL had none, or none that "
			"is one.",
		.advice = "All ways in count: API, beacon, datagram. (In token mode landings "
			  "never come here.) Many `refused`: compare `sovendus.param` with a "
			  "landing URL",
	},
	[METRIC_ORDERS_TOTAL] = {
		.name = "orders_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_order_result_name) } },
		.help = "Orders reported, by what came of it.",
		.advice = "`repeated`: harmless. `unattributed`: orders without a click; normal, "
			  "unless it is all of them: then the cookie does not reach the order "
			  "([troubleshooting](troubleshooting.md#no-click)). `conflict`: one "
			  "order number with two tokens: does the shop reuse numbers?",
	},
	[METRIC_CONVERSIONS] = {
		.name = "conversions",
		.type = "gauge",
		.labels = { { "state", .value = order_state, .count = BC_ORDER_STATES } },
		.help = "Orders in the store, by state.",
		.advice = "`pending` grows: see the lanes. `rejected` grows: `backchannel orders "
			  "--state rejected`. `expired` above 0: Sovendus was away for "
			  "`retry.deadline`; then `backchannel retry --state expired`",
	},
	[METRIC_PENDING_OLDEST_SECONDS] = {
		.name = "pending_oldest_seconds",
		.type = "gauge",
		.labels = { { "lane", .is = "its name" } },
		.help = "Age of the oldest pending conversion, by lane; 0, or absent, when none "
			"waits.",
		.advice = "**Alarm above an hour**",
	},
	[METRIC_ATTEMPTS_TOTAL] = {
		.name = "attempts_total",
		.type = "counter",
		.labels = { { "lane", .is = "its name" },
			    { "outcome", .value = outcome, .count = BC_OUTCOMES } },
		.help = "Hand-back requests, by lane and outcome.",
		.advice = "`retry`, `unknown`: the line or Sovendus. `suspect`: key, product or "
			  "URL. `reject`: invented or expired tokens",
	},
	[METRIC_LANE_STATE] = {
		.name = "lane_state",
		.type = "gauge",
		.labels = { { "lane", .is = "its name" }, { "state", VALUES(bc_lane_state_name) } },
		.help = "1 for the state a lane is in.",
		.advice = "See [Lanes](#lanes). **Alarm on `parked`**: nothing leaves until key, "
			  "product or URL is put right; and on `broken` for longer than the "
			  "partner is usually away",
	},
	[METRIC_LANE_TRANSITIONS_TOTAL] = {
		.name = "lane_transitions_total",
		.type = "counter",
		.labels = { { "lane", .is = "its name" }, { "to", VALUES(bc_lane_state_name) } },
		.help = "Times a lane entered a state.",
		.advice = "Many `broken` or `throttled`: the partner is slow or busy at that time "
			  "of day",
	},
	[METRIC_RETURN_RATE] = {
		.name = "return_rate",
		.type = "gauge",
		.labels = { { "product", .is = "its label" },
			    { "window", VALUES(bc_window_name) } },
		.help = "Delivered of all orders with a click that were reported in the window "
			"and not cancelled, 0 to 1; absent without any.",
		.advice = "**Alarm when the 24 h one falls below what is usual**: `backchannel "
			  "orders --summary` says what became of the others",
	},
	[METRIC_ALERTS_TOTAL] = {
		.name = "alerts_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_alert_result_name) } },
		.help = "Alerts to alert.url, by what came of them.",
		.advice = "`failed` or `dropped`: nobody was told; is the URL right?",
	},
	[METRIC_ATTEMPT_DURATION_SECONDS] = {
		.name = "attempt_duration_seconds",
		.type = "histogram",
		.help = "Time a hand-back request took.",
		.advice = "Near `delivery.timeout`: Sovendus hangs; the shop does not notice",
	},
	[METRIC_TOKEN_REQUESTS_TOTAL] = {
		.name = "token_requests_total",
		.type = "counter",
		.labels = { { "result", .value = oauth_result, .count = BC_OAUTH_RESULTS } },
		.help = "Requests to the token endpoint, by what came of them.",
		.advice = "A few a day is right; `granted` by the minute: something spends "
			  "tokens, see `_upstream_refusals_total`",
	},
	[METRIC_TOKEN_STATE] = {
		.name = "token_state",
		.type = "gauge",
		.labels = { { "state", VALUES(bc_token_state_name) } },
		.help = "1 for the state the access token is in.",
		.advice = "**Alarm on `refused` and on `none`**: calls to Commerce fail, or soon "
			  "will",
	},
	[METRIC_TOKEN_EXPIRES_SECONDS] = {
		.name = "token_expires_seconds",
		.type = "gauge",
		.help = "How long the access token may still be sent; 0 without one.",
	},
	[METRIC_GATEWAY_REQUESTS_TOTAL] = {
		.name = "gateway_requests_total",
		.type = "counter",
		.labels = { { "method", .is = "as HTTP has it" }, { "code", .is = "the status" } },
		.help = "Calls through the gateway, by method and the status that the caller got.",
		.advice = "499: the caller left",
	},
	[METRIC_GATEWAY_DURATION_SECONDS] = {
		.name = "gateway_duration_seconds",
		.type = "histogram",
		.labels = { { "method", .is = "as HTTP has it" },
			    { "path", .is = "the route with ids folded" } },
		.help = "Time from a call's arrival to the end of its answer, by method and path.",
	},
	[METRIC_UPSTREAM_REFUSALS_TOTAL] = {
		.name = "upstream_refusals_total",
		.type = "counter",
		.labels = { { "code", VALUES(refusals) } },
		.help = "Answers of Commerce that were met here, by another token (401) or by "
			"waiting (429).",
		.advice = "`401` grows: a role is missing, see `backchannel check`. `429` grows: "
			  "call less",
	},
	[METRIC_INTAKE_TOTAL] = {
		.name = "intake_total",
		.type = "counter",
		.labels = { { "source", VALUES(bc_intake_source_name) },
			    { "result", VALUES(bc_intake_result_name) } },
		.help = "Orders as Commerce told of them, by the way they came and what came of "
			"it.",
		.advice = "`repeated`: most of them, for each save of an order is told. `open`: "
			  "not in a state of `commerce.completed`; a click that a webhook bound "
			  "counts here too. `withdrawn`: taken back in time. `revoked`: taken "
			  "back after they were handed back: `backchannel orders --revoked`. "
			  "`refused`: the log says why (`order.refused`)",
	},
	[METRIC_JOURNAL_EVENTS_TOTAL] = {
		.name = "journal_events_total",
		.type = "counter",
		.help = "Events that were read from Adobe's journal and are on disk, whatever "
			"they told of.",
	},
	[METRIC_JOURNAL_FAILURES_TOTAL] = {
		.name = "journal_failures_total",
		.type = "counter",
		.help = "Times the journal could not be read on; it is tried again.",
		.advice = "A few are the line; when it goes on: `journal.failed` in the log, "
			  "[troubleshooting](troubleshooting.md#the-journal)",
	},
	[METRIC_JOURNAL_EXPIRED_TOTAL] = {
		.name = "journal_expired_total",
		.type = "counter",
		.help = "Times the journal had forgotten what came next.",
		.advice = "The daemon was away for seven days. **Alarm on any**: then "
			  "`backchannel pull`",
	},
	[METRIC_JOURNAL_STATE] = {
		.name = "journal_state",
		.type = "gauge",
		.labels = { { "state", VALUES(bc_journal_state_name) } },
		.help = "1 for the state the journal's reader is in; all 0 while it is off.",
		.advice = "`idle`: read to its end. `waiting`: it failed, and waits for the next "
			  "try. All 0: `journal.url` is not set",
	},
	[METRIC_JOURNAL_LAG_SECONDS] = {
		.name = "journal_lag_seconds",
		.type = "gauge",
		.help = "How old what was not read of the journal yet may be; 0 when it is read "
			"to its end.",
		.advice = "**Alarm above an hour**",
	},
	[METRIC_JOURNAL_EVENTS_PER_MINUTE] = {
		.name = "journal_events_per_minute",
		.type = "gauge",
		.help = "The pace of the journal's reader when it last read.",
	},
	[METRIC_COMMENTS_TOTAL] = {
		.name = "comments_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_comment_result_name) } },
		.help = "Comments on orders in Commerce, by what came of them.",
		.advice = "`failed` ones are tried again: the log says why (`comment.later`)",
	},
	[METRIC_EDGE_LANDINGS_TOTAL] = {
		.name = "edge_landings_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_landing_name) } },
		.help = "Landings told to the public listener, by what came of them.",
		.advice = "They come to the [beacon](#public-listener). `cookie`: the store "
			  "refused, so the visitor's cookie carries the token. `nothing`: no URL, "
			  "or none with a token. `foreign`: another site's image, frame or script "
			  "made the request; many: somebody tries to plant tokens. `limited`: "
			  "more than `edge.rate`; see `edge.limited` in the log",
	},
	[METRIC_EVENT_DELIVERIES_TOTAL] = {
		.name = "event_deliveries_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_events_result_name) } },
		.help = "Deliveries of Adobe's events, one for each request, by what came of them.",
		.advice = "See [events](events.md). `bad-signature`, `unknown-key-path`: somebody "
			  "else sent it, or a proxy changed it. `key-unavailable`, "
			  "`store-refused`: Adobe sends it again. `other-client`: the "
			  "registration is another client's. `malformed`: Adobe does not send it "
			  "again; the journal has it",
	},
	[METRIC_WEBHOOKS_TOTAL] = {
		.name = "webhooks_total",
		.type = "counter",
		.labels = { { "result", VALUES(bc_webhook_name) } },
		.help = "Webhooks of Commerce, by what came of them.",
		.advice = "See [events](events.md#the-webhook-of-commerce). `nothing`: no order, "
			  "or one without a click. `dropped`: more than 256 waited for the store. "
			  "**Alarm on `dropped` and `store-refused`**: those clicks are known "
			  "only if the orders' events have them",
	},
	[METRIC_INPUT_TAKEN_TOTAL] = {
		.name = "input_taken_total",
		.type = "counter",
		.help = "Clicks of the datagram input that are on disk.",
		.advice = "See [datagram input](#datagram-input)",
	},
	[METRIC_INPUT_DROPPED_TOTAL] = {
		.name = "input_dropped_total",
		.type = "counter",
		.labels = { { "reason", VALUES(bc_input_drop_name) } },
		.help = "Datagrams that came to nothing, by reason.",
		.advice = "`malformed`: no line of a recipe, or one without a token or without "
			  "anything to find it by; the log says which. `busy`: the store refused "
			  "for a minute, or more than 1,024 waited for it. `kernel`: UDP only, "
			  "the daemon was too slow for the socket's buffer: raise "
			  "`net.core.rmem_max` to 4 MiB. **Alarm on `busy` and `kernel`**: clicks "
			  "are lost",
	},
	[METRIC_STORE_COMMIT_SECONDS] = {
		.name = "store_commit_seconds",
		.type = "histogram",
		.help = "Time a group commit took until it was durable.",
		.advice = "Above 0.1 s: a slow or busy disk; every 201 and 202 waits for it",
	},
	[METRIC_STORE_BATCH_SIZE] = {
		.name = "store_batch_size",
		.type = "histogram",
		.help = "Operations in one commit.",
		.advice = "Grows with the load, which is what keeps the disk from being the limit",
	},
	[METRIC_STORE_BYTES] = {
		.name = "store_bytes",
		.type = "gauge",
		.help = "What the store takes on disk, its log too.",
		.advice = "Grows with clicks within `click.ttl` and with all orders",
	},
	[METRIC_STORE_FREE_BYTES] = {
		.name = "store_free_bytes",
		.type = "gauge",
		.help = "What is left to the store of its file system, as of a few seconds ago at "
			"most.",
		.advice = "**Alarm below 256 MiB**: when it is full, clicks and orders are "
			  "answered 503",
	},
	[METRIC_STORE_WRITABLE] = {
		.name = "store_writable",
		.type = "gauge",
		.help = "1 while the store takes writes.",
		.advice = "**Alarm on 0**: clicks and orders are answered 503; see `/readyz` for "
			  "why",
	},
	[METRIC_HTTP_CONNECTIONS] = {
		.name = "http_connections",
		.type = "gauge",
		.help = "Open connections of the API listener.",
		.advice = "Near `http.connections`: who does not close?",
	},
	[METRIC_STREAMS] = {
		.name = "streams",
		.type = "gauge",
		.help = "Open readers of GET /v1/stream: consoles.",
		.advice = "16 is the most",
	},
	[METRIC_BUILD_INFO] = {
		.name = "build_info",
		.type = "gauge",
		.labels = { { "version", .is = "of the program" } },
		.help = "The version that runs.",
	},
};
