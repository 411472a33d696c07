/* SPDX-License-Identifier: MIT */
/*
 * The client-credentials request. Invariants: whatever id, secret and scope are, the body has
 * exactly the fields below and the header is one line; a value can't end its field. Blanks become
 * %20, which every form decoder reads as it reads '+', and which those that decode Basic as plain
 * percent encoding read too. Sending is the network layer's.
 */
#include <backchannel/oauth.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "protocol/template.h"

enum { REQUEST_MAX_BYTES = 64 * 1024 };

/* The names alone are shown: an id put where the secret belongs must not be either. */
static int check_value(const char *value, const char *what, const char *setting, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf escaped;
	bc_buf_init(&escaped, 6 * (REQUEST_MAX_BYTES + 1));
	if (!value || !value[0]) {
		bc_err_set(err, BC_EINVAL, "the %s is empty", what);
		bc_err_hint(err, "set %s to the value that the Adobe Developer Console shows",
			    setting);
		return BC_EINVAL;
	}
	/* Used for its check: it takes nothing but UTF-8. */
	int r = bc_json_escape(&escaped, bc_str_of(value));
	if (r == BC_EINVAL) {
		bc_err_set(err, r, "the %s is not UTF-8", what);
		bc_err_hint(err, "copy the value of %s again, as plain text", setting);
	}
	return r;
}

static int add_field(struct bc_buf *body, const char *name, const char *value)
{
	int r = bc_buf_addf(body, "&%s=", name);
	return r < 0 ? r : bc_percent_encode(body, bc_str_of(value));
}

static int build_body(struct bc_buf *body, const struct bc_oauth_client *client)
{
	bool in_body = client->auth == BC_OAUTH_AUTH_BODY;
	int r = bc_buf_adds(body, "grant_type=client_credentials");
	if (r == 0 && in_body)
		r = add_field(body, "client_id", client->client_id);
	if (r == 0 && in_body)
		r = add_field(body, "client_secret", client->client_secret);
	if (r == 0 && client->scope && client->scope[0])
		r = add_field(body, "scope", client->scope);
	return r;
}

static int build_authorization(struct bc_buf *header, const struct bc_oauth_client *client)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf pair;
	bc_buf_init(&pair, REQUEST_MAX_BYTES);
	int r = bc_percent_encode(&pair, bc_str_of(client->client_id));
	if (r == 0)
		r = bc_buf_add(&pair, ":", 1);
	if (r == 0)
		r = bc_percent_encode(&pair, bc_str_of(client->client_secret));
	if (r == 0)
		r = bc_buf_adds(header, "Basic ");
	return r < 0 ? r : bc_base64_encode(header, (struct bc_str){ pair.data, pair.len });
}

/* Only what cannot fail any more happens to ret_request. */
static int fill_request(struct bc_oauth_request *ret_request, struct bc_buf *body,
			struct bc_buf *header)
{
	struct bc_oauth_request made = { .body_bytes = body->len };
	bool with_header = header->len > 0;
	made.body = bc_buf_take(body);
	if (made.body && with_header)
		made.authorization = bc_buf_take(header);
	if (!made.body || (with_header && !made.authorization)) {
		bc_oauth_request_finish(&made);
		return BC_ENOMEM;
	}
	*ret_request = made;
	return 0;
}

int bc_oauth_request_build(const struct bc_oauth_client *client,
			   struct bc_oauth_request *ret_request, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf body;
	BC_CLEANUP(bc_buf_finish) struct bc_buf header;
	bc_buf_init(&body, REQUEST_MAX_BYTES);
	bc_buf_init(&header, REQUEST_MAX_BYTES);
	int r = check_value(client->client_id, "client id", "oauth.client_id", err);
	if (r == 0)
		r = check_value(client->client_secret, "client secret", "oauth.client_secret", err);
	if (r == 0)
		r = build_body(&body, client);
	if (r == 0 && client->auth == BC_OAUTH_AUTH_BASIC)
		r = build_authorization(&header, client);
	if (r == 0)
		r = fill_request(ret_request, &body, &header);
	if (r == BC_ETOOBIG)
		return bc_err_tell(err, r, "shorten oauth.scope: the rest of a request is small",
				   "the token request would be larger than 64 KiB");
	return r == BC_ENOMEM ? bc_err_nomem(err) : r;
}

static void wipe_and_free(char *text, size_t bytes)
{
	if (text)
		explicit_bzero(text, bytes);
	free(text);
}

void bc_oauth_request_finish(struct bc_oauth_request *request)
{
	wipe_and_free(request->body, request->body_bytes);
	wipe_and_free(request->authorization,
		      request->authorization ? strlen(request->authorization) : 0);
	*request = (struct bc_oauth_request){ 0 };
}
