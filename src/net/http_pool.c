/* SPDX-License-Identifier: MIT */
/*
 * See http_pool.h.
 *
 * Invariants
 * - curl is told CURLOPT_CONNECT_ONLY: it hands the connection over and neither reuses, watches nor
 *   ages it, provided that its handle stays in the multi handle and has been used once for sending
 *   or receiving (connected()). Read in 7.88.1: only that first use attaches the connection to the
 *   handle again, and what is not attached is pruned as idle when another one is made.
 * - A connection without TLS is read and written by system calls, one with TLS by curl_easy_recv
 *   and curl_easy_send.
 * - An idle one is watched all the time, and looked at once more before it is used: whatever can be
 *   read from it ends it (but for what TLS has to say to itself). What a loop's turn did not bring
 *   to our knowledge yet would otherwise swallow a request.
 * - The poll handle is stopped before curl closes the socket, and freed at the end of the turn.
 */
#include "net/http_pool.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"

enum { IDLE_DEFAULT = 64, AGE_DEFAULT_MS = 120000 };

/* --- origins ---------------------------------------------------------------------------------- */

/* "host" or "host:port", as curl reads the url; "" when it does not. */
static char *host_of(const char *url)
{
	CURLU *parsed = curl_url();
	char *host = NULL, *port = NULL, *text = NULL;

	if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_HOST, &host, CURLU_PUNYCODE) != CURLUE_OK)
		curl_url_get(parsed, CURLUPART_HOST, &host, 0);
	if (host)
		curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
	if (asprintf(&text, "%s%s%s", host ? host : "", port ? ":" : "", port ? port : "") < 0)
		text = NULL;
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parsed);
	return text;
}

static size_t origin_len(const char *url)
{
	size_t scheme = strcspn(url, ":") + 3; /* "://" was checked */

	return scheme + strcspn(url + scheme, "/?#");
}

static void origin_free(struct bc_http_origin *origin)
{
	free(origin->url);
	free(origin->host);
	free(origin);
}

static struct bc_http_origin *origin_create(struct bc_http_pool *pool, const char *url, size_t len)
{
	struct bc_http_origin *origin = calloc(1, sizeof(*origin));

	if (!origin)
		return NULL;
	origin->url = strndup(url, len);
	origin->url_len = len;
	origin->host = origin->url ? host_of(origin->url) : NULL;
	if (!origin->host) {
		origin_free(origin);
		return NULL;
	}
	bool http = strncasecmp(url, "http:", 5) == 0;
	origin->plain = http && !pool->tls_proxy;
	origin->asks_in_full = http && pool->http_proxy;
	origin->next = pool->origins;
	pool->origins = origin;
	return origin;
}

struct bc_http_origin *bc_http_pool_origin(struct bc_http_pool *pool, const char *url)
{
	size_t len = origin_len(url);
	struct bc_http_origin *origin = pool->origins;

	while (origin && (origin->url_len != len || memcmp(origin->url, url, len) != 0))
		origin = origin->next;
	if (!origin)
		origin = origin_create(pool, url, len);
	if (origin)
		origin->refs++;
	return origin;
}

void bc_http_pool_drop_origin(struct bc_http_pool *pool, struct bc_http_origin *origin)
{
	struct bc_http_origin **at = &pool->origins;

	if (!origin || --origin->refs > 0)
		return;
	while (*at != origin)
		at = &(*at)->next;
	*at = origin->next;
	origin_free(origin);
}

/* --- one connection --------------------------------------------------------------------------- */

static void free_conn(uv_handle_t *handle)
{
	free(handle->data);
}

static void conn_close(struct bc_http_conn *conn)
{
	struct bc_http_pool *pool = conn->pool;
	bool watched = conn->fd != CURL_SOCKET_BAD;

	if (watched)
		uv_close((uv_handle_t *)&conn->poll, free_conn);
	curl_multi_remove_handle(pool->multi, conn->easy);
	curl_easy_cleanup(conn->easy);
	bc_http_pool_drop_origin(pool, conn->origin);
	if (!watched)
		free(conn);
}

