/* SPDX-License-Identifier: MIT */
/*
 * `backchannel call` inside:
 *
 *	call.c          the command: reads the line, prints the answer
 *	call_way.c      how a call gets to Commerce: by a running daemon's gateway, else by a client
 *of our own call_daemon.c   the former: one call through /accs with its repeats call_pages.c
 *--paginate: a search from its first page to its last call_seen.c     which items of it have been
 *printed call_advice.c   what an answer's status means, and what helps
 */
#ifndef BC_CLI_CALL_H
#define BC_CLI_CALL_H

#include <backchannel/client.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"

enum { CALL_BODY_MAX_BYTES = 64 * 1024 * 1024, CALL_TIMEOUT_MS = 60 * 1000 };

/* What came back. */
struct call_answer {
	struct bc_client_answer got;
	char *head; /* owned; "Name: value" lines; what is known of it */
};
void call_answer_finish(struct call_answer *a); /* one that is all zero is fine */

struct call_way;
/* DONE with *ret set, or the exit code of a failure that was printed. */
enum bc_exit call_way_open(const struct bc_invocation *in, struct call_way **ret);
void call_way_close(struct call_way *w); /* NULL is fine */
/*
 * One call with its repeats, by the rules of the client (see <backchannel/client.h>). The first one
 * finds out whether a daemon runs; the others go the same way.
 * result  0: there is an answer of Commerce, whatever its status; else as bc_client_call, and
 *         nothing was printed
 */
BC_MUST_CHECK int call_way_ask(struct call_way *w, const struct bc_client_request *request,
			       struct call_answer *ret, struct bc_err *err);

/* --- by the daemon --------------------------------------------------------------------------- */

struct call_daemon;
BC_MUST_CHECK int call_daemon_open(const struct bc_settings *s, struct call_daemon **ret,
				   struct bc_err *err);
void call_daemon_close(struct call_daemon *d); /* NULL is fine */
/* As call_way_ask; *ret_absent: nobody listens there (and the result is BC_EUNREACH). */
BC_MUST_CHECK int call_daemon_ask(struct call_daemon *d, const struct bc_client_request *request,
				  struct call_answer *ret, bool *ret_absent, struct bc_err *err);

/* --- a search -------------------------------------------------------------------------------- */

/* request: a GET. lines: an item a line instead of one document. Prints, also its failures. */
enum bc_exit call_pages(const struct bc_invocation *in, struct call_way *way,
			const struct bc_client_request *request, bool lines, FILE *to);

/* Ids and the like, each of them once. All zero is empty. */
struct call_seen {
	uint64_t *slots; /* owned; 0: empty */
	size_t slot_count, count;
};
void call_seen_finish(struct call_seen *s);
/* 1: it is new, and is in now; 0: it was there; BC_ENOMEM. */
BC_MUST_CHECK int call_seen_add(struct call_seen *s, struct bc_str text);

/* --- words ----------------------------------------------------------------------------------- */

struct call_advice {
	int status_from, status_to;
	const char *said;    /* must stand in Commerce's words, case ignored; NULL: anything */
	const char *meaning; /* NULL: its own words do */
	const char *hint;
};
/* What to say of a status of 300 or more; never NULL. */
const struct call_advice *call_advise(int status, const char *said);
/* Says so on stderr. Returns REFUSED for 3xx and 4xx, FAILED for 5xx. */
enum bc_exit call_fail(const struct bc_client_answer *answer);
/* A problem answer of the daemon's own, as an error. problem: NULL is fine. Returns err's code. */
int call_refused(const json_t *problem, int status, struct bc_err *err);

#endif
