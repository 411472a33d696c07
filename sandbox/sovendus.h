/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's Sovendus knows: its products with their keys, which tokens it has given out,
 * and its books. sovendus.c answers by it, sovendus_books.c lets a test look and change it.
 */
#ifndef BC_SANDBOX_SOVENDUS_H
#define BC_SANDBOX_SOVENDUS_H

#include "base/secret.h"
#include "sandbox/counts.h"
#include "sandbox/service.h"

enum { SOVENDUS_PRODUCTS_MAX = 64, SOVENDUS_GLOBS_MAX = 64 };

/* A product of the partner's. */
struct sovendus_product {
	char *id;	       /* owned; NULL = any id */
	struct bc_secret *key; /* owned; NULL = any key that is not empty */
};

struct sovendus_globs {
	char *text[SOVENDUS_GLOBS_MAX]; /* owned */
	size_t count;
};

struct sovendus_products {
	struct sovendus_product row[SOVENDUS_PRODUCTS_MAX];
	size_t count;
};

struct sovendus {
	char *start_id;		     /* owned; NULL = any id */
	struct bc_secret *start_key; /* owned; NULL = any key that is not empty */
	struct sovendus_products products;
	struct sovendus_globs unknown; /* tokens that were never given out */
	struct sovendus_globs known;   /* when there are any, every other token is unknown */
	struct bc_counts *counts;      /* owned */
};

/* The product that answers for this id; NULL = none. */
const struct sovendus_product *bc_sovendus_product(const struct sovendus *v, struct bc_str id);
bool bc_sovendus_key_fits(const struct sovendus_product *p, struct bc_str key);
bool bc_sovendus_token_known(const struct sovendus *v, struct bc_str token);

#endif
