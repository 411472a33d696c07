/* SPDX-License-Identifier: MIT */
/* See clicks.h. One allocation a click, in the request's arena. */
#include "core/clicks.h"

#include <string.h>

#include "base/err.h"
#include "core/landing.h"

struct capture_op {
	struct bc_store_op op;
	struct bc_shop *shop;
	struct bc_shop_config *config; /* a reference: the operation borrows names from it */
	struct bc_captured captured;
	char token[BC_TOKEN_MAX + 1];
	bc_capture_done *done;
	void *ctx;
};

static void count_captured(struct capture_op *c, const struct bc_store_op *op)
{
	struct bc_shop_stats *stats = &c->shop->stats;
	atomic_fetch_add_explicit(c->captured.kind == BC_TOKEN_TEST ? &stats->clicks_test
								    : &stats->clicks_production,
				  1, memory_order_relaxed);
	c->captured.adopted = op->out.put_click.adopted;
	if (c->captured.adopted) {
		atomic_fetch_add_explicit(&stats->orders[BC_ORDERS_ADOPTED], c->captured.adopted,
					  memory_order_relaxed);
		if (c->shop->on_due)
			c->shop->on_due(c->shop->ctx);
	}
}

static void capture_stored(struct bc_store_op *op)
{
	struct capture_op *c = BC_CONTAINER(op, struct capture_op, op);
	struct bc_shop_config *config = c->config;
	if (op->result == 0)
		count_captured(c, op);
	/* Who is told may free the operation. */
	c->done(c->ctx, op->result, op->result ? &op->err : NULL, op->result ? NULL : &c->captured);
	bc_shop_config_unref(config);
}

static int refuse_token(struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "field \"token\" is not a click token");
	bc_err_hint(err,
		    "a token is 4 to 128 of A-Z a-z 0-9 _ -; try backchannel validate. That of "
		    "another partner needs its product beside it");
	return BC_EINVAL;
}

/* A token that comes alone: 1, or BC_EINVAL. */
static int take_token(const struct bc_shop_config *config, const struct bc_capture *in,
		      const struct bc_product *product, char *token, const char **ret_field,
		      struct bc_err *err)
{
	*ret_field = "token";
	if (bc_landing_kind(config, bc_landing_partner(config, product), in->token) ==
	    BC_TOKEN_INVALID)
		return refuse_token(err);
	return bc_str_copy(token, BC_TOKEN_MAX + 1, in->token) ? BC_EINVAL : 1;
}

/* Finds the token of a landing, and with it the product where none was named: 1 found, 0 there is
 * none (reason set), BC_EINVAL. */
static int find_token(const struct bc_shop_config *config, const struct bc_capture *in,
		      const struct bc_product **product, char *token, const char **ret_reason,
		      const char **ret_field, struct bc_err *err)
{
	const struct bc_product *named = in->product.ptr ? *product : NULL;
	if (in->token.ptr)
		return take_token(config, in, *product, token, ret_field, err);
	*ret_field = "url";
	if (!in->url.ptr) {
		bc_err_set(err, BC_EINVAL, "neither \"url\" nor \"token\" is given");
		bc_err_hint(err, "send {\"url\":\"<the landing URL>\"}");
		return BC_EINVAL;
	}
	int found = bc_landing_find(config, in->url, named, token, product);
	if (found == BC_ETOOBIG) {
		bc_err_set(err, BC_EINVAL, "field \"url\" is longer than %d bytes", BC_URL_MAX);
		bc_err_hint(err, "send the URL as the browser asked for it, or the token alone");
		return BC_EINVAL;
	}
	*ret_reason = found == 0 ? "no token in url" : "invalid token";
	return found == 1;
}

/* The product that is named, else the one of the path. 0 or BC_EINVAL. */
static int find_product(const struct bc_shop_config *config, const struct bc_capture *in,
			const struct bc_product **ret_product, struct bc_err *err)
{
	struct bc_str path = { NULL, 0 };
	if (in->product.ptr) {
		*ret_product = bc_config_product(config, in->product);
		if (*ret_product)
			return 0;
		bc_err_set(err, BC_EINVAL, "product \"%.*s\" is not configured",
			   (int)(in->product.len > 64 ? 64 : in->product.len), in->product.ptr);
		bc_err_hint(err, "add a [product LABEL] section, or leave the field out");
		return BC_EINVAL;
	}
	if (in->url.ptr)
		bc_url_path(in->url.ptr, in->url.len, &path.ptr, &path.len);
	*ret_product = bc_config_product_for_path(config, path);
	return 0;
}

