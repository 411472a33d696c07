/* SPDX-License-Identifier: MIT */
/*
 * `backchannel completion`: the script that makes a shell complete this program, from the tables
 * that its parser and its help are read off. A build prints one for each shell and installs it.
 *
 * What may be written at a place is told by the word that stands for it in a row: "FILE" and "LANE"
 * in operands and options, small letters for what is written as it is. Scripts are fixed text but
 * for lanes, which a script asks for when they are wanted, by `completion lanes`: that one never
 * prints an error, and answers nothing where no daemon runs.
 */
#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/remote.h"
#include "daemon/settings_parts.h"
#include "store/rows.h"

enum { WORDS_MAX = 16 * 1024 };

static int add_word(struct bc_buf *words, const char *word)
{
	return bc_buf_addf(words, "%s%s", words->len ? " " : "", word);
}

static int add_commands(struct bc_buf *words)
{
	int rc = 0;
	for (size_t i = 0; !rc && bc_commands[i]; i++)
		rc = add_word(words, bc_commands[i]->name);
	return rc;
}

static int add_settings(struct bc_buf *words)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		rc = add_word(words, bc_setting_rows[i].name);
	return rc;
}

static int add_states(struct bc_buf *words)
{
	int rc = 0;
	for (int state = 0; !rc && state < BC_ORDER_STATES; state++)
		rc = add_word(words, bc_order_state_name((enum bc_order_state)state));
	return rc;
}

/* What the words in capitals stand for. */
static const struct {
	const char *name;
	enum bc_complete kind;
	int (*add)(struct bc_buf *words);
} places[] = {
	{ "COMMAND", BC_COMPLETE_WORDS, add_commands },
	{ "FILE", BC_COMPLETE_FILES, NULL },
	{ "LANE", BC_COMPLETE_LANES, NULL },
	{ "SETTING", BC_COMPLETE_WORDS, add_settings },
	{ "STATE", BC_COMPLETE_WORDS, add_states },
};

/* Options whose value has a short word in its row. */
static const struct {
	const char *option, *place, *words;
} values[] = {
	{ "export", NULL, "csv json" },
	{ "state", "STATE", NULL },
};

static struct bc_candidates nothing(void)
{
	struct bc_candidates c = { .kind = BC_COMPLETE_NOTHING };
	bc_buf_init(&c.words, WORDS_MAX);
	return c;
}

void bc_candidates_finish(struct bc_candidates *c)
{
	bc_buf_finish(&c->words);
}

static int set_place(struct bc_candidates *c, struct bc_str name)
{
	for (size_t i = 0; i < BC_COUNT(places); i++) {
		if (!bc_str_eq(name, places[i].name))
			continue;
		c->kind = places[i].kind;
		return places[i].add ? places[i].add(&c->words) : 0;
	}
	return 0;
}

static int set_words(struct bc_candidates *c, const char *words)
{
	c->kind = BC_COMPLETE_WORDS;
	return add_word(&c->words, words);
}

int bc_complete_value(const struct bc_option *row, struct bc_candidates *ret)
{
	*ret = nothing();
	for (size_t i = 0; i < BC_COUNT(values); i++)
		if (strcmp(values[i].option, row->name) == 0)
			return values[i].words ? set_words(ret, values[i].words)
					       : set_place(ret, bc_str_of(values[i].place));
	return set_place(ret, bc_str_of(row->value ? row->value : ""));
}

const struct bc_option *bc_complete_option(const struct bc_command *command, size_t i)
{
	size_t own = 0;
	while (command->rows && command->rows[own].name)
		own++;
	if (i < own)
		return &command->rows[i];
	const struct bc_option *common = &bc_options_common[0];
	for (i -= own; common->name; common++)
		if ((command->prints_json || strcmp(common->name, "json") != 0) && i-- == 0)
			return common;
	return NULL;
}

/* --- operands -------------------------------------------------------------------------------- */

static bool is_place(struct bc_str word)
{
	return word.len && word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
}

/* Brackets say that it may be left out, dots that there may be more: neither matters here. */
static struct bc_str bare(struct bc_str word)
{
	while (word.len && strchr("[]. ", word.ptr[0]))
		word = (struct bc_str){ word.ptr + 1, word.len - 1 };
	while (word.len && strchr("[]. ", word.ptr[word.len - 1]))
		word.len--;
	return word;
}

