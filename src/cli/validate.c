/* SPDX-License-Identifier: MIT */
/* `backchannel validate`: what kind of token each argument is. Needs no daemon and no settings. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

struct options {
	bool test;
};

static bool passes(enum bc_token_kind kind, const struct options *o)
{
	return o->test ? kind == BC_TOKEN_TEST : kind != BC_TOKEN_INVALID;
}

static void print_row(const char *token, enum bc_token_kind kind, const struct options *o)
{
	printf("%s\t%s", bc_token_kind_name(kind), token);
	if (kind == BC_TOKEN_INVALID)
		printf("\ta token is %d to %d of A-Z a-z 0-9 _ -", BC_TOKEN_MIN, BC_TOKEN_MAX);
	else if (!passes(kind, o))
		printf("\tnot a test token: those look like 12345-test-123-12345");
	putchar('\n');
}

/* An argument that is no UTF-8 is no JSON text either: its odd bytes are shown as "?". */
static json_t *row_json(char *token, enum bc_token_kind kind, bool valid)
{
	json_t *text = json_string(token);
	for (char *c = token; !text && *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_pack("{s:o, s:s, s:b}", "token", text ? text : json_string(token), "kind",
			 bc_token_kind_name(kind), "valid", valid);
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	bool all = true;
	json_t *list = json_array();
	for (int i = 0; i < in->argc; i++) {
		enum bc_token_kind kind = bc_token_classify(in->argv[i], strlen(in->argv[i]));
		bool valid = passes(kind, o);
		all &= valid;
		if (in->json)
			json_array_append_new(list, row_json(in->argv[i], kind, valid));
		else
			print_row(in->argv[i], kind, o);
	}
	if (in->json) {
		json_dumpf(list, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
		putchar('\n');
	}
	json_decref(list);
	return all ? BC_EXIT_DONE : BC_EXIT_FAILED;
}

static const struct bc_option rows[] = {
	{ "test", 0, NULL, offsetof(struct options, test), "only the guide's test syntax passes" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_validate = {
	.name = "validate",
	.summary = "classify tokens: production, test, invalid",
	.operands = "TOKEN...",
	.details = "Exit 1 if any token is invalid; with --test, if any is not a test token.",
	.example = "backchannel validate --test 12345-test-123-12345",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
