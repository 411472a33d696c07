/* SPDX-License-Identifier: MIT */
/*
 * Several Commerce calls at once on a loop of one's own, here poll(2): no thread, and nothing
 *waits.
 *
 *	cc commerce_loop.c $(pkg-config --cflags --libs backchannel) -o commerce_loop
 *	IMS_CLIENT_ID=... (as in commerce_blocking.c) ./commerce_loop /V1/orders/1 /V1/orders/2
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <backchannel/client.h>

static int waiting, failed;

/* Called from bc_client_dispatch, once for each call. ctx is what bc_client_start was given. */
static void print_answer(void *ctx, int result, struct bc_client_answer *answer,
			 const struct bc_err *err)
{
	const char *path = ctx;
	waiting--;
	failed |= result || answer->status >= 400;
	if (result)
		fprintf(stderr, "%s: %s\n", path, err->text);
	else
		printf("%s: %d, %zu bytes in %u attempts\n", path, answer->status,
		       answer->body_bytes, answer->attempts);
}

int main(int argc, char **argv)
{
	struct bc_client_options options = {
		.oauth_base_url = getenv("IMS_BASE_URL"),
		.oauth_client_id = getenv("IMS_CLIENT_ID"),
		.oauth_client_secret = getenv("IMS_CLIENT_SECRET"),
		.oauth_org_id = getenv("IMS_ORG_ID"),
		.commerce_base_url = getenv("API_ENDPOINT"),
	};
	struct bc_client *client;
	struct bc_err err = { 0 };

	if (bc_client_create(&options, &client, &err))
		return fprintf(stderr, "%s; %s\n", err.text, err.hint), 1;
	for (int i = 1; i < argc; i++) {
		struct bc_client_request request = { .path = argv[i] };
		if (bc_client_start(client, &request, print_answer, argv[i], &err))
			return fprintf(stderr, "%s: %s\n", argv[i], err.text), 1;
		waiting++;
	}
	/* Your other fds go into the same array; the client needs its fd and its time. */
	while (waiting) {
		struct pollfd fd = { .fd = bc_client_fd(client), .events = POLLIN };
		poll(&fd, 1, bc_client_timeout_ms(client));
		bc_client_dispatch(client);
	}
	bc_client_destroy(client);
	return failed;
}
