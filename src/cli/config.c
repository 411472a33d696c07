/* SPDX-License-Identifier: MIT */
/* `backchannel config`: what is in force and where it comes from; whether a file is right; the
 * reference. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/commands.h"

extern char **environ;

enum { TEXT_MAX = 1024 * 1024 };

static enum bc_exit print_rendered(int result, struct bc_buf *text)
{
	struct bc_err err = { 0 };
	if (result) {
		bc_err_set(&err, result, "the text could not be written");
		return bc_cli_fail(&err);
	}
	fwrite(text->data, 1, text->len, stdout);
	return BC_EXIT_DONE;
}

static enum bc_exit show(const struct bc_invocation *in, struct bc_buf *text)
{
	struct bc_settings *settings;
	enum bc_exit loaded = bc_cli_settings(in, &settings);
	if (loaded)
		return loaded;
	int result = in->json ? bc_settings_show_json(settings, text)
			      : bc_settings_show_text(settings, text);
	bc_settings_unref(settings);
	return print_rendered(result, text);
}

static enum bc_exit lint(const struct bc_invocation *in, struct bc_buf *text)
{
	struct bc_settings_source source = { .config_path = in->config_path,
					     .environment = environ };
	struct bc_settings_report report;
	struct bc_err err = { 0 };
	bc_settings_report_init(&report);
	int result = bc_settings_lint(&source, in->argc > 1 ? in->argv[1] : NULL, &report, &err);
	if (bc_settings_report_print(&report, text) == 0 && text->len)
		fputs(text->data, result ? stderr : stdout);
	else if (result)
		bc_cli_fail(&err);
	if (!result)
		puts("settings are right");
	bc_settings_report_finish(&report);
	return result ? BC_EXIT_FAILED : BC_EXIT_DONE;
}

static enum bc_exit man(const struct bc_invocation *in, struct bc_buf *text)
{
	(void)in;
	return print_rendered(bc_settings_mdoc(text), text);
}

static enum bc_exit reference(const struct bc_invocation *in, struct bc_buf *text)
{
	(void)in;
	return print_rendered(bc_settings_markdown(text), text);
}

static enum bc_exit example(const struct bc_invocation *in, struct bc_buf *text)
{
	(void)in;
	return print_rendered(bc_settings_example(text), text);
}

static const struct {
	const char *name;
	enum bc_exit (*run)(const struct bc_invocation *in, struct bc_buf *text);
} verbs[] = {
	{ "show", show },	    { "lint", lint },	    { "man", man },
	{ "reference", reference }, { "example", example },
};

static enum bc_exit run(const struct bc_invocation *in)
{
	const char *verb = in->argc ? in->argv[0] : "show";
	struct bc_buf text;
	for (size_t i = 0; i < BC_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		bc_buf_init(&text, TEXT_MAX);
		enum bc_exit result = verbs[i].run(in, &text);
		bc_buf_finish(&text);
		return result;
	}
	return bc_cli_usage(in, "config takes show, lint, man, reference or example, not \"%s\"",
			    verb);
}

const struct bc_command bc_command_config = {
	.name = "config",
	.summary = "show the settings in force, or check a file",
	.operands = "[show | lint [FILE] | example | reference | man]",
	.details =
		"show prints every setting with its value and source; secrets as set or missing. "
		"lint "
		"checks a file, or all that is in force, and names what is wrong. example prints a "
		"commented configuration file, reference the settings as Markdown, man as mdoc.",
	.example = "backchannel config lint /etc/backchannel/backchannel.conf",
	.prints_json = true,
	.operands_max = 2,
	.run = run,
};
