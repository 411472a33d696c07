/* SPDX-License-Identifier: MIT */
/*
 * `backchannel demo` inside: a stage (a partner, daemons, a folder for their traces), the steps
 * that are walked on it, and the words that tell what was sent and seen.
 *
 *	demo.c           the command: sets the stage, walks the table of steps, clears up
 *	demo_compare.c   the other journey: the guide's sample beside us (see demo_compare.h)
 *	demo_steps.c     the guide's own test list on a good day
 *	demo_trouble.c   what goes wrong on a bad one
 *	demo_commerce.c  Adobe Commerce: the guide's calls, and what its sample does not survive
 *	demo_join.c      orders by Adobe Commerce: a landing, a cart, an event, with no code of a
 *shop demo_away.c      the same while the daemon is away; orders that the shop takes back
 *	demo_nginx.c     the shop's web server, where one is installed
 *	demo_daemon.c    the daemons and the partner: their settings, what they are asked
 *	demo_process.c   processes: started, awaited, ended, never left behind
 *	demo_http.c      one HTTP request, and what is expected of its answer
 *	demo_print.c     everything that is printed
 *
 * One thread. Whoever waits does so on the stage's loop, where Ctrl-C is heard.
 */
#ifndef BC_CLI_DEMO_H
#define BC_CLI_DEMO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/signals.h"

enum { DEMO_WAIT_MS = 10 * 1000, DEMO_POLL_MS = 10, DEMO_ADDRESS_BYTES = 64 };

/* The guide's sample values. */
#define DEMO_PRODUCT "9bc72425-902c-3abf-9db8-8b186d7cb160"
#define DEMO_KEY     "XXXX-XXXXX-XXXXXX-XXX"
/* Tokens of the orders that a kill hits: the guide's production one, and its neighbour. */
#define DEMO_TOKEN_KILLED "12a3b-4c5d-6e7-8f9g0"
#define DEMO_TOKEN_UNSENT "12a3b-4c5d-6e7-8f9g1"

/* The Commerce guide's sample values, as they are once step 14 has replaced the secret. */
#define DEMO_CLIENT_ID	   "your_client_id"
#define DEMO_CLIENT_SECRET "your_next_secret"
#define DEMO_ORG_ID	   "your_org_id"
#define DEMO_TENANT	   "/your_tenant"
#define DEMO_SKU	   "MUG-BLUE"

/* A long-lived process of ours. */
struct demo_child {
	const char *name;		  /* "daemon", for people */
	const char *folder;		  /* where it runs; NULL = the stage's */
	const char *log;		  /* path of what it prints; grows over its lives */
	size_t log_start;		  /* where this life's part begins */
	pid_t pid;			  /* 0 = not running */
	char address[DEMO_ADDRESS_BYTES]; /* host:port */
	char edge[DEMO_ADDRESS_BYTES];	  /* of a daemon's public listener; "" = none known */
	uint64_t ready_ms;		  /* elapsed clock */
};

struct demo_answer {
	int status;
	json_t *json; /* owned; NULL when the body is no JSON */
	char *text;   /* owned; the body; NULL when there was no answer */
	char *cookie; /* owned; the first Set-Cookie line's value; NULL = none */
	uint64_t duration_ms;
	char error[160]; /* when status is 0 */
};

/* What the joined steps hand on, in arena. */
struct demo_joined {
	const char *shop;  /* host:port where the daemon's public paths are reached */
	const char *click; /* the value of the visitor's click cookie */
	const char *order; /* its number in Commerce */
	const char *entity_id;
};

struct demo {
	struct bc_loop *loop;
	struct bc_http_client *client;
	struct bc_timer *timer;
	struct bc_signal *signals[3];
	struct bc_arena *arena; /* paths and environments */
	const char *dir;	/* the temporary folder, in arena; NULL = not made yet */
	struct demo_child sandbox, daemon, other; /* other: the daemon with a short click.ttl */
	struct demo_child commerce;		  /* the daemon that has the second guide's .env */
	struct demo_child nginx;		  /* the joined shop's web server */
	struct demo_child sample_partner;	  /* a sandbox of its own for the guide's sample */
	struct demo_answer answer;		  /* to the last request */
	char *output;				  /* owned; of the last command that was run */
	const char *click;			  /* of the first landing, in arena */
	struct demo_joined joined;
	FILE *out; /* where it is told: stdout, but stderr when that is for JSON */
	bool interrupted;
	bool colour;
	int facts;
};

