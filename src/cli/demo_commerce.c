/* SPDX-License-Identifier: MIT */
/*
 * The second guide: a daemon that is started with the guide's own .env calls Adobe Commerce for a
 * program that knows nothing of OAuth. Then what the guide's sample does not survive: a pause that
 * Commerce asks for, a token that dies before its time, and a client secret that is taken away
 * while calls go on. What IMS and Commerce saw is read from the stand-in's books, never from ours.
 */
#include "cli/demo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"

/* The guide's sample values; its client reads API_ENDPOINT too. */
#define CLIENT_ID     DEMO_CLIENT_ID
#define CLIENT_SECRET "your_client_secret"
#define NEXT_SECRET   DEMO_CLIENT_SECRET
#define ORG_ID	      DEMO_ORG_ID
#define TENANT	      DEMO_TENANT
#define SKU	      DEMO_SKU
/* The guide's two calls. Commerce wants searchCriteria in the first; fields keeps answers short. */
#define LIST	  "/rest/V1/products"
#define LIST_PAGE LIST "?searchCriteria[pageSize]=2&fields=items[sku,name],total_count"
#define PRODUCT	  LIST "/" SKU "?fields=sku,name,price"
#define SEEN_PATH TENANT "/V1/products"

enum { CALLS = 50, PAUSE_MS = 1000, TOKEN_YOUNG_MS = 5000 };

/* --- the stage ----------------------------------------------------------------------------------
 */

static bool write_file(struct demo *d, const char *path, const char *text)
{
	struct bc_err err = { 0 };
	FILE *f = fopen(path, "we");
	bool written = f && fchmod(fileno(f), 0600) == 0 && fputs(text, f) >= 0;
	if (f && fclose(f) == 0 && written)
		return true;
	bc_err_tell(&err, BC_EIO, bc_errno_hint(errno), "cannot write \"%s\": %s", path,
		    strerror(errno));
	return demo_fail(d, "the daemon gets its .env", &err);
}

/* secrets: the line or lines of the client secrets, as they stand in the file. */
static bool write_env(struct demo *d, const char *secrets)
{
	const char *host = d->sandbox.address;
	return write_file(d, demo_text(d, "%s/.env", d->commerce.folder),
			  demo_text(d,
				    "IMS_CLIENT_ID=" CLIENT_ID "\n%s\nIMS_ORG_ID=" ORG_ID "\n"
				    "API_ENDPOINT=http://%s" TENANT "\nIMS_BASE_URL=http://%s\n",
				    secrets, host, host));
}

/* ready_ms becomes the time at which it had a token: what counts here is that one's age. */
static bool await_token(struct demo *d)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	do {
		if (!demo_ask(d, d->commerce.address, "GET", "/v1/token", NULL))
			return false;
		if (strcmp(demo_field(d, "state"), "fresh") == 0) {
			d->commerce.ready_ms = bc_elapsed_ms(&bc_clock_system);
			return true;
		}
	} while (bc_elapsed_ms(&bc_clock_system) < end && demo_sleep(d, DEMO_POLL_MS));
	return !d->interrupted &&
	       demo_expect_field(d, "state", "fresh", "it gets an access token at its start");
}

bool demo_start_commerce(struct demo *d)
{
	static const struct demo_setting alone[] = { { "SOVENDUS_PRODUCT_ID", "" },
						     { "SOVENDUS_API_KEY", "" },
						     { NULL, NULL } };
	struct bc_err err = { 0 };
	d->commerce.folder = demo_text(d, "%s/commerce", d->dir);
	if (mkdir(d->commerce.folder, 0700)) {
		bc_err_tell(&err, BC_EIO, bc_errno_hint(errno), "cannot make \"%s\": %s",
			    d->commerce.folder, strerror(errno));
		return demo_fail(d, "the daemon gets a folder of its own", &err);
	}
	return demo_tell_sandbox(d, "POST", "/_sandbox/ims",
				 "{\"client_id\":\"" CLIENT_ID "\",\"secrets\":[\"" CLIENT_SECRET
				 "\"],"
				 "\"org_id\":\"" ORG_ID "\"}",
				 200) &&
	       write_env(d, "IMS_CLIENT_SECRET=" CLIENT_SECRET) &&
	       demo_start_daemon(d, &d->commerce, alone) && await_token(d);
}

/* --- calls --------------------------------------------------------------------------------------
 */

/* Through the gateway. path: as the guide has it. */
static bool call(struct demo *d, const char *path)
{
	return demo_ask(d, d->commerce.address, "GET", demo_text(d, "/accs%s", path), NULL);
}

static bool call_aloud(struct demo *d, const char *path)
{
	return demo_ask_aloud(d, d->commerce.address, "GET", demo_text(d, "/accs%s", path), NULL);
}

/* What Commerce was asked since the books were cleared, as d->answer. */
static bool look_at_commerce(struct demo *d)
{
	return demo_tell_sandbox(d, "GET", "/_sandbox/requests?path=" SEEN_PATH, NULL, 200);
}

