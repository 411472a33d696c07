/* SPDX-License-Identifier: MIT */
/* `backchannel version`. */
#include <curl/curl.h>
#include <stdio.h>

#include "cli/commands.h"

static enum bc_exit run(const struct bc_invocation *in)
{
	if (in->json)
		printf("{\"version\":\"%s\",\"libcurl\":\"%s\"}\n", BC_VERSION, curl_version());
	else
		printf("backchannel %s\n%s\n", BC_VERSION, curl_version());
	return BC_EXIT_DONE;
}

const struct bc_command bc_command_version = {
	.name = "version",
	.summary = "print the version",
	.operands = "",
	.example = "backchannel version",
	.prints_json = true,
	.run = run,
};
