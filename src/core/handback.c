/* SPDX-License-Identifier: MIT */
/* See handback.h. */
#include "core/handback.h"

#include <jansson.h>
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
	return bc_err_tell(err, BC_EINVAL,
			   "a click token has 4 to 128 letters, digits, '-' and '_'",
			   "the token is longer than %d bytes", BC_TOKEN_MAX);
}

static int send_request(struct bc_handback *h, struct bc_http_client *client,
			const struct bc_shop_config *config, bc_http_done *done, void *ctx,
			struct bc_err *err)
{
	struct bc_http_exchange exchange = {
		.method = h->request.method,
		.url = h->request.url,
		.headers = (const char *const *)h->request.headers,
		.body = h->request.body,
		.body_bytes = h->request.body_bytes,
		.connect_timeout_ms = (uint32_t)config->connect_timeout_ms,
		.timeout_ms = (uint32_t)config->timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};
	return bc_http_call_start(client, &exchange, done, ctx, &h->call, err);
}

/* What a partner is told of the order, as C strings for the time of the call. */
struct order_text {
	char order[BC_ORDER_ID_MAX + 1], amount[40], currency[20];
};

/* What does not fit never came: the order was checked when it was reported. */
static const char *copy_text(char *to, size_t bytes, struct bc_str from)
{
	return bc_str_copy(to, bytes, from) ? "" : to;
}

static void fill_order(struct bc_partner_conversion *c, const struct bc_order *order,
		       struct order_text *text)
{
	if (!order) { /* a test token counts nowhere, whatever it is sent with */
		c->order = "backchannel-test";
		c->amount = "1.00";
		c->currency = "EUR";
		c->time_ms = 1;
		return;
	}
	c->order = copy_text(text->order, sizeof(text->order), order->order);
	c->amount = copy_text(text->amount, sizeof(text->amount), order->amount);
	c->currency = copy_text(text->currency, sizeof(text->currency), order->currency);
	c->time_ms = order->created_ms;
}

int bc_handback_start_order(struct bc_handback *h, struct bc_http_client *client,
			    struct bc_shop_config *config, const struct bc_product *product,
			    const struct bc_order *order, struct bc_str token, bc_http_done *done,
			    void *ctx, struct bc_err *err)
{
	struct bc_partner_conversion c = { .base_url = product->base_url,
					   .product_id = product->id };
	struct order_text of_order;
	struct token_text text;
	*h = (struct bc_handback){ .config = bc_shop_config_ref(config), .product = product };
	int result = copy_token(&text, token, err);
	if (!result) {
		c.key = product->key ? bc_secret_reveal(product->key) : NULL;
		c.token = text.text;
		fill_order(&c, order, &of_order);
		result = bc_partner_request_make(product->partner, &c, &h->request, err);
	}
	bc_wipe(&text, sizeof(text));
	if (!result)
		result = send_request(h, client, config, done, ctx, err);
	if (result)
		bc_handback_finish(h);
	return result;
}

int bc_handback_start(struct bc_handback *h, struct bc_http_client *client,
		      struct bc_shop_config *config, const struct bc_product *product,
		      struct bc_str token, bc_http_done *done, void *ctx, struct bc_err *err)
{
	return bc_handback_start_order(h, client, config, product, NULL, token, done, ctx, err);
}

struct bc_str bc_handback_test_token(const struct bc_partner *partner)
{
	return bc_str_of(partner->test_tokens ? partner->test_tokens[0] : NULL);
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

static const json_t *message_of(const json_t *body)
{
	static const char *const names[] = { "message", "Message", "error" };
	const json_t *errors = json_object_get(body, "errors");
	for (size_t i = 0; i < BC_COUNT(names); i++) {
		const json_t *message = json_object_get(body, names[i]);
		if (json_is_string(message))
			return message;
	}
	return json_object_get(json_array_get(errors, 0), "message");
}

/* Is it a short text, and neither JSON nor a page? */
static bool is_plain(struct bc_str body)
{
	if (!body.len || body.len >= BC_PARTNER_MESSAGE_BYTES)
		return false;
	for (size_t i = 0; i < body.len; i++) {
		if (body.ptr[i] == '<' || body.ptr[i] == '{' || body.ptr[i] == '[')
			return false;
	}
	return true;
}

const char *bc_partner_message(const struct bc_http_answer *answer, struct bc_str token, char *text)
{
	json_t *body =
		json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, 0, NULL);
	const json_t *message = message_of(body);
	struct bc_str said = { json_string_value(message), json_string_length(message) };
	if (!body && is_plain(answer->body))
		said = answer->body;
	text[0] = '\0';
	if (said.ptr && !bc_secret_occurs(said.ptr, said.len) &&
	    !(token.len && memmem(said.ptr, said.len, token.ptr, token.len)))
		copy_printable(text, BC_PARTNER_MESSAGE_BYTES, said.ptr, said.len);
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
