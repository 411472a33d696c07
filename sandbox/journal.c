/* SPDX-License-Identifier: MIT */
/*
 * Adobe's Journaling API: the events from a position on, page by page. A position's tail is the
 * number of its row, so a page costs what is in it, wherever it begins. Every good answer has a
 * link to the next page, relative as Adobe's are, among others: a client has to look for
 * rel="next" and to resolve it against the address that it asked.
 *
 * A position is gone (410) when its event is, and when it is of another journal (of before a
 * reset); except for the last one ever, behind which nothing can be missing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/events_rows.h"
#include "sandbox/ims.h"

enum { PAGE_MAX_BYTES = 1536 * 1024, TAIL_DIGITS = 12, PARTS_MAX = 512 };

/* ---- who is let in ---- */

static bool refuse(struct sandbox_call *call, int status, const char *code, const char *message)
{
	call->sandbox->events->counts.refused++;
	bc_sandbox_answer_json(call, status,
			       json_pack("{ssss}", "error_code", code, "message", message));
	return false;
}

static bool client_fits(struct sandbox_call *call, const struct ims_token *token)
{
	struct bc_str key = bc_http_header(call->req, "x-api-key");
	struct bc_str org = bc_http_header(call->req, "x-ims-org-id");
	const char *wanted = call->sandbox->ims->now.org_id;

	if (key.len == 0)
		return refuse(call, 403, "403000", "Api Key is required");
	if (token && (key.len != token->client_id.len ||
		      memcmp(key.ptr, token->client_id.ptr, key.len) != 0))
		return refuse(call, 403, "403003", "Api Key is invalid");
	if (org.len == 0 || (wanted && !bc_str_eq(org, wanted)))
		return refuse(call, 403, "403025", "Profile is not valid");
	return true;
}

static bool scope_fits(struct sandbox_call *call, struct bc_str text)
{
	json_t *claims;
	bool good;

	if (!call->sandbox->events->need_scope)
		return true;
	claims = bc_ims_claims(text);
	good = bc_str_icontains(bc_str_of(json_string_value(json_object_get(claims, "scope"))),
				"adobeio_api");
	json_decref(claims);
	return good || refuse(call, 403, "403010", "Missing scope: adobeio_api");
}

/* Commerce's setting says whose tokens are good; they are of the same IMS. */
static bool guard(struct sandbox_call *call)
{
	enum commerce_tokens which = call->sandbox->commerce->settings.tokens;
	struct bc_str text = bc_ims_bearer(call->req);
	const struct ims_token *token = NULL;

	if (!text.ptr && which != COMMERCE_OPEN)
		return refuse(call, 401, "401010", "Oauth token is missing.");
	if (which == COMMERCE_ISSUED) {
		if (bc_ims_token_look(call->sandbox->ims, text, bc_elapsed_ms(call->sandbox->clock),
				      &token) != IMS_ALIVE)
			return refuse(call, 401, "401013", "Oauth token is not valid");
		if (!scope_fits(call, text))
			return false;
	}
	return client_fits(call, token);
}

static void refuse_path(struct sandbox_call *call)
{
	bc_commerce_describe(call, call->known_path ? 405 : 404, NULL);
}

const struct sandbox_service bc_journal_service = { .describe = bc_commerce_describe,
						    .guard = guard,
						    .refuse = refuse_path };

/* ---- what is asked for ---- */

struct reading {
	uint64_t after;	    /* a row's number; what is wanted begins behind it */
	size_t from, count; /* rows, from e->head on */
	uint64_t limit;	    /* 0 = none given */
};

static bool bad(struct sandbox_call *call, const char *text)
{
	call->sandbox->events->counts.bad++;
	bc_sandbox_answer(call, 400, "text/plain; charset=utf-8", bc_str_of(text));
	return false;
}

static uint64_t first_number(const struct sandbox_events *e)
{
	return e->count > 0 ? e->events[e->head].number : e->last_number + 1;
}

static bool gone(struct sandbox_call *call, struct bc_str position)
{
	const char *text =
		bc_arena_printf(call->req->arena, "Events at position %.*s have expired.",
				(int)position.len, position.ptr);

	call->sandbox->events->counts.gone++;
	bc_sandbox_answer(call, 410, "text/plain; charset=utf-8",
			  bc_str_of(text ? text : "Events have expired."));
	return false;
}

