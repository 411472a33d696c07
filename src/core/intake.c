/* SPDX-License-Identifier: MIT */
/*
 * See intake.h. A page is one operation of the store, in the arena of whoever brings it.
 *
 * What of an order cannot be read (a click that is none, an amount of a hundred digits) costs the
 * order that field, not its place: somebody paid. Only one without a usable number is refused.
 */
#include "core/intake.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/clicks.h"
#include "core/orders.h"

const char *const bc_intake_source_name[BC_INTAKE_SOURCES] = {
	[BC_INTAKE_EVENT] = "event",
	[BC_INTAKE_JOURNAL] = "journal",
	[BC_INTAKE_WEBHOOK] = "webhook",
	[BC_INTAKE_PULL] = "pull",
};

const char *const bc_intake_result_name[BC_INTAKE_RESULTS] = {
	[BC_INTAKE_ACCEPTED] = "accepted", [BC_INTAKE_ADOPTED] = "adopted",
	[BC_INTAKE_REPEATED] = "repeated", [BC_INTAKE_UNATTRIBUTED] = "unattributed",
	[BC_INTAKE_CONFLICT] = "conflict", [BC_INTAKE_WITHDRAWN] = "withdrawn",
	[BC_INTAKE_REVOKED] = "revoked",   [BC_INTAKE_OPEN] = "open",
	[BC_INTAKE_REFUSED] = "refused",
};

_Static_assert((int)BC_INTAKE_SOURCES == (int)BC_SHOP_INTAKE_SOURCES &&
		       (int)BC_INTAKE_RESULTS == (int)BC_SHOP_INTAKE_RESULTS,
	       "the shop counts what is told here");

static void count(struct bc_shop *shop, enum bc_intake_source source, enum bc_intake_result result)
{
	atomic_fetch_add_explicit(&shop->stats.intake[source][result], 1, memory_order_relaxed);
}

/* --- a page --------------------------------------------------------------------------------- */

struct take {
	struct bc_store_op op;
	struct bc_shop *shop;
	struct bc_shop_config *config; /* a reference: the items borrow names from it */
	enum bc_intake_source source;
	const struct bc_commerce_order *orders;
	struct bc_page_item *items;
	uint32_t *order_of;		/* which order an item is of */
	enum bc_intake_result *results; /* of the orders */
	struct bc_intake_taken taken;
	bool became_due;
	bc_intake_done *done;
	void *ctx;
};

/* What an order is also taken without. */
static const struct {
	const char *field;
	size_t offset;
} optional[] = {
	{ "click", offsetof(struct bc_report, click) },
	{ "session", offsetof(struct bc_report, session) },
	{ "amount", offsetof(struct bc_report, amount) },
	{ "currency", offsetof(struct bc_report, currency) },
};

static bool leave_out(struct bc_report *report, const char *field)
{
	for (size_t i = 0; i < BC_COUNT(optional); i++) {
		if (strcmp(optional[i].field, field) != 0)
			continue;
		*(struct bc_str *)(void *)((char *)report + optional[i].offset) =
			(struct bc_str){ 0 };
		return true;
	}
	return false;
}

static void tell_left_out(const struct bc_commerce_order *order, enum bc_intake_source source,
			  const char *field, const struct bc_err *why)
{
	bc_log_warning("order.field_ignored", BC_LSTR("order", order->increment_id),
		       BC_LS("source", bc_intake_source_name[source]), BC_LS("field", field),
		       BC_LS("problem", why->text));
}

static void tell_refused(const struct bc_commerce_order *order, enum bc_intake_source source,
			 const struct bc_err *why)
{
	bc_log_warning("order.refused", BC_LSTR("order", order->increment_id),
		       BC_LS("source", bc_intake_source_name[source]), BC_LS("problem", why->text));
}

/* An attribute that is there and empty names nothing. */
static struct bc_str click_of(const struct bc_commerce_order *order)
{
	return order->click.len ? order->click : (struct bc_str){ 0 };
}

static int read_accept(struct bc_desk *desk, struct bc_arena *arena, enum bc_intake_source source,
		       const struct bc_commerce_order *order, struct bc_accept *ret,
		       struct bc_err *err)
{
	struct bc_report report = { .order = order->order,
				    .click = click_of(order),
				    .amount = order->amount,
				    .currency = order->currency };
	struct bc_str quote, number;
	const char *field;
	int result;
	if (!bc_commerce_order_sessions(order, arena, &quote, &number))
		return bc_err_nomem(err);
	report.session = quote.ptr ? quote : number;
	for (;;) {
		struct bc_err why = { 0 };
		result = bc_orders_read(desk, &report, ret, &field, &why);
		if (result != BC_EINVAL || !leave_out(&report, field)) {
			if (result)
				*err = why;
			break;
		}
		tell_left_out(order, source, field, &why);
	}
	ret->session_implied = true;
	ret->entity_id = order->entity_id;
	ret->edition = order->edition;
	return result;
}

