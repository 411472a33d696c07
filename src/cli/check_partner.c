/* SPDX-License-Identifier: MIT */
/*
 * See check.h: the way of a click token to the partner, for each product: the partner's name, its
 * certificate, and at last a documented test token, which tells a wrong key from a wrong product
 * from a broken network. A partner that documents no test token is connected to and not asked.
 */
#include <string.h>

#include "cli/check.h"
#include "core/handback.h"

static const struct bc_product *product_of(const struct check_walk *w, const struct check_hop *h)
{
	return &w->config->products[h->index];
}

static const char *base_of(const struct bc_product *p)
{
	return p->base_url ? p->base_url : p->partner->base_url;
}

/* Products of one base URL share its look-up and its connection. Returns the first of them. */
static size_t first_like(const struct check_walk *w, size_t index)
{
	const struct bc_product *p = w->config->products;
	for (size_t i = 0; i < index; i++)
		if (base_of(&p[i]) && base_of(&p[index]) &&
		    strcmp(base_of(&p[i]), base_of(&p[index])) == 0)
			return i;
	return index;
}

static const char *setting_of(const struct bc_product *p)
{
	return p->partner == &bc_partner_sovendus ? "SOVENDUS_BASE_URL" : "the partner's base_url";
}

/* False: this hop has nothing to say, because an earlier one said it. */
static bool is_first(struct check_walk *w, struct check_hop *h)
{
	size_t first = first_like(w, h->index);
	if (first == h->index && !w->lost[first])
		return true;
	w->lost[h->index] = w->lost[first];
	h->verdict = CHECK_SILENT;
	return false;
}

void check_partner_name(struct check_walk *w, struct check_hop *h)
{
	const struct bc_product *p = product_of(w, h);
	if (!is_first(w, h))
		return;
	check_name(w, h, base_of(p), w->settings->delivery_proxy, setting_of(p), "delivery.proxy");
	w->lost[h->index] = h->verdict == CHECK_WRONG;
}

void check_partner_tls(struct check_walk *w, struct check_hop *h)
{
	const struct bc_product *p = product_of(w, h);
	const struct check_peer peer = { .url = base_of(p),
					 .proxy = w->settings->delivery_proxy,
					 .setting = setting_of(p),
					 .proxy_setting = "delivery.proxy" };
	if (!is_first(w, h))
		return;
	check_tls(w, h, &peer);
	w->lost[h->index] = h->verdict == CHECK_WRONG;
}

/* --- the test token -------------------------------------------------------------------------- */

struct test_call {
	struct bc_loop *loop;
	struct bc_handback handback;
	struct bc_partner_verdict verdict;
	struct bc_str token;
	int status, error;
	char error_text[160];
};

static void test_answered(void *ctx, const struct bc_http_answer *answer)
{
	struct test_call *c = ctx;
	c->handback.call = NULL;
	c->verdict = bc_handback_read(&c->handback, c->token, UINT64_MAX, 1, answer);
	c->status = answer->status;
	c->error = answer->error;
	memcpy(c->error_text, answer->error_text, sizeof(c->error_text));
	bc_loop_stop(c->loop);
}

static int test_call(const struct check_walk *w, const struct bc_product *p, struct test_call *c,
		     struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = w->settings->delivery_proxy };
	int result = bc_loop_create(&c->loop, err);
	if (result)
		return result;
	result = bc_http_client_create(c->loop, &options, &client, err);
	if (!result)
		result = bc_handback_start(&c->handback, client, w->config, p, c->token,
					   test_answered, c, err);
	if (!result)
		bc_loop_run(c->loop);
	bc_handback_finish(&c->handback);
	bc_http_client_destroy(client);
	bc_loop_destroy(c->loop);
	return result;
}

static void advise_unreached(struct check_hop *h, const struct bc_product *p,
			     const struct test_call *c)
{
	h->exit = BC_EXIT_UNREACHABLE;
	if (c->error == BC_EAUTH)
		check_advise(h, "the TLS certificate is not accepted: check ca-certificates and "
				"the clock");
	else
		check_advise(h,
			     "look at what stands between here and there: the firewall, "
			     "delivery.proxy, %s",
			     setting_of(p));
}

static void judge(struct check_hop *h, const struct bc_product *p, const struct test_call *c)
{
	if (c->verdict.outcome == BC_OUTCOME_DELIVERED) {
		check_say(h, CHECK_OK, "product %s: a test token was accepted (%d)", p->label,
			  c->status);
	} else if (c->status) {
		check_say(h, CHECK_WRONG, "product %s: answered %d: %s", p->label, c->status,
			  c->verdict.meaning);
		h->exit = BC_EXIT_REFUSED;
		check_advise(h, "%s", c->verdict.hint);
	} else {
		check_say(h, CHECK_WRONG, "product %s: %s", p->label,
			  c->error_text[0] ? c->error_text : c->verdict.meaning);
		advise_unreached(h, p, c);
	}
}

static void judge_untested(struct check_hop *h, const struct bc_product *p)
{
	check_say(h, CHECK_OK,
		  "product %s: %s documents no test token, so key and id are not tried", p->label,
		  p->partner->title);
	check_advise(h, "the first real conversion tells: backchannel lanes");
}

void check_partner_test(struct check_walk *w, struct check_hop *h)
{
	const struct bc_product *p = product_of(w, h);
	struct test_call c = { .token = bc_handback_test_token(p->partner) };
	struct bc_err err = { 0 };
	if (w->lost[h->index]) {
		check_say(h, CHECK_SKIPPED, "product %s: not tried", p->label);
		return;
	}
	if (!p->id || (!p->key && bc_partner_needs(p->partner, "key"))) {
		h->verdict = CHECK_SILENT; /* the settings say what is missing */
		return;
	}
	if (!c.token.ptr) {
		judge_untested(h, p);
		return;
	}
	check_try(h, "the documented test token %.*s, as product %s", (int)c.token.len, c.token.ptr,
		  p->label);
	if (test_call(w, p, &c, &err)) {
		check_say(h, CHECK_WRONG, "product %s: %s", p->label, err.text);
		check_advise(h, "%s", err.hint);
		return;
	}
	judge(h, p, &c);
}