static int add_verb(struct bc_complete_operands *o, struct bc_str verb, struct bc_str next)
{
	int rc = bc_buf_addf(&o->first.words, "%s%.*s", o->first.words.len ? " " : "",
			     (int)verb.len, verb.ptr);
	o->first.kind = BC_COMPLETE_WORDS;
	if (rc || !is_place(next))
		return rc;
	BC_ASSERT(o->verbs < BC_COMPLETE_VERBS);
	o->of[o->verbs].word = verb;
	o->of[o->verbs].next = nothing();
	return set_place(&o->of[o->verbs++].next, next);
}

/* "pause|resume|probe LANE" */
static int add_alternative(struct bc_complete_operands *o, struct bc_str rest)
{
	struct bc_str verbs = bare(bc_str_split(&rest, ' '));
	struct bc_str next = rest.ptr ? bare(bc_str_split(&rest, ' ')) : (struct bc_str){ NULL, 0 };
	int rc = 0;
	if (is_place(verbs))
		return set_place(&o->first, verbs);
	while (!rc && verbs.ptr && verbs.len)
		rc = add_verb(o, bc_str_split(&verbs, '|'), next);
	return rc;
}

int bc_complete_operands(const struct bc_command *command, struct bc_complete_operands *ret)
{
	const char *at = command->operands, *end;
	*ret = (struct bc_complete_operands){ .first = nothing() };
	if (command->words)
		return set_words(&ret->first, command->words);
	for (int rc = 0; !rc;) {
		end = strstr(at, " | ");
		rc = add_alternative(ret,
				     (struct bc_str){ at, end ? (size_t)(end - at) : strlen(at) });
		if (rc || !end)
			return rc;
		at = end + 3;
	}
	return 0;
}

void bc_complete_operands_finish(struct bc_complete_operands *o)
{
	bc_candidates_finish(&o->first);
	for (size_t i = 0; i < o->verbs; i++)
		bc_candidates_finish(&o->of[i].next);
}

/* --- the command ----------------------------------------------------------------------------- */

/* What a script asks while somebody types: no word about what is wrong. */
static int print_lanes(void)
{
	extern char **environ;
	struct bc_settings_source source = { .environment = environ };
	struct bc_settings_report report;
	struct bc_settings *settings;
	struct bc_reply reply;
	const json_t *lane;
	size_t i;
	bc_settings_report_init(&report);
	int rc = bc_settings_load(&source, &settings, &report, NULL);
	bc_settings_report_finish(&report);
	if (rc)
		return 0;
	if (bc_remote_ask(settings, "GET", "/v1/lanes", &reply) == BC_EXIT_DONE) {
		json_array_foreach(json_object_get(reply.json, "lanes"), i, lane)
			puts(bc_json_text(lane, "name"));
		bc_reply_finish(&reply);
	}
	bc_settings_unref(settings);
	return 0;
}

static const struct {
	const char *name;
	int (*print)(void);
} targets[] = {
	{ "bash", bc_complete_bash },
	{ "zsh", bc_complete_zsh },
	{ "fish", bc_complete_fish },
	{ "lanes", print_lanes },
};

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_err err = { 0 };
	for (size_t i = 0; i < BC_COUNT(targets); i++)
		if (strcmp(targets[i].name, in->argv[0]) == 0) {
			int rc = targets[i].print();
			return rc ? (bc_err_nomem(&err), bc_cli_fail(&err)) : BC_EXIT_DONE;
		}
	return bc_cli_usage(in, "completion is for bash, zsh and fish, not for \"%s\"",
			    in->argv[0]);
}

const struct bc_command bc_command_completion = {
	.name = "completion",
	.summary = "print what makes a shell complete this program",
	.operands = "SHELL",
	.words = "bash zsh fish",
	.details = "SHELL is bash, zsh or fish. The package has the three installed. The scripts "
		   "complete commands, options, states and settings by themselves, and ask the "
		   "running daemon for its lanes (completion lanes).",
	.example = "source <(backchannel completion bash)",
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
