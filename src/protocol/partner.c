/* SPDX-License-Identifier: MIT */
/*
 * Builds the request that hands a token back. Whatever the token, product, key and order are, the
 * request has the method, the host, the path segments and the parameters of the partner's
 * definition: values are encoded for the place they go to, and the finished path is compared with
 * its template segment by segment. What the answer means is outcome.c's; sending is the network
 * layer's.
 */
#include <backchannel/partner.h>

#include <string.h>

#include <backchannel/token.h>

#include "base/buf.h"
#include "base/date.h"
#include "base/err.h"
#include "base/str.h"
#include "protocol/partner_impl.h"
#include "protocol/template.h"

enum {
	BODY_MAX_BYTES = 64 * 1024,
	HEADER_MAX_BYTES = 8 * 1024,
	VALUES_MAX = BC_PARTNER_ID_PARTS + 7 /* token to time, and the end */
};

/* Everything a template may name, for one conversion. */
struct values {
	struct bc_template_value row[VALUES_MAX];
	char *ids; /* owned; the parts of the product's id, each with its NUL */
	char time[BC_TIME_TEXT_BYTES];
	char names[BC_PARTNER_ID_PARTS][BC_PARTNER_NAME_BYTES];
};

static void values_finish(struct values *v)
{
	free(v->ids);
}

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

static int add_base(struct bc_buf *url, const struct bc_partner *partner, const char *base_url,
		    struct bc_err *err)
{
	struct bc_str base = bc_str_of(base_url);
	if (!base_url) {
		bc_err_set(err, BC_EINVAL, "%s has no base URL of its own, and none is given",
			   partner->title);
		bc_err_hint(err, "each customer has an address there: give the product a base_url");
		return BC_EINVAL;
	}
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
		return bc_err_tell(err, r, "write scheme, host and path prefix only",
				   "the base URL is longer than %d bytes", BC_URL_MAX);
	return r < 0 ? bc_err_nomem(err) : 0;
}

static int refuse_shape(const struct bc_partner *partner, const char *product_id,
			struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "product id \"%.100s\" would change the path asked for",
		   product_id ? product_id : "");
	bc_err_hint(err, "copy the id as %s gave it, without dots, slashes or quotes around it",
		    partner->title);
	return BC_EINVAL;
}

static int build_url(struct bc_buf *url, const struct bc_partner *partner,
		     const struct bc_partner_conversion *c, const struct bc_template_value *values,
		     struct bc_err *err)
{
	int r = add_base(url, partner, c->base_url ? c->base_url : partner->base_url, err);
	if (r < 0)
		return r;
	size_t base_bytes = url->len;
	r = bc_template_expand(url, partner->path, values, bc_percent_encode, err);
	if (r < 0)
		return r;
	if (!keeps_shape(url->data + base_bytes, partner->path))
		return refuse_shape(partner, c->product_id, err);
	if (!partner->query)
		return 0;
	if (bc_buf_add(url, "?", 1) < 0)
		return bc_err_tell(err, BC_ETOOBIG,
				   "shorten the base URL or the product id: is it the right one?",
				   "the URL is longer than %d bytes", BC_URL_MAX);
	return bc_template_expand_pairs(url, partner->query, values, err);
}

bool bc_partner_has_form(const struct bc_partner *partner)
{
	return partner->content_type &&
	       strcmp(partner->content_type, "application/x-www-form-urlencoded") == 0;
}

static int build_body(struct bc_buf *body, const struct bc_partner *partner,
		      const struct bc_template_value *values, struct bc_err *err)
{
	if (!partner->body)
		return 0;
	if (bc_partner_has_form(partner))
		return bc_template_expand_pairs(body, partner->body, values, err);
	return bc_template_expand(body, partner->body, values, bc_json_escape, err);
}

/* --- what templates name --------------------------------------------------------------------- */

/* A key has no place in a URL, unless the definition asks for that. */
static void keep_key_out(const struct bc_partner *partner, struct bc_template_value *values)
{
	for (; !partner->key_in_url && values->name; values++) {
		if (strcmp(values->name, "key") == 0)
			values->name = "";
	}
}

static int refuse_parts(const struct bc_partner *partner, const char *product_id,
			struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "product id \"%.100s\" does not have the parts %s",
		   product_id ? product_id : "", partner->id);
	bc_err_hint(err, "write the parts one after the other, with a colon between two");
	return BC_EINVAL;
}

