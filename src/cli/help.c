/* SPDX-License-Identifier: MIT */
/* `backchannel help`: the list of commands, one command's help, and the manual page backchannel(1)
 * in mdoc. */
#include <stdio.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/options.h"

enum { MANUAL_MAX = 1024 * 1024 };

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

static enum bc_exit manual(void)
{
	struct bc_err err = { 0 };
	struct bc_buf text;
	bc_buf_init(&text, MANUAL_MAX);
	int result = bc_manual(&text);
	if (result)
		bc_err_tell(&err, result, "free memory on this machine, then try again",
			    "the manual page could not be written");
	else
		fwrite(text.data, 1, text.len, stdout);
	bc_buf_finish(&text);
	return result ? bc_cli_fail(&err) : BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	if (o->man)
		return manual();
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
