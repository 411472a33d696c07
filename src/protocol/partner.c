/* SPDX-License-Identifier: MIT */
/*
 * Builds the request that hands a token back. Whatever the token, product and key are, the request
 * has the method, the host and the path segments of the partner's definition: values are
 * percent-encoded, and the finished path is compared with its template segment by segment. What the
 * answer means is outcome.c's; sending is the network layer's.
 */
#include <backchannel/partner.h>

#include <string.h>

#include <backchannel/token.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "protocol/template.h"

enum { BODY_MAX_BYTES = 64 * 1024 };

static bool is_dot_segment(struct bc_str s)
{
	return bc_str_eq(s, ".") || bc_str_eq(s, "..");
}

/* Has path as many segments as template has, each empty or not as there, and none that a server
 * would resolve away? Encoded values hold no '/', '?' or '#', so splitting is exact. */
static bool keeps_shape(const char *path, const char *template)
{
	struct bc_str built = bc_str_of(path);
	struct bc_str wanted = bc_str_of(template);
	while (built.ptr && wanted.ptr) {
		struct bc_str a = bc_str_split(&built, '/');
		struct bc_str b = bc_str_split(&wanted, '/');
		if (is_dot_segment(a) || (a.len == 0) != (b.len == 0))
			return false;
	}
	return !built.ptr && !wanted.ptr;
}

/* Plain printable ASCII with nothing that would end the path. */
static bool is_plain_url(struct bc_str url)
{
	for (size_t i = 0; i < url.len; i++) {
		char c = url.ptr[i];
		if (c <= ' ' || c > '~' || c == '?' || c == '#' || c == '\\')
			return false;
	}
	return true;
}

static int add_base(struct bc_buf *url, const char *base_url, struct bc_err *err)
{
	struct bc_str base = bc_str_of(base_url);
	while (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	size_t scheme = bc_str_starts(base, "https://")	 ? strlen("https://")
			: bc_str_starts(base, "http://") ? strlen("http://")
							 : base.len;
	if (scheme >= base.len || base.ptr[scheme] == '/' || !is_plain_url(base)) {
		bc_err_set(err, BC_EINVAL, "base URL \"%.100s\" is not one to build upon",
			   base_url);
		bc_err_hint(err, "write scheme, host and path prefix only, such as "
				 "https://press-order-api.sovendus.com/ext");
		return BC_EINVAL;
	}
	int r = bc_buf_add(url, base.ptr, base.len);
	if (r == BC_ETOOBIG)
		return bc_err_set(err, r, "the base URL is longer than %d bytes", BC_URL_MAX);
	return r < 0 ? bc_err_nomem(err) : 0;
}

static int build_url(struct bc_buf *url, const struct bc_partner *partner, const char *base_url,
		     const char *product_id, const char *token, struct bc_err *err)
{
	const struct bc_template_value values[] = {
		{ "product", product_id },
		{ "token", token },
		{ NULL, NULL },
	};
	int r = add_base(url, base_url ? base_url : partner->base_url, err);
	if (r < 0)
		return r;
	size_t base_bytes = url->len;
	r = bc_template_expand(url, partner->path, values, bc_percent_encode, err);
	if (r < 0)
		return r;
	if (!keeps_shape(url->data + base_bytes, partner->path)) {
		bc_err_set(err, BC_EINVAL, "product id \"%.100s\" would change the path asked for",
			   product_id ? product_id : "");
		bc_err_hint(err,
			    "copy the id as %s gave it, without dots, slashes or quotes "
			    "around it",
			    partner->title);
		return BC_EINVAL;
	}
	return 0;
}

static bc_template_encoder *body_encoder(const struct bc_partner *partner)
{
	bool form = strcmp(partner->content_type, "application/x-www-form-urlencoded") == 0;
	return form ? bc_percent_encode : bc_json_escape;
}

static int build_body(struct bc_buf *body, const struct bc_partner *partner, const char *product_id,
		      const char *key, const char *token, struct bc_err *err)
{
	const struct bc_template_value values[] = {
		{ "product", product_id },
		{ "token", token },
		{ "key", key },
		{ NULL, NULL },
	};
	return bc_template_expand(body, partner->body, values, body_encoder(partner), err);
}

/* Only what cannot fail any more happens to ret_request. */
static int fill_request(struct bc_partner_request *ret_request, const struct bc_partner *partner,
			struct bc_buf *url, struct bc_buf *body, struct bc_err *err)
{
	struct bc_partner_request made = {
		.method = partner->method,
		.content_type = partner->content_type,
		.body_bytes = body->len,
	};
	made.url = bc_buf_take(url);
	if (!made.url)
		return bc_err_nomem(err);
	made.body = bc_buf_take(body);
	if (!made.body) {
		bc_partner_request_finish(&made);
		return bc_err_nomem(err);
	}
	*ret_request = made;
	return 0;
}

int bc_partner_request_build(const struct bc_partner *partner, const char *base_url,
			     const char *product_id, const char *key, const char *token,
			     struct bc_partner_request *ret_request, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf url;
	BC_CLEANUP(bc_buf_finish) struct bc_buf body;
	bc_buf_init(&url, BC_URL_MAX);
	bc_buf_init(&body, BODY_MAX_BYTES);
	if (!token || bc_token_classify(token, strlen(token)) == BC_TOKEN_INVALID) {
		bc_err_set(err, BC_EINVAL, "the token is not one that can be handed back");
		bc_err_hint(err, "a token is 4 to 128 letters, digits, '-' and '_'");
		return BC_EINVAL;
	}
	int r = build_url(&url, partner, base_url, product_id, token, err);
	if (r == 0)
		r = build_body(&body, partner, product_id, key, token, err);
	return r < 0 ? r : fill_request(ret_request, partner, &url, &body, err);
}

static void wipe_and_free(char *text, size_t bytes)
{
	if (text)
		explicit_bzero(text, bytes);
	free(text);
}

void bc_partner_request_finish(struct bc_partner_request *request)
{
	wipe_and_free(request->url, request->url ? strlen(request->url) : 0);
	wipe_and_free(request->body, request->body_bytes);
	*request = (struct bc_partner_request){ 0 };
}
