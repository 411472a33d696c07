/* SPDX-License-Identifier: MIT */
/* See handback.h. */
#include "core/handback.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { ANSWER_MAX_BYTES = 16 * 1024 };

/* Tokens come as slices; the partner's functions want a C string for the time of the call. */
struct token_text {
	char text[BC_TOKEN_MAX + 1];
};

static int copy_token(struct token_text *t, struct bc_str token, struct bc_err *err)
{
	if (bc_str_copy(t->text, sizeof(t->text), token) == 0)
		return 0;
	return bc_err_set(err, BC_EINVAL, "the token is longer than %d bytes", BC_TOKEN_MAX);
}

static int send_request(struct bc_handback *h, struct bc_http_client *client,
			const struct bc_shop_config *config, bc_http_done *done, void *ctx,
			struct bc_err *err)
{
	int n = snprintf(h->content_type, sizeof(h->content_type), "Content-Type: %s",
			 h->request.content_type);
	BC_ASSERT(n > 0 && (size_t)n < sizeof(h->content_type));
	h->headers[0] = h->content_type;
	h->headers[1] = NULL;
	struct bc_http_exchange exchange = {
		.method = h->request.method,
		.url = h->request.url,
		.headers = h->headers,
		.body = h->request.body,
		.body_bytes = h->request.body_bytes,
		.connect_timeout_ms = (uint32_t)config->connect_timeout_ms,
		.timeout_ms = (uint32_t)config->timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};
	return bc_http_call_start(client, &exchange, done, ctx, &h->call, err);
}

int bc_handback_start(struct bc_handback *h, struct bc_http_client *client,
		      struct bc_shop_config *config, const struct bc_product *product,
		      struct bc_str token, bc_http_done *done, void *ctx, struct bc_err *err)
{
	struct token_text text;
	*h = (struct bc_handback){ .config = bc_shop_config_ref(config), .product = product };
	int result = copy_token(&text, token, err);
	if (!result)
		result = bc_partner_request_build(product->partner, product->base_url, product->id,
						  bc_secret_reveal(product->key), text.text,
						  &h->request, err);
	bc_wipe(&text, sizeof(text));
	if (!result)
		result = send_request(h, client, config, done, ctx, err);
	if (result)
		bc_handback_finish(h);
	return result;
}

struct bc_partner_verdict bc_handback_read(const struct bc_handback *h, struct bc_str token,
					   uint64_t click_age_ms, unsigned attempt,
					   const struct bc_http_answer *answer)
{
	struct token_text text;
	struct bc_partner_answer in = {
		.status = answer->status,
		.request_sent = answer->request_sent,
		.body = answer->body.ptr,
		.body_bytes = answer->body.len,
		.token = copy_token(&text, token, NULL) ? NULL : text.text,
		.click_age_ms = click_age_ms,
		.attempt = attempt,
	};
	struct bc_partner_verdict verdict = bc_partner_read_answer(h->product->partner, &in);
	bc_wipe(&text, sizeof(text));
	return verdict;
}

static void copy_printable(char *to, size_t bytes, const char *from, size_t len)
{
	size_t n = len < bytes ? len : bytes - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	to[n] = '\0';
}

const char *bc_partner_message(const struct bc_http_answer *answer, struct bc_str token, char *text)
{
	json_t *body =
		json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, 0, NULL);
	const json_t *message = json_object_get(body, "message");
	const char *said = json_string_value(message);
	size_t len = json_string_length(message);
	text[0] = '\0';
	if (said && !bc_secret_occurs(said, len) &&
	    !(token.len && memmem(said, len, token.ptr, token.len)))
		copy_printable(text, BC_PARTNER_MESSAGE_BYTES, said, len);
	json_decref(body);
	return text;
}

void bc_handback_finish(struct bc_handback *h)
{
	if (h->call)
		bc_http_call_cancel(h->call);
	h->call = NULL;
	bc_partner_request_finish(&h->request);
	bc_shop_config_unref(h->config);
	h->config = NULL;
	h->product = NULL;
}
