/* SPDX-License-Identifier: MIT */
/*
 * Prints one answer of Adobe Commerce; the client works on a thread of its own, so this one may
 * simply wait. The OAuth token is fetched, kept and renewed without a word about it.
 *
 *	cc commerce_blocking.c $(pkg-config --cflags --libs backchannel) -o commerce_blocking
 *	IMS_CLIENT_ID=... IMS_CLIENT_SECRET=... IMS_ORG_ID=... API_ENDPOINT=https://... \
 *		./commerce_blocking '/V1/orders/1?fields=increment_id,status'
 */
#include <stdio.h>
#include <stdlib.h>

#include <backchannel/client.h>

static int fail(const struct bc_err *err)
{
	fprintf(stderr, "%s%s%s\n", err->text, err->hint[0] ? "; " : "", err->hint);
	return 1;
}

int main(int argc, char **argv)
{
	struct bc_client_options options = {
		.run_thread = true,
		.oauth_base_url = getenv("IMS_BASE_URL"), /* NULL: Adobe's */
		.oauth_client_id = getenv("IMS_CLIENT_ID"),
		.oauth_client_secret = getenv("IMS_CLIENT_SECRET"),
		.oauth_org_id = getenv("IMS_ORG_ID"),
		/* With it, a hundred runs of this program cost one token request. */
		.oauth_cache_file = getenv("TOKEN_CACHE"),
		.commerce_base_url = getenv("API_ENDPOINT"),
	};
	struct bc_client_request request = {
		.path = argc > 1 ? argv[1] : "/V1/orders?searchCriteria[pageSize]=3",
		.timeout_ms = 30000,
	};
	struct bc_client_answer answer;
	struct bc_client *client;
	struct bc_err err = { 0 };

	if (bc_client_create(&options, &client, &err))
		return fail(&err);
	/* Any number of threads may do this at once. */
	int result = bc_client_call(client, &request, &answer, &err);
	bc_client_destroy(client);
	if (result)
		return fail(&err); /* no answer: err says why, and what to do */

	/* An answer is one whatever its status; message is Commerce's error in one line. */
	if (answer.status >= 400)
		fprintf(stderr, "%d: %s\n", answer.status, answer.message);
	else
		printf("%s\n", answer.body);
	result = answer.status >= 400;
	bc_client_answer_finish(&answer);
	return result;
}
