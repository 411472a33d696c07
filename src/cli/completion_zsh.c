/* SPDX-License-Identifier: MIT */
/* See completion.h: zsh, by its _arguments. */
#include <stdio.h>
#include <string.h>

#include "cli/completion.h"

/* Inside single quotes; what part of it _arguments would read as its own has a backslash. */
static void quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		else if (strchr(special, *text))
			putchar('\\');
		putchar(*text);
	}
}

static void action(const struct bc_candidates *c)
{
	switch (c->kind) {
	case BC_COMPLETE_WORDS:
		printf("(%s)", c->words.data);
		break;
	case BC_COMPLETE_FILES:
		fputs("_files", stdout);
		break;
	case BC_COMPLETE_LANES:
		fputs("_backchannel_lanes", stdout);
		break;
	case BC_COMPLETE_NOTHING:
		putchar(' ');
	}
}

static int option(const struct bc_option *row)
{
	struct bc_candidates c;
	int rc = bc_complete_value(row, &c);
	fputs(" \\\n\t\t\t'", stdout);
	if (row->letter)
		printf("(-%c --%s)'{-%c%s,--%s%s}'", row->letter, row->name, row->letter,
		       row->value ? "+" : "", row->name, row->value ? "=" : "");
	else
		printf("%s--%s%s", row->many ? "*" : "", row->name, row->value ? "=" : "");
	putchar('[');
	quoted(row->help, "[]:\\");
	putchar(']');
	if (!rc && row->value) {
		putchar(':');
		quoted(row->value, ":[]\\");
		putchar(':');
		action(&c);
	}
	putchar('\'');
	bc_candidates_finish(&c);
	return rc;
}

/* What follows a verb is not known before it is there. */
static void seconds(const struct bc_command *command, const struct bc_complete_operands *o)
{
	for (size_t i = 0; i < o->verbs; i++) {
		const struct bc_candidates *next = &o->of[i].next;
		printf("\t%s:%.*s) ", command->name, (int)o->of[i].word.len, o->of[i].word.ptr);
		if (next->kind == BC_COMPLETE_WORDS)
			printf("compadd -- %s", next->words.data);
		else
			action(next);
		puts(" ;;");
	}
}

static int operands(const struct bc_command *command)
{
	struct bc_complete_operands o;
	int rc = bc_complete_operands(command, &o);
	if (!rc && o.first.kind != BC_COMPLETE_NOTHING) {
		fputs(" \\\n\t\t\t'1: :", stdout);
		action(&o.first);
		putchar('\'');
	}
	if (!rc && o.verbs)
		fputs(" \\\n\t\t\t'2: :->second'", stdout);
	bc_complete_operands_finish(&o);
	return rc;
}

static int command(const struct bc_command *c)
{
	const struct bc_option *row;
	int rc = 0;
	printf("\t%s)\n\t\t_arguments -C -s", c->name);
	for (size_t i = 0; !rc && (row = bc_complete_option(c, i)); i++)
		rc = option(row);
	if (!rc)
		rc = operands(c);
	puts(" \\\n\t\t\t'*: : ' ;;");
	return rc;
}

static int all_seconds(void)
{
	int rc = 0;
	puts("\t[[ $state == second ]] || return\n\tcase $name:$line[1] in");
	for (size_t i = 0; !rc && bc_commands[i]; i++) {
		struct bc_complete_operands o;
		rc = bc_complete_operands(bc_commands[i], &o);
		if (!rc)
			seconds(bc_commands[i], &o);
		bc_complete_operands_finish(&o);
	}
	puts("\tesac");
	return rc;
}

int bc_complete_zsh(void)
{
	int rc = 0;
	puts("#compdef backchannel\n"
	     "# zsh completion for backchannel, printed by: backchannel completion zsh\n"
	     "_backchannel_lanes() {\n"
	     "\tlocal -a lanes\n"
	     "\tlanes=(${(f)\"$(_call_program lanes backchannel completion lanes)\"})\n"
	     "\tcompadd -a lanes\n"
	     "}\n"
	     "_backchannel() {\n"
	     "\tlocal curcontext=$curcontext state name\n"
	     "\tlocal -a line commands\n"
	     "\tcommands=(");
	for (size_t i = 0; bc_commands[i]; i++) {
		printf("\t\t'%s:", bc_commands[i]->name);
		quoted(bc_commands[i]->summary, ":\\");
		puts("'");
	}
	puts("\t)\n"
	     "\t_arguments -C '(- *)--version[print the version]' '(- *)--help[list the commands]' "
	     "\\\n"
	     "\t\t'1: :->command' '*:: :->argument'\n"
	     "\tif [[ $state == command ]]; then\n"
	     "\t\t_describe command commands\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tname=$words[1] state=\n"
	     "\tcase $name in");
	for (size_t i = 0; !rc && bc_commands[i]; i++)
		rc = command(bc_commands[i]);
	puts("\tesac");
	if (!rc)
		rc = all_seconds();
	puts("}\n"
	     "# Sourced it defines the function, found by its file's name it is the function.\n"
	     "if [[ $funcstack[1] == _backchannel ]]; then\n"
	     "\t_backchannel \"$@\"\n"
	     "else\n"
	     "\tcompdef _backchannel backchannel\n"
	     "fi");
	return rc;
}