/* A number of IMS's books, such as "results.issued"; -1, and printed, when it can't be learnt. */
static int ims_count(struct demo *d, const char *name)
{
	if (!demo_tell_sandbox(d, "GET", "/_sandbox/ims/counts", NULL, 200))
		return -1;
	return atoi(demo_field(d, name));
}

static bool expect_token_requests(struct demo *d, int requests, const char *what)
{
	int count = ims_count(d, "requests");
	if (count < 0)
		return false;
	return demo_expect(d, count == requests, what, demo_text(d, "%d", count));
}

/* A fact: how Commerce answered the last calls, one after the other. */
static bool expect_answers(struct demo *d, const char *first, const char *second, const char *what)
{
	if (!look_at_commerce(d))
		return false;
	const char *a = demo_field(d, "requests.0.answered");
	const char *b = demo_field(d, "requests.1.answered");
	bool two = !demo_field(d, "requests.2.answered")[0];
	return demo_expect(d, two && !strcmp(a, first) && !strcmp(b, second), what,
			   demo_text(d, "%s, %s%s", a, b, two ? "" : " and more"));
}

static bool clear_books(struct demo *d)
{
	return demo_tell_sandbox(d, "DELETE", "/_sandbox/requests", NULL, 204);
}

/* --- the guide's two calls ----------------------------------------------------------------------
 */

static bool show_env(struct demo *d)
{
	struct bc_buf text;
	bool read = demo_read_file(demo_text(d, "%s/.env", d->commerce.folder), &text);
	demo_note(d, "a third daemon runs in a folder with the guide's .env:");
	if (read)
		demo_print_block(d, "| ", text.data);
	bc_buf_finish(&text);
	return read;
}

/* The token is long, and nobody's business: its beginning tells what it is. */
static const char *cut_token(struct demo *d, const char *line)
{
	static const char mark[] = "Authorization: Bearer ";
	if (strncmp(line, mark, sizeof(mark) - 1) != 0)
		return line;
	return demo_text(d, "%.*s...", (int)sizeof(mark) + 11, line);
}

static void print_seen(struct demo *d)
{
	size_t i;
	json_t *line;
	const json_t *request = json_array_get(json_object_get(d->answer.json, "requests"), 0);
	demo_note(d, "Commerce got this:");
	demo_print_block(d, "| ",
			 demo_text(d, "GET %s?%s HTTP/1.1", demo_field(d, "requests.0.path"),
				   demo_field(d, "requests.0.query")));
	json_array_foreach(json_object_get(request, "lines"), i, line)
		demo_print_block(d, "| ", cut_token(d, json_string_value(line)));
}

static bool compare_seen(struct demo *d)
{
	static const char *const reference[][3] = {
		{ "requests.0.path", SEEN_PATH "/" SKU,
		  "the tenant stands before it, and /rest, which a Cloud Service has not, is "
		  "gone" },
		{ "requests.0.headers.x-api-key", CLIENT_ID, "x-api-key is the guide's" },
		{ "requests.0.headers.x-gw-ims-org-id", ORG_ID, "x-gw-ims-org-id is the guide's" },
	};
	const char *token = demo_field(d, "requests.0.headers.Authorization");
	if (!demo_expect(d, strncmp(token, "Bearer ey", 9) == 0,
			 "Authorization is the guide's: Bearer, and a token of IMS", token))
		return false;
	for (size_t i = 0; i < BC_COUNT(reference); i++)
		if (!demo_expect_field(d, reference[i][0], reference[i][1], reference[i][2]))
			return false;
	return true;
}

bool demo_step_commerce(struct demo *d)
{
	if (!show_env(d) || !demo_ask_aloud(d, d->commerce.address, "GET", "/v1/token", NULL) ||
	    !demo_expect_field(d, "state", "fresh", "it has an access token since its start") ||
	    !call_aloud(d, LIST) ||
	    !demo_expect_status(d, 400, "Commerce's own answer: a list wants searchCriteria") ||
	    !call_aloud(d, LIST_PAGE) ||
	    !demo_expect_status(d, 200, "with it, the guide's first call is answered 200") ||
	    !clear_books(d) || !call_aloud(d, PRODUCT) ||
	    !demo_expect_status(d, 200, "and so is its second, one product") ||
	    !demo_expect_field(d, "sku", SKU, "which is the one that was asked for") ||
	    !look_at_commerce(d))
		return false;
	print_seen(d);
	return compare_seen(d);
}

/* --- one token for all --------------------------------------------------------------------------
 */

bool demo_step_one_token(struct demo *d)
{
	int good = 0;
	for (int i = 0; i < CALLS; i++) {
		if (!call(d, PRODUCT))
			return false;
		good += d->answer.status == 200;
	}
	demo_note(d, "> GET " PRODUCT ", %d times", CALLS);
	return demo_expect(d, good == CALLS,
			   demo_text(d, "%d calls, and all are answered 200", CALLS),
			   demo_text(d, "%d of %d", good, CALLS)) &&
	       expect_token_requests(d, 1,
				     "all this while IMS was asked for a token once, at the start");
}

/* --- a pause ------------------------------------------------------------------------------------
 */