ssize_t bc_http_conn_send(struct bc_http_conn *conn, const void *bytes, size_t len)
{
	size_t sent = 0;

	if (conn->origin->plain) {
		ssize_t n = send(conn->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		return n;
	}
	CURLcode rc = curl_easy_send(conn->easy, bytes, len, &sent);
	return rc == CURLE_OK || rc == CURLE_AGAIN ? (ssize_t)sent : -1;
}

/* Has the other side said in TLS that this is the end? Whoever cuts the wire cannot. curl 7.88 does
 * not tell the two apart. */
static bool is_said_to_end(struct bc_http_conn *conn)
{
	struct curl_tlssessioninfo *info = NULL;

	if (curl_easy_getinfo(conn->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
	    info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
		return true;
	return SSL_get_shutdown(info->internals) & SSL_RECEIVED_SHUTDOWN;
}

ssize_t bc_http_conn_recv(struct bc_http_conn *conn, void *bytes, size_t room)
{
	size_t came = 0;

	if (conn->origin->plain) {
		ssize_t n = recv(conn->fd, bytes, room, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return BC_HTTP_CONN_LATER;
		return n;
	}
	CURLcode rc = curl_easy_recv(conn->easy, bytes, room, &came);
	if (rc == CURLE_AGAIN)
		return BC_HTTP_CONN_LATER;
	if (rc == CURLE_OK && came == 0 && !is_said_to_end(conn))
		return -1;
	return rc == CURLE_OK ? (ssize_t)came : -1;
}

/* --- idle ones -------------------------------------------------------------------------------- */

static void idle_remove(struct bc_http_conn *conn)
{
	struct bc_http_pool *pool = conn->pool;

	*(conn->newer ? &conn->newer->older : &pool->newest) = conn->older;
	*(conn->older ? &conn->older->newer : &pool->oldest) = conn->newer;
	conn->newer = conn->older = NULL;
	pool->idle_count--;
}

static void idle_add(struct bc_http_conn *conn)
{
	struct bc_http_pool *pool = conn->pool;

	conn->older = pool->newest;
	*(pool->newest ? &pool->newest->newer : &pool->oldest) = conn;
	pool->newest = conn;
	pool->idle_count++;
}

static void idle_close(struct bc_http_conn *conn)
{
	idle_remove(conn);
	conn_close(conn);
}

/* Has the other side said or ended anything? It has no reason to. */
static bool is_quiet(struct bc_http_conn *conn)
{
	char byte;
	ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && !conn->origin->plain &&
	       bc_http_conn_recv(conn, &byte, 1) == BC_HTTP_CONN_LATER;
}

static bool is_old(const struct bc_http_conn *conn, uint64_t now_ms)
{
	return now_ms >= conn->born_ms + conn->pool->age_max_ms;
}

bool bc_http_pool_take(struct bc_http_pool *pool, struct bc_http_call *call)
{
	uint64_t now_ms = call->progress_ms;
	struct bc_http_conn *next;

	while (pool->oldest && is_old(pool->oldest, now_ms))
		idle_close(pool->oldest);
	for (struct bc_http_conn *conn = pool->newest; conn; conn = next) {
		next = conn->older;
		if (conn->origin != call->origin)
			continue;
		if (is_old(conn, now_ms) || !is_quiet(conn)) {
			idle_close(conn);
			continue;
		}
		idle_remove(conn);
		conn->call = call;
		call->conn = conn;
		return true;
	}
	return false;
}

void bc_http_pool_discard(struct bc_http_call *call)
{
	struct bc_http_conn *conn = call->conn;

	if (!conn)
		return;
	call->conn = NULL;
	call->easy = NULL;
	conn_close(conn);
}

void bc_http_pool_keep(struct bc_http_call *call)
{
	struct bc_http_conn *conn = call->conn;
	struct bc_http_pool *pool = conn->pool;

	if (is_old(conn, call->progress_ms)) {
		bc_http_pool_discard(call);
		return;
	}
	call->conn = NULL;
	conn->call = NULL;
	conn->kept = true;
	bc_http_conn_watch(conn, UV_READABLE);
	idle_add(conn);
	if (pool->idle_count > pool->idle_max)
		idle_close(pool->oldest);
}

/* --- watching --------------------------------------------------------------------------------- */

/* A socket that was reset may still hold a whole answer; libuv then stops watching and says
 * "error". */
static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct bc_http_conn *conn = poll->data;

	if (status < 0) {
		conn->events = 0;
		events = 0;
	}
	if (conn->call)
		conn->pool->ready(conn, events);
	else if (!is_quiet(conn))
		idle_close(conn);
	else if (status < 0)
		bc_http_conn_watch(conn, UV_READABLE);
}

void bc_http_conn_watch(struct bc_http_conn *conn, int events)
{
	if (conn->events == events)
		return;
	conn->events = events;
	if (events == 0) {
		uv_poll_stop(&conn->poll);
		return;
	}
	uv_poll_start(&conn->poll, events, on_poll);
	bc_loop_watches_more(conn->pool->loop);
}

/* --- new ones --------------------------------------------------------------------------------- */

/* What waits to be sent may move in memory before it is tried again. */
static CURLcode set_tls(CURL *easy, void *tls, void *ctx)
{
	(void)easy;
	(void)ctx;
	SSL_CTX_set_mode(tls, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return CURLE_OK;
}

/* Of what a proxy says. */
static size_t drop(char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * count;
}

static CURLcode set_connect(CURL *easy, struct bc_http_call *call)
{
	CURLcode rc = CURLE_OK;

#define SET(option, value) (rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc)
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_URL, call->origin->url);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
	SET(CURLOPT_PREREQFUNCTION, NULL);
	SET(CURLOPT_HEADERFUNCTION, drop);
	SET(CURLOPT_WRITEFUNCTION, drop);
	SET(CURLOPT_SSL_CTX_FUNCTION, set_tls);
	SET(CURLOPT_PRIVATE, call);
#undef SET
	return rc;
}

int bc_http_pool_connect(struct bc_http_pool *pool, struct bc_http_call *call)
{
	struct bc_http_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return BC_ENOMEM;
	conn->pool = pool;
	conn->fd = CURL_SOCKET_BAD;
	conn->easy = curl_easy_duphandle(pool->model);
	if (!conn->easy || set_connect(conn->easy, call) != CURLE_OK ||
	    curl_multi_add_handle(pool->multi, conn->easy) != CURLM_OK) {
		curl_easy_cleanup(conn->easy);
		free(conn);
		return BC_ENOMEM;
	}
	conn->origin = call->origin;
	conn->origin->refs++;
	conn->call = call;
	call->conn = conn;
	call->easy = conn->easy;
	return 0;
}

int bc_http_pool_connected(struct bc_http_call *call)
{
	struct bc_http_conn *conn = call->conn;
	curl_socket_t fd = CURL_SOCKET_BAD;
	size_t none;

	call->easy = NULL;
	curl_easy_setopt(conn->easy, CURLOPT_PRIVATE, NULL);
	curl_easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD ||
	    uv_poll_init(bc_loop_uv(conn->pool->loop), &conn->poll, fd) < 0)
		return BC_ENOMEM;
	conn->poll.data = conn;
	conn->fd = fd;
	conn->born_ms = bc_elapsed_ms(&bc_clock_system);
	if (conn->origin->plain)
		curl_easy_send(conn->easy, "", 0, &none); /* with TLS the request is the first */
	return 0;
}

/* --- the pool --------------------------------------------------------------------------------- */

int bc_http_pool_open(struct bc_http_pool *pool, const struct bc_http_client_options *o)
{
	const char *proxy = o->proxy ? o->proxy : "";

	pool->tls_proxy = strncasecmp(proxy, "https://", 8) == 0;
	pool->http_proxy = pool->tls_proxy || strncasecmp(proxy, "http://", 7) == 0 ||
			   (proxy[0] && !strstr(proxy, "://"));
	bc_buf_init(&pool->head, SIZE_MAX);
	pool->idle_max = o->connections_max ? o->connections_max : IDLE_DEFAULT;
	pool->age_max_ms = o->connection_age_max_ms ? o->connection_age_max_ms : AGE_DEFAULT_MS;
	if (o->user_agent && !(pool->user_agent = strdup(o->user_agent)))
		return BC_ENOMEM;
	return 0;
}

void bc_http_pool_close(struct bc_http_pool *pool)
{
	while (pool->newest)
		idle_close(pool->newest);
	BC_ASSERT(!pool->origins);
	free((char *)pool->user_agent);
	pool->user_agent = NULL;
	bc_buf_finish(&pool->head);
}
