/* SPDX-License-Identifier: MIT */
/* What the two files of /v1/events/adobe share; private to them. */
#ifndef BC_DAEMON_EDGE_EVENTS_H
#define BC_DAEMON_EDGE_EVENTS_H

#include "core/event_keys.h"
#include "daemon/edge_impl.h"

struct edge_events {
	struct bc_fetcher *fetcher; /* owned */
	struct bc_event_keys *keys; /* owned */
	char *key_prefix;	    /* owned; events.key_path with its slash */
	struct edge_tally refused[BC_EVENTS_RESULTS];
	struct edge_tally strange_url;
	unsigned validating;   /* URLs that are being followed */
	uint64_t validated_ms; /* elapsed clock: when the last one was begun; 0: never */
};

/* Follows the URL of {"validationUrl":...} in the background if it may be followed, and answers the
 * call; false: the body is none. */
bool edge_validate(struct edge_call *call);

#endif
