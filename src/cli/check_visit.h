/* SPDX-License-Identifier: MIT */
/*
 * A visit to a page of the shop, as a browser makes it: redirects followed by hand so that each
 * answer is seen, cookies kept and sent back. What leaves is a URL with a test token in it, nothing
 * else of ours.
 */
#ifndef BC_CLI_CHECK_VISIT_H
#define BC_CLI_CHECK_VISIT_H

#include "base/buf.h"
#include "cli/check.h"
#include "cli/check_cookie.h"

enum { VISIT_STEPS = 10, VISIT_URL_BYTES = 2048 };

/* One answer on the way. */
struct visit_step {
	char url[VISIT_URL_BYTES];
	char shown[256]; /* scheme, host and path: the query is nobody's business */
	int status;
	bool has_token; /* in the URL that was asked for */
	bool set_click;
	long age_s;	/* -1: no Age */
	char cache[64]; /* of a field that says that a cache answered; "" = none does */
};

struct visit {
	struct visit_step steps[VISIT_STEPS];
	size_t count;
	bool endless;	 /* more redirects than steps */
	char error[256]; /* "" = the last step is an answer */
	struct check_cookie cookie;
	size_t cookie_at;   /* step that set it last */
	struct bc_buf body; /* of the last answer, its first part */
};

/* 0, or BC_EINVAL (no URL) or BC_ENOMEM. visit_finish in either case. */
BC_MUST_CHECK int visit_make(const struct check_walk *w, const char *url, const char *param,
			     const char *token, struct visit *v, struct bc_err *err);
/* Tells a beacon of the landing, as the page's script would; its answer is step 0. */
BC_MUST_CHECK int visit_beacon(const struct check_walk *w, const char *endpoint,
			       const char *landing, struct visit *v, struct bc_err *err);
void visit_finish(struct visit *v);

/* The URL that a page at base means by link. False: none. */
bool visit_resolve(const char *base, const char *link, char *ret_url, size_t bytes);
/* url with param=token appended. False: it is no URL, or too long. */
bool visit_landing(const char *url, const char *param, const char *token, char *ret_url,
		   size_t bytes);

#endif
