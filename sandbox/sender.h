/* SPDX-License-Identifier: MIT */
/*
 * The sender of Adobe I/O Events: one registration, its challenge, and the deliveries to its URL.
 *
 *	sender.c		its life, and what happens next: deliveries that are due go out
 *	sender_queue.c		what waits: copies of events, in a heap by the time they are due
 *	sender_attempt.c	one request: its headers, signatures, and what the answer means
 *	sender_register.c	the challenge, and whether the registration is Active or Disabled
 *	sender_keys.c		the two key pairs, and the host that gives out their public halves
 *	sender_control.c	settings and counts, for tests
 *
 * Invariants
 * - An event is copied once, however often it is delivered; copies are bounded in bytes, deliveries
 *   in number. What does not fit is dropped and counted.
 * - A delivery is in the heap, or in one attempt under way, or gone.
 * - Nothing is made before the first registration: a sandbox that sends no events costs nothing.
 */
#ifndef BC_SANDBOX_SENDER_H
#define BC_SANDBOX_SENDER_H

#include "net/http_client.h"
#include "sandbox/events.h"
#include "sandbox/signer.h"

enum {
	SENDER_SCHEDULE_MAX = 16,
	SENDER_BATCH_MAX = 20, /* events a request */
	SENDER_BATCH_BYTES = 2 * 1024 * 1024,
	SENDER_LETTERS_MAX = 1000 * 1000,
	SENDER_RECORDS = 100, /* attempts that are shown, and judged by */
	SENDER_STATUSES = 1000,
	SENDER_KEYS = 2,
};

enum sender_signing {
	SENDER_KEYS_OK,
	SENDER_KEYS_SECOND_ONLY,
	SENDER_KEYS_WRONG,
	SENDER_KEYS_NONE
};
enum sender_host { SENDER_HOST_OK, SENDER_HOST_DOWN, SENDER_HOST_SLOW, SENDER_HOST_GARBAGE };
enum sender_validation { SENDER_VALIDATE_GET, SENDER_VALIDATE_POST };

struct sender_settings {
	char url[2048];	    /* "" = no registration */
	char key_path[512]; /* "" = the true ones */
	char client_id[128];
	bool named_url, named_client; /* by the settings that are being read */
	bool batch, reorder;
	enum sender_signing keys;
	enum sender_host key_host;
	enum sender_validation validation;
	uint64_t schedule_ms[SENDER_SCHEDULE_MAX]; /* before each retry; the last one again and
						      again */
	size_t schedule_count;
	uint64_t duplicates, concurrency;
	uint64_t timeout_ms, give_up_ms, validate_ms, grace_ms, slow_ms;
	uint64_t queue_bytes;
};

/* An event's copy. */
struct sender_text {
	size_t refs; /* letters */
	char id[40];
	size_t bytes;
	char text[];
};

/* One delivery that is to be made. */
struct sender_letter {
	struct sender_letter *next; /* owned; goes in the same request, as a batch */
	struct sender_text *event;  /* counted */
	uint64_t due_ms, queued_ms; /* elapsed clock */
	uint64_t order;		    /* among those due at one time */
	unsigned attempts;
};

struct sender_queue {
	struct sender_letter **heap; /* owned, as are they */
	size_t count, room;
	size_t letters;	    /* with those in batches and under way */
	size_t bytes;	    /* of events */
	uint64_t number;    /* of the last letter */
	uint64_t window_ms; /* reorder: when the letters that gather now are due */
};

/* An attempt that is over. */
struct sender_record {
	uint64_t at_ms; /* wall clock */
	char event_id[40], delivery_id[BC_UUID_BYTES];
	unsigned retry;
	size_t events;
	int status; /* 601, 602, 604, 611: no answer, in Adobe's own numbers */
	uint64_t duration_ms;
};

struct sender_counts {
	uint64_t events, deliveries, attempts, retries, acknowledged;
	uint64_t skipped;  /* events that came without a registration that is in force */
	uint64_t overflow; /* for which there was no room */
	uint64_t expired;  /* deliveries given up at last */
	uint64_t disabled; /* that waited when the registration was disabled */
	uint64_t answers[SENDER_STATUSES], dropped[SENDER_STATUSES]; /* requests; deliveries */
	uint64_t challenges, validations; /* GETs and POSTs of the registration */
};

