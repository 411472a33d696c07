/* SPDX-License-Identifier: MIT */
/*
 * Settings: what the shop's engineer decided, read from environment, .env, INI file and defaults,
 * checked as a whole, and handed out as one immutable counted snapshot. A reload makes a second
 * snapshot and the daemon swaps; whoever holds the first keeps it valid.
 *
 * Everything that is known about a setting stands in one row of settings_table.c: names, unit,
 * bounds, default, help. The parser, `config show`, `config lint`, docs/settings.md, the commented
 * example and the manual page backchannel.conf(5) are all read off those rows.
 *
 * Highest first: for an address, the socket that a service manager passed for it (activation.h);
 * the real environment (systemd credentials belong to it); .env in the working
 * directory; the first of --config, BACKCHANNEL_CONFIG, ./backchannel.conf and
 * /etc/backchannel/backchannel.conf; defaults. An empty value is no value.
 *
 * Loading says nothing about whether a daemon could start: the command line reads orders without
 * credentials. bc_settings_check_startable decides that.
 *
 * Snapshots may be used from any thread. Loading may not run twice at once (the INI parser keeps
 * its options in globals).
 */
#ifndef BC_DAEMON_SETTINGS_H
#define BC_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <backchannel/commerce.h>
#include <backchannel/partner.h>
#include <backchannel/token.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/activation.h"
#include "daemon/partner_book.h"

enum { BC_PRODUCT_LABEL_MAX = 40 };

/* A campaign at a partner. Until bc_settings_check_startable agreed, id or key may be NULL. */
struct bc_settings_product {
	char *label; /* [a-z0-9_-]+; "default" is the SOVENDUS_* pair */
	char *partner;
	char *id;
	struct bc_secret *key;
	char *landing;	/* path prefix of its landing pages; NULL: chosen only by name */
	char *base_url; /* as written; NULL: see url */
	/* What partner names; of settings' partners. NULL only while settings are loaded. */
	const struct bc_partner *definition;
	uint64_t edition; /* differs where the definition's text does */
	const char *url;  /* where its tokens go; NULL: the partner has no address of its own, and
			     none is given */
};

/* Immutable; all pointers are owned by the snapshot and valid while it is held. */
struct bc_settings {
	/* "default" first when it is set, the others in the order of their labels. */
	struct bc_settings_product *products;
	size_t product_count;
	struct bc_partner_book *partners; /* never NULL once loaded */

	char *sovendus_base_url;		/* no trailing slash */
	char **sovendus_params;			/* at least one, ended by NULL */
	struct bc_token_pattern *token_pattern; /* compiled; NULL: off */

	/* What was passed, to serve by instead of making a socket; the addresses below say where.
	 */
	struct bc_activation sockets;
	char *listen;		     /* "host:port" or "unix:PATH" */
	char *url;		     /* where the command line finds the daemon; never NULL */
	struct bc_secret *api_token; /* NULL: none asked */
	char *store;		     /* "sqlite:PATH", "memory:" */
	char *state;		     /* directory */
	enum bc_log_level log_level;
	bool log_json;

	uint64_t http_connections;
	uint64_t http_body_bytes;
	uint64_t http_head_timeout_ms;
	char **http_hosts; /* further Host names, lower case, ended by NULL; NULL: none */

	char *edge, *input, *input_group; /* NULL: off, off, the daemon's own */
	uint64_t edge_rate_per_hour, edge_burst;
	char **edge_trusted_proxies; /* addresses and networks, ended by NULL; NULL: none further */
	char *edge_cookie_domain;    /* NULL: host-only */

	struct bc_secret *hash_key; /* NULL: the state directory's own */
	struct bc_secret *hash_key_previous;

	uint64_t click_ttl_ms;
	uint64_t order_adopt_ms;
	uint64_t order_keep_ms;

	uint64_t retry_base_ms;
	uint64_t retry_cap_ms;
	uint64_t retry_deadline_ms;

	uint64_t delivery_connect_timeout_ms;
	uint64_t delivery_timeout_ms;
	char *delivery_proxy; /* NULL: none */

