/* SPDX-License-Identifier: MIT */
/*
 * `backchannel recipe`: the capture snippet for a web server, with this installation's parameter
 * names and click.ttl filled in. Token mode: the web server itself puts the validated token into
 * the click cookie, so a landing needs no daemon.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

/* Parameter names are [A-Za-z0-9_.-]; only the dot means something in a regular expression. */
static void print_names(const struct bc_settings *s)
{
	size_t n = 0;
	while (s->sovendus_params[n])
		n++;
	if (n > 1)
		fputs("(?:", stdout);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar('|');
		for (const char *c = s->sovendus_params[i]; *c; c++)
			printf(*c == '.' ? "\\%c" : "%c", *c);
	}
	if (n > 1)
		putchar(')');
}

static void print_nginx(const struct bc_settings *s)
{
	fputs("# Click capture for backchannel, token mode: the visitor's own browser keeps the "
	      "token\n"
	      "# in the cookie bc_click. Send that cookie's value as \"click\" with the order.\n"
	      "# 1. In the http block (a file in /etc/nginx/conf.d/ is in it):\n"
	      "map $request_uri $bc_tok {\n"
	      "    \"~^[^?]*[?](?:[^#]*&)?",
	      stdout);
	print_names(s);
	printf("=(?<bct>[A-Za-z0-9_-]{%d,%d})(?:[&#]|$)\" $bct;\n", BC_TOKEN_MIN, BC_TOKEN_MAX);
	printf("    default \"\";\n}\n"
	       "map $bc_tok $bc_cookie {\n"
	       "    \"\"      \"\";\n"
	       "    default \"bc_click=t.$bc_tok; Path=/; Max-Age=%llu; HttpOnly; Secure; "
	       "SameSite=Lax\";\n"
	       "}\n"
	       "# 2. In the shop's server block, and in each location that has an add_header of "
	       "its own:\n"
	       "#     add_header Set-Cookie $bc_cookie;\n",
	       (unsigned long long)(s->click_ttl_ms / 1000));
}

static const struct recipe {
	const char *name;
	void (*print)(const struct bc_settings *s);
} recipes[] = {
	{ "nginx", print_nginx },
};

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_settings *settings;
	for (size_t i = 0; i < BC_COUNT(recipes); i++) {
		if (strcmp(recipes[i].name, in->argv[0]) != 0)
			continue;
		enum bc_exit result = bc_cli_settings(in, &settings);
		if (result)
			return result;
		recipes[i].print(settings);
		bc_settings_unref(settings);
		return BC_EXIT_DONE;
	}
	return bc_cli_usage(in, "there is no recipe \"%s\"; there is: nginx", in->argv[0]);
}

const struct bc_command bc_command_recipe = {
	.name = "recipe",
	.summary = "print the click capture snippet for a web server",
	.operands = "nginx",
	.details = "The snippet carries this installation's parameter names and click.ttl.",
	.example = "backchannel recipe nginx > /etc/nginx/conf.d/backchannel.conf",
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
