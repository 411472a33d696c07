/* SPDX-License-Identifier: MIT */
/*
 * A ring of single-block records: noting one costs an allocation and a copy, so that a sandbox
 * under load stays faster than what it stands in for; JSON is made only when somebody asks.
 */
#include "sandbox/requests.h"

#include <jansson.h>
#include <string.h>

#include "base/clock.h"

struct record {
	uint64_t wall_ms;
	uint64_t started_ms; /* elapsed clock */
	bool done;
	struct bc_request_result result;
	size_t bytes;
	struct bc_str method, target, path, query, head, body; /* in data */
	char data[];
};

struct bc_requests {
	struct record *ring[BC_REQUESTS_MAX]; /* owned; slot = number % max, NULL = not kept */
	uint64_t oldest;		      /* lowest number that may still be kept */
	uint64_t last;
	uint64_t forgotten;
	size_t bytes;
};

struct bc_requests *bc_requests_create(void)
{
	struct bc_requests *r = calloc(1, sizeof(*r));

	if (r)
		r->oldest = 1;
	return r;
}

static struct record **slot_of(struct bc_requests *r, uint64_t number)
{
	return &r->ring[number % BC_REQUESTS_MAX];
}

static void drop_oldest(struct bc_requests *r)
{
	struct record **slot = slot_of(r, r->oldest++);

	if (!*slot)
		return;
	r->bytes -= (*slot)->bytes;
	r->forgotten++;
	free(*slot);
	*slot = NULL;
}

void bc_requests_clear(struct bc_requests *r)
{
	while (r->oldest <= r->last)
		drop_oldest(r);
	r->forgotten = 0;
}

void bc_requests_destroy(struct bc_requests *r)
{
	if (!r)
		return;
	bc_requests_clear(r);
	free(r);
}

uint64_t bc_requests_last(const struct bc_requests *r)
{
	return r->last;
}

static struct bc_str copy_in(char **at, struct bc_str s)
{
	struct bc_str copy = { *at, s.len };

	if (!s.ptr)
		return s;
	memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

static size_t head_bytes(const struct bc_http_request *req)
{
	size_t bytes = 0;

	for (size_t i = 0; i < req->header_count; i++)
		bytes += req->headers[i].name.len + req->headers[i].value.len + 4;
	return bytes;
}

/* Header lines as they were sent, but for blanks around values: "Name: value\r\n" each. */
static struct bc_str copy_head(char **at, const struct bc_http_request *req)
{
	char *start = *at;

	for (size_t i = 0; i < req->header_count; i++) {
		copy_in(at, req->headers[i].name);
		copy_in(at, BC_STR(": "));
		copy_in(at, req->headers[i].value);
		copy_in(at, BC_STR("\r\n"));
	}
	return (struct bc_str){ start, (size_t)(*at - start) };
}

static struct record *record_create(const struct bc_http_request *req)
{
	struct bc_str method = bc_str_of(req->method);
	size_t bytes = method.len + req->target.len + req->body.len + head_bytes(req);
	struct record *rec = malloc(sizeof(*rec) + bytes);
	char *at;

	if (!rec)
		return NULL;
	*rec = (struct record){ .bytes = sizeof(*rec) + bytes };
	at = rec->data;
	rec->method = copy_in(&at, method);
	rec->target = copy_in(&at, req->target);
	rec->query = rec->target;
	rec->path = bc_str_split(&rec->query, '?');
	rec->head = copy_head(&at, req);
	rec->body = copy_in(&at, req->body);
	return rec;
}

uint64_t bc_requests_add(struct bc_requests *r, const struct bc_http_request *req, uint64_t wall_ms,
			 uint64_t elapsed_ms)
{
	struct record *rec = record_create(req);

	r->last++;
	if (r->last - r->oldest >= BC_REQUESTS_MAX)
		drop_oldest(r);
	if (!rec) {
		r->forgotten++;
		return r->last;
	}
	rec->wall_ms = wall_ms;
	rec->started_ms = elapsed_ms;
	*slot_of(r, r->last) = rec;
	r->bytes += rec->bytes;
	while (r->bytes > BC_REQUESTS_MAX_BYTES && r->oldest < r->last)
		drop_oldest(r);
	return r->last;
}

void bc_requests_answered(struct bc_requests *r, uint64_t number,
			  const struct bc_request_result *result)
{
	struct record *rec;

	if (number < r->oldest || number > r->last)
		return;
	rec = *slot_of(r, number);
	if (!rec)
		return;
	rec->done = true;
	rec->result = *result;
}

/* Bytes that are not UTF-8 are shown as Latin-1: each byte one character, none lost. */
static json_t *json_bytes(struct bc_str s)
{
	json_t *text = json_stringn(s.ptr ? s.ptr : "", s.len);
	char *wide;
	size_t n = 0;

	if (text || !s.ptr)
		return text;
	wide = malloc(2 * s.len + 1);
	if (!wide)
		return NULL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= 0x80) {
			wide[n++] = (char)(0xc0 | c >> 6);
			c = (unsigned char)(0x80 | (c & 0x3f));
		}
		wide[n++] = (char)c;
	}
	text = json_stringn(wide, n);
	free(wide);
	return text;
}

