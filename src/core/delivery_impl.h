/* SPDX-License-Identifier: MIT */
/* What delivery.c (leasing, jobs), lanes.c (states, probes) share. */
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
	bool storing;		       /* finish is the store's */
	struct bc_timer *retry_finish; /* the store refused: the result is tried again */
	struct job *next, **slot;      /* in the delivery's list of jobs */
};

struct lane {
	struct bc_delivery *delivery;
	const struct bc_product *product;
	char name[BC_LANE_NAME_BYTES];
	char key_fingerprint[BC_FINGERPRINT_BYTES];
	enum bc_lane_state state;
	char reason[BC_LANE_REASON_BYTES];
	uint64_t since_ms, next_probe_ms;
	uint32_t in_flight;
	bool leasing; /* a lease operation is under way */
	bool again;   /* woken meanwhile, or the last lease was full */
	struct bc_store_op lease;
	struct bc_arena *lease_arena; /* owned */
	struct job *held;	      /* suspect: the conversion that met the answer */
	struct bc_handback probe;     /* the test token on its way */
	struct bc_timer *timer;	      /* throttle's end, next probe, or retry of a failed lease */
	uint64_t attempts[BC_OUTCOMES];
	struct bc_store_op put; /* how it stands, on its way to disk */
	char put_reason[BC_LANE_REASON_BYTES];
	bool putting, unsaved; /* unsaved: it changed since, or the store refused */
};

struct bc_delivery {
	struct bc_loop *loop; /* borrowed */
	struct bc_shop *shop; /* borrowed */
	struct bc_desk desk;
	struct bc_http_client *client; /* owned */
	struct lane *lanes;	       /* owned; fixed while it runs */
	size_t lane_count;
	struct job *jobs;
	struct bc_timer *tick;	 /* looks for what became due */
	struct bc_store_op plan; /* lanes operation */
	struct bc_arena *plan_arena;
	bool planning, plan_again;
	bool told_strangers; /* that rows wait whose product left the settings */
	struct bc_task wake;
	atomic_bool woken;
	uint32_t operations; /* store operations under way */
	bool released;	     /* no row is leased without a job; until then nothing is leased */
	bool restored;	     /* lanes stand as they stood when the last process ended */
	bool stepped_back;   /* the wall clock did; due times are to be set anew */
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
int lane_init(struct lane *lane, struct bc_delivery *d, const struct bc_product *product,
	      struct bc_err *err);
void lane_finish(struct lane *lane);
bool lane_sends(const struct lane *lane);
void lane_throttle(struct lane *lane, uint64_t wait_ms);
/* The conversion met a suspect answer: holds it and tests the lane, or puts it back. */
void lane_suspect(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict);
/* Stands as the last process left it: parked, with the test token tried at once. */
void lane_restore(struct lane *lane, const struct bc_lane_count *record);
/* Writes how it stands, if that is not on disk yet. */
void lane_save(struct lane *lane);
void lane_stop(struct lane *lane);
void lane_publish(struct lane *lane);

#endif
