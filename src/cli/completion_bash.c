/* SPDX-License-Identifier: MIT */
/*
 * See completion.h: bash, without the package bash-completion. The tables become the function
 * _backchannel_table, which sets for a command what the fixed part below it goes by.
 */
#include <stdio.h>

#include "cli/completion.h"

static void flags(const struct bc_option *row)
{
	printf(" --%s", row->name);
	if (row->letter)
		printf(" -%c", row->letter);
}

/* A call that fills COMPREPLY for one place. */
static void call(const struct bc_candidates *c)
{
	static const char *const functions[] = {
		[BC_COMPLETE_NOTHING] = ":",
		[BC_COMPLETE_WORDS] = "_backchannel_words",
		[BC_COMPLETE_FILES] = "_backchannel_files",
		[BC_COMPLETE_LANES] = "_backchannel_lanes",
	};
	fputs(functions[c->kind], stdout);
	if (c->kind == BC_COMPLETE_WORDS)
		printf(" '%s'", c->words.data);
}

static void options_of(const struct bc_command *command)
{
	const struct bc_option *row;
	fputs("\t\toptions='", stdout);
	for (size_t i = 0; (row = bc_complete_option(command, i)); i++)
		flags(row);
	fputs("' valued='", stdout);
	for (size_t i = 0; (row = bc_complete_option(command, i)); i++)
		if (row->value)
			flags(row);
	puts(" '");
}

static int operands_of(const struct bc_command *command)
{
	struct bc_complete_operands o;
	int rc = bc_complete_operands(command, &o);
	if (!rc) {
		fputs("\t\tcase $verb in\n\t\t'') operand=\"", stdout);
		call(&o.first);
		puts("\" ;;");
		for (size_t i = 0; i < o.verbs; i++) {
			printf("\t\t%.*s) operand=\"", (int)o.of[i].word.len, o.of[i].word.ptr);
			call(&o.of[i].next);
			puts("\" ;;");
		}
		puts("\t\tesac");
	}
	bc_complete_operands_finish(&o);
	return rc;
}

static int values_of(const struct bc_command *command)
{
	const struct bc_option *row;
	int rc = 0;
	for (size_t i = 0; !rc && (row = bc_complete_option(command, i)); i++) {
		struct bc_candidates c;
		rc = bc_complete_value(row, &c);
		if (!rc && row->value && c.kind != BC_COMPLETE_NOTHING) {
			printf("\t\t[[ $previous != --%s", row->name);
			if (row->letter)
				printf(" && $previous != -%c", row->letter);
			fputs(" ]] || value=\"", stdout);
			call(&c);
			puts("\"");
		}
		bc_candidates_finish(&c);
	}
	return rc;
}

static const char fixed[] =
	"_backchannel_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$current\")); }\n"
	"_backchannel_files() {\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
	"}\n"
	"_backchannel_lanes() {\n"
	"\t_backchannel_words \"$(\"${COMP_WORDS[0]}\" completion lanes 2>/dev/null)\"\n"
	"}\n"
	"_backchannel() {\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal i word command=${COMP_WORDS[1]} verb= options= valued= operand=: value=:\n"
	"\tCOMPREPLY=()\n"
	"\tif ((COMP_CWORD == 1)); then\n"
	"\t\t_backchannel_words \"$_backchannel_commands --help --version\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t# \"--state=del\" comes as three words.\n"
	"\tif [[ $current == = ]]; then\n"
	"\t\tcurrent=\n"
	"\telif [[ $previous == = ]]; then\n"
	"\t\tprevious=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\t_backchannel_table\n"
	"\t# The first word that is neither an option nor an option's value.\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $word == -* ]]; then\n"
	"\t\t\t[[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))\n"
	"\t\t\t[[ $valued != *\" $word \"* ]] || ((i++))\n"
	"\t\telif [[ ! $verb ]]; then\n"
	"\t\t\tverb=$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\toperand=:\n"
	"\t_backchannel_table\n"
	"\tif [[ $valued == *\" $previous \"* ]]; then\n"
	"\t\teval \"$value\"\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\t_backchannel_words \"$options\"\n"
	"\telse\n"
	"\t\teval \"$operand\"\n"
	"\tfi\n"
	"}\n"
	"complete -F _backchannel backchannel\n";

int bc_complete_bash(void)
{
	int rc = 0;
	puts("# bash completion for backchannel, printed by: backchannel completion bash");
	fputs("_backchannel_commands='", stdout);
	for (size_t i = 0; bc_commands[i]; i++)
		printf("%s%s", i ? " " : "", bc_commands[i]->name);
	puts("'\n_backchannel_table() {\n\tcase $command in");
	for (size_t i = 0; !rc && bc_commands[i]; i++) {
		printf("\t%s)\n", bc_commands[i]->name);
		options_of(bc_commands[i]);
		rc = operands_of(bc_commands[i]);
		if (!rc)
			rc = values_of(bc_commands[i]);
		puts("\t\t;;");
	}
	printf("\tesac\n}\n%s", fixed);
	return rc;
}