static int read_revoke(struct bc_desk *desk, const struct bc_commerce_order *order,
		       struct bc_revoke *ret, struct bc_err *err)
{
	struct bc_report report = { .order = order->order };
	struct bc_accept known;
	const char *field;
	int result = bc_orders_read(desk, &report, &known, &field, err);
	if (result)
		return result;
	*ret = (struct bc_revoke){ .order = order->order,
				   .partner = known.partner,
				   .product = known.product,
				   .entity_id = order->entity_id,
				   .edition = order->edition,
				   .reason = bc_str_eq(order->state, "closed")
						     ? BC_STR(BC_INTAKE_CLOSED)
						     : BC_STR(BC_INTAKE_CANCELED),
				   .now_ms = known.now_ms };
	return 0;
}

/* 1: item is filled; 0: the order is left alone, and its result says why; BC_ENOMEM. */
static int read_item(struct take *t, struct bc_desk *desk, struct bc_arena *arena, size_t i,
		     struct bc_page_item *item, struct bc_err *err)
{
	const struct bc_commerce_order *order = &t->orders[i];
	struct bc_err why = { 0 };
	int result = 0;
	t->results[i] = BC_INTAKE_OPEN;
	switch (bc_commerce_order_standing(order, desk->config->completed_states)) {
	case BC_COMMERCE_COMPLETED:
		item->what = BC_PAGE_ACCEPT;
		result = read_accept(desk, arena, t->source, order, &item->in.accept, &why);
		break;
	case BC_COMMERCE_TAKEN_BACK:
		item->what = BC_PAGE_REVOKE;
		result = read_revoke(desk, order, &item->in.revoke, &why);
		break;
	case BC_COMMERCE_OPEN:
		bc_log_debug("order.open", BC_LSTR("order", order->increment_id),
			     BC_LS("source", bc_intake_source_name[t->source]),
			     BC_LSTR("state", order->state));
		return 0;
	}
	if (result == BC_EINVAL) {
		t->results[i] = BC_INTAKE_REFUSED;
		tell_refused(order, t->source, &why);
		return 0;
	}
	if (result && err)
		*err = why;
	return result ? result : 1;
}

static int read_items(struct take *t, struct bc_desk *desk, struct bc_arena *arena, size_t orders,
		      struct bc_err *err)
{
	for (size_t i = 0; i < orders; i++) {
		uint32_t n = t->op.in.page.count;
		int result = read_item(t, desk, arena, i, &t->items[n], err);
		if (result < 0)
			return result;
		if (result == 0)
			continue;
		t->order_of[n] = (uint32_t)i;
		t->op.in.page.count++;
	}
	return 0;
}

static const enum bc_intake_result accepted_as[BC_ORDER_RESULTS] = {
	[BC_ORDERS_ACCEPTED] = BC_INTAKE_ACCEPTED,
	[BC_ORDERS_ADOPTED] = BC_INTAKE_ADOPTED,
	[BC_ORDERS_REPEATED] = BC_INTAKE_REPEATED,
	[BC_ORDERS_UNATTRIBUTED] = BC_INTAKE_UNATTRIBUTED,
	[BC_ORDERS_CONFLICT] = BC_INTAKE_CONFLICT,
};

/* One that was not known when it was taken back is withdrawn as well: nothing was handed back. */
static const enum bc_intake_result revoked_as[] = {
	[BC_REVOKE_WITHDRAWN] = BC_INTAKE_WITHDRAWN, [BC_REVOKE_LATE] = BC_INTAKE_REVOKED,
	[BC_REVOKE_UNKNOWN] = BC_INTAKE_WITHDRAWN,   [BC_REVOKE_REPEATED] = BC_INTAKE_REPEATED,
	[BC_REVOKE_REPLACED] = BC_INTAKE_REPEATED,
};

static enum bc_intake_result settle_item(struct take *t, const struct bc_page_item *item)
{
	if (item->what == BC_PAGE_REVOKE)
		return revoked_as[item->how.revoked];
	enum bc_order_result result = bc_orders_result(item->how.accepted, &item->order);
	atomic_fetch_add_explicit(&t->shop->stats.orders[result], 1, memory_order_relaxed);
	t->became_due |= bc_orders_became_due(result);
	return accepted_as[result];
}

