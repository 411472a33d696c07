/* SPDX-License-Identifier: MIT */
/*
 * See check.h: the way of a click token to the partner. Its name, and at last a documented test
 * token for each product, which tells a wrong key from a wrong product from a broken network.
 */
#include <string.h>

#include "cli/check.h"
#include "core/handback.h"

void check_partner_name(struct check_walk *w, struct check_hop *h)
{
	check_name(h, w->settings->sovendus_base_url, w->settings->delivery_proxy,
		   "sovendus.base_url", "delivery.proxy");
	w->stop[CHECK_HANDBACK] |= h->verdict == CHECK_WRONG;
}

/* --- the test token
 * -------------------------------------------------------------------------------- */

struct test_call {
	struct bc_loop *loop;
	struct bc_handback handback;
	struct bc_partner_verdict verdict;
	int status, error;
	uint64_t duration_ms;
	char error_text[160];
};

static struct bc_str test_token(void)
{
	return bc_str_of(bc_partner_sovendus.test_tokens[0]);
}

static void test_answered(void *ctx, const struct bc_http_answer *answer)
{
	struct test_call *c = ctx;
	c->handback.call = NULL;
	c->verdict = bc_handback_read(&c->handback, test_token(), UINT64_MAX, 1, answer);
	c->status = answer->status;
	c->error = answer->error;
	c->duration_ms = answer->duration_ms;
	memcpy(c->error_text, answer->error_text, sizeof(c->error_text));
	bc_loop_stop(c->loop);
}

static int test_call(const struct bc_settings *s, const struct bc_settings_product *p,
		     struct test_call *c, struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = s->delivery_proxy };
	struct bc_shop_config config = { .connect_timeout_ms = s->delivery_connect_timeout_ms,
					 .timeout_ms = s->delivery_timeout_ms };
	struct bc_product product = { .label = p->label,
				      .partner = &bc_partner_sovendus,
				      .base_url = s->sovendus_base_url,
				      .id = p->id,
				      .key = p->key };
	int result = bc_loop_create(&c->loop, err);
	if (result)
		return result;
	result = bc_http_client_create(c->loop, &options, &client, err);
	if (!result)
		result = bc_handback_start(&c->handback, client, &config, &product, test_token(),
					   test_answered, c, err);
	if (!result)
		bc_loop_run(c->loop);
	bc_handback_finish(&c->handback);
	bc_http_client_destroy(client);
	bc_loop_destroy(c->loop);
	return result;
}

static void judge_partner(struct check_hop *h, const char *label, const struct test_call *c)
{
	if (c->verdict.outcome == BC_OUTCOME_DELIVERED) {
		check_say(h, CHECK_OK, "product %s: a test token was accepted (%d in %llu ms)",
			  label, c->status, (unsigned long long)c->duration_ms);
		return;
	}
	if (c->status)
		check_say(h, CHECK_WRONG, "product %s: answered %d: %s", label, c->status,
			  c->verdict.meaning);
	else
		check_say(h, CHECK_WRONG, "product %s: %s", label,
			  c->error_text[0] ? c->error_text : c->verdict.meaning);
	h->exit = c->status ? BC_EXIT_REFUSED : BC_EXIT_UNREACHABLE;
	if (c->error == BC_EAUTH)
		check_advise(
			h,
			"the TLS certificate is not accepted: check ca-certificates and the clock");
	else if (c->status)
		check_advise(h, "%s", c->verdict.hint);
	else
		check_advise(h, "look at what stands between here and there: the firewall, "
				"delivery.proxy, SOVENDUS_BASE_URL");
}

void check_partner_test(struct check_walk *w, struct check_hop *h)
{
	for (size_t i = 0; i < w->settings->product_count; i++) {
		const struct bc_settings_product *p = &w->settings->products[i];
		struct test_call c = { 0 };
		struct bc_err err = { 0 };
		if (!p->id || !p->key)
			continue;
		if (test_call(w->settings, p, &c, &err)) {
			check_say(h, CHECK_WRONG, "product %s: %s", p->label, err.text);
			check_advise(h, "%s", err.hint);
			return;
		}
		judge_partner(h, p->label, &c);
		if (h->verdict == CHECK_WRONG)
			return;
	}
}
