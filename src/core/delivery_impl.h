/* SPDX-License-Identifier: MIT */
/*
 * What the files of delivery share: delivery.c (leasing, life), job.c (one conversion on its way),
 * lanes.c (states), lane_probe.c (the test token), lane_record.c (how a lane stands, on disk) and
 * lane_commands.c (the operator). All of it runs on the delivery loop's thread.
 */
#ifndef BC_CORE_DELIVERY_IMPL_H
#define BC_CORE_DELIVERY_IMPL_H

#include <pthread.h>

#include "core/delivery.h"
#include "core/handback.h"

struct lane;

/* One leased conversion on its way. */
struct job {
	struct lane *lane;	/* borrowed */
	struct bc_arena *arena; /* owned; holds everything below, itself included */
	struct bc_order order;
	struct bc_handback handback;
	struct bc_store_op finish;
	bool trial;		       /* the one that a lane which does not send lets out */
	bool storing;		       /* finish is the store's */
	bool unsure;		       /* whether an earlier finish landed */
	struct bc_timer *retry_finish; /* the store refused: the result is tried again */
	struct job *next, **slot;      /* in the delivery's list of jobs */
};

/* How the last conversions fared at their first attempt; a bit each, 1 = failed. One that fails
 * again and again counts once: it says more about itself than about the partner. */
struct lane_health {
	uint32_t failed, seen;
};

enum { LANE_TRIPPED_MAX = 4, LANE_DOUBTS_MAX = 8 };

/* A conversion that met a suspect answer at a partner that has no test token. */
struct lane_doubt {
	char order[BC_ORDER_ID_MAX + 1];
	bool taken_since; /* the partner took another one since */
};

struct lane {
	struct bc_delivery *delivery;
	const struct bc_product *product; /* of the delivery's config; NULL: left the settings */
	char name[BC_LANE_NAME_BYTES], partner[BC_LABEL_MAX + 1], label[BC_LABEL_MAX + 1];
	char key_fingerprint[BC_FINGERPRINT_BYTES];
	enum bc_lane_state state;
	char reason[BC_LANE_REASON_BYTES];
	uint64_t since_ms, next_ms; /* wall clock: entered; goes on by itself, 0 = never or now */
	struct lane_health health;
	/* The partner took or refused a conversion by this credential. Until then one leaves at
	 * a time: a wrong key is found out by the first, however many wait. */
	bool proven;
	bool trial;	 /* broken, parked: one conversion may leave */
	uint32_t trials; /* failed ones in a row */
	bool alarmed;	 /* somebody was told that it does not send */
	/* Conversions that met the answer which made the lane stand: others are tried first, since
	 * one of these may be at fault itself. */
	char tripped[LANE_TRIPPED_MAX][BC_ORDER_ID_MAX + 1];
	struct bc_str tripped_order[LANE_TRIPPED_MAX];
	uint32_t tripped_count;
	/* Was refused, and then a test token was taken: goes once more, alone. "" = none. */
	char rechecked[BC_ORDER_ID_MAX + 1];
	struct lane_doubt doubts[LANE_DOUBTS_MAX]; /* the oldest first */
	uint32_t doubt_count, doubts_in_a_row;	   /* in a row: with no other answer between */
	uint32_t in_flight;
	bool leasing; /* a lease operation is under way */
	bool again;   /* woken meanwhile, or the last lease was full */
	struct bc_store_op lease;
	struct bc_arena *lease_arena; /* owned */
	struct job *held;	      /* suspect: the conversion that met the answer */
	struct bc_handback probe;     /* the test token on its way */
	struct bc_timer *timer;	      /* throttle's end, next probe or trial */
	uint64_t attempts[BC_OUTCOMES], entered[BC_LANE_STATES];
	struct bc_store_op put; /* how it stands, on its way to disk */
	char put_reason[BC_LANE_REASON_BYTES];
	bool putting, unsaved; /* unsaved: it changed since, or the store refused */
	struct bc_lane_command *for_record, *for_probe; /* wait for the disk, for the test token */
};

struct bc_delivery {
	struct bc_loop *loop; /* borrowed */
	struct bc_shop *shop; /* borrowed */
	struct bc_desk desk;
	struct bc_http_client *client; /* owned */
	struct lane **lanes;	       /* owned, each too; only ever grows */
	size_t lane_count;
	struct job *jobs;
	struct bc_timer *tick;	 /* looks for what became due */
	struct bc_store_op plan; /* lanes operation */
	struct bc_arena *plan_arena;
	struct bc_lane_command *commands; /* that came before released */
	bool planning, plan_again;
	bool told_strangers; /* that rows wait whose product left the settings */
	bool told_begin;     /* that the store does not let it begin */
	struct bc_task wake;
	atomic_bool woken;
	atomic_bool
		deaf; /* no lane would make use of a wake; ended by whichever looks for itself */
	uint32_t operations; /* store operations under way */
	bool released;	     /* no row is leased without a job; until then nothing is leased */
	bool restored;	     /* lanes stand as they stood when the last process ended */
	bool stepped_back;   /* the wall clock did; due times are to be set anew */
	uint64_t made_due;   /* so many have been */
	uint64_t looked_wall_ms, looked_elapsed_ms; /* both clocks at the last tick */
	bool stopping;
	struct bc_timer *grace;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	pthread_mutex_t status_lock;   /* over status */
	struct bc_lane_status *status; /* owned; lane_count of them */
};

