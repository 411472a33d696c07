/* SPDX-License-Identifier: MIT */
/* See cli.h: the table of commands, and what all commands share. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"

extern char **environ;

const struct bc_command *const bc_commands[] = {
	&bc_command_serve,
	&bc_command_demo,
	&bc_command_sandbox,
	&bc_command_check,
	&bc_command_ready,
	&bc_command_capture,
	&bc_command_order,
	&bc_command_orders,
	&bc_command_explain,
	&bc_command_retry,
	&bc_command_cancel,
	&bc_command_lanes,
	&bc_command_token,
	&bc_command_call,
	&bc_command_pull,
	&bc_command_backup,
	&bc_command_restore,
	&bc_command_validate,
	&bc_command_recipe,
	&bc_command_partners,
	&bc_command_config,
	&bc_command_completion,
	&bc_command_version,
	&bc_command_help,
	NULL,
};

const struct bc_command *bc_command_find(const char *name)
{
	for (size_t i = 0; bc_commands[i]; i++)
		if (strcmp(bc_commands[i]->name, name) == 0)
			return bc_commands[i];
	return NULL;
}

static const struct {
	int code;
	enum bc_exit exit;
} exits[] = {
	{ BC_EINVAL, BC_EXIT_FAILED },	       { BC_EAUTH, BC_EXIT_REFUSED },
	{ BC_ECONFLICT, BC_EXIT_REFUSED },     { BC_EUNREACH, BC_EXIT_UNREACHABLE },
	{ BC_ETIMEDOUT, BC_EXIT_UNREACHABLE }, { BC_EBUSY, BC_EXIT_UNREACHABLE },
};

enum bc_exit bc_cli_fail(const struct bc_err *err)
{
	fprintf(stderr, "backchannel: %s\n", err->text[0] ? err->text : bc_code_name(err->code));
	if (err->hint[0])
		fprintf(stderr, "  %s\n", err->hint);
	for (size_t i = 0; i < BC_COUNT(exits); i++)
		if (exits[i].code == err->code)
			return exits[i].exit;
	return BC_EXIT_FAILED;
}

enum bc_exit bc_cli_usage(const struct bc_invocation *in, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("backchannel: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  backchannel %s --help shows how it is used\n",
		in->command ? in->command->name : "");
	return BC_EXIT_USAGE;
}

enum bc_exit bc_cli_settings(const struct bc_invocation *in, struct bc_settings **ret_settings)
{
	return bc_cli_settings_with(in, NULL, ret_settings);
}

enum bc_exit bc_cli_settings_with(const struct bc_invocation *in,
				  const struct bc_activation *sockets,
				  struct bc_settings **ret_settings)
{
	struct bc_settings_source source = { .config_path = in->config_path,
					     .environment = environ,
					     .sockets = sockets };
	struct bc_settings_report report;
	struct bc_err err = { 0 };
	struct bc_buf text;
	bc_settings_report_init(&report);
	bc_buf_init(&text, 256 * 1024);
	int result = bc_settings_load(&source, ret_settings, &report, &err);
	if (report.count && bc_settings_report_print(&report, &text) == 0 && text.len)
		fputs(text.data, stderr);
	else if (result)
		bc_cli_fail(&err);
	bc_buf_finish(&text);
	bc_settings_report_finish(&report);
	return result ? BC_EXIT_FAILED : BC_EXIT_DONE;
}

bool bc_cli_colour(int fd)
{
	const char *no = getenv("NO_COLOR");
	return isatty(fd) && !(no && no[0]);
}

static int unknown(const char *name)
{
	fprintf(stderr, "backchannel: there is no command \"%s\"\n  backchannel help lists them\n",
		name);
	return BC_EXIT_USAGE;
}

int bc_cli_main(int argc, char **argv)
{
	static const char *const flags[][2] = { { "--help", "help" },
						{ "-h", "help" },
						{ "--version", "version" },
						{ "-V", "version" } };
	const char *name = argc > 1 ? argv[1] : "help";
	for (size_t i = 0; i < BC_COUNT(flags); i++)
		if (strcmp(name, flags[i][0]) == 0)
			name = flags[i][1];
	const struct bc_command *command = bc_command_find(name);
	if (!command)
		return unknown(name);
	int result =
		bc_options_run(command, argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("backchannel: standard output could not be written\n", stderr);
		return BC_EXIT_FAILED;
	}
	return argc > 1 ? result : BC_EXIT_USAGE;
}