static void fill_click(struct bc_desk *desk, struct capture_op *c, const struct bc_product *product)
{
	const struct bc_shop_config *config = c->config;
	struct bc_click *click = &c->op.in.put_click.click;
	uint64_t now = bc_wall_ms(desk->shop->clock);
	click->token = bc_str_of(c->token);
	bc_token_hash(desk->hasher, click->token, click->token_hash);
	click->is_test = c->captured.kind == BC_TOKEN_TEST;
	click->partner = bc_str_of(bc_landing_partner(config, product)->name);
	click->product = bc_str_of(product ? product->label : "default");
	click->captured_ms = now;
	click->expires_ms = c->captured.expires_ms = now + config->click_ttl_ms;
	bc_click_id_text(click->id, c->captured.click);
	c->op.in.put_click.adopt_after_ms =
		now > config->order_adopt_ms ? now - config->order_adopt_ms : 0;
	c->op.in.put_click.due_ms = now;
	c->op.in.put_click.deadline_ms = now + config->retry.deadline_ms;
}

/* 48 bits of time, then 80 random ones: neighbours in the store's index, so that clicks of the same
 * moment share its pages. */
void bc_click_mint(uint8_t id[BC_CLICK_ID_BYTES], uint64_t now_ms)
{
	enum { TIME_BYTES = 6 };
	for (int i = 0; i < TIME_BYTES; i++)
		id[i] = (uint8_t)(now_ms >> (8 * (TIME_BYTES - 1 - i)));
	bc_random(id + TIME_BYTES, BC_CLICK_ID_BYTES - TIME_BYTES);
}

/* Reads who the click belongs to into its row. A missing id is minted. */
static int fill_identity(struct bc_desk *desk, const struct bc_capture *in, struct bc_click *click,
			 const char **ret_field, struct bc_err *err)
{
	struct bc_click_name name;
	*ret_field = "click";
	int result = bc_click_name_read(in->click, &name, err);
	if (result)
		return result;
	if (name.what == BC_NAMED_ID)
		memcpy(click->id, name.id, sizeof(click->id));
	else
		bc_click_mint(click->id, bc_wall_ms(desk->shop->clock));
	*ret_field = "session";
	click->has_session = in->session.ptr != NULL;
	return click->has_session ? bc_session_hash(desk->hasher, in->session, click->session, err)
				  : 0;
}

int bc_clicks_capture(struct bc_desk *desk, struct bc_arena *arena,
		      const struct bc_capture *capture, bc_capture_done *done, void *ctx,
		      struct bc_captured *ret_now, const char **ret_field, struct bc_err *err)
{
	struct bc_shop *shop = desk->shop;
	struct capture_op *c = bc_arena_alloc(arena, sizeof(*c));
	if (!c)
		return bc_err_nomem(err);
	*c = (struct capture_op){ .shop = shop, .done = done, .ctx = ctx };
	c->op = (struct bc_store_op){ .kind = BC_STORE_PUT_CLICK,
				      .done = capture_stored,
				      .arena = arena };
	struct bc_click *click = &c->op.in.put_click.click;
	int result = fill_identity(desk, capture, click, ret_field, err);
	if (result)
		return result;
	const struct bc_product *product;
	*ret_field = "product";
	result = find_product(desk->config, capture, &product, err);
	if (result)
		return result;
	result = find_token(desk->config, capture, &product, c->token, &ret_now->reason, ret_field,
			    err);
	if (result != 1) {
		ret_now->captured = false;
		atomic_fetch_add_explicit(&shop->stats.clicks_refused, 1, memory_order_relaxed);
		return result < 0 ? result : 1;
	}
	c->captured.captured = true;
	c->captured.kind = bc_landing_kind(desk->config, bc_landing_partner(desk->config, product),
					   bc_str_of(c->token));
	c->config = bc_shop_config_ref(desk->config);
	fill_click(desk, c, product);
	bc_desk_submit(desk, &c->op);
	return 0;
}

static void delete_stored(struct bc_store_op *op)
{
	struct capture_op *c = BC_CONTAINER(op, struct capture_op, op);
	c->done(c->ctx, op->result, &op->err, NULL);
}

int bc_clicks_delete(struct bc_desk *desk, struct bc_arena *arena, struct bc_str click,
		     bc_capture_done *done, void *ctx, struct bc_err *err)
{
	struct bc_click_name name;
	int result = bc_click_name_read(click, &name, err);
	if (result)
		return result;
	if (name.what != BC_NAMED_ID) {
		bc_err_set(err, BC_ENOENT,
			   "a click in token mode is kept in the browser, not here");
		bc_err_hint(err, "clear the bc_click cookie in the answer to the visitor");
		return BC_ENOENT;
	}
	struct capture_op *c = bc_arena_alloc(arena, sizeof(*c));
	if (!c)
		return bc_err_nomem(err);
	*c = (struct capture_op){ .shop = desk->shop, .done = done, .ctx = ctx };
	c->op = (struct bc_store_op){ .kind = BC_STORE_DELETE_CLICK,
				      .done = delete_stored,
				      .arena = arena };
	memcpy(c->op.in.delete_click, name.id, sizeof(name.id));
	bc_desk_submit(desk, &c->op);
	return 0;
}
