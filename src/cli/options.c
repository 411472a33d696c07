/* SPDX-License-Identifier: MIT */
/* See options.h. getopt_long does the reading; the rows are turned into its table. */
#include "cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { ROWS_MAX = 24, HELP_VALUE = 256, CONFIG_VALUE, JSON_VALUE, ROW_VALUE };

const struct bc_option bc_options_common[] = {
	{ .name = "config", .value = "FILE", .help = "read settings from this file" },
	{ .name = "help", .letter = 'h', .help = "say how it is used" },
	{ .name = "json", .help = "print JSON" },
	{ .name = NULL },
};

struct parser {
	struct option longs[ROWS_MAX + 4];
	char letters[2 * ROWS_MAX + 4];
	size_t rows;
};

static void add_letter(struct parser *p, char letter, bool takes_value)
{
	size_t n = strlen(p->letters);
	if (!letter)
		return;
	p->letters[n] = letter;
	p->letters[n + 1] = takes_value ? ':' : '\0';
}

static void prepare(struct parser *p, const struct bc_command *command)
{
	*p = (struct parser){ .letters = ":h" };
	size_t n = 0;
	for (const struct bc_option *row = command->rows; row && row->name; row++, n++) {
		BC_ASSERT(n < ROWS_MAX);
		p->longs[n] =
			(struct option){ row->name, row->value ? 1 : 0, NULL, ROW_VALUE + (int)n };
		add_letter(p, row->letter, row->value != NULL);
	}
	p->rows = n;
	p->longs[n++] = (struct option){ "help", 0, NULL, HELP_VALUE };
	p->longs[n++] = (struct option){ "config", 1, NULL, CONFIG_VALUE };
	if (command->prints_json)
		p->longs[n] = (struct option){ "json", 0, NULL, JSON_VALUE };
}

static const struct bc_option *row_of(const struct bc_command *command, const struct parser *p,
				      int got)
{
	if (got >= ROW_VALUE && (size_t)(got - ROW_VALUE) < p->rows)
		return &command->rows[got - ROW_VALUE];
	for (const struct bc_option *row = command->rows; row && row->name; row++)
		if (row->letter && row->letter == got)
			return row;
	return NULL;
}

static enum bc_exit store_another(const struct bc_invocation *in, const struct bc_option *row,
				  const char **list, const char *value)
{
	size_t n = 0;
	while (n < BC_OPTION_MANY && list[n])
		n++;
	if (n == BC_OPTION_MANY)
		return bc_cli_usage(in, "--%s was given more than %d times", row->name,
				    BC_OPTION_MANY);
	list[n] = value;
	return BC_EXIT_DONE;
}

static enum bc_exit store(const struct bc_invocation *in, const struct bc_option *row,
			  const char *value)
{
	char *field = (char *)in->options + row->offset;
	if (row->many)
		return store_another(in, row, (const char **)(void *)field, value);
	if (row->value)
		memcpy(field, &value, sizeof(value));
	else
		*(bool *)field = true;
	return BC_EXIT_DONE;
}

static enum bc_exit check_operands(const struct bc_invocation *in)
{
	const struct bc_command *c = in->command;
	if (in->argc < c->operands_min)
		return bc_cli_usage(in, "%s needs %s", c->name, c->operands);
	if (c->operands_max >= 0 && in->argc > c->operands_max)
		return bc_cli_usage(in, "\"%s\" is one too many", in->argv[c->operands_max]);
	return BC_EXIT_DONE;
}

/* DONE with everything read; *ret_help when that was asked for. */
static enum bc_exit parse(struct bc_invocation *in, int argc, char **argv, bool *ret_help)
{
	struct parser p;
	int got;
	enum bc_exit result = BC_EXIT_DONE;
	prepare(&p, in->command);
	optind = 0;
	opterr = 0;
	while (!result && (got = getopt_long(argc, argv, p.letters, p.longs, NULL)) != -1) {
		const struct bc_option *row = row_of(in->command, &p, got);
		if (row)
			result = store(in, row, optarg);
		else if (got == HELP_VALUE || got == 'h')
			*ret_help = true;
		else if (got == CONFIG_VALUE)
			in->config_path = optarg;
		else if (got == JSON_VALUE)
			in->json = true;
		else
			return bc_cli_usage(in, "option \"%s\" %s", argv[optind - 1],
					    got == ':' ? "needs a value" : "is not known here");
	}
	in->argc = argc - optind;
	in->argv = argv + optind;
	return result;
}

int bc_options_run(const struct bc_command *command, int argc, char **argv)
{
	bool help = false;
	bc_autofree void *options = calloc(1, command->options_bytes ? command->options_bytes : 1);
	struct bc_invocation in = { .command = command, .options = options };
	struct bc_err err = { 0 };
	if (!options) {
		bc_err_nomem(&err);
		return bc_cli_fail(&err);
	}
	enum bc_exit result = parse(&in, argc, argv, &help);
	if (result)
		return result;
	if (help) {
		bc_options_help(command, stdout);
		return BC_EXIT_DONE;
	}
	result = check_operands(&in);
	return result ? result : command->run(&in);
}

static void help_row(const struct bc_option *row, FILE *to)
{
	char left[64];
	snprintf(left, sizeof(left), "--%s%s%s", row->name, row->value ? " " : "",
		 row->value ? row->value : "");
	fprintf(to, "  %c%c %-22s %s\n", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		left, row->help);
}

void bc_options_help(const struct bc_command *command, FILE *to)
{
	fprintf(to, "backchannel %s: %s\n\nusage: backchannel %s%s%s%s\n", command->name,
		command->summary, command->name, " [options]", command->operands[0] ? " " : "",
		command->operands);
	if (command->details)
		fprintf(to, "\n%s\n", command->details);
	fputs("\noptions:\n", to);
	for (const struct bc_option *row = command->rows; row && row->name; row++)
		help_row(row, to);
	for (const struct bc_option *row = bc_options_common; row->name; row++)
		if (command->prints_json || strcmp(row->name, "json") != 0)
			help_row(row, to);
	fprintf(to, "\nexample:\n  %s\n", command->example);
}
