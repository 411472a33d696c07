/* SPDX-License-Identifier: MIT */
/*
 * The shop that this process serves: its rules (struct bc_shop_config), its store, its counters.
 * One per process; shared by all loops. What one loop needs for itself (a hasher, a way home for
 * completions) is a struct bc_desk.
 *
 * Counters are atomic and only ever grow.
 */
#ifndef BC_CORE_SHOP_H
#define BC_CORE_SHOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <backchannel/partner.h>
#include <backchannel/token.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/origin.h"
#include "store/store.h"

/* A campaign at a partner. Strings are borrowed from whoever made the config. */
struct bc_product {
	const char *label; /* "default" is the one of SOVENDUS_PRODUCT_ID */
	const struct bc_partner *partner;
	uint64_t edition; /* of the partner's definition: another one may mend what was wrong */
	const char *base_url;
	const char *id;
	struct bc_secret *key; /* NULL: the partner asks for none */
	const char *landing;   /* path prefix that chooses it, or NULL */
};

/*
 * Immutable and counted: a reload makes another one, and whoever works by the former keeps it until
 * that work is done. Strings and secrets are borrowed from whoever made it, until release.
 */
struct bc_shop_config {
	atomic_uint references; /* by ref and unref alone; starts at 1, its maker's */
	void (*release)(struct bc_shop_config *config); /* after the last unref; may be NULL */
	void *owner;					/* the maker's, for release */

	const struct bc_product *products; /* the first is the default */
	size_t product_count; /* 0: the hand-back is off; clicks and orders are still kept */
	/* The partner that the settings say more of than its definition does; also the one whose
	 * clicks are kept when there is no product. See landing.h. */
	const struct bc_partner *partner;
	const char *const *params;		/* its token parameters, ended by NULL */
	const struct bc_token_pattern *pattern; /* its; NULL: the safe alphabet alone */
	uint64_t click_ttl_ms, order_adopt_ms, order_keep_ms;
	struct bc_retry_policy retry;
	uint64_t connect_timeout_ms, timeout_ms, lease_ms, probe_ms;
	uint32_t concurrency;		/* requests under way a lane */
	const char *proxy;		/* NULL or "" = none; the one of the start stays */
	struct bc_secret *alert_url;	/* NULL = none; may carry a key, so it is a secret */
	uint32_t return_rate_alert_pct; /* alarm below so many percent in 24 h; 0 = never */
	uint32_t return_rate_orders;	/* and only from so many orders on */
	/* Orders of Adobe Commerce. */
	const char *const *completed_states; /* ended by NULL */
	const char *click_attribute;
	bool comment_delivered, comment_rejected;
};
struct bc_shop_config *bc_shop_config_ref(struct bc_shop_config *config);
void bc_shop_config_unref(struct bc_shop_config *config); /* NULL is fine; any thread */

/* The product of that label, or NULL. */
const struct bc_product *bc_config_product(const struct bc_shop_config *c, struct bc_str label);
/* Of the products of partner (NULL: of all) the one whose landing prefix fits path best (longest),
 * else the first; NULL without any. */
const struct bc_product *bc_config_product_of(const struct bc_shop_config *c, struct bc_str path,
					      const struct bc_partner *partner);
const struct bc_product *bc_config_product_for_path(const struct bc_shop_config *c,
						    struct bc_str path); /* of all */

enum { BC_DURATION_BUCKETS = 12 };
/* Upper bounds of the attempt duration histogram, ms. */
extern const uint32_t bc_duration_bound_ms[BC_DURATION_BUCKETS];

enum bc_order_result {
	BC_ORDERS_ACCEPTED,
	BC_ORDERS_ADOPTED,
	BC_ORDERS_REPEATED,
	BC_ORDERS_UNATTRIBUTED,
	BC_ORDERS_CONFLICT,
	BC_ORDER_RESULTS
};
extern const char *const bc_order_result_name[BC_ORDER_RESULTS];

enum { BC_SHOP_INTAKE_SOURCES = 4, BC_SHOP_INTAKE_RESULTS = 9 }; /* as in core/intake.h */

/* What came of a landing that was told to the public listener. */
enum bc_landing {
	BC_LANDING_STORED,  /* on disk */
	BC_LANDING_COOKIE,  /* the store refused: the token is in the visitor's cookie */
	BC_LANDING_NOTHING, /* no URL, or none with a token */
	BC_LANDING_FOREIGN, /* an image, frame or fetch of another site */
	BC_LANDING_LIMITED, /* too many of one address */
	BC_LANDINGS
};
extern const char *const bc_landing_name[BC_LANDINGS];

