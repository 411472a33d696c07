/* SPDX-License-Identifier: MIT */
/*
 * One HTTP call: how its answer is read, and in what words a failure is told.
 *
 * Invariants
 * - An answer has a status only if the empty line that ends its final head was seen. curl reports a
 *   status, even success, for a head that broke off half-way.
 * - What an answer may occupy is bounded: heads in total, body kept, body read.
 * - No word of the url, of a header or of a body gets into a failure's text.
 * Left to others: heads and bodies that stream (http_stream.c); what a status means (the
 * protocols).
 */
#include "net/http_call.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
	HEAD_USUAL_BYTES = 1000,
};

static const struct {
	const char *name;
	size_t offset;
} kept_headers[] = {
	{ "retry-after", offsetof(struct bc_http_call, retry_after) },
	{ "date", offsetof(struct bc_http_call, date) },
	{ "content-type", offsetof(struct bc_http_call, content_type) },
};

static const char **kept_slot(struct bc_http_call *call, size_t i)
{
	return (const char **)(void *)((char *)call + kept_headers[i].offset);
}

/* A list may come in one field or in several, which mean the same. */
static bool keep_link(struct bc_http_call *call, struct bc_str value)
{
	return (call->link.len == 0 || bc_buf_adds(&call->link, ", ") == 0) &&
	       bc_buf_add(&call->link, value.ptr, value.len) == 0;
}

/* The first of a repeated header counts. The head's bytes become the values' own: whoever reads the
 * lines again finds NULs at their ends. False without memory. */
static bool keep_field(struct bc_http_call *call, struct bc_str line)
{
	struct bc_str value = line;
	struct bc_str name = bc_str_split(&value, ':');

	if (value.ptr && bc_str_ieq(name, "link"))
		return keep_link(call, bc_str_trim(value));
	for (size_t i = 0; value.ptr && i < BC_COUNT(kept_headers); i++) {
		const char **slot = kept_slot(call, i);
		if (*slot || !bc_str_ieq(name, kept_headers[i].name))
			continue;
		value = bc_str_trim(value);
		((char *)value.ptr)[value.len] = '\0';
		*slot = value.ptr;
		break;
	}
	return true;
}

static bool keep_fields(struct bc_http_call *call)
{
	struct bc_str rest = { call->head.data, call->head.len };

	while (rest.len > 0)
		if (!keep_field(call, bc_str_split(&rest, '\n')))
			return false;
	return true;
}

/* "HTTP/1.1 200 OK"; 0: it names none. */
static int status_of(struct bc_str line)
{
	uint64_t status;

	(void)bc_str_split(&line, ' ');
	struct bc_str digits = bc_str_split(&line, ' ');
	return digits.len == 3 && bc_parse_u64(digits, &status) == 0 ? (int)status : 0;
}

/* An interim head (1xx) may have come before; nothing of it counts. */
static void head_begin(struct bc_http_call *call, struct bc_str line)
{
	bc_buf_reset(&call->head);
	call->head_open = true;
	call->http_1_0 = bc_str_starts(line, "HTTP/1.0");
	call->head_status = status_of(line);
}

static bool head_add(struct bc_http_call *call, struct bc_str line)
{
	if (!call->head.data && !bc_buf_room(&call->head, HEAD_USUAL_BYTES))
		return false;
	return bc_buf_add(&call->head, line.ptr, line.len) == 0 &&
	       bc_buf_add(&call->head, "\n", 1) == 0;
}

static enum bc_http_cut head_end(struct bc_http_call *call)
{
	enum bc_http_cut why = BC_CUT_NONE;
	int status = call->head_status;

	call->head_open = false;
	if (status == 101)
		return BC_CUT_UPGRADE; /* never asked for */
	if (status < 200 || status > 999)
		return BC_CUT_NONE;
	if (call->stream)
		why = bc_http_stream_head(call, status);
	if (why != BC_CUT_NONE)
		return why;
	if (!keep_fields(call))
		return BC_CUT_MEMORY;
	call->head_whole = true;
	call->status = status;
	return BC_CUT_NONE;
}

/* Trailers do not count. */
enum bc_http_cut bc_http_call_head_line(struct bc_http_call *call, struct bc_str line)
{
	call->head_bytes += line.len;
	if (call->head_bytes > BC_HTTP_ANSWER_HEAD_MAX)
		return BC_CUT_HEAD;
	if (call->head_whole)
		return BC_CUT_NONE;
	while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
		line.len--;
	if (line.len == 0)
		return head_end(call);
	if (!call->head_open && bc_str_starts(line, "HTTP/"))
		head_begin(call, line);
	else if (!head_add(call, line))
		return BC_CUT_MEMORY;
	return BC_CUT_NONE;
}

enum bc_http_cut bc_http_call_keep(struct bc_http_call *call, struct bc_str bytes)
{
	size_t room = call->body.max - call->body.len;
	size_t keep = bytes.len < room ? bytes.len : room;

	call->body_bytes += bytes.len;
	if (keep > 0 && bc_buf_add(&call->body, bytes.ptr, keep) < 0)
		return BC_CUT_MEMORY;
	return call->body_bytes > call->body_max_bytes ? BC_CUT_BODY : BC_CUT_NONE;
}

/* --- failures in words ------------------------------------------------------------------------ */

struct failure {
	CURLcode result;
	int code;
	const char *text;
};

