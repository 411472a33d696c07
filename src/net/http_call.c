/* SPDX-License-Identifier: MIT */
/*
 * One HTTP call: what its request may say; and for one with whole bodies how curl is told it, and
 * that it leaves once.
 *
 * A request leaves at most once per call. libcurl by itself sends it again when a kept connection
 * dies before the first byte of an answer (Curl_retry_request: POST as well as GET) or an HTTP/2
 * peer refuses the stream. Measured with 7.88.1, where a kept connection is reset or closed after
 * the second request was read: the server sees three requests for two calls, GET or POST, and the
 * caller never learns of it. Here the second sending is refused in the last moment (on_request), so
 * the caller gets "sent, no answer" and decides with its ledger. Still granted is the second
 * sending of what did not leave at all: curl takes a connection that was reset while idle for alive
 * (its look at the socket eats the error), and its first write then fails. One gap remains in
 * theory: a first write to an idle connection that takes no byte without failing, and a later one
 * that takes them; curl counts only the first.
 *
 * request_sent is true once a request was handed to a connection, whatever came after: it may say
 * "sent" of a request that did not leave, never "not sent" of one that did.
 *
 * Left to others: the answer (http_answer.c), streams (http_wire.c keeps the same rule for them),
 * time, sockets and pools (http_client.c).
 */
#include "net/http_call.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"

enum {
	DROP_FACTOR = 16,
	DROP_MIN_BYTES = 64 * 1024,
	METHOD_MAX_BYTES = 15,
	AGE_DEFAULT_MS = 120000,
};

/* --- what is the same for every call ---------------------------------------------------------- */

static const struct {
	CURLoption option;
	long value;
} fixed_options[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_PATH_AS_IS, 1 },
	{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
	{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 }, /* a proxy's head is not the answer's */
	{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
	/* Without it, giving up on a name that is still being resolved waits for the resolver. */
	{ CURLOPT_QUICK_EXIT, 1 },
};

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)ctx;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/*
 * curl calls this when a connection (TLS and proxy tunnel included) is ready for the request. A
 * second time is granted only if no byte of the request has left since the first.
 */
static int on_request(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
	struct bc_http_call *call = ctx;
	long left_bytes = 0;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &left_bytes);
	if (call->sent && left_bytes != call->left_bytes)
		return CURL_PREREQFUNC_ABORT;
	call->sent = true;
	call->left_bytes = left_bytes;
	return CURL_PREREQFUNC_OK;
}

static size_t cut(struct bc_http_call *call, enum bc_http_cut why, size_t len)
{
	call->cut = why;
	return why == BC_CUT_NONE ? len : CURL_WRITEFUNC_ERROR;
}

/* Lines of a head, or of the trailers. */
static size_t on_head_line(char *bytes, size_t size, size_t count, void *ctx)
{
	struct bc_str line = { bytes, size * count };

	return cut(ctx, bc_http_call_head_line(ctx, line), line.len);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct bc_str body = { bytes, size * count };

	return cut(ctx, bc_http_call_keep(ctx, body), body.len);
}

static CURLcode set_options(CURL *easy, const struct bc_http_client_options *o)
{
	long age_s =
		((o->connection_age_max_ms ? o->connection_age_max_ms : AGE_DEFAULT_MS) + 999) /
		1000;
	CURLcode rc = CURLE_OK;

#define SET(option, value) (rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc)
	for (size_t i = 0; i < BC_COUNT(fixed_options); i++)
		SET(fixed_options[i].option, fixed_options[i].value);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_MAXAGE_CONN, age_s);
	SET(CURLOPT_MAXLIFETIME_CONN, age_s);
	/* "" and not NULL: NULL would let the environment's proxy and its exceptions in. */
	SET(CURLOPT_PROXY, o->proxy ? o->proxy : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_USERAGENT, o->user_agent);
	SET(CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
	/* Only without a folder does curl keep the parsed certificates for all connections of a
	 * client: measured with Debian's bundle, 0.4 ms instead of 18 for each new one. */
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_PROXY_CAPATH, NULL);
	if (o->ca_file) {
		SET(CURLOPT_CAINFO, o->ca_file);
		SET(CURLOPT_PROXY_CAINFO, o->ca_file);
	}
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_HEADERFUNCTION, on_head_line);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	return rc;
}