bool demo_step_pause(struct demo *d)
{
	if (!demo_set_faults(d, "GET " SEEN_PATH "/* status=429 retry-after=1 times=1") ||
	    !clear_books(d) || !call_aloud(d, PRODUCT) ||
	    !demo_expect_status(d, 200, "the program does not notice: it gets its product"))
		return false;
	uint64_t took = d->answer.duration_ms;
	return demo_expect(d, took >= PAUSE_MS,
			   "not before the second was over that Commerce had asked for",
			   demo_text(d, "%llu ms", (unsigned long long)took)) &&
	       expect_answers(d, "429", "200", "Commerce was asked twice: 429, then 200") &&
	       demo_set_faults(d, "");
}

/* --- a token that dies --------------------------------------------------------------------------
 */

static bool await_age(struct demo *d)
{
	uint64_t now = bc_elapsed_ms(&bc_clock_system), old = d->commerce.ready_ms + TOKEN_YOUNG_MS;
	return now >= old || demo_sleep(d, old - now + DEMO_POLL_MS);
}

/* The tokens after that live two seconds, so that the next step sees one replaced in time. */
bool demo_step_dead_token(struct demo *d)
{
	demo_note(d, "IMS withdraws every token that it has issued (one refused in its first 5 s");
	demo_note(d, "would not be replaced: a role would be missing, and no token heals that)");
	return await_age(d) &&
	       demo_tell_sandbox(d, "POST", "/_sandbox/ims", "{\"lifetime\":\"2s\"}", 200) &&
	       demo_tell_sandbox(d, "POST", "/_sandbox/ims/expire", NULL, 204) && clear_books(d) &&
	       call_aloud(d, PRODUCT) &&
	       demo_expect_status(d, 200, "the program does not notice that either") &&
	       expect_answers(d, "401", "200", "Commerce was asked twice: 401, then 200") &&
	       expect_token_requests(d, 2, "in between IMS was asked for another token, once");
}

/* --- rotation -----------------------------------------------------------------------------------
 */

static bool add_next(struct demo *d)
{
	demo_note(d, "1. in the console a second secret is made; both are good");
	if (!demo_tell_sandbox(d, "POST", "/_sandbox/ims/secrets",
			       "{\"secret\":\"" NEXT_SECRET "\"}", 200))
		return false;
	demo_note(d, "2. .env gets it, and SIGHUP: IMS_CLIENT_SECRET_NEXT=" NEXT_SECRET);
	return write_env(d, "IMS_CLIENT_SECRET=" CLIENT_SECRET
			    "\nIMS_CLIENT_SECRET_NEXT=" NEXT_SECRET) &&
	       demo_reload(d, &d->commerce, "the daemon takes it, and drops nothing");
}

/* The sandbox lists the credential's secrets by their fingerprints, the old one first. */
static bool delete_old(struct demo *d, const char **ret_next)
{
	demo_note(d, "3. in the console the old one is deleted, while calls go on");
	if (!demo_tell_sandbox(d, "GET", "/_sandbox/ims", NULL, 200))
		return false;
	*ret_next = demo_field(d, "secrets.1");
	const char *path = demo_text(d, "/_sandbox/ims/secrets/%s", demo_field(d, "secrets.0"));
	return demo_tell_sandbox(d, "DELETE", path, NULL, 204) &&
	       demo_tell_sandbox(d, "POST", "/_sandbox/ims", "{\"lifetime\":\"24h\"}", 200);
}

/* Calls until a token came by the next secret. */
static bool call_until_changed(struct demo *d, const char *next, int *failed)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	const char *name = demo_text(d, "secrets.%s.issued", next);
	int issued;
	do {
		if (!call(d, PRODUCT))
			return false;
		*failed += d->answer.status != 200;
		issued = ims_count(d, name);
	} while (issued == 0 && bc_elapsed_ms(&bc_clock_system) < end &&
		 demo_sleep(d, DEMO_POLL_MS));
	int refused = issued < 0 ? -1 : ims_count(d, "results.bad_client_secret");
	return refused >= 0 && !d->interrupted &&
	       demo_expect(d, refused == 1 && issued > 0,
			   "IMS refused the old one once, and gave a token for the next one",
			   demo_text(d, "refused %d times, %d tokens for the next one", refused,
				     issued));
}

static bool swap(struct demo *d, int *failed)
{
	demo_note(d, "4. .env has the new one alone, and SIGHUP: IMS_CLIENT_SECRET=" NEXT_SECRET);
	if (!write_env(d, "IMS_CLIENT_SECRET=" NEXT_SECRET) ||
	    !demo_reload(d, &d->commerce, "the daemon takes that too") || !call(d, PRODUCT))
		return false;
	*failed += d->answer.status != 200;
	return true;
}

bool demo_step_rotation(struct demo *d)
{
	const char *next = NULL;
	int failed = 0;
	return add_next(d) && delete_old(d, &next) && call_until_changed(d, next, &failed) &&
	       swap(d, &failed) &&
	       demo_expect(d, failed == 0, "of all calls meanwhile, none failed",
			   demo_text(d, "%d failed", failed)) &&
	       demo_stop(d, &d->commerce);
}
