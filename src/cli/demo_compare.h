/* SPDX-License-Identifier: MIT */
/*
 * `backchannel demo --compare` inside. Two shops have the same shoppers, who come by the same
 * landing URLs and place the same orders: one has the guide's sample, one has us. Each hands back
 * to a partner of its own, so that the partners' books, which alone count, do not mix; both
 * partners misbehave alike and at the same moment.
 *
 *	demo_compare.c		the journey: fault by fault, each with new books, a new daemon and a
 *				new cache
 *	demo_compare_faults.c	what happens in each fault
 *	demo_compare_shop.c	landing and order, in both shops; the books
 *	demo_compare_print.c	the table
 *	demo_sample.c		the guide's sample
 *
 * Time is cut by COMPARE_SPEED, for both: a minute of the world is six seconds here, the sample's
 * 30 s are three, and so are ours.
 */
#ifndef BC_CLI_DEMO_COMPARE_H
#define BC_CLI_DEMO_COMPARE_H

#include "cli/cli.h"
#include "cli/demo.h"
#include "cli/demo_sample.h"

enum { COMPARE_SPEED = 10 };
enum {
	COMPARE_MINUTE_MS = 60 * 1000 / COMPARE_SPEED,
	COMPARE_TIMEOUT_MS = 30 * 1000 / COMPARE_SPEED, /* the sample's, and delivery.timeout */
};

/* In every fault there are ten shoppers: two order before it, six are hit, two order after it.
 * Where tokens are dead, six more shoppers bring those. */
enum {
	COMPARE_HIT_FROM = 2,
	COMPARE_HIT_TO = 8,
	COMPARE_ORDERS = 10,
	COMPARE_SHOPPERS = 16,
	COMPARE_FAULTS = 8
};

struct compare_shopper {
	const char *order, *token, *url;
	const char *session_at_landing; /* NULL = the visitor has none yet */
	const char *session_at_order;
	const char *cookie; /* bc_click, as our shop set it at the landing; NULL = not captured */
};

/* What one shop's partner has in its books at the end of a fault. Dead tokens are in none but
 * asked. */
struct compare_side {
	int asked; /* requests that the partner got */
	int returned, lost, doubled;
	uint64_t longest_ms; /* an order waited in the shop */
};

struct compare_result {
	int orders, dead;
	struct compare_side sample, ours;
	unsigned sample_failures; /* that it logged */
	int unknown;		  /* our repeats that the ledger explains: an attempt is unknown */
	bool daemon_lost;	  /* it ended by itself or not as it should */
};

struct compare {
	struct demo *d;
	struct demo_sample sample;
	struct compare_shopper shoppers[COMPARE_SHOPPERS];
	size_t shopper_count;
	unsigned reports; /* orders that our shop waits for the daemon with */
	uint64_t longest_ms;
	bool daemon_lost; /* somebody ended the daemon, or it did not end well */
	struct compare_result results[COMPARE_FAULTS];
};

/* A fault. play: false when it could not be played; what hindered it is printed. */
struct compare_fault {
	const char *name;  /* in JSON */
	const char *title; /* in the table */
	const char *story;
	bool dead_tokens;
	bool (*play)(struct compare *c);
};
extern const struct compare_fault compare_faults[COMPARE_FAULTS];

/* demo_compare.c */
enum bc_exit demo_compare(struct demo *d, bool json);
/* Ends the daemon and starts it again, on the same store.
 * killed  by SIGKILL, not by SIGTERM
 * key     NULL = the right one */
bool compare_restart_daemon(struct compare *c, bool killed, const char *key);

/* demo_compare_shop.c. Those that return false have printed why, or were interrupted. */
/* New shoppers. */
void compare_invite(struct compare *c, bool dead_tokens);
/* These shoppers land, in both shops. */
bool compare_land(struct compare *c, size_t from, size_t to);
/* These shoppers order, in both shops at once; does not wait for anything. */
bool compare_order(struct compare *c, size_t from, size_t to);
/* Until both shops have answered their shoppers. */
bool compare_await_checkouts(struct compare *c);
/* The same, and until our daemon has nothing left to hand back, or can no longer. */
bool compare_settle(struct compare *c);
/* Until our daemon's lane is in this state, or the daemon is gone. */
bool compare_await_lane(struct compare *c, const char *state);
/* Lets time pass. */
bool compare_pass(struct compare *c, uint64_t ms);
/* Both partners go wrong by these rules, instead of those before; "" = no longer. */
bool compare_misbehave(struct compare *c, const char *spec);
/* Both partners' books as new, and no faults. */
bool compare_open_books(struct compare *c);
/* What is in them. */
bool compare_read_books(struct compare *c, struct compare_result *r);
/* Does the daemon run? Reaps it when it has ended. */
bool compare_daemon_runs(struct compare *c);

/* demo_compare_print.c */
bool compare_held(const struct compare_result *r);
/* On the demo's out, but for JSON, which goes to stdout. */
void compare_print_opening(const struct demo *d);
/* A fault's lines behind its story. */
void compare_print_result(struct demo *d, const struct compare_result *r);
void compare_print_table(const struct compare *c);
void compare_print_json(const struct compare *c, uint64_t duration_ms);
/* held: how many faults. */
void compare_print_closing(const struct compare *c, int held, uint64_t duration_ms);

#endif
