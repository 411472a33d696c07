/* SPDX-License-Identifier: MIT */
/*
 * Calls Commerce through the library, for bench/tokens: a line "COUNT AT-ONCE" on standard input
 * asks for so many calls, so many of them under way together, each on a thread of its own; the
 * answer is a line with how many gave the product that was asked for. One client a process.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backchannel/client.h>

enum { AT_ONCE_MAX = 256 };

#define SKU "MUG-BLUE"

struct run {
	struct bc_client *client;
	atomic_long left, good;
};

static void fail(const char *what, const struct bc_err *err)
{
	fprintf(stderr, "library_calls: %s: %s; %s\n", what, err->text, err->hint);
	exit(1);
}

static bool call(struct bc_client *client)
{
	struct bc_client_request request = { .path = "/rest/V1/products/" SKU };
	struct bc_client_answer answer = { 0 };
	struct bc_err err = { 0 };
	bool good = bc_client_call(client, &request, &answer, &err) == 0 && answer.status == 200 &&
		    strstr(answer.body, "\"sku\":\"" SKU "\"");
	bc_client_answer_finish(&answer);
	return good;
}

static void *work(void *ctx)
{
	struct run *run = ctx;
	while (atomic_fetch_sub(&run->left, 1) > 0)
		atomic_fetch_add(&run->good, call(run->client));
	return NULL;
}

static long run_all(struct bc_client *client, long count, long at_once)
{
	struct run run = { .client = client };
	pthread_t threads[AT_ONCE_MAX];
	long started = 0;
	atomic_store(&run.left, count);
	while (started < at_once && pthread_create(&threads[started], NULL, work, &run) == 0)
		started++;
	for (long i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&run.good);
}

int main(void)
{
	struct bc_client_options options = {
		.run_thread = true,
		.oauth_base_url = getenv("IMS_BASE_URL"),
		.oauth_client_id = getenv("IMS_CLIENT_ID"),
		.oauth_client_secret = getenv("IMS_CLIENT_SECRET"),
		.oauth_org_id = getenv("IMS_ORG_ID"),
		.oauth_cache_file = getenv("TOKEN_CACHE"),
		.commerce_base_url = getenv("API_ENDPOINT"),
	};
	struct bc_client *client;
	struct bc_err err = { 0 };
	long count, at_once;

	if (bc_client_create(&options, &client, &err))
		fail("no client", &err);
	while (scanf("%ld %ld", &count, &at_once) == 2 && at_once <= AT_ONCE_MAX) {
		printf("%ld\n", run_all(client, count, at_once));
		fflush(stdout);
	}
	bc_client_destroy(client);
	return 0;
}
