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

static bool read_part(CURLU *url, CURLUPart part, unsigned flags, char *text, size_t bytes)
{
	char *found = NULL;
	bool ok = curl_url_get(url, part, &found, flags) == 0;
	if (ok)
		snprintf(text, bytes, "%s", found);
	curl_free(found);
	return ok;
}

bool check_read_place(const char *text, struct check_place *p)
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
static const char *bare_host(const struct check_place *p, char *text, size_t bytes)
{
	size_t n = strlen(p->host);
	if (p->host[0] != '[' || n < 2)
		return p->host;
	snprintf(text, bytes, "%.*s", (int)(n - 2), p->host + 1);
	return text;
}

/* The system's resolver takes its time, and this walk has an end. What it writes to outlives a
 * look-up that was given up. */
static int look_up(const struct check_walk *w, const char *host, const char *port,
		   struct addrinfo **ret_list)
{
	static char name[256], service[16];
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	static struct gaicb request;
	static bool lost;
	struct gaicb *list[] = { &request };
	uint32_t left_ms = check_time_left_ms(w, TIMEOUT_MS);
	const struct timespec limit = { left_ms / 1000, (long)(left_ms % 1000) * 1000000 };
	if (lost)
		return EAI_AGAIN;
	snprintf(name, sizeof(name), "%s", host);
	snprintf(service, sizeof(service), "%s", port);
	request = (struct gaicb){ .ar_name = name, .ar_service = service, .ar_request = &hints };
	int failed = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (failed)
		return failed;
	while (gai_error(&request) == EAI_INPROGRESS && !lost)
		lost = gai_suspend((const struct gaicb *const *)list, 1, &limit) == EAI_AGAIN;
	if (lost && gai_cancel(&request) == EAI_CANCELED)
		lost = false;
	failed = gai_error(&request);
	*ret_list = request.ar_result;
	return failed == EAI_INPROGRESS || failed == EAI_CANCELED ? EAI_AGAIN : failed;
}

void check_name(const struct check_walk *w, struct check_hop *h, const char *url, const char *proxy,
		const char *setting, const char *proxy_setting)
{
	char bare[256], address[128] = "";
	struct check_place p;
	struct addrinfo *list = NULL;
	if (!check_read_place(url, &p)) {
		check_say(h, CHECK_WRONG, "%s has no host", setting);
		check_advise(h, "write it as https://HOST/PATH");
		return;
	}
	if (proxy) {
		check_say(h, CHECK_SKIPPED, "the proxy looks \"%s\" up", p.host);
		return;
	}
	check_try(h, "the addresses of \"%s\"", p.host);
	int failed = look_up(w, bare_host(&p, bare, sizeof(bare)), p.port, &list);
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

int check_ask(const struct check_walk *w, const char *method, const char *url,
	      const char *const *headers, const char *proxy, const char *ca_file,
	      struct check_answer *ret, struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = proxy,
						  .ca_file = ca_file };
	struct bc_http_exchange exchange = { .method = method,
					     .url = url,
					     .headers = headers,
					     .connect_timeout_ms = CONNECT_MS,
					     .timeout_ms = check_time_left_ms(w, TIMEOUT_MS),
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
