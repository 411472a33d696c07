/* SPDX-License-Identifier: MIT */
/*
 * The Commerce credential in a process that lives for one command: an access token without a
 * daemon. One request to the token endpoint at most, and none where oauth.cache_file has a token.
 */
#ifndef BC_CLI_CREDENTIAL_H
#define BC_CLI_CREDENTIAL_H

#include "core/tokens.h"
#include "daemon/settings.h"

struct bc_credential {
	struct bc_tokens_view view;
	bool cached; /* it was in oauth.cache_file */
	uint64_t refresh_in_ms;
	struct bc_secret *token; /* a reference; NULL when there is none */
};

/* result 0; BC_EAUTH, BC_EUNREACH, BC_ETIMEDOUT: ret->view tells too, and err has what the endpoint
 * said; BC_EINVAL: no credential, or half of one; BC_ENOMEM. */
BC_MUST_CHECK int bc_credential_fetch(const struct bc_settings *s, struct bc_credential *ret,
				      struct bc_err *err);
void bc_credential_finish(struct bc_credential *c); /* one that is all zero is fine */

/* Is all there that a call without a daemon needs? 0, or BC_EUNREACH: err names what is missing. */
BC_MUST_CHECK int bc_credential_check(const struct bc_settings *s, struct bc_err *err);
/* Can oauth.cache_file, if it is set, be used? 0, or err says why not. */
BC_MUST_CHECK int bc_credential_check_cache(const struct bc_settings *s, struct bc_err *err);
/* Where a credential is used, the log would say again what the command says. */
void bc_credential_hush_log(void);

#endif
