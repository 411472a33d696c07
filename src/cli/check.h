/* SPDX-License-Identifier: MIT */
/*
 * `backchannel check` inside: a walk over hops, each of which says what it tried, what came back,
 * how long that took and what to do.
 *
 *	check.c           the table of hops, the walk, what is printed
 *	check_here.c      this machine: settings, secrets' files, clock, state directory, limits
 *	check_daemon.c    the store and the running daemon
 *	check_net.c       what the ways share: a name, one request
 *	check_tls.c       a connection and its certificate
 *	check_partner.c   the way of a click token to the partners
 *	check_commerce.c  the way of a call: the token endpoint, a token, Commerce
 *	check_intake.c    what comes in: public listener, datagrams, journal, events; alerts
 *	check_landing.c   --landing: a page of the shop, as a visitor's browser asks for it
 *	check_cookie.c    the click cookie that it brings
 */
#ifndef BC_CLI_CHECK_H
#define BC_CLI_CHECK_H

#include <jansson.h>

#include "base/secret.h"
#include "cli/cli.h"
#include "core/shop.h"

enum check_verdict {
	CHECK_OK,
	CHECK_WARNING,
	CHECK_WRONG,
	CHECK_SKIPPED, /* could not be tried, and says why */
	CHECK_SILENT   /* there is nothing to say: no line */
};

/* One line of the checklist. */
struct check_hop {
	const char *group, *name;
	size_t index; /* which of several of its kind: a product, a base URL */
	enum check_verdict verdict;
	char tried[400];   /* "" when the name says it */
	char found[480];   /* what came back */
	char hint[400];	   /* what to do; "" when nothing is */
	enum bc_exit exit; /* what this hop makes of the whole when it is wrong */
	uint64_t ms;
};

/* Ways: a hop on one is shown where the way is set, and skipped where an earlier hop of it failed.
 */
enum check_way {
	CHECK_HERE,
	CHECK_DAEMON,
	CHECK_HANDBACK,
	CHECK_OAUTH,
	CHECK_COMMERCE,
	CHECK_INTAKE,
	CHECK_LANDING
};
enum { CHECK_WAYS = 7 };

struct check_landing; /* check_landing.c */

struct check_walk {
	const struct bc_invocation *in;
	struct bc_settings *settings;  /* a reference */
	struct bc_shop_config *config; /* a reference; the products and their partners */
	bool local;		       /* all partners are on this machine: a sandbox */
	bool on[CHECK_WAYS];	       /* it is set, so its hops are shown */
	bool stop[CHECK_WAYS];	       /* its later hops cannot be tried */
	struct bc_secret *token;       /* owned; an access token that may be sent, or NULL */
	json_t *summary;	       /* owned; see check_summary */
	bool summary_asked;
	bool *lost;	 /* owned; by product: its partner is not reachable */
	uint64_t end_ms; /* no later than this; elapsed clock */
	int64_t skew_ms; /* how far the others' clock is ahead of ours */
	bool skew_known;
	const char *landing_url; /* NULL: not asked for */
	struct check_landing *landing;
};

void check_say(struct check_hop *h, enum check_verdict verdict, const char *fmt, ...)
	BC_PRINTF(3, 4);
void check_advise(struct check_hop *h, const char *fmt, ...) BC_PRINTF(2, 3);
void check_try(struct check_hop *h, const char *fmt, ...) BC_PRINTF(2, 3);
/* How long a request may take: less than it would, when the walk has to end. */
uint32_t check_time_left_ms(const struct check_walk *w, uint32_t wanted_ms);

/* --- check_net.c ----------------------------------------------------------------------------- */

/* What of a URL says where it leads. */
struct check_place {
	char scheme[8], host[256], port[16];
};
bool check_read_place(const char *url, struct check_place *p);

/* Is the URL's host found? setting: the URL's, proxy_setting: that of proxy (NULL: none), for
 * words. */
void check_name(const struct check_walk *w, struct check_hop *h, const char *url, const char *proxy,
		const char *setting, const char *proxy_setting);

/* One GET or HEAD of our own, told whole. */
struct check_answer {
	int status, error; /* 0, or as struct bc_http_answer's */
	char error_text[160];
	uint64_t duration_ms;
	struct bc_buf body; /* check_answer_finish frees it */
};
/* headers: NULL-terminated, or NULL; ca_file: NULL = the system's. 0, BC_EINVAL, BC_ENOMEM. */
BC_MUST_CHECK int check_ask(const struct check_walk *w, const char *method, const char *url,
			    const char *const *headers, const char *proxy, const char *ca_file,
			    struct check_answer *ret, struct bc_err *err);
void check_answer_finish(struct check_answer *a);

/* --- check_tls.c ----------------------------------------------------------------------------- */

struct check_peer {
	const char *url, *proxy, *ca_file;   /* proxy and ca_file may be NULL */
	const char *setting, *proxy_setting; /* for words */
	bool unnamed;			     /* the host is nobody's business: not told */
	bool silent;			     /* nothing is sent to it, not even a HEAD */
};
/* Can its host be reached, is its certificate accepted and for how long? Notes what its clock says.
 */
void check_tls(struct check_walk *w, struct check_hop *h, const struct check_peer *peer);

/* --- check_daemon.c -------------------------------------------------------------------------- */

/* What the running daemon tells of itself (GET /v1/summary), asked once; NULL: none answers, or it
 * refuses. */
const json_t *check_summary(struct check_walk *w);

/* --- hops ------------------------------------------------------------------------------------ */

typedef void check_function(struct check_walk *w, struct check_hop *h);

/* What there is to walk, and what is too incomplete for it. */
void check_lay_ways(struct check_walk *w);
check_function check_settings, check_files, check_clock, check_skew, check_state, check_limits;

check_function check_store, check_daemon, check_lanes, check_pending;

check_function check_partner_name, check_partner_tls, check_partner_test;

check_function check_oauth_name, check_oauth_tls, check_oauth_token;
check_function check_commerce_name, check_commerce_tls, check_commerce_call, check_commerce_orders;

check_function check_edge, check_input, check_journal, check_events, check_webhook, check_alerts;

check_function check_landing_page, check_landing_query, check_landing_cache, check_landing_cookie,
	check_landing_script, check_landing_daemon;
void check_landing_destroy(struct check_landing *l); /* NULL is fine */

#endif