/* delivery.c */
void delivery_submit(struct bc_delivery *d, struct bc_store_op *op);
void delivery_lane_fill(struct lane *lane);
void delivery_check_stopped(struct bc_delivery *d);
/* A leased row lost its job (no memory): all are released as soon as no job is left. */
void delivery_forgot(struct bc_delivery *d);

/* job.c */
struct job_end {
	enum bc_order_state next;
	struct bc_str reason;
	uint64_t due_ms;
	bool count_failure;
};

void job_start(struct lane *lane, const struct bc_order *order);
void job_settle(struct job *job, const struct job_end *end);
void job_end(struct job *job);

/* lanes.c */
struct lane *lane_create(struct bc_delivery *d, const struct bc_product *product);
void lane_destroy(struct lane *lane); /* NULL is fine */
void lane_stop(struct lane *lane);
/* Its product as the config in force has it; NULL: it left. */
void lane_reconfigure(struct lane *lane, const struct bc_product *product);
void lane_publish(struct lane *lane);
void lane_enter(struct lane *lane, enum bc_lane_state state, const char *reason, const char *hint);
/* May one that was leased leave? How many more may be? */
bool lane_sends(const struct lane *lane);
uint32_t lane_room(const struct lane *lane);
/* Does its time run in that state? Is the state kept over a restart? */
bool lane_stands(enum bc_lane_state state);
bool lane_is_kept(enum bc_lane_state state);
bool lane_alarms(enum bc_lane_state state);
/* What was wrong may have been mended meanwhile (a restart, other settings): looks at once. */
void lane_look(struct lane *lane);
/* Sleeps so long, and then goes on by itself. */
void lane_sleep(struct lane *lane, uint64_t wait_ms);
/* Lets one conversion out. */
void lane_try(struct lane *lane);
/* There was none to let out. */
void lane_nothing_to_try(struct lane *lane);
/* An attempt was answered: the partner took it, or refused this conversion alone. */
void lane_answered(struct lane *lane, const struct job *job);
/* It was not, or with a failure of the partner's. wait_ms: Retry-After, 0 = none. */
void lane_failed(struct lane *lane, const struct job *job, int status, uint64_t wait_ms);
/* It met a suspect answer: holds it and tests the lane, or puts it back. */
void lane_suspect(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict);

/* lane_doubt.c: a lane whose partner has no test token */
bool lane_is_testable(const struct lane *lane);
/* It met a suspect answer on a lane that sends. */
void lane_doubt(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict);
/* Another one was taken, or refused for itself. */
void lane_doubts_answered(struct lane *lane, bool taken);
void lane_doubts_clear(struct lane *lane);

/* lane_probe.c */
/* Sends the test token; where there is none, lets one conversion out instead. */
void lane_probe(struct lane *lane);
/* Drops the test token on its way, and puts back what waits for it. */
void lane_probe_drop(struct lane *lane);
/* The one to check again has another answer now, or is not there any more. */
void lane_recheck_over(struct lane *lane);
bool lane_rechecks(const struct lane *lane, const struct job *job);
void lane_trip(struct lane *lane, struct job *job);
void lane_put_back(struct job *job, uint64_t wait_ms);

/* lane_record.c */
/* Stands as the last process left it. */
void lane_restore(struct lane *lane, const struct bc_lane_count *record);
/* Writes how it stands, if that is not on disk yet. */
void lane_save(struct lane *lane);

/* lane_commands.c: answers those that waited for the disk, for the test token. */
void lane_commands_recorded(struct lane *lane, int result);
void lane_commands_probed(struct lane *lane, const struct bc_partner_verdict *verdict,
			  const struct bc_http_answer *answer);
/* Answers those that wait for a test token there is not. */
void lane_commands_untestable(struct lane *lane);
void lane_commands_stop(struct lane *lane);
/* Runs, or when it stops refuses, those that came too early. */
void delivery_commands_begin(struct bc_delivery *d);

/* delivery.c */
struct lane *delivery_lane_find(const struct bc_delivery *d, const char *name);

#endif
