/* SPDX-License-Identifier: MIT */
/*
 * The one table of settings. A new setting is a row here and a field in settings.h, nothing else:
 * names, parsing, bounds, `config show`, `config lint`, docs/settings.md, the example file and the
 * manual page come from the row.
 *
 * Rows stand in the order of the documents: those without a dot first, then group by group.
 */
#include "daemon/settings_parts.h"

#include <stddef.h>

#include <backchannel/client.h>

#define FIELD(member) .offset = offsetof(struct bc_settings, member)
#define PART(member)  .offset = offsetof(struct bc_settings_product, member)

#define SECONDS (1000ull)
#define MINUTES (60 * SECONDS)
#define HOURS	(60 * MINUTES)
#define DAYS	(24 * HOURS)
#define KIB	(1024ull)

const struct bc_setting_row bc_setting_rows[] = {
	{ .name = "listen",
	  .type = &bc_setting_text,
	  FIELD(listen),
	  .def = "127.0.0.1:8787",
	  .flags = BC_SETTING_RESTART,
	  .check = bc_setting_check_listen,
	  .allowed = "`host:port`, `[IPv6]:port` or `unix:PATH`; port `0` takes a free one",
	  .help = "Where the API listens. Anything but loopback or a Unix socket needs an "
		  "`api_token`." },
	{ .name = "api_token",
	  .type = &bc_setting_secret,
	  FIELD(api_token),
	  .min = 6,
	  .help = "Bearer token that the API asks of its callers, and that the command line sends. "
		  "Required unless `listen` is loopback or a Unix socket." },
	{ .name = "url",
	  .type = &bc_setting_text,
	  FIELD(url),
	  .def_docs = "where `listen` says",
	  .flags = BC_SETTING_CLIENT,
	  .check = bc_setting_check_url,
	  .allowed = "`http://`, `https://` or `unix:PATH`",
	  .help = "Where the command line finds a running daemon." },
	{ .name = "state",
	  .type = &bc_setting_text,
	  FIELD(state),
	  .max = 4000,
	  .def_docs =
		  "`$STATE_DIRECTORY` (set by systemd), else `$XDG_STATE_HOME/backchannel`, else "
		  "`~/.local/state/backchannel`",
	  .flags = BC_SETTING_RESTART,
	  .allowed = "a directory",
	  .help = "Directory of what must outlive the daemon: the store, the lock, the hash key. "
		  "Made "
		  "with mode 0700; two daemons cannot share it." },
	{ .name = "store",
	  .type = &bc_setting_text,
	  FIELD(store),
	  .max = 4096,
	  .def_docs = "`sqlite:` + state directory + `/backchannel.db`",
	  .flags = BC_SETTING_RESTART,
	  .check = bc_setting_check_store,
	  .allowed = "`sqlite:PATH`, or `memory:` (nothing survives; for tests)",
	  .help = "Where clicks, orders and conversions are kept." },
	{ .name = "log",
	  .type = &bc_setting_text,
	  FIELD(log),
	  .def = "info",
	  .def_docs = "`info,text`; `info,json` when stderr is no terminal",
	  .check = bc_setting_check_log,
	  .allowed = "`error`, `warning`, `info` or `debug`, then optionally `,text` or `,json`",
	  .help = "How much is logged to stderr, and in which form." },

	{ .name = "sovendus.product_id",
	  .type = &bc_setting_text,
	  FIELD(sovendus_product_id),
	  .max = 128,
	  .aliases = { "SOVENDUS_PRODUCT_ID" },
	  .check = bc_setting_check_product_id,
	  .allowed = "letters, digits, `.`, `_`, `-`",
	  .help = "Product ID of your campaign, from your Sovendus contact. With the API key it "
		  "makes "
		  "the product `default`." },
	{ .name = "sovendus.api_key",
	  .type = &bc_setting_secret,
	  FIELD(sovendus_api_key),
	  .flags = BC_SETTING_KEY,
	  .aliases = { "SOVENDUS_API_KEY" },
	  .help = "API key that came with the product ID." },
	{ .name = "sovendus.base_url",
	  .type = &bc_setting_text,
	  FIELD(sovendus_base_url),
	  .def = "https://press-order-api.sovendus.com/ext",
	  .aliases = { "SOVENDUS_BASE_URL" },
	  .check = bc_setting_check_base_url,
	  .allowed = "an https URL without query or user; http only on loopback",
	  .help = "Where tokens are handed back; `/PRODUCT/TOKEN/api` is appended." },
	{ .name = "sovendus.param",
	  .type = &bc_setting_list,
	  FIELD(sovendus_params),
	  .def = "sovReqToken",
	  .aliases = { "SOVENDUS_TOKEN_PARAM" },
	  .check = bc_setting_check_param,
	  .allowed = "names of letters, digits, `_`, `.`, `-`, each 1 to 64 long, comma-separated",
	  .help = "URL parameter of the landing page that carries the click token. Case counts. "
		  "Name "
		  "several when Sovendus renamed it for you and old links live on." },
	{ .name = "sovendus.token_pattern",
	  .type = &bc_setting_text,
	  FIELD(token_pattern_text),
	  .def_docs = "off",
	  .allowed = "`guide`, or a POSIX extended regular expression",
	  .help = "A stricter rule for production tokens: `guide` is the guide's 5-4-3-5 letters "
		  "and "
		  "digits. Leave it off: Sovendus's own samples do not all have that shape, and a "
		  "token "
		  "that is refused is a commission lost." },

	{ .name = "http.connections",
	  .type = &bc_setting_count,
	  FIELD(http_connections),
	  .def = "4096",
	  .min = 1,
	  .max = 65536,
	  .flags = BC_SETTING_RESTART,
	  .help = "Connections that the API holds at once; the next one is answered 503." },
	{ .name = "http.body",
	  .type = &bc_setting_bytes,
	  FIELD(http_body_bytes),
	  .def = "64KiB",
	  .min = KIB,
	  .max = 16 * KIB * KIB,
	  .flags = BC_SETTING_RESTART,
	  .help = "Largest request body; a larger one is answered 413." },
	{ .name = "http.head_timeout",
	  .type = &bc_setting_ms,
	  FIELD(http_head_timeout_ms),
	  .def = "10s",
	  .min = 10,
	  .max = 10 * MINUTES,
	  .flags = BC_SETTING_RESTART,
	  .help = "A connection that has not sent its whole request head by then is closed." },
	{ .name = "http.hosts",
	  .type = &bc_setting_list,
	  FIELD(http_hosts),
	  .check = bc_setting_check_host,
	  .allowed = "host names, comma-separated",
	  .help = "Further Host names that the API answers to, such as the name of a container. "
		  "The "
		  "address it listens on and loopback always count; any other Host is answered "
		  "403, so "
		  "that no web page can reach the API through a visitor's machine." },

	{ .name = "hash.key",
	  .type = &bc_setting_secret,
	  FIELD(hash_key),
	  .min = 16,
	  .def_docs = "32 random bytes, made once in the state directory",
	  .flags = BC_SETTING_RESTART,
	  .help = "Keys the hashes under which sessions and tokens are stored and logged. Every "
		  "daemon "
		  "on one store needs the same." },
	{ .name = "hash.key_previous",
	  .type = &bc_setting_secret,
	  FIELD(hash_key_previous),
	  .min = 16,
	  .flags = BC_SETTING_RESTART,
	  .help = "The key before the last change; used to look up what was stored with it." },

	{ .name = "click.ttl",
	  .type = &bc_setting_ms,
	  FIELD(click_ttl_ms),
	  .def = "24h",
	  .min = SECONDS,
	  .max = 365 * DAYS,
	  .help = "How long a click waits for its order. The Sovendus guide says 24 hours, its "
		  "present "
		  "text 30 days: **set `30d` in production**, or customers who decide the next day "
		  "are "
		  "lost." },
	{ .name = "order.adopt",
	  .type = &bc_setting_ms,
	  FIELD(order_adopt_ms),
	  .def = "15m",
	  .min = 0,
	  .max = 30 * DAYS,
	  .help = "How long an order without a click waits for one that arrives late." },
	{ .name = "order.keep",
	  .type = &bc_setting_ms,
	  FIELD(order_keep_ms),
	  .def = "90d",
	  .min = 0,
	  .max = 3650 * DAYS,
	  .help = "How long a finished order keeps its token, session and click. The order itself "
		  "and "
		  "its attempts stay: one hand-back an order, ever. `0` clears the token at "
		  "delivery, as the guide's clean-up asks." },

	{ .name = "retry.base",
	  .type = &bc_setting_ms,
	  FIELD(retry_base_ms),
	  .def = "2s",
	  .min = 1,
	  .max = HOURS,
	  .help = "Longest wait before the second attempt; doubles on each failure, up to "
		  "`retry.cap`. "
		  "The wait itself is drawn at random below that." },
	{ .name = "retry.cap",
	  .type = &bc_setting_ms,
	  FIELD(retry_cap_ms),
	  .def = "1h",
	  .min = 1,
	  .max = 7 * DAYS,
	  .help = "Longest wait between two attempts. Not below `retry.base`." },
	{ .name = "retry.deadline",
	  .type = &bc_setting_ms,
	  FIELD(retry_deadline_ms),
	  .def = "72h",
	  .min = 10,
	  .max = 365 * DAYS,
	  .help = "Age at which a conversion is given up (`expired`; `backchannel retry` brings it "
		  "back). Time in which its lane was parked or paused does not count." },

	{ .name = "delivery.connect_timeout",
	  .type = &bc_setting_ms,
	  FIELD(delivery_connect_timeout_ms),
	  .def = "5s",
	  .min = 10,
	  .max = 5 * MINUTES,
	  .help = "Longest wait for a connection to the partner." },
	{ .name = "delivery.timeout",
	  .type = &bc_setting_ms,
	  FIELD(delivery_timeout_ms),
	  .def = "30s",
	  .min = 10,
	  .max = 10 * MINUTES,
	  .help = "Longest time for one attempt as a whole; 30 s is the guide's. Below "
		  "`lane.lease`." },
	{ .name = "delivery.proxy",
	  .type = &bc_setting_text,
	  FIELD(delivery_proxy),
	  .flags = BC_SETTING_RESTART,
	  .check = bc_setting_check_proxy,
	  .allowed = "`http://host:port`, `https://`, `socks5://` or `socks5h://`, without a user",
	  .help = "Proxy for requests to the partner and for alerts. `http_proxy` and its like "
		  "are not honoured." },

	{ .name = "lane.concurrency",
	  .type = &bc_setting_count,
	  FIELD(lane_concurrency),
	  .def = "8",
	  .min = 1,
	  .max = 1024,
	  .help = "Attempts under way at once, in each lane." },
	{ .name = "lane.probe",
	  .type = &bc_setting_ms,
	  FIELD(lane_probe_ms),
	  .def = "15m",
	  .min = 10,
	  .max = 7 * DAYS,
	  .help = "How often a parked lane is probed with the partner's documented test token." },
	{ .name = "lane.lease",
	  .type = &bc_setting_ms,
	  FIELD(lane_lease_ms),
	  .def = "90s",
	  .min = 20,
	  .max = DAYS,
	  .help = "How long an attempt owns its conversion; after that another one may be made. "
		  "Longer "
		  "than `delivery.timeout`." },

	{ .name = "oauth.client_id",
	  .type = &bc_setting_text,
	  FIELD(oauth_client_id),
	  .max = 256,
	  .aliases = { "IMS_CLIENT_ID", "AIO_COMMERCE_AUTH_IMS_CLIENT_ID" },
	  .help = "Client ID of the OAuth server-to-server credential, from the Adobe Developer "
		  "Console. With the secret it switches Commerce on." },
	{ .name = "oauth.client_secret",
	  .type = &bc_setting_secret,
	  FIELD(oauth_client_secret),
	  .flags = BC_SETTING_KEY,
	  .aliases = { "IMS_CLIENT_SECRET", "AIO_COMMERCE_AUTH_IMS_CLIENT_SECRETS" },
	  .help = "Client secret of that credential. A JSON array of two, as Adobe's own tools "
		  "write it, is this one and the next." },
	{ .name = "oauth.client_secret_next",
	  .type = &bc_setting_secret,
	  FIELD(oauth_client_secret_next),
	  .flags = BC_SETTING_KEY,
	  .aliases = { "IMS_CLIENT_SECRET_NEXT" },
	  .help = "The credential's second secret, for rotation: used as soon as the first is "
		  "refused." },
	{ .name = "oauth.org_id",
	  .type = &bc_setting_text,
	  FIELD(oauth_org_id),
	  .max = 256,
	  .aliases = { "IMS_ORG_ID", "AIO_COMMERCE_AUTH_IMS_ORG_ID" },
	  .check = bc_setting_check_field_value,
	  .allowed = "what may stand in a header, such as `0A1B2C@AdobeOrg`",
	  .help = "Organization ID; sent to Commerce as `x-gw-ims-org-id`." },
	{ .name = "oauth.base_url",
	  .type = &bc_setting_text,
	  FIELD(oauth_base_url),
	  .def = "https://ims-na1.adobelogin.com",
	  .aliases = { "IMS_BASE_URL", "AIO_COMMERCE_AUTH_IMS_ENVIRONMENT" },
	  .check = bc_setting_check_ims,
	  .allowed = "an https URL without query or user, http only on loopback; or `prod`, "
		     "`stage`",
	  .help = "Where access tokens come from; `/ims/token/v3` is appended." },
	{ .name = "oauth.token_url",
	  .type = &bc_setting_text,
	  FIELD(oauth_token_url),
	  .check = bc_setting_check_base_url,
	  .allowed = "an https URL without query or user; http only on loopback",
	  .help = "The whole URL of another OAuth server's token endpoint, in place of "
		  "`oauth.base_url`." },
	{ .name = "oauth.scopes",
	  .type = &bc_setting_text,
	  FIELD(oauth_scopes),
	  .max = 4096,
	  .def = BC_CLIENT_SCOPES,
	  .aliases = { "IMS_SCOPES", "AIO_COMMERCE_AUTH_IMS_SCOPES" },
	  .check = bc_setting_check_scopes,
	  .allowed = "scopes parted by commas or blanks, or a JSON array of them; `none` sends "
		     "none",
	  .help = "What the access token is for. Copy the list of the credential in the Developer "
		  "Console: a scope that it lacks is refused." },
	{ .name = "oauth.scope_separator",
	  .type = &bc_setting_text,
	  FIELD(oauth_scope_separator),
	  .def = "comma",
	  .check = bc_setting_check_separator,
	  .allowed = "`comma` or `space`",
	  .help = "How scopes are joined: Adobe takes commas, RFC 6749 says a space." },
	{ .name = "oauth.auth",
	  .type = &bc_setting_text,
	  FIELD(oauth_auth),
	  .def = "body",
	  .check = bc_setting_check_auth,
	  .allowed = "`body` or `basic`",
	  .help = "Where client ID and secret stand in the token request: in its body, or in an "
		  "Authorization header." },
	{ .name = "oauth.timeout",
	  .type = &bc_setting_ms,
	  FIELD(oauth_timeout_ms),
	  .def = "10s",
	  .min = 10,
	  .max = 5 * MINUTES,
	  .help = "Longest time for one token request." },
	{ .name = "oauth.cache_file",
	  .type = &bc_setting_text,
	  FIELD(oauth_cache_file),
	  .max = 4000,
	  .def_docs = "off",
	  .allowed = "a file; made with mode 0600",
	  .help = "Where the access token is kept for other processes of the same user, so that a "
		  "hundred runs of `backchannel call` cost one token request. It holds the token "
		  "in "
		  "clear." },

	{ .name = "commerce.base_url",
	  .type = &bc_setting_text,
	  FIELD(commerce_base_url),
	  .aliases = { "API_ENDPOINT", "AIO_COMMERCE_API_BASE_URL" },
	  .check = bc_setting_check_base_url,
	  .allowed = "an https URL without query or user; http only on loopback",
	  .help = "Adobe Commerce's REST base. As a Cloud Service it ends in the tenant: "
		  "`https://na1.api.commerce.adobe.com/TENANT`. `API_ENDPOINT` is read only when "
		  "an "
		  "OAuth client is set." },
	{ .name = "commerce.flavor",
	  .type = &bc_setting_text,
	  FIELD(commerce_flavor),
	  .def = "auto",
	  .aliases = { "AIO_COMMERCE_API_FLAVOR" },
	  .check = bc_setting_check_flavor,
	  .allowed = "`auto`, `saas` or `paas`",
	  .help = "Which Commerce it is: as a Cloud Service (`saas`) the store view is a header, "
		  "else (`paas`) a part of the path. `auto` tells by the host." },
	{ .name = "commerce.proxy",
	  .type = &bc_setting_text,
	  FIELD(commerce_proxy),
	  .check = bc_setting_check_proxy,
	  .allowed = "`http://host:port`, `https://`, `socks5://` or `socks5h://`, without a user",
	  .help = "Proxy for requests to Commerce and to the token endpoint. `http_proxy` and its "
		  "like are not honoured." },
	{ .name = "commerce.ca_file",
	  .type = &bc_setting_text,
	  FIELD(commerce_ca_file),
	  .max = 4000,
	  .def_docs = "the system's",
	  .allowed = "a file of certificates in PEM",
	  .help = "Whose certificates are trusted of Commerce and of the token endpoint, instead "
		  "of the system's list: for a shop of one's own behind a private authority." },

	{ .name = "gateway.wait",
	  .type = &bc_setting_ms,
	  FIELD(gateway_wait_ms),
	  .def = "15s",
	  .min = 0,
	  .max = 10 * MINUTES,
	  .help = "How long a call waits for an access token, or while Commerce asks to be left "
		  "alone, before it is answered 503 or 429." },
	{ .name = "gateway.hold",
	  .type = &bc_setting_bytes,
	  FIELD(gateway_hold_bytes),
	  .def = "256KiB",
	  .min = 0,
	  .max = 16 * KIB * KIB,
	  .help = "Largest request body that is kept until the answer is there, so that the call "
		  "can be repeated after a 401 or a 429. A larger one streams, and is sent once." },
	{ .name = "gateway.timeout",
	  .type = &bc_setting_ms,
	  FIELD(gateway_timeout_ms),
	  .def = "60s",
	  .min = 10,
	  .max = HOURS,
	  .help = "Longest wait for Commerce's answer, and longest standstill of one that "
		  "streams." },
	{ .name = "gateway.allow",
	  .type = &bc_setting_list,
	  FIELD(gateway_allow),
	  .def_docs = "everything",
	  .check = bc_setting_check_rule,
	  .allowed = "`METHOD /prefix`, comma-separated; `*` is any method",
	  .help = "What programs may do through the gateway; all else is answered 403. `GET /V1` "
		  "alone makes it read-only." },

	{ .name = "alert.url",
	  .type = &bc_setting_secret,
	  FIELD(alert_url),
	  .max = 2048,
	  .check = bc_setting_check_secret_url,
	  .allowed = "an https URL, http only on loopback; a secret, since such URLs hold keys",
	  .help = "Where alerts are sent: one small JSON POST each time that a lane stops, or goes "
		  "on, or the return rate falls below `alert.return_rate`. Its `text` is what chat "
		  "webhooks show." },
	{ .name = "alert.return_rate",
	  .type = &bc_setting_count,
	  FIELD(alert_return_rate),
	  .def = "0",
	  .max = 100,
	  .help = "Alert when less than so many percent of the orders with a click of the last 24 "
		  "hours were handed back, product by product; `0` is never." },
	{ .name = "alert.return_rate_orders",
	  .type = &bc_setting_count,
	  FIELD(alert_return_rate_orders),
	  .def = "20",
	  .min = 1,
	  .max = 1000000,
	  .help = "A product with fewer orders with a click in the last 24 hours has no return "
		  "rate worth an alert." },
};
const size_t bc_setting_row_count = BC_COUNT(bc_setting_rows);

