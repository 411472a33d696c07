/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's IMS knows: one credential with its live secrets, how it makes tokens, every
 * token that it has issued, and its books. ims.c holds it, ims_token.c answers by it,
 * ims_control.c lets a test look and change it.
 */
#ifndef BC_SANDBOX_IMS_H
#define BC_SANDBOX_IMS_H

#include "base/secret.h"
#include "sandbox/map.h"
#include "sandbox/service.h"

enum {
	IMS_SECRETS_MAX = 2, /* as at Adobe */
	IMS_SCOPES_MAX = 64,
	IMS_TOKENS_MAX = 16384, /* the oldest is forgotten first */
	IMS_SEEN_MAX = 64,	/* different secrets in the books */
	IMS_TOKEN_BYTES_MAX = 16 * 1024
};

/* How the body says how long a token lives; names in ims_issue.c. */
enum ims_expiry {
	IMS_SECONDS,
	IMS_MILLISECONDS,
	IMS_STRING,
	IMS_ABSENT,
	IMS_NULL,
	IMS_ZERO,
	IMS_NEGATIVE,
	IMS_TEXT,
	IMS_ABSURD
};

struct ims_scopes {
	char *name[IMS_SCOPES_MAX]; /* owned */
	size_t count;
	bool any; /* no list: every scope is granted */
};

struct ims_settings {
	char *client_id;			    /* owned; NULL = any */
	char *org_id;				    /* owned; NULL = any; Commerce's to check */
	struct bc_secret *secrets[IMS_SECRETS_MAX]; /* owned */
	size_t secret_count;
	bool any_secret; /* that is not empty */
	struct ims_scopes scopes;
	uint64_t life_ms;
	enum ims_expiry expiry;
	bool opaque;  /* tokens are no JWT */
	bool granted; /* the grant type is allowed to the client */
};

struct ims_token {
	struct sandbox_node node; /* key: the text, in data */
	uint64_t number;
	uint64_t dies_ms; /* elapsed clock */
	struct bc_str client_id;
	char data[];
};

struct ims_tokens {
	struct sandbox_map map;
	struct ims_token *ring[IMS_TOKENS_MAX]; /* owned; slot = number % max */
	uint64_t issued;			/* the last one's number */
	uint64_t dead_until;			/* every number up to this is dead */
};

/* What comes of a token request. */
enum ims_result {
	IMS_ISSUED,
	IMS_BAD_GRANT_TYPE,
	IMS_BAD_CLIENT,
	IMS_BAD_SECRET,
	IMS_NOT_ALLOWED,
	IMS_BAD_SCOPE
};
enum { IMS_RESULTS = IMS_BAD_SCOPE + 1 };

/* Where the parameters stood. */
enum ims_form { IMS_QUERY, IMS_URLENCODED, IMS_MULTIPART };
enum { IMS_FORMS = IMS_MULTIPART + 1 };

struct ims_seen {
	char fingerprint[BC_FINGERPRINT_BYTES];
	uint64_t issued, refused;
};

struct ims_books {
	uint64_t requests; /* also those that a fault kept from an answer */
	uint64_t results[IMS_RESULTS];
	uint64_t forms[IMS_FORMS];
	uint64_t basic;
	struct ims_seen seen[IMS_SEEN_MAX];
	size_t seen_count;
};

struct ims {
	struct ims_settings start, now;
	struct ims_tokens tokens;
	struct ims_books books;
};

/* ims.c */
bool bc_ims_settings_copy(const struct ims_settings *from, struct ims_settings *ret_to);
void bc_ims_settings_finish(struct ims_settings *s);
void bc_ims_scopes_finish(struct ims_scopes *s);
/* The secret that fits; NULL = none. */
const struct bc_secret *bc_ims_secret_find(const struct ims_settings *s, struct bc_str secret);

/* ims_form.c: the parameters of a token request, wherever they stand; absent ones are absent. */
struct ims_request {
	struct bc_str grant_type, client_id, client_secret, org_id, scope, token;
	enum ims_form form;
	bool basic;
};
void bc_ims_request_read(const struct sandbox_call *call, struct ims_request *ret_request);
/* The bearer token of the Authorization header; absent when there is none. */
struct bc_str bc_ims_bearer(const struct bc_http_request *req);

/* ims_issue.c */
const char *bc_ims_expiry_name(enum ims_expiry expiry);
bool bc_ims_expiry_find(const char *name, enum ims_expiry *ret_expiry);
/* Makes a token, remembers it and answers with it. */
void bc_ims_issue(struct sandbox_call *call, const struct ims_request *r);
/* A JWT's claims; NULL for an opaque token, or without memory. */
json_t *bc_ims_claims(struct bc_str token);

/* ims_store.c */
enum ims_life { IMS_UNKNOWN, IMS_DEAD, IMS_ALIVE };
/* ret_token (may be NULL) is set unless it is unknown; valid until the next is issued. */
enum ims_life bc_ims_token_look(const struct ims *m, struct bc_str text, uint64_t now_ms,
				const struct ims_token **ret_token);
/* False without memory. */
BC_MUST_CHECK bool bc_ims_token_keep(struct ims *m, struct bc_str text, struct bc_str client_id,
				     uint64_t dies_ms);
void bc_ims_tokens_kill(struct ims *m);
bool bc_ims_token_kill(struct ims *m, struct bc_str text); /* false: it is not known */
void bc_ims_tokens_forget(struct ims *m);

#endif
