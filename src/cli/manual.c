/* SPDX-License-Identifier: MIT */
/*
 * See manual.h. One page with a part for each command, read off the tables of commands and options:
 * what one types, what it does, each option, an example. What belongs to no command alone stands
 * here: exit codes, files, environment.
 */
#include "cli/manual.h"

#include <string.h>

#include "base/mdoc.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "daemon/settings_parts.h"

/* A line of a list: its tag, in mdoc, and its text. */
struct entry {
	const char *tag, *text;
};

static int add_entries(struct bc_buf *out, const struct entry *entries, size_t count)
{
	int rc = bc_buf_adds(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; !rc && i < count; i++) {
		rc = bc_buf_addf(out, ".It %s\n", entries[i].tag);
		if (!rc)
			rc = bc_mdoc_prose(out, entries[i].text);
	}
	return rc ? rc : bc_buf_adds(out, ".El\n");
}

/* --- commands -------------------------------------------------------------------------------- */

static int add_option(struct bc_buf *out, const struct bc_option *row)
{
	int rc = bc_buf_adds(out, ".It ");
	if (!rc && row->letter)
		rc = bc_buf_addf(out, "Fl %c , ", row->letter);
	if (!rc)
		rc = bc_buf_addf(out, "Fl -%s%s%s\n", row->name, row->value ? " Ar " : "",
				 row->value ? row->value : "");
	/* A help text is a sentence without its full stop. */
	struct bc_buf text;
	bc_buf_init(&text, 4096);
	if (!rc)
		rc = bc_buf_addf(&text, "%s.", row->help);
	if (!rc)
		rc = bc_mdoc_prose(out, text.data);
	bc_buf_finish(&text);
	return rc;
}

static int add_options(struct bc_buf *out, const struct bc_option *row)
{
	if (!row || !row->name)
		return 0;
	int rc = bc_buf_adds(out, ".Bl -tag -width Ds\n");
	for (; !rc && row->name; row++)
		rc = add_option(out, row);
	return rc ? rc : bc_buf_adds(out, ".El\n");
}

/* Paragraphs are parted by an empty line. */
static int add_paragraphs(struct bc_buf *out, const char *text)
{
	int rc = 0;
	while (!rc && text) {
		const char *end = strstr(text, "\n\n");
		struct bc_str part = { text, end ? (size_t)(end - text) : strlen(text) };
		bc_autofree char *one = bc_str_dup(part);
		if (!one)
			return BC_ENOMEM;
		rc = bc_buf_adds(out, ".Pp\n");
		if (!rc)
			rc = bc_mdoc_prose(out, one);
		text = end ? end + 2 : NULL;
	}
	return rc;
}

static int add_example(struct bc_buf *out, const char *example)
{
	int rc = bc_buf_adds(out, ".Pp\nExample:\n.Bd -literal -offset indent\n");
	if (!rc)
		rc = bc_mdoc_literal(out, example);
	return rc ? rc : bc_buf_adds(out, ".Ed\n");
}

static int add_command(struct bc_buf *out, const struct bc_command *c)
{
	int rc = bc_buf_addf(out, ".Ss %s\n.Nm\n.Cm %s\n.Op Ar option ...\n", c->name, c->name);
	if (!rc && c->operands[0])
		rc = bc_mdoc_fill(out, bc_str_of(c->operands));
	if (!rc)
		rc = bc_buf_adds(out, ".Pp\n");
	bc_autofree char *summary = bc_str_dup(bc_str_of(c->summary));
	if (!rc && !summary)
		rc = BC_ENOMEM;
	if (!rc && summary[0] >= 'a' && summary[0] <= 'z')
		summary[0] = (char)(summary[0] - 'a' + 'A');
	if (!rc)
		rc = bc_mdoc_prose(out, summary);
	if (!rc) { /* the full stop */
		out->data[out->len - 1] = '.';
		rc = bc_buf_adds(out, "\n");
	}
	if (!rc)
		rc = add_paragraphs(out, c->details);
	if (!rc)
		rc = add_options(out, c->rows);
	return rc ? rc : add_example(out, c->example);
}

/* --- what belongs to all --------------------------------------------------------------------- */

static const char head[] = ".\\\" SPDX-License-Identifier: MIT\n"
			   ".\\\" Rendered from the program's tables of commands and options.\n"
			   ".Dd November 22, 2026\n"
			   ".Dt BACKCHANNEL 1\n"
			   ".Os\n"
			   ".Sh NAME\n"
			   ".Nm backchannel\n"
			   ".Nd hand click tokens of orders back to the partner, server to server\n"
			   ".Sh SYNOPSIS\n"
			   ".Nm\n"
			   ".Ar command\n"
			   ".Op Ar option ...\n"
			   ".Op Ar operand ...\n"
			   ".Sh DESCRIPTION\n";

