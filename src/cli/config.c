/* SPDX-License-Identifier: MIT */
/* `backchannel config`: what is in force and where it comes from; whether a file is right; the
 * reference. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/remote.h"

extern char **environ;

enum { TEXT_MAX = 1024 * 1024 };

static enum bc_exit print_rendered(int result, struct bc_buf *text)
{
	struct bc_err err = { 0 };
	if (result) {
		bc_err_tell(&err, result, "free memory on this machine, then try again",
			    "the text could not be written");
		return bc_cli_fail(&err);
	}
	fwrite(text->data, 1, text->len, stdout);
	return BC_EXIT_DONE;
}

/* Is it the one that was asked for, or one of the group? */
static bool is_asked_for(struct bc_str name, const char *asked)
{
	size_t len = strlen(asked);
	return bc_str_starts(name, asked) && (name.len == len || name.ptr[len] == '.');
}

/* Leaves the lines of those. */
static size_t keep_lines(struct bc_buf *text, const char *asked)
{
	struct bc_str rest = { text->data, text->len };
	size_t kept = 0, lines = 0;
	while (rest.ptr && rest.len) {
		struct bc_str line = bc_str_split(&rest, '\n'), name = line;
		if (!is_asked_for(bc_str_split(&name, ' '), asked))
			continue;
		memmove(text->data + kept, line.ptr, line.len);
		kept += line.len;
		text->data[kept++] = '\n';
		lines++;
	}
	text->len = kept;
	return lines;
}

static size_t keep_members(struct bc_buf *text, const char *asked)
{
	json_t *all = json_loadb(text->data, text->len, 0, NULL);
	json_t *list = json_object_get(all, "settings");
	size_t kept = 0;
	while (kept < json_array_size(list)) {
		const char *name = bc_json_text(json_array_get(list, kept), "name");
		if (is_asked_for(bc_str_of(name), asked))
			kept++;
		else
			json_array_remove(list, kept);
	}
	bc_buf_reset(text);
	char *dump = json_dumps(all, JSON_INDENT(2));
	if (!dump || bc_buf_addf(text, "%s\n", dump))
		kept = 0;
	free(dump);
	json_decref(all);
	return kept;
}

static enum bc_exit show(const struct bc_invocation *in, struct bc_buf *text)
{
	struct bc_settings *settings;
	const char *asked = in->argc > 1 ? in->argv[1] : NULL;
	enum bc_exit loaded = bc_cli_settings(in, &settings);
	if (loaded)
		return loaded;
	int result = in->json ? bc_settings_show_json(settings, text)
			      : bc_settings_show_text(settings, text);
	bc_settings_unref(settings);
	if (!result && asked && !(in->json ? keep_members : keep_lines)(text, asked))
		return bc_cli_usage(in,
				    "there is no setting \"%s\", nor a group of that name; config "
				    "show lists them",
				    asked);
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
	.operands = "[show [SETTING] | lint [FILE] | example | reference | man]",
	.details =
		"show prints every setting with its value and source, or one, or a group such as "
		"click; secrets as set or missing. "
		"lint "
		"checks a file, or all that is in force, and names what is wrong. example prints a "
		"commented configuration file, reference the settings as Markdown, man as mdoc.",
	.example = "backchannel config lint /etc/backchannel/backchannel.conf",
	.prints_json = true,
	.operands_max = 2,
	.run = run,
};