/* One more environment variable for a daemon; a list ends with a row without a name. */
struct demo_setting {
	const char *name, *value;
};

/* A step of the journey. walk: true when everything in it held; what did not is printed. */
struct demo_step {
	const char *title;
	bool (*walk)(struct demo *d);
};

/* demo_steps.c */
bool demo_step_landing(struct demo *d);
bool demo_step_expiry(struct demo *d);
bool demo_step_order(struct demo *d);
bool demo_step_once(struct demo *d);
bool demo_step_cleanup(struct demo *d);
/* demo_trouble.c */
bool demo_step_invalid(struct demo *d);
bool demo_step_wrong_key(struct demo *d);
bool demo_step_partner_down(struct demo *d);
bool demo_step_killed(struct demo *d);

/* demo_commerce.c */
bool demo_step_commerce(struct demo *d);
bool demo_step_one_token(struct demo *d);
bool demo_step_pause(struct demo *d);
bool demo_step_dead_token(struct demo *d);
bool demo_step_rotation(struct demo *d);
/* Needs the sandbox. The steps before give its token the age that one has to have to be renewed. */
bool demo_start_commerce(struct demo *d);

/* demo_join.c; the first one starts another daemon in the place of the first. */
bool demo_step_visitor(struct demo *d);
bool demo_step_cart(struct demo *d);
bool demo_step_event(struct demo *d);
/* demo_away.c; it stops the sandbox. */
bool demo_step_away(struct demo *d);
/* demo_join.c: starts the joined daemon.
 * edge  where its public listener is to be; it is known as d->daemon.edge then */
bool demo_start_joined(struct demo *d, const char *edge);
/* Waits until the sender of events has nothing under way but what it will try again later, and that
 * is so many deliveries; its books are d->answer then. */
bool demo_await_sender(struct demo *d, int waiting);

/* demo_nginx.c: starts one that has our recipe in it, and passes the public paths on to the daemon.
 * *ret_started false: there is none, or it does not start; it is said. Returns false only when
 * nothing can go on. */
bool demo_start_nginx(struct demo *d, bool *ret_started);

/* demo_daemon.c. Each prints what fails and returns false then. */
bool demo_start_sandbox(struct demo *d, struct demo_child *sandbox);
/* settings: for this life, besides or instead of the demo's own; NULL = none. */
bool demo_start_daemon(struct demo *d, struct demo_child *daemon,
		       const struct demo_setting *settings);
/* Its log says where its public listener is: that is daemon->edge then. */
bool demo_learn_edge(struct demo *d, struct demo_child *daemon);
/* SIGHUP, and waits until the log says that the settings are in force: a fact. */
bool demo_reload(struct demo *d, struct demo_child *daemon, const char *what);
bool demo_capture(struct demo *d, const struct demo_child *daemon, const char *token,
		  const char *session);
/* Reports an order that is to become a conversion: 202 at once. name: "session" or "click". */
bool demo_order(struct demo *d, const char *order, const char *name, const char *value);
/* Waits until this field of the order's story has this value, and keeps the story as d->answer. */
bool demo_await(struct demo *d, const char *order, const char *field, const char *value,
		const char *what);
/* Runs the program with these words (ended by NULL), prints its output, and expects the exit code.
 */
bool demo_command(struct demo *d, const char *const *words, int exit_code, const char *what);
/* The same without printing, unless it goes wrong; what it printed is d->output. */
bool demo_run(struct demo *d, const char *const *words, int exit_code, const char *what);
bool demo_explain(struct demo *d, const char *order);
/* A request to the sandbox, which must be answered so; the answer is d->answer. */
bool demo_tell_sandbox(struct demo *d, const char *method, const char *path, const char *body,
		       int status);
