/* SPDX-License-Identifier: MIT */
/* Reads a command's line by its table of options, prints its --help, and runs it. */
#ifndef BC_CLI_OPTIONS_H
#define BC_CLI_OPTIONS_H

#include <stdio.h>

#include "cli/cli.h"

/* argv[0] is the command's name. Returns the exit code. */
int bc_options_run(const struct bc_command *command, int argc, char **argv);
void bc_options_help(const struct bc_command *command, FILE *to);

/* The rows that every command has (--help, --config) and, where it prints data, --json. For the
 * manual. */
extern const struct bc_option bc_options_common[];

#endif
