/* SPDX-License-Identifier: MIT */
/* A journal that says what the test wants, page by page, with a token endpoint beside it, and a
 * reader of it in the shop of shop_fixture.h. */
#ifndef BC_TESTS_JOURNAL_FIXTURE_H
#define BC_TESTS_JOURNAL_FIXTURE_H

#include "shop_requests.h"

#include "core/journal.h"
#include "core/journal_impl.h"
#include "failing_malloc.h"
#include "net/http_server.h"

enum { SCRIPT_MAX = 16, SEEN_MAX = 64 };

/* What the journal says to one question; the last one is said again and again. */
struct says {
	int status; /* 0: a reset */
	const char *extra, *body;
};

static struct {
	struct bc_http_server *server;
	char url[160], token_url[160];
	struct says script[SCRIPT_MAX];
	size_t scripted;
	char targets[SEEN_MAX][400], tokens[SEEN_MAX][80];
	char client[80], org[80];
	size_t asked;	  /* of the journal */
	unsigned granted; /* tokens */
	int token_status; /* 0: grants */
	bool by_position; /* the first to whoever names none, else the second */
	bool hold;
	struct bc_http_request *held;
} peer;

static struct bc_tokens *tokens;
static struct bc_secret *client_secret;
static struct bc_journal *journal;
static const char *const completed[] = { "new", "processing", "complete", NULL };

/* --- the journal ----------------------------------------------------------------------------- */

static inline void grant(struct bc_http_request *req)
{
	char body[200];
	if (peer.token_status) {
		bc_http_respond(req, peer.token_status, NULL, NULL, NULL, 0);
		return;
	}
	int n = snprintf(body, sizeof(body),
			 "{\"access_token\":\"token-%u\",\"token_type\":\"bearer\","
			 "\"expires_in\":86400}",
			 ++peer.granted);
	bc_http_respond(req, 200, "application/json", NULL, body, (size_t)n);
}

static inline void say(struct bc_http_request *req)
{
	size_t n = !peer.by_position ? peer.asked - 1
				     : strstr(peer.targets[peer.asked - 1], "since=") != NULL;
	const struct says *s = &peer.script[n < peer.scripted ? n : peer.scripted - 1];
	if (!s->status)
		bc_http_close_raw(req, true);
	else
		bc_http_respond(req, s->status, "application/json", s->extra, s->body,
				s->body ? strlen(s->body) : 0);
}

