/* SPDX-License-Identifier: MIT */
/* See orders.h. */
#include "core/orders.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/landing.h"

struct accept_op {
	struct bc_store_op op;
	struct bc_shop *shop;
	struct bc_shop_config *config; /* a reference: the operation borrows names from it */
	struct bc_str asked_product;   /* what the caller named; absent = nothing */
	bc_accept_done *done;
	void *ctx;
};

enum bc_order_result bc_orders_result(enum bc_accept_result how, const struct bc_order *order)
{
	switch (how) {
	case BC_ACCEPT_ADOPTED:
		return BC_ORDERS_ADOPTED;
	case BC_ACCEPT_REPEATED:
		return BC_ORDERS_REPEATED;
	case BC_ACCEPT_CONFLICT:
		return BC_ORDERS_CONFLICT;
	case BC_ACCEPT_CREATED:
		break;
	}
	return order->state == BC_ORDER_UNATTRIBUTED ? BC_ORDERS_UNATTRIBUTED : BC_ORDERS_ACCEPTED;
}

bool bc_orders_became_due(enum bc_order_result result)
{
	return result == BC_ORDERS_ACCEPTED || result == BC_ORDERS_ADOPTED;
}

void bc_orders_log(const struct bc_order *order, const char *result, const char *source)
{
	bc_log_info("order.reported", BC_LSTR("order", order->order), BC_LS("source", source),
		    BC_LS("result", result), BC_LSTR("product", order->product),
		    BC_LSTR("reason", order->reason));
}

static bool same(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void tell_product(const struct accept_op *a)
{
	const struct bc_order *o = &a->op.out.accept.order;
	if (a->asked_product.ptr && o->product.ptr && !same(a->asked_product, o->product))
		bc_log_warning("order.product_ignored", BC_LSTR("order", o->order),
			       BC_LSTR("reported", a->asked_product), BC_LSTR("kept", o->product));
}

static void count_arrival(struct accept_op *a, const struct bc_store_op *op)
{
	enum bc_order_result result = bc_orders_result(op->out.accept.how, &op->out.accept.order);
	atomic_fetch_add_explicit(&a->shop->stats.orders[result], 1, memory_order_relaxed);
	bc_orders_log(&op->out.accept.order, bc_order_result_name[result], NULL);
	tell_product(a);
	if (bc_orders_became_due(result) && a->shop->on_due)
		a->shop->on_due(a->shop->ctx);
}

static void order_stored(struct bc_store_op *op)
{
	struct accept_op *a = BC_CONTAINER(op, struct accept_op, op);
	struct bc_shop_config *config = a->config;
	if (op->result == 0)
		count_arrival(a, op);
	struct bc_accepted accepted = { .how = op->out.accept.how, .order = &op->out.accept.order };
	/* Who is told may free the operation. */
	a->done(a->ctx, op->result, op->result ? &op->err : NULL, op->result ? NULL : &accepted);
	bc_shop_config_unref(config);
}

static int fill_token(struct bc_desk *desk, struct bc_str token, const struct bc_product *product,
		      struct bc_accept *in, struct bc_err *err)
{
	const struct bc_partner *partner = bc_landing_partner(desk->config, product);
	enum bc_token_kind kind = bc_landing_kind(desk->config, partner, token);
	if (kind == BC_TOKEN_INVALID) {
		bc_err_set(err, BC_EINVAL, "field \"token\" is not a click token");
		bc_err_hint(err, "a token is 4 to 128 of A-Z a-z 0-9 _ -; leave the field out when "
				 "the visitor came without one. That of another partner needs its "
				 "product beside it");
		return BC_EINVAL;
	}
	in->token = token;
	in->is_test = kind == BC_TOKEN_TEST;
	bc_token_hash(desk->hasher, token, in->token_hash);
	if (desk->previous)
		bc_token_hash(desk->previous, token, in->token_hash_previous);
	return 0;
}

static void set_product(const struct bc_shop_config *config, const struct bc_product *product,
			struct bc_accept *in)
{
	in->partner = bc_str_of(bc_landing_partner(config, product)->name);
	in->product = bc_str_of(product ? product->label : "default");
}

static int refuse_product(struct bc_str label, struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "product \"%.*s\" is not configured",
		   (int)(label.len > 64 ? 64 : label.len), label.ptr);
	bc_err_hint(err, "add a [product LABEL] section, or leave the field out");
	return BC_EINVAL;
}

