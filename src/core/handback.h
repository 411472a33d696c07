/* SPDX-License-Identifier: MIT */
/*
 * One hand-back request: a token, a product, one HTTP exchange. What delivery, a lane's probe and
 * `check` have in common. Loop's thread only.
 */
#ifndef BC_CORE_HANDBACK_H
#define BC_CORE_HANDBACK_H

#include "core/shop.h"
#include "net/http_client.h"

struct bc_handback {
	struct bc_shop_config *config;	  /* a reference, while product is needed */
	const struct bc_product *product; /* config's */
	struct bc_partner_request request;
	struct bc_http_call *call; /* under way, or NULL */
};

/*
 * Builds and sends. done(ctx) is called once, later; it calls bc_handback_finish when it has read
 * the answer. product is one of config's.
 * order    whose token it is; NULL: a test token's, of no order
 * result   0, BC_EINVAL (no token), BC_ENOENT (the order came without what this partner is told),
 *          BC_ENOMEM: nothing was sent and h is finished
 */
BC_MUST_CHECK int bc_handback_start_order(struct bc_handback *h, struct bc_http_client *client,
					  struct bc_shop_config *config,
					  const struct bc_product *product,
					  const struct bc_order *order, struct bc_str token,
					  bc_http_done *done, void *ctx, struct bc_err *err);
/* The same for a test token. */
BC_MUST_CHECK int bc_handback_start(struct bc_handback *h, struct bc_http_client *client,
				    struct bc_shop_config *config, const struct bc_product *product,
				    struct bc_str token, bc_http_done *done, void *ctx,
				    struct bc_err *err);

/* What the answer means for that token; click_age_ms UINT64_MAX = not known. */
struct bc_partner_verdict bc_handback_read(const struct bc_handback *h, struct bc_str token,
					   uint64_t click_age_ms, unsigned attempt,
					   const struct bc_http_answer *answer);

/* The partner's first test token; absent: it has none. */
struct bc_str bc_handback_test_token(const struct bc_partner *partner);

enum { BC_PARTNER_MESSAGE_BYTES = 128 };
/*
 * The partner's own words: the "message" of its answer, the first one of a list of "errors", or an
 * answer that is a short text, cut to fit, printable ASCII. "" when there is none, or when it
 * repeats the token or any secret: it is kept in the ledger and shown. text:
 * BC_PARTNER_MESSAGE_BYTES.
 */
const char *bc_partner_message(const struct bc_http_answer *answer, struct bc_str token,
			       char *text);

/* Cancels what is under way (done is not called then) and wipes the request. May be called twice.
 */
void bc_handback_finish(struct bc_handback *h);

#endif
