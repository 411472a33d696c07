/* SPDX-License-Identifier: MIT */
/*
 * The webhook caller: Commerce's own synchronous hook, asked before an order is placed. webhook.c
 * asks and judges the answer, webhook_control.c lets a test set it and look at its books.
 */
#ifndef BC_SANDBOX_WEBHOOK_H
#define BC_SANDBOX_WEBHOOK_H

#include "net/http_client.h"
#include "sandbox/events.h"
#include "sandbox/signer.h"

enum { WEBHOOK_RECORDS = 100 };

enum webhook_kind { WEBHOOK_PLUGIN, WEBHOOK_OBSERVER };

struct webhook_settings {
	char url[2048]; /* "" = no hook */
	enum webhook_kind kind;
	bool required; /* a hook that fails stops the order */
	bool sign;
	uint64_t timeout_ms;	  /* 0 = none */
	uint64_t soft_timeout_ms; /* only counted; 0 = none */
};

/* What became of an ask. */
enum webhook_result {
	WEBHOOK_SUCCESS,   /* 200, and operations among which is no exception */
	WEBHOOK_EXCEPTION, /* the hook said so */
	WEBHOOK_STATUS,	   /* another status than 200 */
	WEBHOOK_MALFORMED, /* 200 without an operation */
	WEBHOOK_TIMEOUT,
	WEBHOOK_NO_ANSWER,
};
enum { WEBHOOK_RESULTS = WEBHOOK_NO_ANSWER + 1 };

struct webhook_record {
	uint64_t at_ms; /* wall clock */
	char request_id[BC_UUID_BYTES];
	enum webhook_result result;
	int status; /* 0: no answer */
	bool allowed;
	uint64_t duration_ms;
};

struct webhook_ask;

struct sandbox_webhook {
	struct bc_sandbox *sandbox;    /* borrowed */
	struct bc_http_client *client; /* owned; NULL before the first hook is set */
	struct bc_signer *signer;      /* owned; likewise */
	struct webhook_settings settings;
	struct webhook_ask *asks; /* those under way */
	uint64_t asked, allowed, refused, slow;
	uint64_t results[WEBHOOK_RESULTS];
	struct webhook_record records[WEBHOOK_RECORDS]; /* a ring */
	uint64_t record_count;
};

void bc_webhook_settings_default(struct webhook_settings *s);
/* What a hook needs: the client and the key pair. False without memory. */
BC_MUST_CHECK bool bc_webhook_ready(struct sandbox_webhook *w);

#endif