const struct bc_setting_row bc_product_rows[BC_PRODUCT_ROWS] = {
	[BC_PRODUCT_PARTNER] = { .name = "partner",
				 .type = &bc_setting_text,
				 PART(partner),
				 .def = "sovendus",
				 .check = bc_setting_check_partner,
				 .allowed = "`sovendus`",
				 .help = "Who gets the token back." },
	[BC_PRODUCT_ID] = { .name = "id",
			    .type = &bc_setting_text,
			    PART(id),
			    .max = 128,
			    .check = bc_setting_check_product_id,
			    .allowed = "letters, digits, `.`, `_`, `-`",
			    .help = "Product ID of this campaign. Required." },
	[BC_PRODUCT_KEY] = { .name = "key",
			     .type = &bc_setting_secret,
			     PART(key),
			     .flags = BC_SETTING_KEY,
			     .help = "API key of this campaign. Required." },
	[BC_PRODUCT_LANDING] = { .name = "landing",
				 .type = &bc_setting_text,
				 PART(landing),
				 .check = bc_setting_check_landing,
				 .allowed = "a path such as `/shoes/`",
				 .help = "Clicks whose landing path starts with this belong to "
					 "this "
					 "product; the longest prefix wins. Without it the product "
					 "is "
					 "chosen only by name, in a request's `product`." },
};
