/* SPDX-License-Identifier: MIT */
/*
 * `backchannel check` inside: a walk over hops, each of which says what it tried, what came back
 *and what to do.
 *
 *	check.c           the walk, the hops of this machine, what is printed
 *	check_net.c       what the ways share: a name, a TLS handshake, one request
 *	check_partner.c   the way of a click token to the partner
 *	check_commerce.c  the way of a call: the token endpoint, a token, Commerce
 */
#ifndef BC_CLI_CHECK_H
#define BC_CLI_CHECK_H

#include "base/secret.h"
#include "cli/cli.h"

enum check_verdict { CHECK_OK, CHECK_WARNING, CHECK_WRONG, CHECK_SKIPPED };

/* One line of the checklist. */
struct check_hop {
	const char *name;
	enum check_verdict verdict;
	char found[480];   /* what was tried and what came back */
	char hint[400];	   /* what to do; "" when nothing is */
	enum bc_exit exit; /* what this hop makes of the whole when it is wrong */
};

enum check_way { CHECK_HERE, CHECK_HANDBACK, CHECK_OAUTH, CHECK_COMMERCE };
enum { CHECK_WAYS = 4 };

struct check_walk {
	const struct bc_invocation *in;
	struct bc_settings *settings; /* a reference */
	bool local;		      /* the partner is on this machine: a sandbox */
	bool on[CHECK_WAYS];	      /* it is set, so its hops are shown */
	bool stop[CHECK_WAYS];	      /* its later hops cannot be tried */
	struct bc_secret *token;      /* owned; an access token that may be sent, or NULL */
};

void check_say(struct check_hop *h, enum check_verdict verdict, const char *fmt, ...)
	BC_PRINTF(3, 4);
void check_advise(struct check_hop *h, const char *fmt, ...) BC_PRINTF(2, 3);

/* --- check_net.c ----------------------------------------------------------------------------- */

/* Is the URL's host found? setting: the URL's, proxy_setting: that of proxy (NULL: none), for
 * words. */
void check_name(struct check_hop *h, const char *url, const char *proxy, const char *setting,
		const char *proxy_setting);
/* Can its host be reached, and is its certificate accepted? */
void check_tls(struct check_hop *h, const char *url, const char *proxy, const char *ca_file,
	       const char *setting, const char *proxy_setting);

/* One GET or HEAD of our own, told whole. */
struct check_answer {
	int status, error; /* 0, or as struct bc_http_answer's */
	char error_text[160];
	uint64_t duration_ms;
	struct bc_buf body; /* check_answer_finish frees it */
};
/* headers: NULL-terminated, or NULL; ca_file: NULL = the system's. 0, BC_EINVAL, BC_ENOMEM. */
BC_MUST_CHECK int check_ask(const char *method, const char *url, const char *const *headers,
			    const char *proxy, const char *ca_file, struct check_answer *ret,
			    struct bc_err *err);
void check_answer_finish(struct check_answer *a);

/* --- the ways' hops -------------------------------------------------------------------------- */

void check_partner_name(struct check_walk *w, struct check_hop *h);
void check_partner_test(struct check_walk *w, struct check_hop *h);

void check_oauth_name(struct check_walk *w, struct check_hop *h);
void check_oauth_tls(struct check_walk *w, struct check_hop *h);
void check_oauth_token(struct check_walk *w, struct check_hop *h);
void check_commerce_name(struct check_walk *w, struct check_hop *h);
void check_commerce_tls(struct check_walk *w, struct check_hop *h);
void check_commerce_call(struct check_walk *w, struct check_hop *h);

#endif
