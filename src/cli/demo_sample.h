/* SPDX-License-Identifier: MIT */
/*
 * The guide's sample, for `backchannel demo --compare`: a shop's integration that does what the
 * guide's Node and Python code does, no more and no less, faults included. It is the measure, so it
 * is never to be improved; where its two languages differ, demo_sample.c says which one is
 * followed.
 */
#ifndef BC_CLI_DEMO_SAMPLE_H
#define BC_CLI_DEMO_SAMPLE_H

#include "cli/demo.h"

enum { DEMO_SAMPLE_SESSIONS = 64 };

/* A line of its cache. */
struct demo_sample_entry {
	const char *key;   /* "sovendus_token_" and the session; in the demo's arena */
	const char *token; /* likewise; NULL = deleted */
};

struct demo_sample {
	struct demo *d;	      /* borrowed */
	const char *base_url; /* "http://host:port/ext" */
	const char *product_id, *api_key;
	uint32_t timeout_ms;
	FILE *console; /* borrowed; what it logs */

	struct demo_sample_entry cache[DEMO_SAMPLE_SESSIONS]; /* its own, from here */
	size_t cached;
	unsigned under_way;  /* orders that wait for the partner */
	unsigned failures;   /* that it logged, and forgot */
	uint64_t longest_ms; /* that an order has waited for the partner */
};

/* A landing. session: NULL, the visitor has none yet. */
void demo_sample_capture(struct demo_sample *s, const char *url, const char *session);
/* An order completes. The loop is stopped when it is done (under_way tells). */
void demo_sample_order(struct demo_sample *s, const char *session, const char *order);
/* The shop's process ends and starts again. No order may be under way. */
void demo_sample_restart(struct demo_sample *s);

#endif