/* "IR1:1000" as {account} and {campaign}. Returns how many there are, or an error. */
static int split_id(const struct bc_partner *partner, const char *product_id, struct values *v,
		    struct bc_err *err)
{
	struct bc_str names = bc_str_of(partner->id), rest;
	int count = 0;
	v->ids = bc_str_dup(bc_str_of(product_id ? product_id : ""));
	if (!v->ids)
		return bc_err_nomem(err);
	rest = bc_str_of(v->ids);
	while (names.ptr && rest.ptr) {
		struct bc_str name = bc_str_split(&names, ':'), part = bc_str_split(&rest, ':');
		if (count == BC_PARTNER_ID_PARTS || part.len == 0 || is_dot_segment(part) ||
		    bc_str_copy(v->names[count], sizeof(v->names[count]), name))
			return refuse_parts(partner, product_id, err);
		v->ids[part.ptr - v->ids + (ptrdiff_t)part.len] = '\0';
		v->row[count] = (struct bc_template_value){ v->names[count], part.ptr, false };
		count++;
	}
	return names.ptr || rest.ptr ? refuse_parts(partner, product_id, err) : count;
}

/* "-?digits(.digits)?", as JSON has it: no sign in front but "-", no needless zero. */
static bool is_decimal(struct bc_str s)
{
	size_t at = s.len && s.ptr[0] == '-', from = at;
	bool point = false;
	for (; at < s.len; at++) {
		bool digit = s.ptr[at] >= '0' && s.ptr[at] <= '9';
		if (!digit && (s.ptr[at] != '.' || point || at == from || at + 1 == s.len))
			return false;
		point |= !digit;
	}
	return at > from && (s.ptr[from] != '0' || at == from + 1 || s.ptr[from + 1] == '.');
}

static int check_amount(const struct bc_partner *partner, const char *amount, struct bc_err *err)
{
	if (!amount || !*amount || !bc_partner_uses(partner, "amount") ||
	    is_decimal(bc_str_of(amount)))
		return 0;
	bc_err_set(err, BC_ENOENT, "the order's amount \"%.40s\" is no decimal number", amount);
	bc_err_hint(err, "let the shop report it as in 49.90, without separators or currency");
	return BC_ENOENT;
}

static int fill_values(const struct bc_partner *partner, const struct bc_partner_conversion *c,
		       struct values *v, struct bc_err *err)
{
	int count = 1;
	if (partner->id)
		count = split_id(partner, c->product_id, v, err);
	else
		v->row[0] = (struct bc_template_value){ "product", c->product_id, false };
	if (count < 0)
		return count;
	if (c->time_ms)
		bc_time_format(c->time_ms, v->time);
	const struct bc_template_value others[] = {
		{ "token", c->token, false },
		{ "key", c->key, false },
		{ "order", c->order, true },
		{ "amount", c->amount, true },
		{ "currency", c->currency, true },
		{ "time", v->time, true },
		{ NULL, NULL, false },
	};
	memcpy(v->row + count, others, sizeof(others));
	return check_amount(partner, c->amount, err);
}

static bool text_uses(const char *text, const char *name, bool needs)
{
	struct bc_template_name found;
	while (text && bc_template_next(&text, &found)) {
		if (bc_str_eq(found.name, name) && !(needs && found.optional))
			return true;
	}
	return false;
}

static bool uses(const struct bc_partner *p, const char *name, bool needs)
{
	const char *const texts[] = { p->path, p->query, p->basic, p->body };
	for (size_t i = 0; i < BC_COUNT(texts); i++) {
		if (text_uses(texts[i], name, needs))
			return true;
	}
	for (const char *const *header = p->headers; header && *header; header++) {
		if (text_uses(*header, name, needs))
			return true;
	}
	return false;
}

bool bc_partner_uses(const struct bc_partner *partner, const char *name)
{
	return uses(partner, name, false);
}

bool bc_partner_needs(const struct bc_partner *partner, const char *name)
{
	return uses(partner, name, true);
}

/* --- headers --------------------------------------------------------------------------------- */

static int add_basic(struct bc_buf *line, const char *basic, const struct bc_template_value *values,
		     struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf pair;
	bc_buf_init(&pair, HEADER_MAX_BYTES);
	int r = bc_template_expand(&pair, basic, values, bc_header_plain, err);
	if (r < 0)
		return r;
	r = bc_buf_adds(line, "Authorization: Basic ");
	if (r == 0)
		r = bc_base64_encode(line, (struct bc_str){ pair.data, pair.len });
	return r < 0 ? bc_err_tell(err, r,
				   "copy product id and key again, without quotes and line breaks "
				   "around them",
				   "the header for HTTP Basic cannot be made")
		     : 0;
}