int bc_http_model_create(const struct bc_http_client_options *options, CURL **ret_model,
			 struct bc_err *err)
{
	CURL *model = curl_easy_init();
	CURLcode rc = model ? set_options(model, options) : CURLE_OUT_OF_MEMORY;

	if (rc == CURLE_OK) {
		*ret_model = model;
		return 0;
	}
	curl_easy_cleanup(model);
	if (rc == CURLE_OUT_OF_MEMORY)
		return bc_err_nomem(err);
	bc_err_hint(err, "install libcurl 7.88 or later, built with OpenSSL");
	return bc_err_set(err, BC_EINTERNAL, "libcurl refused a setting: %s",
			  curl_easy_strerror(rc));
}

/* --- the request ------------------------------------------------------------------------------ */

/* Headers that curl makes from url and body; a second voice would make the request ambiguous. */
static const char *const own_headers[] = { "content-length", "expect", "host",
					   "transfer-encoding" };

static bool has_control(struct bc_str s)
{
	unsigned char found = 0;

	/* No branch in it, so that many bytes are looked at in one go: a token has a thousand. */
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		found |= (unsigned char)((c < ' ') & (c != '\t')) | (c == 0x7f);
	}
	return found;
}

bool bc_http_call_field_ok(struct bc_str name, struct bc_str value)
{
	return value.ptr && bc_http_is_token(name) && !has_control(value);
}

int bc_http_call_check_header(struct bc_str name, struct bc_str value, struct bc_err *err)
{
	if (!bc_http_call_field_ok(name, value))
		return bc_err_tell(err, BC_EINVAL,
				   "leave out line breaks, and write its name without blanks",
				   "a request header is malformed, it must read \"Name: value\"");
	for (size_t i = 0; i < BC_COUNT(own_headers); i++)
		if (bc_str_ieq(name, own_headers[i]))
			return bc_err_tell(err, BC_EINVAL, "leave it out: it is set by itself",
					   "request header \"%s\" is not the "
					   "caller's to set",
					   own_headers[i]);
	return 0;
}

static int add_line(struct bc_http_call *call, const char *line, struct bc_err *err)
{
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (!longer)
		return bc_err_nomem(err);
	call->headers = longer;
	return 0;
}

static int add_header(struct bc_http_call *call, const char *line, bool *has_type,
		      struct bc_err *err)
{
	struct bc_str value = bc_str_of(line);
	struct bc_str name = bc_str_split(&value, ':');
	int rc = bc_http_call_check_header(name, value, err);

	if (rc < 0)
		return rc;
	*has_type = *has_type || bc_str_ieq(name, "content-type");
	if (bc_str_trim(value).len > 0)
		return add_line(call, line, err);
	/* "Name:" makes curl drop a header; "Name;" sends it empty. */
	bc_autofree char *empty = bc_str_dup(bc_str_of(line));
	if (!empty)
		return bc_err_nomem(err);
	empty[name.len] = ';';
	empty[name.len + 1] = '\0';
	return add_line(call, empty, err);
}

static int add_headers(struct bc_http_call *call, const struct bc_http_exchange *x,
		       struct bc_err *err)
{
	const char *const *line = x->headers;
	bool has_type = false;
	int rc = 0;

	for (; line && *line && rc == 0; line++)
		rc = add_header(call, *line, &has_type, err);
	/* Without a value a line keeps a header of curl's own away. */
	if (rc == 0)
		rc = add_line(call, "Expect:", err);
	if (rc == 0 && !has_type)
		rc = add_line(call, "Content-Type:", err);
	return rc;
}

bool bc_http_call_reads_body(const struct bc_http_exchange *x)
{
	return x->stream && x->stream->read && x->stream->body_bytes != 0;
}