	uint64_t lane_concurrency;
	uint64_t lane_probe_ms;
	uint64_t lane_lease_ms;

	/* Commerce is on when there is a client id; then secret and base URL are there too, once
	 * bc_settings_check_startable agreed. */
	char *oauth_client_id;
	struct bc_secret *oauth_client_secret, *oauth_client_secret_next;
	char *oauth_org_id;
	char *oauth_endpoint; /* where tokens are asked for */
	char *oauth_scope;    /* as it is sent; may be "" */
	bool oauth_basic;
	uint64_t oauth_timeout_ms;
	char *oauth_cache_file;

	char *commerce_base_url;	     /* no trailing slash */
	enum bc_commerce_flavor commerce_is; /* never AUTO */
	char *commerce_proxy, *commerce_ca_file;
	char **commerce_completed; /* order states, ended by NULL */
	char *commerce_click_attribute;
	char **commerce_comments;  /* "delivered", "rejected", ended by NULL; NULL: none */
	uint64_t commerce_pull_ms; /* 0: only when asked */
	char *events_client_id;	   /* NULL: no events are taken */
	char *events_key_url, *events_key_path, *events_validate_url;
	char *journal_url; /* NULL: off */
	struct bc_secret *webhook_key, *webhook_key_next;
	uint64_t gateway_wait_ms, gateway_hold_bytes, gateway_timeout_ms;
	char **gateway_allow; /* "METHOD /prefix", ended by NULL; NULL: everything */

	struct bc_secret *alert_url; /* NULL: no alerts */
	uint64_t alert_return_rate;  /* percent; 0: off */
	uint64_t alert_return_rate_orders;

	/* As written; what the daemon uses are products[0], token_pattern, log_level above. */
	char *sovendus_product_id;
	struct bc_secret *sovendus_api_key;
	char *token_pattern_text;
	char *oauth_base_url, *oauth_token_url, *oauth_scopes, *oauth_scope_separator, *oauth_auth;
	char *commerce_flavor;
	char *log;
};

/* --- what loading found -------------------------------------------------------------------- */

enum bc_settings_severity { BC_SETTINGS_WARNING, BC_SETTINGS_ERROR };

struct bc_settings_finding {
	enum bc_settings_severity severity;
	char *where; /* "backchannel.conf:12", "environment BACKCHANNEL_LISTEN"; may be "" */
	struct bc_err problem; /* text and hint */
};

/* All of them, in the order of finding: a settings file is mended in one go, not error by error. */
struct bc_settings_report {
	struct bc_settings_finding *findings; /* owned */
	size_t count, errors;
};

void bc_settings_report_init(struct bc_settings_report *report);
void bc_settings_report_finish(struct bc_settings_report *report);
/* "error: WHERE: text" and the hint indented below it, one after the other. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_settings_report_print(const struct bc_settings_report *report,
					   struct bc_buf *out);

/* --- loading ------------------------------------------------------------------------------- */

struct bc_settings_source {
	const char *config_path;   /* --config; NULL: search for one */
	char *const *environment;  /* as environ; NULL: none, and then no .env either */
	const char *cwd;	   /* where .env and ./backchannel.conf are; NULL: "." */
	const char *fallback_path; /* NULL: /etc/backchannel/backchannel.conf */
	bool again;		   /* a reload: a settings file that is a pipe has been read */
	/* Passed by a service manager: they go before every other place. NULL: none. Borrowed. */
	const struct bc_activation *sockets;
};

/*
 * Reads and checks everything.
 * ret_settings  one reference, the caller's; untouched on failure
 * report        initialised by the caller; gets all errors and warnings, also on success. A wrong
 *               name (nearest known one in the hint) is a warning here
 * result        0; BC_EINVAL: the report has errors and err is the first of them; BC_ENOMEM
 */
BC_MUST_CHECK int bc_settings_load(const struct bc_settings_source *source,
				   struct bc_settings **ret_settings,
				   struct bc_settings_report *report, struct bc_err *err);

