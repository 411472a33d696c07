/* SPDX-License-Identifier: MIT */
/*
 * Bodies that stream through the HTTP client, and the rules of waiting.
 *
 * Each direction has two switches, and they are not the same:
 *   data_waits, read_waits        the caller said so (false, BC_HTTP_STREAM_WAIT); he moves out by
 *                                 resuming, which counts from the loop's next turn
 *   receive_paused, send_paused   curl was told so, by the value that its callback returned when
 *                                 it came while the caller waits; bc_http_stream_wake moves out
 * A caller who waits is not in curl's way until it has more for him: so an answer whose last bytes
 * have been taken ends even though he waits.
 *
 * Measured and read in 7.88.1, hence
 * - curl_easy_pause delivers what it kept at once, from inside: so it is called from the loop only.
 * - curl_easy_pause with a pause bit that a callback did not set reads from the socket all the
 *   same. Only bits that are set already are ever given to it.
 * - An answer of 300 or more makes curl stop sending, at its head, or at its end if it says
 *   "Connection: close" (no more is read for it from there on). But a send that is paused keeps
 *   the call alive for ever. And when the peer ends while a send is paused, curl says nothing.
 *   What it does in each of these cases is to stop watching the connection: that is the sign to
 *   wake the call (bc_http_stream_went_deaf).
 * Left to others: when to wake (http_client.c), the wording of failures (http_answer.c).
 */
#include "net/http_call.h"

#include "base/clock.h"

enum { FIELDS_MAX = 256, REFUSED_FROM = 300 };

void bc_http_stream_moved(struct bc_http_call *call)
{
	call->progress_ms = bc_elapsed_ms(&bc_clock_system);
}

/* --- the head --------------------------------------------------------------------------------- */

/* What frames an answer: how often it is said, and what. */
struct framing {
	unsigned lengths, codings;
	int64_t length; /* -1: none, or nonsense */
	bool chunked;
};

static int64_t length_of(struct bc_str value)
{
	uint64_t length;

	return bc_parse_u64(value, &length) < 0 || length > INT64_MAX ? -1 : (int64_t)length;
}

static void framing_note(struct framing *f, const struct bc_http_field *field)
{
	if (bc_str_ieq(field->name, "content-length")) {
		f->lengths++;
		f->length = length_of(field->value);
	} else if (bc_str_ieq(field->name, "transfer-encoding")) {
		f->codings++;
		f->chunked = bc_str_ieq(field->value, "chunked");
	}
}

static bool framing_ok(const struct framing *f, bool http_1_0)
{
	if (f->codings > 0)
		return f->codings == 1 && f->chunked && f->lengths == 0 && !http_1_0;
	return f->lengths == 0 || (f->lengths == 1 && f->length >= 0);
}

static enum bc_http_cut show_head(struct bc_http_call *call, int status)
{
	struct bc_str rest = { call->head.data, call->head.len };
	struct bc_http_field fields[FIELDS_MAX];
	struct framing framing = { .length = -1 };
	size_t count = 0;

	for (; rest.len > 0; count++) {
		struct bc_str value = bc_str_split(&rest, '\n');
		struct bc_str name = bc_str_split(&value, ':');
		if (count == FIELDS_MAX)
			return BC_CUT_HEAD;
		if (!bc_http_call_field_ok(name, value))
			return BC_CUT_FIELD;
		fields[count] = (struct bc_http_field){ name, bc_str_trim(value) };
		framing_note(&framing, &fields[count]);
	}
	if (!framing_ok(&framing, call->http_1_0))
		return BC_CUT_FRAMING;
	struct bc_http_answer_head head = { .status = status,
					    .fields = fields,
					    .field_count = count,
					    .body_bytes = framing.length };
	++*call->inside;
	call->stream->head(call->stream->ctx, &head);
	--*call->inside;
	return call->cancelled ? BC_CUT_CALLER : BC_CUT_NONE;
}

enum bc_http_cut bc_http_stream_head(struct bc_http_call *call, int status)
{
	if (call->cancelled)
		return BC_CUT_CALLER;
	bc_http_stream_moved(call);
	return call->stream->head ? show_head(call, status) : BC_CUT_NONE;
}

/* --- the bodies ------------------------------------------------------------------------------- */

size_t bc_http_stream_data(struct bc_http_call *call, struct bc_str bytes)
{
	if (call->cancelled)
		return CURL_WRITEFUNC_ERROR;
	if (call->data_waits) {
		call->receive_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	call->body_bytes += bytes.len;
	bc_http_stream_moved(call);
	++*call->inside;
	call->data_waits = !call->stream->data(call->stream->ctx, bytes);
	--*call->inside;
	return call->cancelled ? CURL_WRITEFUNC_ERROR : bytes.len;
}

static size_t read_abort(struct bc_http_call *call, enum bc_http_cut why)
{
	call->cut = why;
	return CURL_READFUNC_ABORT;
}

static size_t read_pause(struct bc_http_call *call)
{
	call->send_paused = true;
	return CURL_READFUNC_PAUSE;
}

/* curl's; never asked again once the length that was announced has been given. */
size_t bc_http_stream_on_read(char *buffer, size_t size, size_t count, void *ctx)
{
	struct bc_http_call *call = ctx;
	size_t room = size * count;
	ssize_t n;

	if (call->deaf && !call->head_whole)
		return CURL_READFUNC_ABORT;
	if (call->read_waits || (call->head_whole && call->status >= REFUSED_FROM))
		return read_pause(call);
	if (room > call->upload_left)
		room = (size_t)call->upload_left;
	++*call->inside;
	n = call->cancelled ? BC_HTTP_STREAM_ABORT
			    : call->stream->read(call->stream->ctx, buffer, room);
	--*call->inside;
	if (call->cancelled || (n < 0 && n != BC_HTTP_STREAM_WAIT))
		return read_abort(call, BC_CUT_CALLER);
	call->read_waits = n == BC_HTTP_STREAM_WAIT;
	if (call->read_waits)
		return read_pause(call);
	BC_ASSERT((size_t)n <= room);
	if (n == 0 && call->stream->body_bytes >= 0)
		return read_abort(call, BC_CUT_SHORT);
	call->read_asked = true;
	if (call->stream->body_bytes >= 0)
		call->upload_left -= (uint64_t)n;
	bc_http_stream_moved(call);
	return (size_t)n;
}

/* --- waiting ---------------------------------------------------------------------------------- */

CURLcode bc_http_stream_wake(struct bc_http_call *call)
{
	bool was_paused = call->receive_paused || call->send_paused;

	if (call->data_resumed || call->read_resumed)
		bc_http_stream_moved(call);
	call->data_waits = call->data_waits && !call->data_resumed;
	call->read_waits = call->read_waits && !call->read_resumed;
	call->data_resumed = call->read_resumed = false;
	if (call->cancelled || !was_paused)
		return CURLE_OK;
	/* The send is tried in any case; if the caller still waits, it is paused again. */
	call->receive_paused = call->receive_paused && call->data_waits;
	call->send_paused = false;
	return curl_easy_pause(call->easy, call->receive_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

bool bc_http_stream_went_deaf(struct bc_http_call *call)
{
	if (!call->stream || !call->send_paused || call->receive_paused || call->deaf)
		return false;
	call->deaf = true;
	return true;
}

uint64_t bc_http_stream_due_ms(const struct bc_http_call *call)
{
	if (call->timeout_ms == 0 || call->data_waits || call->read_waits)
		return UINT64_MAX;
	return call->progress_ms + call->timeout_ms;
}
