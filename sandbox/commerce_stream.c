/* SPDX-License-Identifier: MIT */
/*
 * Two routes that Adobe does not have, for what a gateway must do without holding it in memory:
 * GET /V1/_large sends as many bytes as it is asked for, POST /V1/_sink takes as many as there are
 * and says what they were. Neither holds more than a buffer. The sent text repeats one line of 64
 * characters, so a reader can check any stretch of it.
 *
 * A call is handed over (service.h) for as long as its bytes flow. Of the faults, half-body and
 * trickle strike the stream itself; those that put something else in an answer's place get an empty
 * one.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

enum {
	LINE_BYTES = 64,
	BLOCK_BYTES = 64 * 1024,
	TURN_BYTES = 1024 * 1024, /* then others get their turn */
	HASH_BYTES = 32
};

struct large {
	uint64_t left;	 /* to send */
	uint64_t beyond; /* announced, and never sent: the answer breaks off */
	uint64_t sent;
};

struct sink {
	EVP_MD_CTX *hash; /* owned */
	uint64_t bytes;
};

static const char *block(void)
{
	static const char line[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
	static char text[BLOCK_BYTES];

	_Static_assert(sizeof(line) == LINE_BYTES + 1, "it repeats evenly");
	if (!text[0])
		for (size_t i = 0; i < BLOCK_BYTES; i += LINE_BYTES)
			memcpy(text + i, line, LINE_BYTES);
	return text;
}

static bool flows(const struct sandbox_call *call, bool broken_too)
{
	enum bc_fault_kind kind = call->fault.kind;

	return kind == BC_FAULT_NONE || kind == BC_FAULT_DELAY ||
	       (broken_too && (kind == BC_FAULT_HALF_BODY || kind == BC_FAULT_TRICKLE));
}

/* ---- sending ---- */

static void large_cut(struct sandbox_call *call)
{
	struct bc_http_request *req = call->req;

	bc_sandbox_leave(call, 200, false);
	bc_http_stream_abort(req);
}

static void large_gone(void *ctx)
{
	large_cut(ctx);
}

static void large_end(struct sandbox_call *call)
{
	const struct large *l = call->user;
	struct bc_http_request *req = call->req;

	if (l->beyond) {
		large_cut(call);
		return;
	}
	bc_sandbox_leave(call, 200, true);
	bc_http_stream_end(req);
}

static void large_step(struct sandbox_call *call);

static void large_drained(void *ctx)
{
	large_step(ctx);
}

static size_t large_write(struct sandbox_call *call, size_t most)
{
	struct large *l = call->user;
	size_t from = l->sent % LINE_BYTES, n = BLOCK_BYTES - from;

	n = n < most ? n : most;
	n = n < l->left ? n : (size_t)l->left;
	l->left -= n;
	l->sent += n;
	return bc_http_stream_write(call->req, block() + from, n, large_drained, call);
}

static void large_step(struct sandbox_call *call)
{
	const struct large *l = call->user;
	bool trickles = call->fault.kind == BC_FAULT_TRICKLE;
	size_t turn = trickles ? (size_t)call->fault.chunk_bytes : TURN_BYTES;
	uint64_t end = l->sent + turn;

	while (l->left > 0 && l->sent < end)
		if (large_write(call, (size_t)(end - l->sent)) > BC_HTTP_STREAM_HIGH_BYTES)
			return;
	if (l->left == 0)
		large_end(call);
	else
		bc_sandbox_later(call, trickles ? call->fault.chunk_ms : 0, large_step);
}

static bool bytes_read(struct sandbox_call *call, const char *name, uint64_t *bytes)
{
	struct bc_str text;

	if (!bc_sandbox_query(call, name, &text) || bc_parse_bytes(text, bytes) == 0)
		return *bytes <= INT64_MAX;
	return false;
}

static bool large_read(struct sandbox_call *call, struct large *l, bool *chunked)
{
	uint64_t bytes = 0, cut = UINT64_MAX;
	struct bc_str text;
	bool good = bytes_read(call, "bytes", &bytes);

	*chunked = bc_sandbox_query(call, "chunked", &text) && bc_str_eq(text, "1");
	if (bc_sandbox_query(call, "cut", &text) && bc_parse_bytes(text, &cut) < 0)
		good = false;
	if (call->fault.kind == BC_FAULT_HALF_BODY)
		cut = bytes / 2;
	l->beyond = cut < bytes ? bytes - cut : 0;
	l->left = bytes - l->beyond;
	return good;
}

void bc_commerce_large(struct sandbox_call *call)
{
	struct large *l = bc_arena_alloc(call->req->arena, sizeof(*l));
	bool chunked;

	if (!l || !large_read(call, l, &chunked)) {
		bc_commerce_fail(call, 400, "bytes and cut are sizes, such as 1GiB", NULL);
		return;
	}
	if (!flows(call, true) || strcmp(call->req->method, "GET") != 0) {
		bc_sandbox_answer(call, 200, "application/octet-stream", BC_STR(""));
		return;
	}
	call->handed_over = true;
	call->cancel = large_cut;
	call->user = l;
	bc_http_stream_begin(call->req, 200, "Content-Type: application/octet-stream\r\n",
			     chunked ? -1 : (int64_t)(l->left + l->beyond));
	bc_http_on_gone(call->req, large_gone, call);
	/* Not at once: its end frees the call, which its caller still looks at. */
	bc_sandbox_later(call, 0, large_step);
}

/* ---- taking ---- */

static void sink_free(struct sandbox_call *call)
{
	struct sink *k = call->user;

	EVP_MD_CTX_free(k->hash);
	k->hash = NULL;
}

static void sink_cut(struct sandbox_call *call)
{
	struct bc_http_request *req = call->req;

	sink_free(call);
	bc_sandbox_leave(call, 0, false);
	bc_http_close_raw(req, true);
}

static bool sink_data(void *ctx, struct bc_str bytes)
{
	struct sink *k = ((struct sandbox_call *)ctx)->user;

	k->bytes += bytes.len;
	EVP_DigestUpdate(k->hash, bytes.ptr, bytes.len);
	return true;
}

static void sink_end(void *ctx, bool whole)
{
	struct sandbox_call *call = ctx;
	struct sink *k = call->user;
	unsigned char digest[HASH_BYTES];
	char hex[2 * HASH_BYTES + 1];

	if (!whole) {
		sink_cut(call);
		return;
	}
	EVP_DigestFinal_ex(k->hash, digest, NULL);
	bc_hex(digest, sizeof(digest), hex);
	sink_free(call);
	call->accepted = true;
	bc_sandbox_answer_json(call, 200,
			       json_pack("{sIss}", "bytes", (json_int_t)k->bytes, "sha256", hex));
	bc_sandbox_finish(call);
}

void bc_commerce_sink(struct sandbox_call *call)
{
	struct sink *k = bc_arena_alloc(call->req->arena, sizeof(*k));
	const struct bc_http_body to = { .data = sink_data, .end = sink_end, .ctx = call };

	if (!flows(call, false)) {
		bc_sandbox_answer(call, 200, COMMERCE_JSON, BC_STR("{}"));
		return;
	}
	if (k)
		k->hash = EVP_MD_CTX_new();
	if (!k || !k->hash || !EVP_DigestInit_ex(k->hash, EVP_sha256(), NULL)) {
		if (k)
			EVP_MD_CTX_free(k->hash);
		bc_commerce_fail_memory(call);
		return;
	}
	call->handed_over = true;
	call->cancel = sink_cut;
	call->user = k;
	bc_http_body_read(call->req, &to);
}
