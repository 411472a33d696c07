/* SPDX-License-Identifier: MIT */
/* See check.h. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "base/err.h"
#include "cli/check.h"
#include "net/http_client.h"

enum { TIMEOUT_MS = 20 * 1000, CONNECT_MS = 10 * 1000, BODY_MAX_BYTES = 256 * 1024 };

/* What of a URL says where it leads. */
struct place {
	char scheme[8], host[256], port[16];
};

static bool read_part(CURLU *url, CURLUPart part, unsigned flags, char *text, size_t bytes)
{
	char *found = NULL;
	bool ok = curl_url_get(url, part, &found, flags) == 0;
	if (ok)
		snprintf(text, bytes, "%s", found);
	curl_free(found);
	return ok;
}

static bool read_place(const char *text, struct place *p)
{
	CURLU *url = curl_url();
	bool ok = url && text && !curl_url_set(url, CURLUPART_URL, text, 0) &&
		  read_part(url, CURLUPART_SCHEME, 0, p->scheme, sizeof(p->scheme)) &&
		  read_part(url, CURLUPART_HOST, 0, p->host, sizeof(p->host)) &&
		  read_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, p->port, sizeof(p->port));
	curl_url_cleanup(url);
	return ok;
}

/* --- a name ---------------------------------------------------------------------------------- */

/* An IPv6 address stands in brackets in a URL, and nowhere else. */
static const char *bare_host(const struct place *p, char *text, size_t bytes)
{
	size_t n = strlen(p->host);
	if (p->host[0] != '[' || n < 2)
		return p->host;
	snprintf(text, bytes, "%.*s", (int)(n - 2), p->host + 1);
	return text;
}

void check_name(struct check_hop *h, const char *url, const char *proxy, const char *setting,
		const char *proxy_setting)
{
	char bare[256], address[128] = "";
	struct place p;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	if (!read_place(url, &p)) {
		check_say(h, CHECK_WRONG, "%s has no host", setting);
		return;
	}
	if (proxy) {
		check_say(h, CHECK_SKIPPED, "the proxy looks \"%s\" up", p.host);
		return;
	}
	int failed = getaddrinfo(bare_host(&p, bare, sizeof(bare)), p.port, &hints, &list);
	if (failed) {
		check_say(h, CHECK_WRONG, "\"%s\" is not found: %s", p.host, gai_strerror(failed));
		h->exit = BC_EXIT_UNREACHABLE;
		check_advise(h, "check /etc/resolv.conf and the firewall; behind a proxy set %s",
			     proxy_setting);
		return;
	}
	getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0,
		    NI_NUMERICHOST);
	freeaddrinfo(list);
	check_say(h, CHECK_OK, "%s is %s", p.host, address);
}

/* --- a request ------------------------------------------------------------------------------- */

struct asking {
	struct bc_loop *loop;
	struct check_answer *answer;
};

static void answered(void *ctx, const struct bc_http_answer *got)
{
	struct asking *a = ctx;
	a->answer->status = got->status;
	a->answer->error = got->error;
	a->answer->duration_ms = got->duration_ms;
	memcpy(a->answer->error_text, got->error_text, sizeof(got->error_text));
	if (bc_buf_add(&a->answer->body, got->body.ptr, got->body.len))
		a->answer->error = BC_ENOMEM;
	bc_loop_stop(a->loop);
}

int check_ask(const char *method, const char *url, const char *const *headers, const char *proxy,
	      const char *ca_file, struct check_answer *ret, struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = proxy,
						  .ca_file = ca_file };
	struct bc_http_exchange exchange = { .method = method,
					     .url = url,
					     .headers = headers,
					     .connect_timeout_ms = CONNECT_MS,
					     .timeout_ms = TIMEOUT_MS,
					     .answer_max_bytes = BODY_MAX_BYTES };
	struct asking asking = { .answer = ret };
	*ret = (struct check_answer){ 0 };
	bc_buf_init(&ret->body, BODY_MAX_BYTES);
	int result = bc_loop_create(&asking.loop, err);
	if (result)
		return result;
	result = bc_http_client_create(asking.loop, &options, &client, err);
	if (!result)
		result = bc_http_call_start(client, &exchange, answered, &asking, NULL, err);
	if (!result)
		bc_loop_run(asking.loop);
	bc_http_client_destroy(client);
	bc_loop_destroy(asking.loop);
	return result;
}

void check_answer_finish(struct check_answer *a)
{
	bc_buf_finish(&a->body);
}

/* --- TLS ------------------------------------------------------------------------------------- */

static void judge_tls(struct check_hop *h, const struct place *p, const struct check_answer *a,
		      const char *setting, const char *proxy_setting)
{
	bool plain = strcmp(p->scheme, "https") != 0;
	h->exit = BC_EXIT_UNREACHABLE;
	if (a->error == BC_EAUTH) {
		check_say(h, CHECK_WRONG, "the certificate of \"%s\" is not accepted: %s", p->host,
			  a->error_text);
		check_advise(h, "check ca-certificates and the clock; does a proxy open TLS here?");
	} else if (a->status == 0) {
		check_say(h, CHECK_WRONG, "%s:%s: %s", p->host, p->port, a->error_text);
		check_advise(h, "look at what stands between here and there: the firewall, %s, %s",
			     proxy_setting, setting);
	} else if (plain) {
		check_say(h, CHECK_OK, "%s:%s answers, without TLS: it is on this machine", p->host,
			  p->port);
	} else {
		check_say(h, CHECK_OK, "the certificate of %s is accepted", p->host);
	}
}

void check_tls(struct check_hop *h, const char *url, const char *proxy, const char *ca_file,
	       const char *setting, const char *proxy_setting)
{
	char root[320];
	struct place p;
	struct check_answer a;
	struct bc_err err = { 0 };
	if (!read_place(url, &p)) {
		check_say(h, CHECK_WRONG, "%s has no host", setting);
		return;
	}
	snprintf(root, sizeof(root), "%s://%s:%s/", p.scheme, p.host, p.port);
	if (check_ask("HEAD", root, NULL, proxy, ca_file, &a, &err)) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
	} else {
		judge_tls(h, &p, &a, setting, proxy_setting);
	}
	check_answer_finish(&a);
}