static const char description[] =
	"Keeps the click token that came with a landing URL and hands it back when the order "
	"completes: never lost, never twice, never from a browser. It also holds the credential of "
	"Adobe Commerce and lets any program call its API.\n\n"
	"One program is all of it: the daemon (serve), what asks it and acts on it, and what one "
	"looks for trouble with (check, explain, demo). Commands that act on a running daemon "
	"speak its API, at the setting url. Where none runs, capture, order, orders and explain "
	"work on its store directly, under its lock.";

static const struct entry exits[] = {
	{ "0", "Done." },
	{ "1", "Failed; standard error says why, and what to do." },
	{ "2", "Usage: the command line cannot be read." },
	{ "3", "Refused by the other side: the daemon, the partner or Commerce said no." },
	{ "4", "Not reachable: no daemon, no partner, or the store is another process's." },
};

static const struct entry files[] = {
	{ "Pa /etc/backchannel/backchannel.conf",
	  "Settings, unless --config or BACKCHANNEL_CONFIG names another file, or one of that "
	  "name stands in the working directory." },
	{ "Pa .env",
	  "Settings too, in the working directory: read when nobody else may write it." },
	{ "Pa /var/lib/backchannel", "The state directory of the packaged service; of any other "
				     "daemon it is the setting state." },
	{ "Pa backchannel.db", "In there: clicks, orders and attempts." },
	{ "Pa hash.key", "In there: what sessions and tokens are hashed with. The store answers to "
			 "no other one, so a copy of the store needs a copy of this." },
	{ "Pa lock", "In there: which process has the store, and where it listens." },
};

static const struct entry environment[] = {
	{ "Ev BACKCHANNEL_URL", "Where commands find the daemon; the setting url." },
	{ "Ev BACKCHANNEL_API_TOKEN", "The token that its API asks for; the setting api_token." },
	{ "Ev NO_COLOR", "When it is not empty, no colours." },
	{ "Ev NOTIFY_SOCKET , WATCHDOG_USEC , WATCHDOG_PID",
	  "Set by systemd: serve tells when it is ready, and that it works." },
};

static int add_environment(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, ".Sh ENVIRONMENT\nEvery setting has a variable, which goes "
				  "before the settings file; they stand in\n"
				  ".Xr backchannel.conf 5 ,\nwith those of the service manager.\n");
	return rc ? rc : add_entries(out, environment, BC_COUNT(environment));
}

static int add_examples(struct bc_buf *out)
{
	static const char text[] = "backchannel demo\n"
				   "backchannel config lint /etc/backchannel/backchannel.conf\n"
				   "backchannel check\n"
				   "backchannel recipe nginx > /etc/nginx/conf.d/backchannel.conf\n"
				   "backchannel order 100001 --click \"$bc_click\" --wait 5s\n"
				   "backchannel explain 100001\n"
				   "backchannel lanes resume sovendus.default\n";
	int rc = bc_buf_adds(out, ".Sh EXAMPLES\nSee the whole journey, then set it up, watch an "
				  "order, and let a paused lane\ngo on:\n"
				  ".Bd -literal -offset indent\n");
	if (!rc)
		rc = bc_mdoc_literal(out, text);
	return rc ? rc : bc_buf_adds(out, ".Ed\n");
}

static int add_head(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, head);
	if (!rc)
		rc = bc_buf_adds(out, ".Nm\n");
	/* The first paragraph goes on behind the name: it begins small. */
	if (!rc)
		rc = bc_buf_adds(out, "is a shop's end of server-to-server integrations.\n");
	return rc ? rc : add_paragraphs(out, description);
}

static int add_commands(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, ".Sh COMMANDS\n");
	for (size_t i = 0; !rc && bc_commands[i]; i++)
		rc = add_command(out, bc_commands[i]);
	if (!rc)
		rc = bc_buf_adds(out, ".Ss Options of all commands\n");
	return rc ? rc : add_options(out, bc_options_common);
}

int bc_manual(struct bc_buf *out)
{
	int rc = add_head(out);
	if (!rc)
		rc = add_commands(out);
	if (!rc)
		rc = add_environment(out);
	if (!rc)
		rc = bc_buf_adds(out, ".Sh FILES\n");
	if (!rc)
		rc = add_entries(out, files, BC_COUNT(files));
	if (!rc)
		rc = bc_buf_adds(out, ".Sh EXIT STATUS\n");
	if (!rc)
		rc = add_entries(out, exits, BC_COUNT(exits));
	if (!rc)
		rc = add_examples(out);
	return rc ? rc : bc_buf_adds(out, ".Sh SEE ALSO\n.Xr backchannel.conf 5\n");
}
