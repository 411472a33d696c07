/* SPDX-License-Identifier: MIT */
/* `backchannel help`: the list of commands, one command's help, and the manual page backchannel(1)
 * in mdoc. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

struct options {
	bool man;
};

static void list(void)
{
	puts("backchannel hands click tokens back to the partner, server to server: never lost, "
	     "never "
	     "twice.\n\nusage: backchannel COMMAND [options]\n");
	for (size_t i = 0; bc_commands[i]; i++)
		printf("  %-10s %s\n", bc_commands[i]->name, bc_commands[i]->summary);
	puts("\nbackchannel COMMAND --help explains one.  Start with: backchannel demo\n"
	     "exit codes: 0 done, 1 failed, 2 usage, 3 refused by the other side, 4 not reachable");
}

static void man_option(const struct bc_option *row)
{
	printf(".It Fl -%s", row->name);
	if (row->value)
		printf(" Ar %s", row->value);
	printf("\n%s.\n", row->help);
}

/* An empty line parts two of them. */
static void man_paragraphs(const char *text)
{
	const char *end;
	while ((end = strstr(text, "\n\n"))) {
		printf(".Pp\n%.*s\n", (int)(end - text), text);
		text = end + 2;
	}
	printf(".Pp\n%s\n", text);
}

static void man_command(const struct bc_command *c)
{
	printf(".It Cm %s %s\n%s.\n", c->name, c->operands, c->summary);
	if (c->details)
		man_paragraphs(c->details);
	if (c->rows) {
		puts(".Bl -tag -width Ds");
		for (const struct bc_option *row = c->rows; row->name; row++)
			man_option(row);
		puts(".El");
	}
	printf(".Pp\nExample:\n.Dl %s\n", c->example);
}

static void manual(void)
{
	puts(".Dd November 22, 2026\n.Dt BACKCHANNEL 1\n.Os\n.Sh NAME\n.Nm backchannel\n"
	     ".Nd hand click tokens back to the partner, server to server\n.Sh SYNOPSIS\n"
	     ".Nm\n.Ar command\n.Op Ar options\n.Sh DESCRIPTION\n"
	     "Keeps the click token that came with a landing URL and hands it back when the order\n"
	     "completes: never lost, never twice, never from a browser.\n.Sh COMMANDS\n"
	     ".Bl -tag -width Ds");
	for (size_t i = 0; bc_commands[i]; i++)
		man_command(bc_commands[i]);
	puts(".El\n.Sh OPTIONS\nEvery command takes:\n.Bl -tag -width Ds");
	for (const struct bc_option *row = bc_options_common; row->name; row++)
		man_option(row);
	puts(".El\n.Sh EXIT STATUS\n0 done, 1 failed, 2 usage, 3 refused by the other side, 4 not "
	     "reachable.\n.Sh SEE ALSO\n.Xr backchannel.conf 5");
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	if (o->man) {
		manual();
		return BC_EXIT_DONE;
	}
	if (!in->argc) {
		list();
		return BC_EXIT_DONE;
	}
	const struct bc_command *command = bc_command_find(in->argv[0]);
	if (!command)
		return bc_cli_usage(in, "there is no command \"%s\"", in->argv[0]);
	bc_options_help(command, stdout);
	return BC_EXIT_DONE;
}

static const struct bc_option rows[] = {
	{ "man", 0, NULL, offsetof(struct options, man), "print the manual page (mdoc)" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_help = {
	.name = "help",
	.summary = "list the commands, or explain one",
	.operands = "[COMMAND]",
	.example = "backchannel help order",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.operands_max = 1,
	.run = run,
};