static void settle(struct take *t, size_t orders)
{
	for (uint32_t i = 0; i < t->op.in.page.count; i++) {
		enum bc_intake_result result = settle_item(t, &t->items[i]);
		t->results[t->order_of[i]] = result;
		bc_orders_log(&t->items[i].order, bc_intake_result_name[result],
			      bc_intake_source_name[t->source]);
	}
	for (size_t i = 0; i < orders; i++) {
		count(t->shop, t->source, t->results[i]);
		t->taken.counts[t->results[i]]++;
	}
	t->taken.results = t->results;
}

static void page_taken(struct bc_store_op *op)
{
	struct take *t = BC_CONTAINER(op, struct take, op);
	struct bc_shop_config *config = t->config;
	struct bc_shop *shop = t->shop;
	if (op->result == 0)
		settle(t, t->taken.count);
	if (t->became_due && shop->on_due)
		shop->on_due(shop->ctx);
	/* Who is told may free the operation. */
	t->done(t->ctx, op->result, op->result ? &op->err : NULL, op->result ? NULL : &t->taken);
	bc_shop_config_unref(config);
}

int bc_intake_take(struct bc_desk *desk, struct bc_arena *arena, enum bc_intake_source source,
		   const struct bc_commerce_order *orders, size_t count_of_orders,
		   struct bc_str position_key, struct bc_str position, bc_intake_done *done,
		   void *ctx, struct bc_err *err)
{
	/* One more of each: a page of none has its arrays, too. */
	size_t n = count_of_orders + 1;
	struct take *t = bc_arena_alloc(arena, sizeof(*t));
	if (!t)
		return bc_err_nomem(err);
	*t = (struct take){ .shop = desk->shop, .source = source, .orders = orders };
	t->done = done;
	t->ctx = ctx;
	t->taken.count = count_of_orders;
	t->items = bc_arena_alloc(arena, n * sizeof(*t->items));
	t->order_of = bc_arena_alloc(arena, n * sizeof(*t->order_of));
	t->results = bc_arena_alloc(arena, n * sizeof(*t->results));
	if (!t->items || !t->order_of || !t->results)
		return bc_err_nomem(err);
	t->op = (struct bc_store_op){ .kind = BC_STORE_TAKE_PAGE,
				      .done = page_taken,
				      .arena = arena };
	t->op.in.page.items = t->items;
	t->op.in.page.key = position_key;
	t->op.in.page.value = position;
	if (read_items(t, desk, arena, count_of_orders, err))
		return BC_ENOMEM;
	t->config = bc_shop_config_ref(desk->config);
	bc_desk_submit(desk, &t->op);
	return 0;
}

/* --- a click before its order ---------------------------------------------------------------- */

enum { SESSIONS = 2 };

struct bind {
	struct bc_store_op ops[SESSIONS];
	struct bc_desk *desk;
	struct bc_str order;
	unsigned left;
	int result; /* the first failure */
	struct bc_err err;
	bool unknown; /* there is no such click */
	uint32_t adopted;
	bc_intake_done *done;
	void *ctx;
};

static void bind_settled(struct bind *b)
{
	struct bc_shop *shop = b->desk->shop;
	if (b->unknown)
		bc_log_warning("order.click_unknown", BC_LSTR("order", b->order),
			       BC_LS("meaning", "its click is not known here, or has expired"));
	if (b->adopted) {
		atomic_fetch_add_explicit(&shop->stats.orders[BC_ORDERS_ADOPTED], b->adopted,
					  memory_order_relaxed);
		if (shop->on_due)
			shop->on_due(shop->ctx);
	}
	if (!b->result)
		count(shop, BC_INTAKE_WEBHOOK, BC_INTAKE_OPEN);
	b->done(b->ctx, b->result, b->result ? &b->err : NULL, NULL);
}

static void bind_part(struct bind *b, int result, const struct bc_err *err)
{
	if (result == BC_ENOENT)
		b->unknown = true;
	else if (result && !b->result) {
		b->result = result;
		b->err = *err;
	}
	if (--b->left == 0)
		bind_settled(b);
}

