/* SPDX-License-Identifier: MIT */
/*
 * The guide's test list on a good day: capture with a test token, its storage and expiry, the
 * order, the request and its 200, and the clean-up. What the partner must see stands here word for
 * word as the guide has it, not as our definition of the partner builds it.
 */
#include "cli/demo.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define GUIDE_TEST_TOKEN "12345-test-123-12345"
#define SESSION		 "demo-session-0001"
#define EXPIRED_TOKEN	 "11111-test-111-11111"
#define EXPIRED_SESSION	 "demo-session-0002"

/* Longer after a daemon's start than its first clean-up, which would also take what has expired. */
enum { SETTLED_MS = 1500 };

/* --- landing ------------------------------------------------------------------------------------
 */

/* The guide's vectors for its validator: the last one is no test token. */
static bool validate(struct demo *d)
{
	static const char *const words[] = { "validate",
					     "--test",
					     "11111-test-111-11111",
					     "fffff-test-fff-fffff",
					     "12345-test-123-12345",
					     "1a2b3-test-1a2-1a2b3",
					     "12345-prod-123-12345",
					     NULL };
	static const char *const kinds[] = { "test", "test", "test", "test", "production" };
	if (!demo_command(d, words, 1, "one of the guide's five is refused as a test token"))
		return false;
	bool all = true;
	for (size_t i = 0; i < BC_COUNT(kinds); i++)
		all &= strstr(d->output, demo_text(d, "%s\t%s", kinds[i], words[i + 2])) != NULL;
	return demo_expect(d, all, "it is the fifth; the other four are test tokens", d->output);
}

bool demo_step_landing(struct demo *d)
{
	if (!validate(d) || !demo_capture(d, &d->daemon, GUIDE_TEST_TOKEN, SESSION) ||
	    !demo_expect_status(d, 201, "201: the click is on disk") ||
	    !demo_expect_field(d, "kind", "test", "it is recognised as a test token"))
		return false;
	d->click = demo_field(d, "click");
	demo_kill(&d->daemon);
	demo_note(d, "to see that it is kept, the daemon is killed (SIGKILL) and started again;");
	demo_note(d, "step 3 finds the click, if it is there");
	return demo_start_daemon(d, &d->daemon, NULL);
}

/* --- expiry -------------------------------------------------------------------------------------
 */

static bool sleep_until_settled(struct demo *d, const struct demo_child *daemon)
{
	uint64_t now = bc_elapsed_ms(&bc_clock_system), settled = daemon->ready_ms + SETTLED_MS;
	return now >= settled || demo_sleep(d, settled - now);
}

static bool sleep_past_expiry(struct demo *d)
{
	uint64_t expires, now = bc_wall_ms(&bc_clock_system);
	const char *text = demo_field(d, "expires_at");
	if (bc_time_parse(bc_str_of(text), &expires))
		return demo_expect(d, false, "the answer says when the click expires", text);
	return expires < now || demo_sleep(d, expires - now + DEMO_POLL_MS);
}

bool demo_step_expiry(struct demo *d)
{
	demo_note(d, "a second daemon runs with BACKCHANNEL_CLICK_TTL=1s (the default is 24h)");
	return sleep_until_settled(d, &d->other) &&
	       demo_capture(d, &d->other, EXPIRED_TOKEN, EXPIRED_SESSION) &&
	       demo_expect_status(d, 201, "captured, with a second to live") &&
	       sleep_past_expiry(d) &&
	       demo_ask_aloud(d, d->other.address, "POST", "/v1/orders",
			      "{\"order\":\"100044\",\"session\":\"" EXPIRED_SESSION "\"}") &&
	       demo_expect_status(d, 200, "an order after that is answered 200") &&
	       demo_expect_field(d, "state", "unattributed", "it has no click") &&
	       demo_expect_field(d, "reason", "click expired", "and says why: click expired") &&
	       demo_partner_counts(d, EXPIRED_TOKEN, 0, 0, "the partner was not asked") &&
	       demo_stop(d, &d->other);
}

/* --- the order and its request ------------------------------------------------------------------
 */

static void print_request(struct demo *d)
{
	size_t i;
	json_t *line;
	const json_t *request = json_array_get(json_object_get(d->answer.json, "requests"), 0);
	demo_note(d, "the partner got this, byte for byte:");
	demo_print_block(d, "| ",
			 demo_text(d, "%s %s HTTP/1.1", demo_field(d, "requests.0.method"),
				   demo_field(d, "requests.0.path")));
	json_array_foreach(json_object_get(request, "lines"), i, line)
		demo_print_block(d, "| ", json_string_value(line));
	demo_print_block(d, "| ", "\n");
	demo_print_block(d, "| ", demo_field(d, "requests.0.body"));
}