enum sender_state {
	SENDER_NONE,	/* no URL is registered */
	SENDER_PENDING, /* the challenge is under way: what is queued waits */
	SENDER_ACTIVE,
	SENDER_UNSTABLE, /* most attempts fail; deliveries go on */
	SENDER_DISABLED	 /* challenge not met, or unstable for too long; until it is set again */
};

struct sender_registration {
	enum sender_state state;
	char reason[240];
	char id[BC_UUID_BYTES], challenge[BC_UUID_BYTES];
	bool posted;		   /* the validation URL was told */
	struct bc_http_call *call; /* the challenge under way, or NULL */
	char *text;		   /* owned; the call's URL or body */
	struct bc_timer *timer;	   /* owned; until the validation URL must have been asked */
	uint64_t unstable_ms;	   /* since when, elapsed clock */
	bool failed[SENDER_RECORDS];
	size_t judged; /* attempts since it was made */
};

struct sender_key {
	struct bc_signer *signer; /* owned */
	char path[64];		  /* "/prod/keys/pub-key-UUID.pem" */
	uint64_t fetches;
};

struct sender_attempt;

struct sandbox_sender {
	struct sandbox_events *events; /* borrowed */
	struct bc_sandbox *sandbox;    /* borrowed */
	struct bc_http_client *client; /* owned; NULL before the first registration */
	struct bc_timer *timer;	       /* owned; likewise; when the next letter is due */
	struct sender_settings settings;
	struct sender_registration registration;
	struct sender_queue queue;
	struct sender_attempt *attempts; /* those under way */
	size_t attempt_count;
	struct sender_key keys[SENDER_KEYS];
	uint64_t strange_fetches; /* of a key that is none of ours */
	struct sender_counts counts;
	struct sender_record records[SENDER_RECORDS]; /* a ring */
	uint64_t record_count;
};

/* sender.c */
void bc_sender_settings_default(struct sender_settings *s);
/* What a registration needs: the client, the timer, the keys. False without memory. */
BC_MUST_CHECK bool bc_sender_ready(struct sandbox_sender *s);
/* Has the loop send what is due, in a later turn. */
void bc_sender_wake(struct sandbox_sender *s);
/* The elapsed clock. */
uint64_t bc_sender_now(const struct sandbox_sender *s);

/* sender_queue.c */
/* A letter for each delivery of the event; false: there is no room. */
bool bc_sender_queue_add(struct sandbox_sender *s, const struct sandbox_event *event);
/* The one that is due next, borrowed; NULL = none. */
const struct sender_letter *bc_sender_queue_first(const struct sandbox_sender *s);
/* Takes out what goes in one request; NULL = nothing is due. */
struct sender_letter *bc_sender_queue_take(struct sandbox_sender *s, uint64_t now_ms);
/* Puts one back, with its due_ms set. Takes it, also when it is lost for want of memory. */
void bc_sender_queue_put_back(struct sandbox_sender *s, struct sender_letter *letter);
/* With those behind it. NULL is fine. */
void bc_sender_letter_free(struct sandbox_sender *s, struct sender_letter *letter);
size_t bc_sender_letter_count(const struct sender_letter *letter);
/* Drops all that wait; returns how many those were. */
size_t bc_sender_queue_clear(struct sandbox_sender *s);

/* sender_attempt.c */
/* Takes the letter. */
void bc_sender_attempt_start(struct sandbox_sender *s, struct sender_letter *letter);
void bc_sender_attempts_drop(struct sandbox_sender *s);

/* sender_register.c */
void bc_sender_register(struct sandbox_sender *s); /* settings.url; "" withdraws it */
void bc_sender_register_stop(struct sandbox_sender *s);
bool bc_sender_in_force(const struct sandbox_sender *s); /* Active or Unstable */
/* One more attempt is over. */
void bc_sender_judge(struct sandbox_sender *s, bool failed);
const char *bc_sender_state_name(enum sender_state state);

/* sender_keys.c */
BC_MUST_CHECK bool bc_sender_keys_make(struct sandbox_sender *s); /* unless they are there */
void bc_sender_keys_finish(struct sandbox_sender *s);
/* Calls add for each header line that says who signed the body. False: no memory. */
BC_MUST_CHECK bool bc_sender_sign(const struct sandbox_sender *s, struct bc_str body,
				  struct bc_arena *arena, bool (*add)(void *ctx, const char *line),
				  void *ctx);

#endif
