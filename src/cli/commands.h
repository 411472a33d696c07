/* SPDX-License-Identifier: MIT */
/* The commands, each defined in the file of its name. */
#ifndef BC_CLI_COMMANDS_H
#define BC_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct bc_command bc_command_serve, bc_command_demo, bc_command_sandbox,
	bc_command_check, bc_command_capture, bc_command_order, bc_command_orders,
	bc_command_explain, bc_command_retry, bc_command_cancel, bc_command_lanes, bc_command_token,
	bc_command_call, bc_command_pull, bc_command_backup, bc_command_restore,
	bc_command_validate, bc_command_recipe, bc_command_partners, bc_command_config,
	bc_command_version, bc_command_completion, bc_command_ready, bc_command_help;

#endif
