/* SPDX-License-Identifier: MIT */
/*
 * What a shell may offer, read off the tables of commands, options and settings. completion.c says
 * what; completion_bash.c, completion_zsh.c and completion_fish.c write it down for their shell.
 */
#ifndef BC_CLI_COMPLETION_H
#define BC_CLI_COMPLETION_H

#include "cli/cli.h"

enum bc_complete {
	BC_COMPLETE_NOTHING, /* a value that only its user knows */
	BC_COMPLETE_WORDS,
	BC_COMPLETE_FILES,
	BC_COMPLETE_LANES /* those of the running daemon: asked when it is needed */
};

enum { BC_COMPLETE_VERBS = 8 };

/* What may stand at one place. */
struct bc_candidates {
	enum bc_complete kind;
	struct bc_buf words; /* parted by spaces; of BC_COMPLETE_WORDS */
};
void bc_candidates_finish(struct bc_candidates *c);

/* A command's operands: the first one, and for a first one that is a verb what follows it. */
struct bc_complete_operands {
	struct bc_candidates first;
	size_t verbs;
	struct {
		struct bc_str word; /* of the command's row */
		struct bc_candidates next;
	} of[BC_COMPLETE_VERBS];
};

/* 0 or BC_ENOMEM; ret is to be finished either way. */
BC_MUST_CHECK int bc_complete_operands(const struct bc_command *command,
				       struct bc_complete_operands *ret);
void bc_complete_operands_finish(struct bc_complete_operands *o);
BC_MUST_CHECK int bc_complete_value(const struct bc_option *row, struct bc_candidates *ret);

/* The options of a command one after the other: its own, then those that all have. Starts with i 0;
 * NULL: there are no more. */
const struct bc_option *bc_complete_option(const struct bc_command *command, size_t i);

/* Each prints its shell's script. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_complete_bash(void);
BC_MUST_CHECK int bc_complete_zsh(void);
BC_MUST_CHECK int bc_complete_fish(void);

#endif