static const struct failure failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, BC_EUNREACH, "could not resolve host" },
	{ CURLE_COULDNT_RESOLVE_PROXY, BC_EUNREACH, "could not resolve the proxy's name" },
	{ CURLE_COULDNT_CONNECT, BC_EUNREACH, "could not connect" },
	{ CURLE_PROXY, BC_EUNREACH, "the proxy could not connect" },
	{ CURLE_OPERATION_TIMEDOUT, BC_ETIMEDOUT, "operation timed out" },
	{ CURLE_URL_MALFORMAT, BC_EINVAL, "the url is malformed" },
	{ CURLE_LOGIN_DENIED, BC_EINVAL, "the url holds a user name" },
	/* The url's scheme was checked before, so this is HTTP/0.9: bytes without a head. */
	{ CURLE_UNSUPPORTED_PROTOCOL, BC_EIO, "the answer is not HTTP" },
	{ CURLE_WEIRD_SERVER_REPLY, BC_EIO, "the answer is malformed" },
	{ CURLE_GOT_NOTHING, BC_EIO, "the connection was closed before an answer" },
	{ CURLE_SEND_ERROR, BC_EIO, "the connection broke off while sending" },
	{ CURLE_RECV_ERROR, BC_EIO, "the connection broke off while receiving" },
	{ CURLE_PARTIAL_FILE, BC_EIO, "the answer broke off" },
	{ CURLE_ABORTED_BY_CALLBACK, BC_EIO, "the connection was lost before an answer" },
	{ CURLE_SEND_FAIL_REWIND, BC_EIO, "the connection was lost before an answer" },
	{ CURLE_PEER_FAILED_VERIFICATION, BC_EAUTH, "the certificate is not trusted" },
	{ CURLE_SSL_CACERT_BADFILE, BC_EAUTH, "cannot read the trusted certificates" },
	{ CURLE_SSL_CONNECT_ERROR, BC_EAUTH, "the TLS handshake failed" },
	{ CURLE_OUT_OF_MEMORY, BC_ENOMEM, "out of memory" },
};

static const struct failure cuts[] = {
	[BC_CUT_HEAD] = { 0, BC_EIO, "the answer's head is too long" },
	[BC_CUT_BODY] = { 0, BC_EIO, "the answer's body is too long" },
	[BC_CUT_UPGRADE] = { 0, BC_EIO, "the answer changes to a protocol that was not asked for" },
	[BC_CUT_MEMORY] = { 0, BC_ENOMEM, "out of memory" },
	[BC_CUT_FIELD] = { 0, BC_EIO, "the answer's head is malformed" },
	[BC_CUT_FRAMING] = { 0, BC_EIO, "the answer's length is ambiguous" },
	[BC_CUT_CHUNKS] = { 0, BC_EIO, "the answer's chunks are malformed" },
	[BC_CUT_SHORT] = { 0, BC_EIO, "the request's body ended before its length" },
	[BC_CUT_CALLER] = { 0, BC_EIO, "the request's body broke off" },
};

static struct failure failure_of(const struct bc_http_call *call, CURLcode result)
{
	if (call->cut != BC_CUT_NONE)
		return cuts[call->cut];
	if (result == CURLE_OK)
		return (struct failure){ result, BC_EIO, "the answer's head broke off" };
	if (result == CURLE_OPERATION_TIMEDOUT && !call->sent)
		return (struct failure){ result, BC_ETIMEDOUT, "connecting timed out" };
	if (result == CURLE_OPERATION_TIMEDOUT && call->head_whole)
		return (struct failure){ result, BC_ETIMEDOUT, "the answer's body timed out" };
	for (size_t i = 0; i < BC_COUNT(failures); i++)
		if (failures[i].result == result)
			return failures[i];
	return (struct failure){ result, BC_EIO, curl_easy_strerror(result) };
}

/* The system's, OpenSSL's or the proxy's own word on it; NULL when there is none. */
static const char *failure_detail(struct bc_http_call *call, CURLcode result, char *text,
				  size_t text_bytes)
{
	long proxy_status = 0;
	long verify = X509_V_OK;
	long os = 0;

	if (!call->easy)
		return NULL;
	curl_easy_getinfo(call->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
	if (!call->sent && proxy_status >= 300) {
		snprintf(text, text_bytes, "the proxy answered %ld", proxy_status);
		return text;
	}
	if (result == CURLE_PEER_FAILED_VERIFICATION && verify != X509_V_OK)
		return X509_verify_cert_error_string(verify);
	if (result == CURLE_COULDNT_CONNECT && os != 0)
		return strerrordesc_np((int)os);
	return NULL;
}

static void tell_failure(struct bc_http_call *call, CURLcode result, struct bc_http_answer *a)
{
	struct failure f = failure_of(call, result);
	char text[64];
	const char *detail = failure_detail(call, result, text, sizeof(text));

	a->error = f.code;
	/* Whatever breaks before the request is handed over, the other side was not reached. */
	if (f.code == BC_EIO && !call->sent)
		a->error = BC_EUNREACH;
	snprintf(a->error_text, sizeof(a->error_text), "%s%s%s after %llu ms", f.text,
		 detail ? ": " : "", detail ? detail : "", (unsigned long long)a->duration_ms);
}

void bc_http_call_read(struct bc_http_call *call, CURLcode result,
		       struct bc_http_answer *ret_answer)
{
	struct bc_http_answer a = {
		.status = call->status,
		.request_sent = call->sent,
		.body = { call->body.data ? call->body.data : "", call->body.len },
		.retry_after = call->head_whole ? call->retry_after : NULL,
		.date = call->head_whole ? call->date : NULL,
		.content_type = call->head_whole ? call->content_type : NULL,
		.link = call->head_whole ? call->link.data : NULL,
		.duration_ms = bc_elapsed_ms(&bc_clock_system) - call->started_ms,
	};
	bool whole = result == CURLE_OK && call->head_whole;

	a.complete =
		whole && (bc_http_call_streams_answer(call) || call->body_bytes == call->body.len);
	if (!whole)
		tell_failure(call, result, &a);
	*ret_answer = a;
}