static inline void keep(char *to, size_t bytes, struct bc_str text)
{
	snprintf(to, bytes, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static inline void on_request(void *ctx, struct bc_http_request *req)
{
	(void)ctx;
	if (bc_str_eq(req->path, "/ims/token/v3")) {
		grant(req);
		return;
	}
	assert_true(peer.asked < SEEN_MAX);
	keep(peer.targets[peer.asked], sizeof(peer.targets[0]), req->target);
	keep(peer.tokens[peer.asked], sizeof(peer.tokens[0]), bc_http_header(req, "Authorization"));
	keep(peer.client, sizeof(peer.client), bc_http_header(req, "x-api-key"));
	keep(peer.org, sizeof(peer.org), bc_http_header(req, "x-ims-org-id"));
	peer.asked++;
	if (peer.hold)
		peer.held = req;
	else
		say(req);
}

static inline void add_says(struct says s)
{
	assert_true(peer.scripted < SCRIPT_MAX);
	peer.script[peer.scripted++] = s;
}
#define SAYS(...) add_says((struct says){ __VA_ARGS__ })

#define EMPTY	 SAYS(204, "Retry-After: 60\r\n", NULL)
#define NEXT(to) "Link: <" to ">; rel=\"next\"\r\n"
#define EVENT(position, order)                                                                     \
	"{\"position\":\"" position "\",\"event\":{\"id\":\"e-" position "\","                     \
	"\"time\":\"2026-11-20T14:03:11.412Z\",\"recipientclientid\":\"client-1\","                \
	"\"type\":\"com.adobe.commerce.observer.sales_order_save_commit_after\","                  \
	"\"data\":{\"value\":" order "}}}"
#define PAGE(events) "{\"events\":[" events "],\"_page\":{\"count\":1}}"
#define ORDER(id)    "{\"increment_id\":\"" id "\",\"state\":\"new\"}"

/* --- the rig --------------------------------------------------------------------------------- */

static inline void open_peer(void)
{
	struct bc_http_server_options options = { .listen = "127.0.0.1:0", .handler = on_request };
	memset(&peer, 0, sizeof(peer));
	assert_int_equal(bc_http_server_create(rig.loop, &options, &peer.server, NULL), 0);
	const char *address = bc_http_server_address(peer.server);
	snprintf(peer.url, sizeof(peer.url), "http://%s/events/1/2/reg", address);
	snprintf(peer.token_url, sizeof(peer.token_url), "http://%s/ims/token/v3", address);
}

static inline int setup(void **state)
{
	int result = rig_setup(state);
	rig.config.completed_states = completed;
	rig.config.click_attribute = "bc_click";
	open_peer();
	client_secret = bc_secret_create("canary-secret", 13);
	struct bc_oauth_config oauth = { .token_url = peer.token_url,
					 .client_id = "client-1",
					 .secret = client_secret,
					 .scope = "openid",
					 .timeout_ms = 5000 };
	struct bc_tokens_options options = { .clock = &rig_clock, .quiet = true };
	if (result || bc_tokens_create(rig.loop, &oauth, &options, &tokens, NULL))
		return -1;
	start_api();
	return 0;
}

static inline struct bc_journal_config journal_config(void)
{
	return (struct bc_journal_config){ .url = peer.url,
					   .client_id = "client-1",
					   .org_id = "org@AdobeOrg",
					   .timeout_ms = 5000 };
}

static inline void start(void)
{
	struct bc_err err = { 0 };
	struct bc_journal_config config = journal_config();
	if (bc_journal_create(rig.loop, &rig.shop, tokens, &config, &journal, &err))
		fail_msg("%s", err.text);
}

static inline void stop(void)
{
	rig.parts = 1;
	bc_journal_stop(journal, part_over, NULL);
	assert_int_equal(rig.parts, 1); /* never inline */
	run_until(no_parts, NULL);
	bc_journal_destroy(journal);
	journal = NULL;
}

static inline int teardown(void **state)
{
	bc_tokens_stop(tokens);
	if (journal)
		stop();
	bc_tokens_destroy(tokens);
	bc_secret_unref(client_secret);
	rig.parts = 1;
	bc_http_server_close(peer.server, 0, part_over, NULL);
	run_until(no_parts, NULL);
	return rig_teardown(state);
}

static inline struct bc_journal_view look_at(void)
{
	struct bc_journal_view v;
	bc_journal_look(journal, &v);
	return v;
}

static inline bool is_idle(void *ctx)
{
	(void)ctx;
	return look_at().state == BC_JOURNAL_IDLE;
}

static inline bool asked_enough(void *ctx)
{
	return peer.asked >= *(size_t *)ctx;
}

static inline void run_until_asked(size_t n)
{
	run_until(asked_enough, &n);
}

static inline void read_to_the_end(void)
{
	start();
	run_until(is_idle, NULL);
}

static inline bool failed_enough(void *ctx)
{
	return look_at().failures >= *(uint64_t *)ctx;
}

static inline void run_until_failed(uint64_t times)
{
	run_until(failed_enough, &times);
}

static inline bool is_known(const char *order)
{
	struct rig_call *c = story(order);
	bool known = c->status == 200;
	api_end(c);
	return known;
}

static inline void assert_target(size_t i, const char *wanted)
{
	assert_true(i < peer.asked);
	assert_string_equal(peer.targets[i], wanted);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
