/* SPDX-License-Identifier: MIT */
/* Chapters of the settings' documents, and what else is read from the environment. */
#include "daemon/settings_parts.h"

const struct bc_setting_group bc_setting_groups[] = {
	{ "", "The daemon",
	  "In the file these stand above the first section, or in `[backchannel]`." },
	{ "sovendus", "Sovendus",
	  "The pair of product ID and API key switches the hand-back on. More campaigns: see "
	  "[Products](#products)." },
	{ "http", "API listener", "Ceilings and deadlines of the HTTP server." },
	{ "input", "Datagram input", "Clicks from a web server's log." },
	{ "edge", "Public listener", "What visitors and Adobe may reach." },
	{ "hash", "Keyed hashes",
	  "Sessions and tokens are indexed and logged only as keyed hashes." },
	{ "click", "Clicks", "What came with a landing." },
	{ "order", "Orders", "What the shop reports." },
	{ "retry", "Retries",
	  "The wait after failure *n* is drawn between 0 and `retry.base` doubled *n* - 1 times "
	  "(at "
	  "most `retry.cap`), is never below a second (or `retry.base`, if that is smaller), and "
	  "is "
	  "raised to what the partner's Retry-After asks, up to 2 hours." },
	{ "delivery", "Requests to the partner", "One attempt is one HTTP request." },
	{ "lane", "Lanes", "A lane is the queue of one product at one partner." },
	{ "oauth", "OAuth credential",
	  "Client ID, secret and `commerce.base_url` switch Commerce on. Any OAuth 2.0 server that "
	  "grants client credentials can be named." },
	{ "commerce", "Adobe Commerce", "The REST API that is called, and its orders." },
	{ "events", "Adobe I/O Events", "Signed events that Adobe sends to `edge`." },
	{ "journal", "Adobe I/O Events' journal", "The same events, fetched from Adobe." },
	{ "webhook", "Commerce webhooks", "Signed calls of Commerce itself, to `edge`." },
	{ "gateway", "Gateway",
	  "`/accs/...` on the API listener goes to Commerce with an access token." },
	{ "alert", "Alerts", "What somebody should know though nobody asked." },
};
const size_t bc_setting_group_count = BC_COUNT(bc_setting_groups);

const struct bc_setting_variable bc_setting_variables[] = {
	{ "BACKCHANNEL_CONFIG", "Path of the settings file, when `--config` does not name one." },
	{ "CREDENTIALS_DIRECTORY",
	  "Set by systemd (`LoadCredential=`, `SetCredential=`). A file there "
	  "named like a secret, such as `sovendus.api_key` or "
	  "`product.LABEL.key`, is its value." },
	{ "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
	  "Set by systemd for socket units: `serve` takes the sockets named `listen`, `edge` and "
	  "`input` instead of making its own, wherever those settings say." },
	{ "STATE_DIRECTORY", "Set by systemd (`StateDirectory=`); the first path counts." },
	{ "XDG_STATE_HOME, HOME", "Where the state directory is, when nothing else says so." },
};
const size_t bc_setting_variable_count = BC_COUNT(bc_setting_variables);