/* Where definitions of partners are looked for, with settings that may be wrong otherwise. Heap;
 * NULL: no memory. */
BC_MUST_CHECK char *bc_settings_partner_folder(const struct bc_settings_source *source);

struct bc_settings *bc_settings_ref(struct bc_settings *s);
void bc_settings_unref(struct bc_settings *s); /* NULL is fine */

/*
 * May a daemon start with these? Refuses, naming what is missing, when there is neither a product
 * nor an OAuth client, when one has half of what it needs, and when the API could be reached from
 * other machines without a token. 0, BC_EINVAL (err is the first reason, report has all) or
 * BC_ENOMEM. report may be NULL.
 */
BC_MUST_CHECK int bc_settings_check_startable(const struct bc_settings *s,
					      struct bc_settings_report *report,
					      struct bc_err *err);

/* --- reload (settings_reload.c): each 0 or BC_ENOMEM -------------------------------------------
 */

/* May a daemon that was started with before go on with after? As bc_settings_check_startable, and
 * refuses to take the token off a listener that stays until a restart. Also BC_EINVAL. */
BC_MUST_CHECK int bc_settings_check_reload(const struct bc_settings *before,
					   const struct bc_settings *after,
					   struct bc_settings_report *report, struct bc_err *err);

/* A warning for each setting that differs and takes effect only at a restart. before: the snapshot
 * that the daemon was started with. */
BC_MUST_CHECK int bc_settings_restart_needed(const struct bc_settings *before,
					     const struct bc_settings *after,
					     struct bc_settings_report *report);

/* A warning for each value that was changed where a higher place hides it: in a file, while the
 * environment of this process says otherwise. */
BC_MUST_CHECK int bc_settings_hidden(const struct bc_settings *before,
				     const struct bc_settings *after,
				     struct bc_settings_report *report);

/* Names of what a daemon does differently by after, parted by ", "; nothing if nothing. Of secrets
 * the name alone, of product keys with both fingerprints: "click.ttl, product.hats added,
 * sovendus.api_key (0a1b2c3d to 4e5f6071)". Also BC_ETOOBIG: out is full. */
BC_MUST_CHECK int bc_settings_changes(const struct bc_settings *before,
				      const struct bc_settings *after, struct bc_buf *out);

/* Calls visit for each secret that is set, product keys included, until it returns other than 0;
 * returns that, or 0. */
int bc_settings_each_secret(const struct bc_settings *s,
			    int (*visit)(void *ctx, struct bc_secret *secret), void *ctx);

/*
 * `config lint`: as loading, but wrong names are errors and what is merely unwise (a secret that
 * others can read) is a warning.
 * file    lint this file alone, without environment; NULL: all that source names, and whether a
 *         daemon could start with it
 * result  as bc_settings_load
 */
BC_MUST_CHECK int bc_settings_lint(const struct bc_settings_source *source, const char *file,
				   struct bc_settings_report *report, struct bc_err *err);

/* Does "host:port" or "unix:PATH" stay on this machine? Names other than localhost: no. */
bool bc_settings_listen_is_local(const char *listen);

/* --- showing and documenting: each 0, BC_ENOMEM or BC_ETOOBIG (out's ceiling) ---------------- */

/* NAME VALUE SOURCE, a line each; secrets as "set" or "missing", unset values as "-". */
BC_MUST_CHECK int bc_settings_show_text(const struct bc_settings *s, struct bc_buf *out);
/* {"settings":[{"name","value","source","environment"}]}; value null: not set. */
BC_MUST_CHECK int bc_settings_show_json(const struct bc_settings *s, struct bc_buf *out);

/* docs/settings.md, backchannel.conf(5) in mdoc, packaging/backchannel.conf. */
BC_MUST_CHECK int bc_settings_markdown(struct bc_buf *out);
BC_MUST_CHECK int bc_settings_mdoc(struct bc_buf *out);
BC_MUST_CHECK int bc_settings_example(struct bc_buf *out);

#endif