static int add_type(struct bc_buf *line, const char *type, const struct bc_template_value *values,
		    struct bc_err *err)
{
	(void)values;
	int r = bc_buf_adds(line, "Content-Type: ");
	if (r == 0)
		r = bc_header_plain(line, bc_str_of(type));
	return r < 0 ? bc_err_tell(err, r, "write it as in application/json",
				   "the partner's content type cannot be sent")
		     : 0;
}

static int add_plain(struct bc_buf *line, const char *template,
		     const struct bc_template_value *values, struct bc_err *err)
{
	return bc_template_expand(line, template, values, bc_header_plain, err);
}

typedef int header_adder(struct bc_buf *line, const char *template,
			 const struct bc_template_value *values, struct bc_err *err);

static int add_header(char ***at, header_adder *add, const char *template,
		      const struct bc_template_value *values, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf line;
	bc_buf_init(&line, HEADER_MAX_BYTES);
	int r = template ? add(&line, template, values, err) : 0;
	if (r < 0 || !template)
		return r;
	**at = bc_buf_take(&line);
	return *(*at)++ ? 0 : bc_err_nomem(err);
}

static int build_headers(struct bc_partner_request *made, const struct bc_partner *partner,
			 const struct bc_template_value *values, struct bc_err *err)
{
	size_t count = 0;
	while (partner->headers && partner->headers[count])
		count++;
	if (!count && !partner->basic && !made->content_type)
		return 0;
	made->headers = calloc(count + 3, sizeof(*made->headers));
	if (!made->headers)
		return bc_err_nomem(err);
	char **at = made->headers;
	int r = add_header(&at, add_type, made->content_type, values, err);
	if (r == 0)
		r = add_header(&at, add_basic, partner->basic, values, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_header(&at, add_plain, partner->headers[i], values, err);
	return r;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Only what cannot fail any more happens to ret_request. */
static int fill_request(struct bc_partner_request *ret_request, struct bc_partner_request *made,
			struct bc_buf *url, struct bc_buf *body, struct bc_err *err)
{
	bool with_body = made->content_type != NULL;
	made->body_bytes = body->len;
	made->url = bc_buf_take(url);
	if (made->url && with_body)
		made->body = bc_buf_take(body);
	if (!made->url || (with_body && !made->body))
		return bc_err_nomem(err);
	*ret_request = *made;
	*made = (struct bc_partner_request){ 0 };
	return 0;
}

static int build(const struct bc_partner *partner, const struct bc_partner_conversion *c,
		 struct values *v, struct bc_partner_request *ret_request, struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf url;
	BC_CLEANUP(bc_buf_finish) struct bc_buf body;
	BC_CLEANUP(bc_partner_request_finish)
	struct bc_partner_request made = { .method = partner->method,
					   .content_type =
						   partner->body ? partner->content_type : NULL };
	struct bc_template_value in_url[VALUES_MAX];
	bc_buf_init(&url, BC_URL_MAX);
	bc_buf_init(&body, BODY_MAX_BYTES);
	int r = fill_values(partner, c, v, err);
	if (r == 0) {
		memcpy(in_url, v->row, sizeof(in_url));
		keep_key_out(partner, in_url);
		r = build_url(&url, partner, c, in_url, err);
	}
	if (r == 0)
		r = build_headers(&made, partner, v->row, err);
	if (r == 0)
		r = build_body(&body, partner, v->row, err);
	return r < 0 ? r : fill_request(ret_request, &made, &url, &body, err);
}

static int refuse_token(const struct bc_partner *partner, struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "the token is not one that can be handed back");
	bc_err_hint(err, "a token is 4 to 128 letters, digits, '-' and '_'%s%s",
		    partner->token_also ? ", and of " : "",
		    partner->token_also ? partner->token_also : "");
	return BC_EINVAL;
}

int bc_partner_request_make(const struct bc_partner *partner, const struct bc_partner_conversion *c,
			    struct bc_partner_request *ret_request, struct bc_err *err)
{
	BC_CLEANUP(values_finish) struct values v = { 0 };
	if (!c->token ||
	    bc_partner_token_kind(partner, c->token, strlen(c->token), NULL) == BC_TOKEN_INVALID)
		return refuse_token(partner, err);
	return build(partner, c, &v, ret_request, err);
}

int bc_partner_request_build(const struct bc_partner *partner, const char *base_url,
			     const char *product_id, const char *key, const char *token,
			     struct bc_partner_request *ret_request, struct bc_err *err)
{
	return bc_partner_request_make(partner,
				       &(struct bc_partner_conversion){ .base_url = base_url,
									.product_id = product_id,
									.key = key,
									.token = token },
				       ret_request, err);
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
	for (char **header = request->headers; header && *header; header++)
		wipe_and_free(*header, strlen(*header));
	free(request->headers);
	*request = (struct bc_partner_request){ 0 };
}
