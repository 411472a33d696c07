/* SPDX-License-Identifier: MIT */
/*
 * The sockets that a service manager passed, as the highest place of the settings "listen", "edge"
 * and "input". A setting that says otherwise is told of and gives way: the socket is open already,
 * and clients wait at it. Left to others: what was passed (activation.c).
 */
#include <string.h>

#include "daemon/settings_parts.h"

static size_t row_index(const char *name)
{
	size_t i = 0;

	while (strcmp(bc_setting_rows[i].name, name) != 0)
		i++;
	return i;
}

static int warn(struct bc_settings_loader *l, const char *where, const struct bc_err *problem)
{
	/* What has changed since is told of by bc_settings_hidden. */
	if (l->source->again)
		return 0;
	return bc_settings_report_add(l->report, BC_SETTINGS_WARNING, where, problem);
}

/* given: what it would have been without the socket, when that is not the slot's to say. */
static int tell(struct bc_settings_loader *l, size_t row, const char *given)
{
	const struct bc_setting_slot *slot = &l->slots[row];
	const char *name = bc_setting_rows[row].name;
	struct bc_err problem = { 0 };

	if (slot->hidden.where) {
		bc_err_set(&problem, BC_ESTATE,
			   "\"%s\" is not used from here: the socket that was passed is at %s",
			   name, slot->text);
		bc_err_hint(&problem, "write the same in both: the daemon goes by the socket, the "
				      "command line by the setting");
		return warn(l, slot->hidden.where, &problem);
	}
	if (!given || strcmp(given, slot->text) == 0)
		return 0;
	bc_err_set(&problem, BC_ESTATE, "the socket that was passed as \"%s\" is at %s, not at %s",
		   name, slot->text, given);
	bc_err_hint(&problem, "set %s = %s: the command line goes by the setting", name,
		    slot->text);
	return warn(l, "", &problem);
}

/* Who may write to a socket that was passed is whose unit it is to say. */
static int tell_group(struct bc_settings_loader *l)
{
	const struct bc_setting_slot *slot = &l->slots[row_index("input.group")];
	struct bc_err problem = { 0 };

	if (slot->level == BC_LEVEL_NONE)
		return 0;
	bc_err_set(&problem, BC_ESTATE, "\"input.group\" does nothing to a socket that was passed");
	bc_err_hint(&problem, "take it out, and set SocketGroup= of the socket unit");
	return warn(l, slot->where, &problem);
}

int bc_settings_read_sockets(struct bc_settings_loader *l)
{
	const struct bc_activation *a = l->source->sockets;
	int rc = 0;

	for (enum bc_socket_role role = 0; a && !rc && role < BC_SOCKET_ROLES; role++) {
		size_t row = row_index(bc_socket_role_name(role));
		struct bc_setting_slot *slot = &l->slots[row];
		const char *given = slot->level == BC_LEVEL_NONE ? bc_setting_rows[row].def : NULL;
		struct bc_setting_target target = { .row = &bc_setting_rows[row], .slot = slot };

		if (!a->of[role].fd)
			continue;
		rc = bc_settings_offer(l, &target, BC_LEVEL_SOCKET, bc_str_of(a->of[role].address),
				       "the socket that was passed");
		if (!rc)
			rc = tell(l, row, given);
	}
	return rc || !a || !a->of[BC_SOCKET_INPUT].fd ? rc : tell_group(l);
}
