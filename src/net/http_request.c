/* SPDX-License-Identifier: MIT */
/*
 * The head of a request that we write ourselves. Host and what frames the body are ours alone, so
 * no header of the caller's can make the request ambiguous; what he may not say is refused
 * (http_call.c).
 */
#include <string.h>

#include "base/err.h"
#include "net/http_pool.h"

static bool has_header(const struct bc_http_exchange *x, const char *name)
{
	for (const char *const *line = x->headers; line && *line; line++) {
		struct bc_str rest = bc_str_of(*line);
		if (bc_str_ieq(bc_str_split(&rest, ':'), name))
			return true;
	}
	return false;
}

/* What stands in a URL behind its origin: path and query, without the fragment. */
static int read_target(const char *url, struct bc_str *ret_target, struct bc_err *err)
{
	size_t len = strcspn(url, "#");

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f)
			return bc_err_tell(err, BC_EINVAL,
					   "percent-encode blanks and control bytes",
					   "the url holds a byte that cannot be sent");
	*ret_target = (struct bc_str){ url, len };
	return 0;
}

static int add(struct bc_buf *out, struct bc_str s)
{
	return bc_buf_add(out, s.ptr, s.len);
}

static int add_request_line(struct bc_buf *out, const struct bc_http_exchange *x,
			    const struct bc_http_origin *origin, struct bc_err *err)
{
	struct bc_str target = { 0 }, whole = { origin->url, origin->url_len };
	int rc = read_target(x->url + origin->url_len, &target, err);

	if (rc < 0)
		return rc;
	if (bc_buf_adds(out, x->method) || bc_buf_adds(out, " ") ||
	    (origin->asks_in_full && add(out, whole)) ||
	    (!bc_str_starts(target, "/") && bc_buf_adds(out, "/")) || add(out, target) ||
	    bc_buf_adds(out, " HTTP/1.1\r\nHost: ") || bc_buf_adds(out, origin->host) ||
	    bc_buf_adds(out, "\r\n"))
		return bc_err_nomem(err);
	return 0;
}

static int add_presentation(struct bc_buf *out, const struct bc_http_exchange *x,
			    const char *user_agent)
{
	if (x->stream->raw_headers)
		return 0;
	if (user_agent && !has_header(x, "user-agent") &&
	    bc_buf_addf(out, "User-Agent: %s\r\n", user_agent))
		return BC_ENOMEM;
	return has_header(x, "accept") ? 0 : bc_buf_adds(out, "Accept: */*\r\n");
}

static int add_header(struct bc_buf *out, const char *line, struct bc_err *err)
{
	struct bc_str value = bc_str_of(line), whole = value;
	struct bc_str name = bc_str_split(&value, ':');
	int rc = bc_http_call_check_header(name, value, err);

	if (rc == 0 && (add(out, whole) || bc_buf_add(out, "\r\n", 2)))
		return bc_err_nomem(err);
	return rc;
}

static int add_framing(struct bc_buf *out, const struct bc_http_exchange *x)
{
	bool reads = bc_http_call_reads_body(x);
	uint64_t length = reads ? (uint64_t)x->stream->body_bytes : x->body_bytes;

	if (reads && x->stream->body_bytes < 0)
		return bc_buf_adds(out, "Transfer-Encoding: chunked\r\n\r\n");
	if (reads || bc_http_call_has_length(x))
		return bc_buf_addf(out, "Content-Length: %llu\r\n\r\n", (unsigned long long)length);
	return bc_buf_adds(out, "\r\n");
}

int bc_http_request_write(struct bc_buf *out, const struct bc_http_exchange *x,
			  const struct bc_http_origin *origin, const char *user_agent,
			  struct bc_err *err)
{
	int rc = add_request_line(out, x, origin, err);

	if (rc == 0 && add_presentation(out, x, user_agent))
		rc = bc_err_nomem(err);
	for (const char *const *line = x->headers; line && *line && rc == 0; line++)
		rc = add_header(out, *line, err);
	if (rc == 0 && add_framing(out, x))
		rc = bc_err_nomem(err);
	return rc;
}
