/* SPDX-License-Identifier: MIT */
/* See completion.h: fish, a line of "complete" for each row. */
#include <stdio.h>
#include <string.h>

#include "cli/completion.h"

static void quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (strchr("'\\", *text))
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

/* What -a takes; nothing more is said of a value that only its user knows. */
static void candidates(const struct bc_candidates *c)
{
	if (c->kind == BC_COMPLETE_WORDS)
		printf(" -a '%s'", c->words.data);
	else if (c->kind == BC_COMPLETE_LANES)
		fputs(" -a '(backchannel completion lanes 2>/dev/null)'", stdout);
}

static int option(const struct bc_command *command, const struct bc_option *row)
{
	struct bc_candidates c;
	int rc = bc_complete_value(row, &c);
	printf("complete -c backchannel -n '__backchannel_is %s' -l %s", command->name, row->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	if (row->value)
		fputs(c.kind == BC_COMPLETE_FILES ? " -r -F" : " -x", stdout);
	candidates(&c);
	fputs(" -d ", stdout);
	quoted(row->help);
	putchar('\n');
	bc_candidates_finish(&c);
	return rc;
}

static void operand(const char *command, struct bc_str verb, const struct bc_candidates *c)
{
	if (c->kind == BC_COMPLETE_NOTHING)
		return;
	printf("complete -c backchannel -n '__backchannel_is %s \"%.*s\"'", command, (int)verb.len,
	       verb.ptr ? verb.ptr : "");
	if (c->kind == BC_COMPLETE_FILES)
		fputs(" -F", stdout);
	candidates(c);
	putchar('\n');
}

static int operands(const struct bc_command *command)
{
	struct bc_complete_operands o;
	int rc = bc_complete_operands(command, &o);
	if (!rc) {
		operand(command->name, (struct bc_str){ NULL, 0 }, &o.first);
		for (size_t i = 0; i < o.verbs; i++)
			operand(command->name, o.of[i].word, &o.of[i].next);
	}
	bc_complete_operands_finish(&o);
	return rc;
}

static const char fixed[] =
	"# fish completion for backchannel, printed by: backchannel completion fish\n"
	"# Is this the command, and (second argument) this its first operand, or none yet?\n"
	"function __backchannel_is\n"
	"\tset -l words (commandline -opc)\n"
	"\ttest \"$words[2]\" = \"$argv[1]\"; or return 1\n"
	"\ttest (count $argv) -gt 1; or return 0\n"
	"\tset -l operands (string match -v -- '-*' $words[3..-1])\n"
	"\ttest \"$operands[1]\" = \"$argv[2]\" -a (count $operands) -le 1\n"
	"end\n"
	"function __backchannel_starts\n"
	"\ttest (count (commandline -opc)) -eq 1\n"
	"end\n"
	"complete -c backchannel -f\n"
	"complete -c backchannel -n __backchannel_starts -l version -d 'print the version'\n"
	"complete -c backchannel -n __backchannel_starts -l help -d 'list the commands'\n";

int bc_complete_fish(void)
{
	int rc = 0;
	fputs(fixed, stdout);
	for (size_t i = 0; !rc && bc_commands[i]; i++) {
		const struct bc_command *command = bc_commands[i];
		const struct bc_option *row;
		printf("complete -c backchannel -n __backchannel_starts -a %s -d ", command->name);
		quoted(command->summary);
		putchar('\n');
		rc = operands(command);
		for (size_t k = 0; !rc && (row = bc_complete_option(command, k)); k++)
			rc = option(command, row);
	}
	return rc;
}