/* "name:uuid:uuid"? Its number, as its last digits have it, or 0 or BC_EINVAL. */
static int tail_read(struct bc_str position, uint64_t *ret_number)
{
	struct bc_str rest = position, name = bc_str_split(&rest, ':');
	struct bc_str first = bc_str_split(&rest, ':');
	uint8_t bytes[TAIL_DIGITS / 2];

	*ret_number = 0;
	if (name.len == 0 || first.len != MOULD_ID_BYTES || rest.len != MOULD_ID_BYTES ||
	    bc_unhex((struct bc_str){ rest.ptr + rest.len - TAIL_DIGITS, TAIL_DIGITS }, bytes,
		     sizeof(bytes)) < 0)
		return BC_EINVAL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		*ret_number = *ret_number << 8 | bytes[i];
	return 0;
}

/* Its event is there, or nothing is behind it, or it is the start and nothing was forgotten yet. */
static bool position_is_held(const struct sandbox_events *e, uint64_t number)
{
	uint64_t first = first_number(e);

	return number >= first || number == e->last_number || (number == 0 && first == 1);
}

static bool since_read(struct sandbox_call *call, struct bc_str position, uint64_t *ret_after)
{
	const struct sandbox_events *e = call->sandbox->events;
	char own[SANDBOX_POSITION_BYTES];

	if (tail_read(position, ret_after) < 0)
		return bad(call, "since is no position of a journal.");
	bc_events_position(e, *ret_after, own);
	if (!bc_str_eq(position, own) || *ret_after > e->last_number ||
	    !position_is_held(e, *ret_after))
		return gone(call, position);
	return true;
}

/* "-PT2H", "-P1DT30M": how long ago. 0 or BC_EINVAL. */
static int seek_read(struct bc_str text, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		bool time; /* behind the T */
		uint64_t ms;
	} units[] = {
		{ 'D', false, 86400000 },
		{ 'H', true, 3600000 },
		{ 'M', true, 60000 },
		{ 'S', true, 1000 },
	};
	bool time = false;
	uint64_t number = 0;

	*ret_ms = 0;
	if (!bc_str_starts(text, "-P") || text.len < 4)
		return BC_EINVAL;
	for (size_t i = 2, known = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c >= '0' && c <= '9' && number < 100000) {
			number = 10 * number + (uint64_t)(c - '0');
			continue;
		}
		if (c == 'T' && !time) {
			time = true;
			continue;
		}
		for (known = 0; known < BC_COUNT(units); known++)
			if (units[known].unit == c && units[known].time == time)
				break;
		if (known == BC_COUNT(units))
			return BC_EINVAL;
		*ret_ms += number * units[known].ms;
		number = 0;
	}
	return number == 0 && *ret_ms > 0 ? 0 : BC_EINVAL;
}

/* The number of the last row before that time; rows' times never go back. */
static uint64_t number_before(const struct sandbox_events *e, uint64_t at_ms)
{
	size_t low = 0, high = e->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->events[e->head + middle].at_ms < at_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return first_number(e) + low - 1;
}

static bool start_read(struct sandbox_call *call, uint64_t *ret_after)
{
	const struct sandbox_events *e = call->sandbox->events;
	struct bc_str since, latest, seek;
	bool has_since = bc_sandbox_query(call, "since", &since);
	bool has_seek = bc_sandbox_query(call, "seek", &seek);
	uint64_t ago_ms, now_ms = bc_wall_ms(call->sandbox->clock);

	if (has_since && has_seek)
		return bad(call, "since and seek can't stand together.");
	if (has_since)
		return since_read(call, since, ret_after);
	*ret_after = first_number(e) - 1;
	if (bc_sandbox_query(call, "latest", &latest) && bc_str_eq(latest, "true")) {
		*ret_after = e->last_number;
	} else if (has_seek) {
		if (seek_read(seek, &ago_ms) < 0)
			return bad(call, "seek is a duration back from now, such as -PT2H.");
		*ret_after = number_before(e, now_ms > ago_ms ? now_ms - ago_ms : 0);
	}
	return true;
}

static bool reading_read(struct sandbox_call *call, struct reading *r)
{
	const struct sandbox_events *e = call->sandbox->events;
	struct bc_str text;

	*r = (struct reading){ 0 };
	if (bc_sandbox_query(call, "limit", &text) &&
	    (bc_parse_u64(text, &r->limit) < 0 || r->limit == 0))
		return bad(call, "limit is a number from 1.");
	if (!start_read(call, &r->after))
		return false;
	if (r->after >= first_number(e))
		r->from = (size_t)(r->after + 1 - first_number(e));
	r->count = e->count - r->from;
	if (r->count > e->page_max)
		r->count = e->page_max;
	if (r->limit > 0 && r->count > r->limit)
		r->count = (size_t)r->limit;
	return true;
}

