/* SPDX-License-Identifier: MIT */
/*
 * What a stream's functions are told and asked, and the rules of waiting: data_waits and read_waits
 * are set by what the caller answers (false, BC_HTTP_STREAM_WAIT); he moves out by resuming, which
 * counts from the loop's next turn. Meanwhile his function is not called.
 *
 * Invariants
 * - How an answer is framed is known before its head is shown; an ambiguous one is not shown.
 * - Whatever a function did, after it the call may be cancelled: nothing of its caller's is touched
 *   then, and the call ends as soon as it is out of his hands.
 * - read gives every byte once.
 * Left to others: sockets and when to wake (http_wire.c, http_client.c), the wording of failures
 * (http_answer.c).
 */
#include "net/http_call.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { FIELDS_MAX = 256, CHUNK_HEAD_BYTES = 20 };

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
	bool close, keep_alive; /* as the fields Connection say */
};

static int64_t length_of(struct bc_str value)
{
	uint64_t length;

	return bc_parse_u64(value, &length) < 0 || length > INT64_MAX ? -1 : (int64_t)length;
}

static void connection_note(struct framing *f, struct bc_str list)
{
	while (list.ptr) {
		struct bc_str item = bc_str_trim(bc_str_split(&list, ','));
		f->close = f->close || bc_str_ieq(item, "close");
		f->keep_alive = f->keep_alive || bc_str_ieq(item, "keep-alive");
	}
}

static void framing_note(struct framing *f, const struct bc_http_field *field)
{
	if (bc_str_ieq(field->name, "content-length")) {
		f->lengths++;
		f->length = length_of(field->value);
	} else if (bc_str_ieq(field->name, "transfer-encoding")) {
		f->codings++;
		f->chunked = bc_str_ieq(field->value, "chunked");
	} else if (bc_str_ieq(field->name, "connection")) {
		connection_note(f, field->value);
	}
}

static bool framing_ok(const struct framing *f, bool http_1_0)
{
	if (f->codings > 0)
		return f->codings == 1 && f->chunked && f->lengths == 0 && !http_1_0;
	return f->lengths == 0 || (f->lengths == 1 && f->length >= 0);
}

/* RFC 9112 6.3. */
static void framing_apply(const struct framing *f, struct bc_http_call *call, int status)
{
	bool has_none = call->no_answer_body || status == 204 || status == 304;

	bc_http_chunks_begin(&call->chunks);
	call->answer_chunked = f->chunked && !has_none;
	call->answer_endless = !has_none && !f->chunked && f->lengths == 0;
	call->answer_left = has_none || f->lengths == 0 ? 0 : (uint64_t)f->length;
	call->answer_over = !call->answer_chunked && !call->answer_endless && !call->answer_left;
	call->answer_closes =
		call->answer_endless || f->close || (call->http_1_0 && !f->keep_alive);
}

static enum bc_http_cut read_fields(struct bc_http_call *call, struct bc_http_field *fields,
				    size_t *ret_count, struct framing *ret_framing)
{
	struct bc_str rest = { call->head.data, call->head.len };
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
	*ret_count = count;
	*ret_framing = framing;
	return framing_ok(&framing, call->http_1_0) ? BC_CUT_NONE : BC_CUT_FRAMING;
}

static enum bc_http_cut caller_left(const struct bc_http_call *call)
{
	return call->cancelled ? BC_CUT_CALLER : BC_CUT_NONE;
}

enum bc_http_cut bc_http_stream_head(struct bc_http_call *call, int status)
{
	struct bc_http_field fields[FIELDS_MAX];
	struct framing framing;
	size_t count;
	enum bc_http_cut why = read_fields(call, fields, &count, &framing);

	if (why != BC_CUT_NONE)
		return why;
	framing_apply(&framing, call, status);
	bc_http_stream_moved(call);
	if (!call->stream->head)
		return BC_CUT_NONE;
	struct bc_http_answer_head head = { .status = status,
					    .fields = fields,
					    .field_count = count,
					    .body_bytes = framing.length };
	++*call->inside;
	call->stream->head(call->stream->ctx, &head);
	--*call->inside;
	return caller_left(call);
}

/* --- the bodies ------------------------------------------------------------------------------- */

enum bc_http_cut bc_http_stream_data(struct bc_http_call *call, struct bc_str bytes)
{
	bc_http_stream_moved(call);
	if (!call->stream->head)
		return bc_http_call_keep(call, bytes);
	call->body_bytes += bytes.len;
	++*call->inside;
	call->data_waits = !call->stream->data(call->stream->ctx, bytes);
	--*call->inside;
	return caller_left(call);
}

/* Around the bytes that stand in room behind the space for it; of none, the body's end. */
static struct bc_str put_in_chunk(char *room, size_t len)
{
	char size[CHUNK_HEAD_BYTES];
	size_t digits = (size_t)snprintf(size, sizeof(size), "%zx\r\n", len);
	char *chunk = room + CHUNK_HEAD_BYTES - digits;

	memcpy(chunk, size, digits);
	memcpy(chunk + digits + len, "\r\n", 2);
	return (struct bc_str){ chunk, digits + len + 2 };
}

enum bc_http_cut bc_http_stream_read(struct bc_http_call *call, char *room,
				     struct bc_str *ret_bytes)
{
	bool counted = call->stream->body_bytes >= 0;
	size_t most = BC_HTTP_PIECE_BYTES;
	char *bytes = room + CHUNK_HEAD_BYTES;
	ssize_t n;

	*ret_bytes = (struct bc_str){ bytes, 0 };
	if (most > call->upload_left)
		most = (size_t)call->upload_left;
	++*call->inside;
	n = call->stream->read(call->stream->ctx, bytes, most);
	--*call->inside;
	if (call->cancelled || (n < 0 && n != BC_HTTP_STREAM_WAIT))
		return BC_CUT_CALLER;
	call->read_waits = n == BC_HTTP_STREAM_WAIT;
	if (call->read_waits)
		return BC_CUT_NONE;
	BC_ASSERT((size_t)n <= most);
	if (n == 0 && counted)
		return BC_CUT_SHORT;
	bc_http_stream_moved(call);
	if (counted)
		call->upload_left -= (uint64_t)n;
	call->reading = n > 0 && call->upload_left > 0;
	*ret_bytes = counted ? (struct bc_str){ bytes, (size_t)n } : put_in_chunk(room, (size_t)n);
	return BC_CUT_NONE;
}

/* --- waiting ---------------------------------------------------------------------------------- */

void bc_http_stream_wake(struct bc_http_call *call)
{
	if (call->data_resumed || call->read_resumed)
		bc_http_stream_moved(call);
	call->data_waits = call->data_waits && !call->data_resumed;
	call->read_waits = call->read_waits && !call->read_resumed;
	call->data_resumed = call->read_resumed = false;
}

uint64_t bc_http_stream_due_ms(const struct bc_http_call *call)
{
	if (call->timeout_ms == 0 || call->data_waits || call->read_waits)
		return UINT64_MAX;
	return call->progress_ms + call->timeout_ms;
}
