/* SPDX-License-Identifier: MIT */
/*
 * The command line: one table of commands, one small file a command. A command declares its options
 * as a table of rows; parsing, --help, the manual page and completions are read off the rows.
 */
#ifndef BC_CLI_CLI_H
#define BC_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "daemon/settings.h"

/* Exit codes; a contract. */
enum bc_exit {
	BC_EXIT_DONE = 0,
	BC_EXIT_FAILED = 1,
	BC_EXIT_USAGE = 2,
	BC_EXIT_REFUSED = 3,	 /* the other side said no */
	BC_EXIT_UNREACHABLE = 4, /* no daemon, no partner, or the store is locked */
};

/* Where an option's value goes: a field of the command's own struct. */
struct bc_option {
	const char *name;  /* "session"; given as --session */
	char letter;	   /* 0 = none */
	const char *value; /* "DUR"; NULL: a switch (bool) */
	/* Of a bool or a const char * in the command's struct; with many, of a
	 * const char *[BC_OPTION_MANY + 1], which ends with NULL. */
	size_t offset;
	const char *help;
	size_t many; /* how often it may be given, at most BC_OPTION_MANY; 0 = once */
};
enum { BC_OPTION_MANY = 32 };

struct bc_invocation {
	const struct bc_command *command;
	void *options; /* the command's struct, filled */
	int argc;      /* operands */
	char **argv;
	const char *config_path; /* --config, or NULL */
	bool json;		 /* --json */
};

struct bc_command {
	const char *name;
	const char *summary;  /* one line */
	const char *operands; /* "ID", "TOKEN...", "" */
	const char *words;    /* what a NAME as first operand can be, parted by spaces; or NULL */
	const char *details;  /* paragraphs for --help and the manual; may be NULL */
	const char *example;  /* a command line and what it does */
	const struct bc_option *rows;	/* ended by a row without a name; may be NULL */
	size_t options_bytes;		/* of the command's struct */
	bool prints_json;		/* takes --json */
	int operands_min, operands_max; /* max -1 = any */
	enum bc_exit (*run)(const struct bc_invocation *in);
};

/* All of them, in the order of `help`, ended by NULL. */
extern const struct bc_command *const bc_commands[];
const struct bc_command *bc_command_find(const char *name); /* or NULL */

/* The whole program behind main. */
int bc_cli_main(int argc, char **argv);

/* --- for commands ------------------------------------------------------------------------------
 */

/* "backchannel: problem" and the hint below, on stderr. Returns the exit code that tells err->code.
 */
enum bc_exit bc_cli_fail(const struct bc_err *err);
/* A usage error: the text, then how to get help. Returns BC_EXIT_USAGE. */
enum bc_exit bc_cli_usage(const struct bc_invocation *in, const char *fmt, ...) BC_PRINTF(2, 3);
/* Loads settings as DESIGN 7 says; prints warnings and errors itself. DONE with *ret set, or
 * FAILED. */
enum bc_exit bc_cli_settings(const struct bc_invocation *in, struct bc_settings **ret_settings);
/* The same, where sockets were passed. */
enum bc_exit bc_cli_settings_with(const struct bc_invocation *in,
				  const struct bc_activation *sockets,
				  struct bc_settings **ret_settings);
/* May escape sequences be used on stdout / stderr? (A terminal, and NO_COLOR is not set.) */
bool bc_cli_colour(int fd);

#endif