bool demo_set_faults(struct demo *d, const char *spec);
/* The requests that the partner got with this token, as d->answer. */
bool demo_partner_requests(struct demo *d, const char *token);
/* How often the partner took this token; -1, and printed, when that cannot be learnt. */
int demo_times_taken(struct demo *d, const char *token);
/* A fact: how often the partner was asked with this token, and how often it took it. */
bool demo_partner_counts(struct demo *d, const char *token, int asked, int taken, const char *what);

/* demo_process.c */
struct demo_program {
	const char *name; /* its argv[0] */
	const char *path;
	int end_signal; /* what the kernel sends it when the demo is gone */
};
BC_MUST_CHECK int demo_spawn_program(const struct demo_program *program, const char *folder,
				     const char *const *words, char *const *environment,
				     const char *output, pid_t *ret_pid, struct bc_err *err);
/* Starts this very program with these words. output: a path to append to. 0 or an error. */
BC_MUST_CHECK int demo_spawn(const char *folder, const char *const *words, char *const *environment,
			     const char *output, pid_t *ret_pid, struct bc_err *err);
/* Has it ended? Then *ret_status is as waitpid gives it, and it is reaped. */
bool demo_ended(pid_t pid, int *ret_status);
/* Waits for the end, at most DEMO_WAIT_MS. */
bool demo_wait_end(struct demo *d, pid_t pid, int *ret_status);
/* SIGKILL, to what it started as well, and waits until it is gone. Nothing to do for one that does
 * not run. */
void demo_kill(struct demo_child *child);
/* SIGTERM, and expects a good end within DEMO_WAIT_MS; of one that does not run, too. */
bool demo_stop(struct demo *d, struct demo_child *child);
/* Lets ms pass on the loop. false: interrupted. */
bool demo_sleep(struct demo *d, uint64_t ms);
/* The whole file, as far as it could be read. The caller finishes ret_text in any case. */
bool demo_read_file(const char *path, struct bc_buf *ret_text);
/* "it ended with exit code 1", "it was ended by signal 9 (Killed)" */
const char *demo_end_text(int status, char *text, size_t bytes);

/* demo_http.c */
/* One request; the answer is in d->answer. host: "127.0.0.1:8787". false: interrupted, no memory.
 */
bool demo_ask(struct demo *d, const char *host, const char *method, const char *path,
	      const char *body);
/* The same, with what was sent and what came printed. */
bool demo_ask_aloud(struct demo *d, const char *host, const char *method, const char *path,
		    const char *body);
/* The text of a field of the last answer, such as "click.id" or "attempts.0.outcome"; numbers and
 * truth values as JSON writes them; "" when absent. In arena. */
const char *demo_field(struct demo *d, const char *path);
/* Expectations on the last answer; each is a fact that is printed. */
bool demo_expect_status(struct demo *d, int status, const char *what);
bool demo_expect_field(struct demo *d, const char *path, const char *value, const char *what);
void demo_answer_finish(struct demo_answer *a);

/* demo_print.c */
void demo_print_step(const struct demo *d, int n, const char *title);
void demo_note(const struct demo *d, const char *fmt, ...) BC_PRINTF(2, 3);
/* A text of several lines, each behind a margin. */
void demo_print_block(const struct demo *d, const char *margin, const char *text);
/* A fact: what must be, and did it? came: printed when it did not. Returns held. */
bool demo_expect(struct demo *d, bool held, const char *what, const char *came);
bool demo_fail(struct demo *d, const char *what, const struct bc_err *err);
/* A text in the arena, as lasting as d; "" without memory. */
const char *demo_text(struct demo *d, const char *fmt, ...) BC_PRINTF(2, 3);
void demo_print_opening(const struct demo *d);
void demo_print_next(const struct demo *d);
void demo_print_logs(const struct demo *d);
void demo_print_closing(const struct demo *d, int held, int steps, uint64_t duration_ms);

#endif
