/* SPDX-License-Identifier: MIT */
/*
 * See check.h: one connection, as every later request would make it: proxy, name, TCP, TLS. Tells
 * how long the certificate is still good for, which nobody else here looks at, and notes the other
 * side's clock.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/check.h"

enum { TIMEOUT_MS = 20 * 1000, CONNECT_MS = 10 * 1000, SOON_DAYS = 14 };

struct connection {
	CURL *curl;
	CURLcode code;
	char error[CURL_ERROR_SIZE];
	char date[64];
	int days; /* that the certificate is good for; INT32_MAX: not known */
};

/* --- the certificate ------------------------------------------------------------------------- */

static int days_of(const char *pem)
{
	int days = INT32_MAX, seconds;
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	if (cert)
		(void)ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert));
	X509_free(cert);
	BIO_free(bio);
	return days;
}

/* The first of the chain is the server's own. */
static void read_certificate(struct connection *c)
{
	struct curl_certinfo *chain = NULL;
	c->days = INT32_MAX;
	if (curl_easy_getinfo(c->curl, CURLINFO_CERTINFO, &chain) || !chain || !chain->num_of_certs)
		return;
	for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next)
		if (strncmp(line->data, "Cert:", 5) == 0)
			c->days = days_of(line->data + 5);
}

/* --- connecting ------------------------------------------------------------------------------ */

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct connection *c = ctx;
	size_t n = size * count;
	if (n > 6 && n < sizeof(c->date) + 6 && strncasecmp(bytes, "Date: ", 6) == 0)
		snprintf(c->date, sizeof(c->date), "%.*s", (int)(n - 6), bytes + 6);
	return n;
}

static void connect_to(const struct check_walk *w, const struct check_peer *peer,
		       const struct check_place *p, struct connection *c)
{
	char root[320];
	snprintf(root, sizeof(root), "%s://%s:%s/", p->scheme, p->host, p->port);
	c->curl = curl_easy_init();
	c->code = c->curl ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	if (!c->curl)
		return;
	curl_easy_setopt(c->curl, CURLOPT_URL, root);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, peer->proxy ? peer->proxy : "");
	if (peer->ca_file)
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, peer->ca_file);
	curl_easy_setopt(c->curl, peer->silent ? CURLOPT_CONNECT_ONLY : CURLOPT_NOBODY, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "backchannel/" BC_VERSION);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)check_time_left_ms(w, CONNECT_MS));
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)check_time_left_ms(w, TIMEOUT_MS));
	c->code = curl_easy_perform(c->curl);
	read_certificate(c);
}

/* --- judging --------------------------------------------------------------------------------- */

static bool is_certificate(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_ISSUER_ERROR;
}

static const char *reason(const struct connection *c)
{
	return c->error[0] ? c->error : curl_easy_strerror(c->code);
}

static void judge_failed(struct check_hop *h, const struct connection *c,
			 const struct check_peer *peer, const struct check_place *p)
{
	const char *host = peer->unnamed ? "its host" : p->host;
	h->exit = BC_EXIT_UNREACHABLE;
	if (is_certificate(c->code)) {
		check_say(h, CHECK_WRONG, "the certificate of \"%s\" is not accepted: %s", host,
			  peer->unnamed ? curl_easy_strerror(c->code) : reason(c));
		check_advise(h, "check ca-certificates and the clock; does a proxy open TLS here?");
		return;
	}
	check_say(h, CHECK_WRONG, "%s:%s: %s", host, p->port,
		  peer->unnamed ? curl_easy_strerror(c->code) : reason(c));
	check_advise(h, "look at what stands between here and there: the firewall, %s, %s",
		     peer->proxy_setting, peer->setting);
}

static void judge_good(struct check_hop *h, const struct connection *c,
		       const struct check_peer *peer, const struct check_place *p)
{
	const char *host = peer->unnamed ? "its host" : p->host;
	if (strcmp(p->scheme, "https") != 0) {
		check_say(h, CHECK_OK, "%s:%s answers, without TLS", host, p->port);
	} else if (c->days == INT32_MAX) {
		check_say(h, CHECK_OK, "the certificate of %s is accepted", host);
	} else if (c->days < SOON_DAYS) {
		check_say(h, CHECK_WARNING, "the certificate of %s ends in %d day(s)", host,
			  c->days);
		check_advise(h, "it is theirs to renew; if it is not by then, every request fails");
	} else {
		check_say(h, CHECK_OK, "the certificate of %s is accepted, for %d more days", host,
			  c->days);
	}
}

static void note_clock(struct check_walk *w, const struct connection *c)
{
	time_t theirs = c->date[0] ? curl_getdate(c->date, NULL) : -1;
	if (theirs <= 0 || w->skew_known)
		return;
	w->skew_ms = (int64_t)theirs * 1000 + 500 - (int64_t)bc_wall_ms(&bc_clock_system);
	w->skew_known = true;
}

void check_tls(struct check_walk *w, struct check_hop *h, const struct check_peer *peer)
{
	struct check_place p;
	struct connection c = { 0 };
	if (!check_read_place(peer->url, &p)) {
		check_say(h, CHECK_WRONG, "%s has no host", peer->setting);
		check_advise(h, "write it as https://HOST/PATH");
		return;
	}
	check_try(h, "a connection to %s:%s", peer->unnamed ? "its host" : p.host, p.port);
	connect_to(w, peer, &p, &c);
	/* What answers strangely answers: the request that matters will tell. */
	if (c.code && c.code != CURLE_GOT_NOTHING && c.code != CURLE_RECV_ERROR &&
	    c.code != CURLE_WEIRD_SERVER_REPLY && c.code != CURLE_UNSUPPORTED_PROTOCOL)
		judge_failed(h, &c, peer, &p);
	else
		judge_good(h, &c, peer, &p);
	note_clock(w, &c);
	curl_easy_cleanup(c.curl);
}