int bc_http_call_check(const struct bc_http_exchange *x, struct bc_err *err)
{
	struct bc_str method = bc_str_of(x->method);

	if (!bc_http_is_token(method) || method.len > METHOD_MAX_BYTES)
		return bc_err_tell(err, BC_EINVAL, "write GET, POST, PUT or DELETE",
				   "the request's method is malformed");
	if (!x->url || (strncasecmp(x->url, "http://", 7) && strncasecmp(x->url, "https://", 8)))
		return bc_err_tell(err, BC_EINVAL, "write the whole URL, with https://",
				   "the url starts with neither http:// nor https://");
	if (bc_http_call_reads_body(x) && strcmp(x->method, "HEAD") == 0)
		return bc_err_tell(err, BC_EINVAL, "leave the body out, or use GET",
				   "a HEAD request has no body");
	return 0;
}

bool bc_http_call_has_length(const struct bc_http_exchange *x)
{
	static const char *const with_body[] = { "POST", "PUT", "PATCH" };

	if (strcmp(x->method, "HEAD") == 0)
		return false;
	for (size_t i = 0; i < BC_COUNT(with_body); i++)
		if (strcmp(x->method, with_body[i]) == 0)
			return true;
	return x->body_bytes > 0;
}

/* HEAD has no body; what has one, or usually has, says its length. */
static CURLcode set_method(CURL *easy, const struct bc_http_exchange *x)
{
	CURLcode rc = CURLE_OK;

	if (strcmp(x->method, "HEAD") == 0)
		return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (bc_http_call_has_length(x)) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_bytes);
		SET(CURLOPT_POSTFIELDS, x->body_bytes > 0 ? x->body : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, x->method);
	return rc;
}

static CURLcode set_call(struct bc_http_call *call, const struct bc_http_exchange *x)
{
	CURL *easy = call->easy;
	CURLcode rc = set_method(easy, x);

	SET(CURLOPT_URL, x->url);
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)x->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_PREREQDATA, call);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_WRITEDATA, call);
	return rc;
}
#undef SET

void bc_http_call_prepare(struct bc_http_call *call, const struct bc_http_exchange *exchange)
{
	uint64_t drop_bytes = (uint64_t)exchange->answer_max_bytes * DROP_FACTOR;

	bc_buf_init(&call->body, exchange->answer_max_bytes);
	bc_buf_init(&call->head, SIZE_MAX);
	bc_buf_init(&call->link, SIZE_MAX);
	bc_buf_init(&call->out, SIZE_MAX);
	bc_buf_init(&call->line, SIZE_MAX);
	call->body_max_bytes = drop_bytes > DROP_MIN_BYTES ? drop_bytes : DROP_MIN_BYTES;
	call->started_ms = bc_elapsed_ms(&bc_clock_system);
}

int bc_http_call_init(struct bc_http_call *call, CURL *model,
		      const struct bc_http_exchange *exchange, struct bc_err *err)
{
	int rc = bc_http_call_check(exchange, err);

	if (rc == 0)
		rc = add_headers(call, exchange, err);
	if (rc < 0)
		return rc;
	call->easy = curl_easy_duphandle(model);
	CURLcode result = call->easy ? set_call(call, exchange) : CURLE_OUT_OF_MEMORY;
	if (result == CURLE_OUT_OF_MEMORY)
		return bc_err_nomem(err);
	if (result != CURLE_OK)
		return bc_err_tell(err, BC_EINVAL,
				   "look at its URL and headers: one of them has a character that "
				   "cannot be sent",
				   "the request is not one libcurl can send: %s",
				   curl_easy_strerror(result));
	return 0;
}

void bc_http_call_finish(struct bc_http_call *call)
{
	if (!call->stream)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	bc_buf_finish(&call->body);
	bc_buf_finish(&call->head);
	bc_buf_finish(&call->link);
	bc_buf_finish(&call->out);
	bc_buf_finish(&call->line);
}