/* The same click under the same session is the same row, however often Commerce asks. */
static void bound_id(struct bind *b, struct bc_str click, struct bc_str session,
		     uint8_t ret_id[BC_CLICK_ID_BYTES])
{
	char text[2 * BC_ORDER_ID_MAX + BC_TOKEN_MAX];
	int len = snprintf(text, sizeof(text), "%.*s %.*s", (int)click.len, click.ptr,
			   (int)session.len, session.ptr);
	_Static_assert((int)BC_CLICK_ID_BYTES == (int)BC_HASH_BYTES, "an id is a hash");
	BC_ASSERT(len > 0 && (size_t)len < sizeof(text));
	BC_ASSERT(bc_hasher_hash(b->desk->hasher, "bound", text, (size_t)len, ret_id) == 0);
}

static void click_bound(struct bc_store_op *op)
{
	struct bind *b = op->ctx;
	b->adopted += op->result ? 0 : op->out.put_click.adopted;
	bind_part(b, op->result, &op->err);
}

/* What it adopted was counted there. */
static void click_captured(void *ctx, int result, const struct bc_err *err,
			   const struct bc_captured *captured)
{
	(void)captured;
	bind_part(ctx, result, err);
}

static void bind_session(struct bind *b, struct bc_arena *arena,
			 const uint8_t click[BC_CLICK_ID_BYTES], struct bc_str session)
{
	const struct bc_shop_config *config = b->desk->config;
	uint64_t now = bc_wall_ms(b->desk->shop->clock);
	struct bc_store_op *op = &b->ops[b->left];
	*op = (struct bc_store_op){
		.kind = BC_STORE_BIND_CLICK, .done = click_bound, .ctx = b, .arena = arena
	};
	__typeof__(op->in.bind) *in = &op->in.bind;
	memcpy(in->click, click, sizeof(in->click));
	char named[BC_CLICK_TEXT_BYTES];
	bound_id(b, bc_str_of(bc_click_id_text(click, named)), session, in->copy);
	/* The text is ours: a session it is. */
	BC_ASSERT(bc_session_hash(b->desk->hasher, session, in->session, NULL) == 0);
	in->now_ms = in->due_ms = now;
	in->adopt_after_ms = now > config->order_adopt_ms ? now - config->order_adopt_ms : 0;
	in->deadline_ms = now + config->retry.deadline_ms;
	b->left++;
	bc_desk_submit(b->desk, op);
}

/* A token becomes a click under the first session; the other one is bound to that. */
static int bind_token(struct bind *b, struct bc_arena *arena, const struct bc_click_name *click,
		      struct bc_str session, uint8_t ret_id[BC_CLICK_ID_BYTES], struct bc_err *err)
{
	struct bc_captured now;
	const char *field;
	char *name = bc_arena_alloc(arena, BC_CLICK_TEXT_BYTES);
	if (!name)
		return bc_err_nomem(err);
	bound_id(b, click->token, session, ret_id);
	struct bc_capture capture = { .token = click->token,
				      .product = click->product,
				      .session = session,
				      .click = bc_str_of(bc_click_id_text(ret_id, name)) };
	int result =
		bc_clicks_capture(b->desk, arena, &capture, click_captured, b, &now, &field, err);
	b->left += result == 0;
	return result;
}

static int bind_click(struct bind *b, struct bc_arena *arena, const struct bc_click_name *name,
		      struct bc_str first, struct bc_str second, struct bc_err *err)
{
	uint8_t id[BC_CLICK_ID_BYTES];
	int result = 0;
	memcpy(id, name->id, sizeof(id));
	if (name->what == BC_NAMED_TOKEN)
		result = bind_token(b, arena, name, first, id, err);
	else
		bind_session(b, arena, id, first);
	if (!result && second.ptr)
		bind_session(b, arena, id, second);
	return result;
}

int bc_intake_bind(struct bc_desk *desk, struct bc_arena *arena,
		   const struct bc_commerce_order *order, bc_intake_done *done, void *ctx,
		   struct bc_err *err)
{
	struct bc_click_name name;
	struct bc_str quote, number;
	struct bc_err why = { 0 };
	struct bind *b = bc_arena_alloc(arena, sizeof(*b));
	if (!b || !bc_commerce_order_sessions(order, arena, &quote, &number))
		return bc_err_nomem(err);
	*b = (struct bind){ .desk = desk, .order = order->increment_id, .done = done, .ctx = ctx };
	int result = bc_click_name_read(click_of(order), &name, &why);
	if (!result && name.what == BC_NAMED_NOTHING)
		return 1;
	if (!result)
		result = bind_click(b, arena, &name, number, quote, &why);
	if (result == BC_EINVAL) {
		tell_left_out(order, BC_INTAKE_WEBHOOK, "click", &why);
		return 1;
	}
	if (result && err)
		*err = why;
	return result;
}