/* ---- answers ---- */

/* "/events/organizations/1/integrations/2/REG": where the next page is to be had. */
static bool next_path(struct sandbox_call *call, char text[PARTS_MAX])
{
	struct bc_str path = call->req->path;
	const char *rest = memchr(path.ptr + 1, '/', path.len - 1);
	int n = snprintf(text, PARTS_MAX, "%s%.*s",
			 call->sandbox->events->next_moves ? "/events-fast" : "/events",
			 (int)(path.ptr + path.len - rest), rest);

	return n > 0 && n < PARTS_MAX;
}

static const char *limit_text(struct sandbox_call *call, uint64_t limit)
{
	const char *text =
		limit > 0 ? bc_arena_printf(call->req->arena, "&limit=%" PRIu64, limit) : "";

	return text ? text : "";
}

/* Several headers, the next link not the first among them where there is something to read. */
static const char *links(struct sandbox_call *call, const struct reading *r, const char *position)
{
	const struct sandbox_events *e = call->sandbox->events;
	const char *limit = limit_text(call, r->limit), *retry = "";
	char path[PARTS_MAX];

	if (!next_path(call, path))
		return NULL;
	if (r->count > 0)
		return bc_arena_printf(call->req->arena,
				       "Link: <%s?latest=true>; rel=\"latest\", "
				       "</count%s?since=%s>; rel=\"count\"\r\n"
				       "Link: <%s?since=%s%s>; rel=\"next\"\r\n",
				       path, path, position, path, position, limit);
	if (!e->hide_retry_after)
		retry = bc_arena_printf(call->req->arena, "Retry-After: %" PRIu32 "\r\n",
					e->retry_after);
	return bc_arena_printf(call->req->arena,
			       "%sLink: <%s?since=%s%s>; rel=\"next\"\r\n"
			       "Link: <%s/validate?since=%s>; rel=\"validate\"\r\n",
			       retry ? retry : "", path, position, limit, path, position);
}

/* One more event; 0, an error, or BC_ETOOBIG: the page is full. */
static int page_add(struct bc_buf *out, const struct sandbox_event *event, bool first)
{
	size_t before = out->len;
	int rc = bc_buf_addf(out, "%s{\"position\":\"%s\",\"event\":", first ? "" : ",",
			     event->position);

	if (rc == 0)
		rc = bc_events_text(event, out);
	if (rc == 0)
		rc = bc_buf_adds(out, "}");
	if (rc == 0 && (first || out->len < PAGE_MAX_BYTES))
		return 0;
	out->len = before;
	return rc < 0 ? rc : BC_ETOOBIG;
}

/* Fills the page, and sets how many are on it. */
static int page_build(const struct sandbox_events *e, struct reading *r, struct bc_buf *out)
{
	const struct sandbox_event *rows = e->events + e->head + r->from;
	int rc = bc_buf_adds(out, "{\"events\":[");
	size_t n = 0;

	while (rc == 0 && n < r->count && (rc = page_add(out, &rows[n], n == 0)) == 0)
		n++;
	if (rc == BC_ETOOBIG && n > 0)
		rc = 0;
	r->count = n;
	if (rc == 0)
		rc = bc_buf_addf(out, "],\"_page\":{\"last\":\"%s\",\"count\":%zu}}",
				 rows[n - 1].position, n);
	return rc;
}

static void answer_page(struct sandbox_call *call, struct reading *r)
{
	struct sandbox_events *e = call->sandbox->events;
	struct bc_buf out;
	int rc;

	bc_buf_init(&out, 2 * PAGE_MAX_BYTES);
	rc = page_build(e, r, &out);
	bc_sandbox_answer_buf(call, rc, "application/json", &out);
	if (rc < 0)
		return;
	call->answer.extra = links(call, r, e->events[e->head + r->from + r->count - 1].position);
	e->counts.pages++;
	e->counts.events += r->count;
}

static void answer_empty(struct sandbox_call *call, const struct reading *r)
{
	struct sandbox_events *e = call->sandbox->events;
	char position[SANDBOX_POSITION_BYTES];

	bc_sandbox_answer_nothing(call);
	call->answer.extra = links(call, r, bc_events_position(e, r->after, position));
	e->counts.empty++;
}

void bc_journal_read(struct sandbox_call *call)
{
	struct reading r;

	bc_events_age(call->sandbox->events);
	if (!reading_read(call, &r))
		return;
	if (r.count > 0)
		answer_page(call, &r);
	else
		answer_empty(call, &r);
}
