/* SPDX-License-Identifier: MIT */
/*
 * The storefront's GraphQL, as far as a click's way into an order needs it: a guest's cart, its
 * custom attributes, its products, its order.
 *
 *	graphql_read.c	reads one operation
 *	graphql.c	the request's and the answer's form, and who may ask from another origin
 *	graphql_cart.c	carts
 *	graphql_order.c	placing an order, which asks Commerce's webhook first
 */
#ifndef BC_SANDBOX_GRAPHQL_H
#define BC_SANDBOX_GRAPHQL_H

#include "base/err.h"
#include "sandbox/commerce.h"

/* ---- graphql_read.c: no I/O ---- */

/*
 * Reads a document of one operation, with variables, into ret_operation (json_decref it):
 *	{"mutation":true,"fields":[FIELD...]}, and a FIELD is
 *	{"name":...,"key":(its alias, or the name),"arguments":{...},"select":[FIELD...] or null}
 * Variables are filled in; arguments whose variable has no value are left out.
 * variables: borrowed, NULL = none. 0, or BC_EINVAL with a text as a GraphQL server words it.
 */
BC_MUST_CHECK int bc_graphql_read(struct bc_str text, const json_t *variables,
				  json_t **ret_operation, struct bc_err *err);

/* ---- graphql.c ---- */

/* One request while it is answered. */
struct graphql_run {
	struct sandbox_call *call;
	struct commerce *commerce;
	json_t *data;	/* owned; an object */
	json_t *errors; /* owned; an array */
	bool invalid;	/* an error that leaves no data at all */
};

#define GRAPHQL_INPUT	"graphql-input"
#define GRAPHQL_MISSING "graphql-no-such-entity"

/* Notes an error. path: the field it is about, or NULL: then there is no data at all. */
void bc_graphql_fail(struct graphql_run *run, const char *path, const char *category,
		     const char *fmt, ...) BC_PRINTF(4, 5);
/* Puts what a root field has come to into the data, as its selection wants it; takes value, NULL =
 * null. */
void bc_graphql_result(struct graphql_run *run, const json_t *field, json_t *value);
/* The answer, from run, which is finished by it. */
void bc_graphql_answer(struct graphql_run *run);
void bc_graphql_finish(struct graphql_run *run);

/* A text among the members; NULL with an error when there is none. */
const char *bc_graphql_text(struct graphql_run *run, const json_t *field, const json_t *members,
			    const char *name);
/* The object among the arguments, whose members are checked against the names; NULL with an
 * error. */
json_t *bc_graphql_input(struct graphql_run *run, const json_t *field, const char *name,
			 const char *const *members);
const char *bc_graphql_name(const json_t *field);

/* Root fields; each puts its result in and may note errors. */
typedef void graphql_root(struct graphql_run *run, const json_t *field);
graphql_root bc_graphql_cart, bc_graphql_cart_create, bc_graphql_cart_empty;
graphql_root bc_graphql_cart_attributes, bc_graphql_cart_add, bc_graphql_cart_email;

/* ---- graphql_cart.c ---- */

struct commerce_item *bc_graphql_cart_find(struct commerce *m, const char *id);

/* ---- graphql_order.c ---- */

/* Stands alone in its operation. Takes run over, and answers now, or hands the call over. */
void bc_graphql_place(struct graphql_run *run, const json_t *field);

/* Routes. */
sandbox_handler bc_graphql_post, bc_graphql_get, bc_graphql_options;
extern const struct sandbox_service bc_graphql_service;
sandbox_handler bc_shop_page; /* GET /shop */

#endif