/* Adds one header; a name that comes again gets its values joined, as RFC 9110 5.3 reads them. */
static void add_header(json_t *headers, struct bc_str line)
{
	struct bc_str value = line;
	struct bc_str name = bc_str_split(&value, ':');
	bc_autofree char *key = bc_str_dup(name);
	json_t *text = json_bytes(bc_str_trim(value)), *before, *joined;

	before = key ? json_object_get(headers, key) : NULL;
	joined = before ? json_sprintf("%s, %s", json_string_value(before), json_string_value(text))
			: json_incref(text);
	if (key && joined)
		json_object_set_new(headers, key, joined);
	else
		json_decref(joined);
	json_decref(text);
}

/* "headers" by name, and "lines" as they were sent, in order. */
static void set_head(json_t *entry, struct bc_str head)
{
	json_t *headers = json_object(), *lines = json_array();

	while (head.len > 0) {
		struct bc_str line = bc_str_split(&head, '\n');

		line.len -= line.len > 0; /* the CR */
		add_header(headers, line);
		json_array_append_new(lines, json_bytes(line));
	}
	json_object_set_new(entry, "headers", headers);
	json_object_set_new(entry, "lines", lines);
}

static void set_body(json_t *entry, struct bc_str body)
{
	json_t *text = json_stringn(body.ptr ? body.ptr : "", body.len);
	bc_autofree char *hex = text ? NULL : malloc(2 * body.len + 1);

	if (hex) {
		bc_hex((const uint8_t *)body.ptr, body.len, hex);
		json_object_set_new(entry, "body_hex", json_string(hex));
	}
	json_object_set_new(entry, "body", text ? text : json_null());
}

static void set_result(json_t *entry, const struct record *rec)
{
	const struct bc_request_result *res = &rec->result;
	json_t *answered = json_null();

	if (rec->done && res->status)
		answered = json_integer(res->status);
	else if (rec->done)
		answered = json_string(res->fault ? res->fault : "nothing");
	json_object_set_new(entry, "answered", answered);
	json_object_set_new(entry, "fault", res->fault ? json_string(res->fault) : json_null());
	json_object_set_new(entry, "accepted", json_boolean(res->accepted));
	json_object_set_new(entry, "client_left", json_boolean(res->client_left));
	json_object_set_new(entry, "duration_ms",
			    rec->done
				    ? json_integer((json_int_t)(res->elapsed_ms - rec->started_ms))
				    : json_null());
}

static json_t *record_json(const struct record *rec, uint64_t number)
{
	json_t *entry = json_object();
	char at[BC_TIME_TEXT_BYTES];

	json_object_set_new(entry, "n", json_integer((json_int_t)number));
	json_object_set_new(entry, "at", json_string(bc_time_format(rec->wall_ms, at)));
	json_object_set_new(entry, "method", json_bytes(rec->method));
	json_object_set_new(entry, "path", json_bytes(rec->path));
	json_object_set_new(entry, "query", rec->query.ptr ? json_bytes(rec->query) : json_null());
	set_head(entry, rec->head);
	set_body(entry, rec->body);
	set_result(entry, rec);
	return entry;
}

/* One entry at a time, so that ten thousand need no tree of a hundred thousand nodes. */
static int add_record(struct bc_buf *out, const struct record *rec, uint64_t number, bool first)
{
	json_t *entry = record_json(rec, number);
	bc_autofree char *text = json_dumps(entry, JSON_COMPACT);

	json_decref(entry);
	if (!text)
		return BC_ENOMEM;
	return bc_buf_addf(out, "%s\n%s", first ? "" : ",", text);
}

static bool path_begins(struct bc_str path, struct bc_str prefix)
{
	return path.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(path.ptr, prefix.ptr, prefix.len) == 0);
}

int bc_requests_list(const struct bc_requests *r, struct bc_str path_prefix, uint64_t since,
		     struct bc_buf *out)
{
	uint64_t number = since >= r->oldest ? since + 1 : r->oldest;
	bool first = true;
	int rc = bc_buf_adds(out, "{\"requests\":[");

	for (; rc == 0 && since < r->last && number <= r->last; number++) {
		const struct record *rec = r->ring[number % BC_REQUESTS_MAX];

		if (!rec || !path_begins(rec->path, path_prefix))
			continue;
		rc = add_record(out, rec, number, first);
		first = false;
	}
	if (rc == 0)
		rc = bc_buf_addf(out, "],\"last\":%llu,\"forgotten\":%llu}\n",
				 (unsigned long long)r->last, (unsigned long long)r->forgotten);
	return rc;
}
