/* SPDX-License-Identifier: MIT */
/*
 * Hands the click token of a landing URL back to Sovendus, as a shop does when its order completes.
 *
 *	cc hand_back.c $(pkg-config --cflags --libs backchannel) -o hand_back
 *	SOVENDUS_PRODUCT_ID=... SOVENDUS_API_KEY=... \
 *		./hand_back 'https://shop.example/?sovReqToken=12345-test-123-12345'
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backchannel/client.h>
#include <backchannel/token.h>

int main(int argc, char **argv)
{
	const char *const *params = bc_partner_sovendus.params;
	struct bc_client_options options = { .run_thread = true };
	struct bc_client_outcome outcome;
	struct bc_client *client;
	struct bc_err err = { 0 };
	char token[BC_TOKEN_MAX + 1];

	/* At the landing: whatever is no token is refused here, and never sent anywhere. */
	if (argc < 2 || bc_url_token(argv[1], strlen(argv[1]), params, NULL, token) != 1)
		return fprintf(stderr, "there is no token in the URL\n"), 1;

	/* When the order completes. A shop keeps the token until then, and this is one attempt: who
	 * needs it never lost and never sent twice runs the daemon instead. */
	struct bc_client_conversion conversion = {
		.base_url = getenv("SOVENDUS_BASE_URL"), /* NULL: Sovendus's */
		.product_id = getenv("SOVENDUS_PRODUCT_ID"),
		.key = getenv("SOVENDUS_API_KEY"),
		.token = token,
	};
	if (bc_client_create(&options, &client, &err))
		return fprintf(stderr, "%s; %s\n", err.text, err.hint), 1;
	int result = bc_client_hand_back(client, &conversion, &outcome, &err);
	bc_client_destroy(client);
	if (result)
		return fprintf(stderr, "%s; %s\n", err.text, err.hint), 1;

	/* delivered; retry and unknown: again later; reject: hopeless; suspect: mend the settings.
	 */
	printf("%s: %s%s%s\n", bc_outcome_name(outcome.verdict.outcome), outcome.verdict.meaning,
	       outcome.error[0] ? ": " : "", outcome.error);
	if (outcome.verdict.hint[0])
		printf("%s\n", outcome.verdict.hint);
	return outcome.verdict.outcome != BC_OUTCOME_DELIVERED;
}