/* A click that is a token says by itself whose it is, or belongs to the order's product. */
static int fill_click(struct bc_desk *desk, const struct bc_report *report,
		      const struct bc_product *product, struct bc_accept *in, struct bc_err *err)
{
	struct bc_click_name name;
	int result = bc_click_name_read(report->click, &name, err);
	if (result)
		return result;
	if (name.what == BC_NAMED_TOKEN && !in->token.ptr) {
		if (name.product.ptr) {
			product = bc_config_product(desk->config, name.product);
			if (!product)
				return refuse_product(name.product, err);
			set_product(desk->config, product, in);
		}
		return fill_token(desk, name.token, product, in, err);
	}
	in->has_click = name.what == BC_NAMED_ID;
	if (in->has_click)
		memcpy(in->click, name.id, sizeof(in->click));
	return 0;
}

static int find_product(const struct bc_shop_config *config, struct bc_str asked,
			const struct bc_product **ret_product, struct bc_err *err)
{
	*ret_product = asked.ptr ? bc_config_product(config, asked)
				 : bc_config_product_for_path(config, (struct bc_str){ 0 });
	return asked.ptr && !*ret_product ? refuse_product(asked, err) : 0;
}

static int check_text(struct bc_str text, size_t max, const char *name, struct bc_err *err)
{
	if (text.len <= max && !bc_has_control(text))
		return 0;
	return bc_err_tell(
		err, BC_EINVAL, "shorten it, and leave out line breaks and control characters",
		"field \"%s\" must be at most %zu bytes without control characters", name, max);
}

static int fill_session(struct bc_desk *desk, struct bc_str session, struct bc_accept *in,
			struct bc_err *err)
{
	int result = bc_session_hash(desk->hasher, session, in->session, err);
	if (!result && desk->previous)
		result = bc_session_hash(desk->previous, session, in->session_previous, err);
	in->has_session = result == 0;
	return result;
}

/* Reads every field; *ret_field is the one under way, so it names the wrong one on failure. */
static int fill_accept(struct bc_desk *desk, const struct bc_report *report, struct bc_accept *in,
		       const char **ret_field, struct bc_err *err)
{
	const struct bc_product *product;
	int result;
	*ret_field = "order";
	if ((result = bc_order_id_check(report->order, err)))
		return result;
	*ret_field = "product";
	if ((result = find_product(desk->config, report->product, &product, err)))
		return result;
	set_product(desk->config, product, in);
	*ret_field = "token";
	if (report->token.ptr && (result = fill_token(desk, report->token, product, in, err)))
		return result;
	*ret_field = "click";
	if ((result = fill_click(desk, report, product, in, err)))
		return result;
	*ret_field = "session";
	if (report->session.ptr && (result = fill_session(desk, report->session, in, err)))
		return result;
	*ret_field = "amount";
	if ((result = check_text(report->amount, 32, "amount", err)))
		return result;
	*ret_field = "currency";
	return check_text(report->currency, 16, "currency", err);
}

int bc_orders_read(struct bc_desk *desk, const struct bc_report *report, struct bc_accept *ret,
		   const char **ret_field, struct bc_err *err)
{
	*ret = (struct bc_accept){ .order = report->order,
				   .has_previous = desk->previous != NULL,
				   .amount = report->amount,
				   .currency = report->currency,
				   .now_ms = bc_wall_ms(desk->shop->clock) };
	ret->due_ms = ret->now_ms;
	ret->deadline_ms = ret->now_ms + desk->config->retry.deadline_ms;
	return fill_accept(desk, report, ret, ret_field, err);
}

int bc_orders_accept(struct bc_desk *desk, struct bc_arena *arena, const struct bc_report *report,
		     bc_accept_done *done, void *ctx, const char **ret_field, struct bc_err *err)
{
	struct bc_shop *shop = desk->shop;
	struct accept_op *a = bc_arena_alloc(arena, sizeof(*a));
	if (!a)
		return bc_err_nomem(err);
	*a = (struct accept_op){
		.shop = shop, .asked_product = report->product, .done = done, .ctx = ctx
	};
	a->op = (struct bc_store_op){ .kind = BC_STORE_ACCEPT_ORDER,
				      .done = order_stored,
				      .arena = arena };
	int result = bc_orders_read(desk, report, &a->op.in.accept, ret_field, err);
	if (result)
		return result;
	a->config = bc_shop_config_ref(desk->config); /* its names are in the operation */
	bc_desk_submit(desk, &a->op);
	return 0;
}