static bool compare_request(struct demo *d)
{
	static const char *const reference[][3] = {
		{ "requests.0.method", "POST", "the method is the guide's: POST" },
		{ "requests.0.path", "/ext/" DEMO_PRODUCT "/" GUIDE_TEST_TOKEN "/api",
		  "the path is the guide's: /ext/{externalProductID}/{token}/api" },
		{ "requests.0.headers.Content-Type", "application/json",
		  "the Content-Type is the guide's" },
		{ "requests.0.body", "{\"apiKey\":\"" DEMO_KEY "\"}",
		  "the body is the guide's, and nothing else goes along" },
		{ "requests.0.answered", "200", "the answer was 200" },
		{ "requests.1", "", "there was one request" },
	};
	for (size_t i = 0; i < BC_COUNT(reference); i++)
		if (!demo_expect_field(d, reference[i][0], reference[i][1], reference[i][2]))
			return false;
	return true;
}

bool demo_step_order(struct demo *d)
{
	if (!demo_order(d, "100045", "session", SESSION) ||
	    !demo_await(d, "100045", "state", "delivered", "a moment later it is handed back") ||
	    !demo_expect_field(d, "click.id", d->click,
			       "with the click of step 1, which outlived the kill") ||
	    !demo_partner_requests(d, GUIDE_TEST_TOKEN))
		return false;
	print_request(d);
	return compare_request(d) && demo_explain(d, "100045");
}

bool demo_step_once(struct demo *d)
{
	const char *api = d->daemon.address;
	return demo_ask_aloud(d, api, "POST", "/v1/orders",
			      "{\"order\":\"100045\",\"session\":\"" SESSION "\"}") &&
	       demo_expect_status(d, 200, "the same order again is answered 200") &&
	       demo_expect_field(d, "state", "delivered", "with the stored result") &&
	       demo_ask_aloud(d, api, "POST", "/v1/orders",
			      "{\"order\":\"100046\",\"session\":\"" SESSION "\"}") &&
	       demo_expect_field(d, "state", "unattributed",
				 "a second order on the same click has none") &&
	       demo_expect_field(d, "reason", "click used by order 100045",
				 "because one click serves one order") &&
	       demo_ask_aloud(d, api, "POST", "/v1/orders",
			      "{\"order\":\"100045\",\"token\":\"" EXPIRED_TOKEN "\"}") &&
	       demo_expect_status(d, 409, "another token for a known order is refused: 409") &&
	       demo_partner_counts(d, GUIDE_TEST_TOKEN, 1, 1,
				   "all the while the partner was asked once");
}

/* --- clean-up ------------------------------------------------------------------------------------
 */

/* The token of the first is also the one that opened the parked lane in step 6. */
static const struct handed_back {
	const char *order, *token;
	int taken;
} handed_back[] = {
	{ "100045", GUIDE_TEST_TOKEN, 2 },	 { "100048", "fffff-test-fff-fffff", 1 },
	{ "100049", "1a2b3-test-1a2-1a2b3", 1 }, { "100050", DEMO_TOKEN_KILLED, 1 },
	{ "100051", DEMO_TOKEN_UNSENT, 1 },
};

static bool check_orders(struct demo *d)
{
	size_t forgotten = 0, once = 0;
	for (size_t i = 0; i < BC_COUNT(handed_back); i++) {
		const char *path = demo_text(d, "/v1/orders/%s", handed_back[i].order);
		if (!demo_ask(d, d->daemon.address, "GET", path, NULL))
			return false;
		forgotten += strcmp(demo_field(d, "click.token_kept"), "false") == 0;
		int taken = demo_times_taken(d, handed_back[i].token);
		if (taken < 0)
			return false;
		once += taken == handed_back[i].taken;
	}
	return demo_expect(d, forgotten == BC_COUNT(handed_back),
			   "no order that was handed back still has its token",
			   demo_text(d, "%zu of %zu have not", forgotten, BC_COUNT(handed_back))) &&
	       demo_expect(d, once == BC_COUNT(handed_back),
			   "the partner's books have each of these tokens once, and the test token "
			   "of step 6",
			   demo_text(d, "%zu of %zu", once, BC_COUNT(handed_back)));
}

static bool file_holds(const char *path, const char *text)
{
	struct bc_buf bytes;
	demo_read_file(path, &bytes);
	bool holds = bytes.len && memmem(bytes.data, bytes.len, text, strlen(text));
	bc_buf_finish(&bytes);
	return holds;
}

/* The name of a file of the daemon's state that holds these bytes; "" = none does. */
static const char *find_in_state(struct demo *d, const char *text, size_t *ret_files)
{
	const char *state = demo_text(d, "%s/%s", d->dir, d->daemon.name), *found = "";
	DIR *dir = opendir(state);
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type == DT_DIR)
			continue;
		++*ret_files;
		if (file_holds(demo_text(d, "%s/%s", state, entry->d_name), text))
			found = demo_text(d, "it is in %s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool demo_step_cleanup(struct demo *d)
{
	static const char *const words[] = { "orders", NULL };
	size_t files = 0;
	demo_note(d, "all of this ran with BACKCHANNEL_ORDER_KEEP=0: a token goes when it is back");
	if (!demo_command(d, words, 0, "the ledger of this run") || !check_orders(d) ||
	    !demo_stop(d, &d->daemon))
		return false;
	const char *found = find_in_state(d, DEMO_TOKEN_UNSENT, &files);
	return demo_expect(d, files && !found[0],
			   "the token that came with order 100051 is in no file of the store",
			   files ? found : "no file");
}