/* What came of a delivery of Adobe's events. */
enum bc_events_result {
	BC_EVENTS_ACCEPTED,	    /* what it says of orders is on disk, or it says nothing */
	BC_EVENTS_BAD_SIGNATURE,    /* none, or none that passes */
	BC_EVENTS_UNKNOWN_KEY_PATH, /* it names keys where no key can be: nothing was fetched */
	BC_EVENTS_KEY_UNAVAILABLE,  /* a key could not be fetched: to be sent again */
	BC_EVENTS_OTHER_CLIENT,	    /* signed by Adobe, and for somebody else */
	BC_EVENTS_MALFORMED,	    /* signed, and no events */
	BC_EVENTS_STORE_REFUSED,    /* to be sent again */
	BC_EVENTS_RESULTS
};
extern const char *const bc_events_result_name[BC_EVENTS_RESULTS];

/* What came of a webhook of Commerce. */
enum bc_webhook {
	BC_WEBHOOK_BOUND,	  /* its click is kept for the order */
	BC_WEBHOOK_NOTHING,	  /* no order, or one without a click */
	BC_WEBHOOK_BAD_SIGNATURE, /* none, or one that does not pass */
	BC_WEBHOOK_DROPPED,	  /* too many are under way */
	BC_WEBHOOK_STORE_REFUSED,
	BC_WEBHOOKS
};
extern const char *const bc_webhook_name[BC_WEBHOOKS];

/* Why a datagram came to nothing. */
enum bc_input_drop {
	BC_INPUT_MALFORMED, /* not a capture line, or one with a wrong field */
	BC_INPUT_BUSY,	    /* the store refused for too long */
	BC_INPUT_KERNEL,    /* the socket's buffer was full */
	BC_INPUT_DROPS
};
extern const char *const bc_input_drop_name[BC_INPUT_DROPS];

/* Counters for /metrics. */
struct bc_shop_stats {
	atomic_uint_fast64_t clicks_production, clicks_test, clicks_refused;
	atomic_uint_fast64_t orders[BC_ORDER_RESULTS];
	atomic_uint_fast64_t intake[BC_SHOP_INTAKE_SOURCES][BC_SHOP_INTAKE_RESULTS]; /* intake.h */
	atomic_uint_fast64_t landings[BC_LANDINGS];
	atomic_uint_fast64_t events[BC_EVENTS_RESULTS], webhooks[BC_WEBHOOKS];
	atomic_uint_fast64_t input_taken, input_dropped[BC_INPUT_DROPS];
	atomic_uint_fast64_t duration_bucket[BC_DURATION_BUCKETS + 1], duration_ms_sum,
		duration_count;
};

struct bc_alerts;

struct bc_shop {
	struct bc_shop_config *config; /* borrowed; the one of the start: what each loop works by
					  stands in its desk */
	const struct bc_clock *clock;  /* borrowed */
	struct bc_store *store;	       /* borrowed */
	struct bc_secret *hash_key;    /* borrowed */
	struct bc_secret *hash_key_previous; /* borrowed; NULL: it was never changed */
	struct bc_alerts *alerts; /* borrowed, the delivery loop's; NULL: none are sent */
	struct bc_shop_stats stats;
	/* Called on the delivery thread after a conversion's final state is durable. May be NULL.
	 */
	void (*on_final)(void *ctx, struct bc_str order);
	/* Called on any loop's thread when a conversion became due now. May be NULL. */
	void (*on_due)(void *ctx);
	void *ctx;
};

/* What one loop's thread needs to work on a shop. */
struct bc_desk {
	struct bc_shop *shop;	       /* borrowed */
	struct bc_shop_config *config; /* a reference: the rules in force on this loop */
	struct bc_origin origin;
	struct bc_store_op *submitted, **last; /* this turn; go to the store at its end */
	struct bc_task turn_end;
	struct bc_hasher *hasher;   /* owned */
	struct bc_hasher *previous; /* owned; of the former hash key, or NULL */
};
BC_MUST_CHECK int bc_desk_init(struct bc_desk *d, struct bc_shop *shop, struct bc_loop *loop,
			       struct bc_err *err);
void bc_desk_finish(struct bc_desk *d);
/* Works by these rules from now on. Takes a reference. The desk's own thread. */
void bc_desk_reconfigure(struct bc_desk *d, struct bc_shop_config *config);
/* What one turn of the loop submits shares a commit. */
void bc_desk_submit(struct bc_desk *d, struct bc_store_op *op);

#endif
