/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/stream: the summary as server-sent events, for a console that stays open. While anybody
 * reads, one summary is built a second, for all of them, by the very handler of GET /v1/summary;
 * who has not seen it gets it, if anything but its time changed. While nobody does, nothing runs.
 *
 * Who reads slowly holds no memory: an event leaves only when the former one was taken, and then it
 * is the newest; what lay between is not sent at all. Who takes nothing for a minute is cut, so
 * that places stay free. Every stream ends when the daemon stops, and when the API token changes.
 */
#include <string.h>

#include "daemon/api_impl.h"

enum {
	STREAMS_MAX = 16,
	TICK_MS = 1000,
	GAP_MS = 950, /* between two events of one stream; a tick may come a little early */
	ALIVE_MS = 15 * 1000,
	STUCK_MS = 60 * 1000,
	BUILD_ARENA_BYTES = 16 * 1024,
	BUILD_ARENA_MAX = 4 * 1024 * 1024
};

static const char content_type[] = "text/event-stream";

struct watcher {
	struct call *call;
	struct watcher *next, **slot;
	uint64_t seen;	   /* version of what was sent last; 0 = nothing yet */
	uint64_t sent_ms;  /* an event; elapsed clock, as the others */
	uint64_t wrote_ms; /* anything */
	uint64_t taken_ms; /* it had taken all that was written */
};

static uint64_t now_ms(const struct bc_api *api)
{
	return bc_elapsed_ms(api->shop->clock);
}

/* --- one stream ------------------------------------------------------------------------------ */

/* Ends the call, and the watcher with it. */
static void end(struct watcher *w, bool cut)
{
	struct bc_api *api = w->call->api;
	struct bc_api_request *request = w->call->request;
	*w->slot = w->next;
	if (w->next)
		w->next->slot = w->slot;
	if (--api->streams.count == 0)
		bc_timer_stop(api->streams.timer);
	request->stream->end(request, cut);
	api->calls--;
	api_check_stopped(api);
}

static void gone(void *ctx)
{
	end(ctx, false);
}

static void write_text(struct watcher *w, struct bc_str text, uint64_t now)
{
	w->call->request->stream->write(w->call->request, text);
	w->wrote_ms = now;
}

static void write_event(struct watcher *w, uint64_t now)
{
	const struct api_streams *s = &w->call->api->streams;
	w->seen = s->version;
	w->sent_ms = now;
	write_text(w, (struct bc_str){ s->event, s->event_bytes }, now);
}

/* Sends what it has not seen, or that there is nothing new; may end it. */
static void serve(struct watcher *w)
{
	const struct api_streams *s = &w->call->api->streams;
	uint64_t now = now_ms(w->call->api);
	if (w->call->request->stream->unsent(w->call->request)) {
		if (now - w->taken_ms >= STUCK_MS)
			end(w, true);
		return;
	}
	w->taken_ms = now;
	if (w->seen != s->version && (!w->seen || now - w->sent_ms >= GAP_MS))
		write_event(w, now);
	else if (now - w->wrote_ms >= ALIVE_MS || w->call->request->stream->ended(w->call->request))
		write_text(w, BC_STR(": alive\n\n"), now);
}

static void serve_all(struct bc_api *api)
{
	for (struct watcher *w = api->streams.first, *next; w; w = next) {
		next = w->next;
		serve(w);
	}
}

/* --- the summary ----------------------------------------------------------------------------- */

/* Without its time, which stands first. */
static struct bc_str comparable(struct bc_str body)
{
	(void)bc_str_split(&body, ',');
	return body;
}

static bool is_news(const struct api_streams *s, struct bc_str body)
{
	static const size_t around = sizeof("event: summary\ndata: ") - 1 + sizeof("\n\n") - 1;
	struct bc_str before = { s->event, s->event_bytes }, now = comparable(body);
	if (!s->event || s->event_bytes < around)
		return true;
	before = comparable((struct bc_str){ before.ptr, before.len - 2 });
	return before.len != now.len || memcmp(before.ptr, now.ptr, now.len) != 0;
}

/* Without memory the former one stays; the next one is built in a second. */
static void keep(struct api_streams *s, struct bc_str body)
{
	bool news = is_news(s, body);
	char *event;
	int bytes = asprintf(&event, "event: summary\ndata: %.*s\n\n", (int)body.len, body.ptr);
	if (bytes < 0)
		return;
	free(s->event);
	s->event = event;
	s->event_bytes = (size_t)bytes;
	s->version += news;
}

static void built(struct bc_api_request *request, const struct bc_api_answer *a)
{
	struct bc_api *api = BC_CONTAINER(request, struct bc_api, streams.request);
	struct api_streams *s = &api->streams;
	if (a->status == 200) {
		s->built_ms = now_ms(api);
		keep(s, a->body);
	}
	bc_arena_destroy(s->arena);
	s->arena = NULL;
	if (s->version)
		serve_all(api);
}

static void build(struct bc_api *api)
{
	struct api_streams *s = &api->streams;
	if (s->arena)
		return; /* the store is slow: one at a time */
	s->arena = bc_arena_create(BUILD_ARENA_BYTES, BUILD_ARENA_MAX);
	if (!s->arena)
		return;
	s->request = (struct bc_api_request){
		.method = "GET", .path = BC_STR("/v1/summary"), .arena = s->arena, .answer = built
	};
	bc_api_handle(api, &s->request);
}

/* A store that does not answer must not make a stream look dead. */
static void tick(void *ctx)
{
	struct bc_api *api = ctx;
	if (api->streams.arena)
		serve_all(api);
	else
		build(api);
	if (api->streams.count)
		bc_timer_start(api->streams.timer, TICK_MS);
}

/* --- the route ------------------------------------------------------------------------------- */

static void begin(struct call *call, struct watcher *w)
{
	struct bc_api *api = call->api;
	struct api_streams *s = &api->streams;
	uint64_t now = now_ms(api);
	*w = (struct watcher){
		.call = call, .next = s->first, .slot = &s->first, .wrote_ms = now, .taken_ms = now
	};
	if (w->next)
		w->next->slot = &w->next;
	s->first = w;
	if (s->count++ == 0)
		bc_timer_start(s->timer, TICK_MS);
	call->request->stream->begin(call->request, content_type, gone, w);
	if (s->version && now - s->built_ms < TICK_MS)
		write_event(w, now);
	else
		build(api);
}

static void begin_if_possible(struct call *call)
{
	struct api_streams *s = &call->api->streams;
	struct watcher *w = bc_arena_alloc(call->request->arena, sizeof(*w));
	if (!s->timer)
		s->timer = bc_timer_create(call->api->loop, tick, call->api);
	if (!w || !s->timer)
		call_problem(call, BC_PROBLEM_BUSY, "no memory for a stream", "try again");
	else
		begin(call, w);
}

void get_stream(struct call *call)
{
	if (!call->request->stream)
		call_problem(call, BC_PROBLEM_BAD_REQUEST,
			     "a stream needs a connection to the daemon, and there is none",
			     "start the daemon: backchannel serve; or ask for /v1/summary");
	else if (strcmp(call->request->method, "HEAD") == 0)
		call_text(call, 200, content_type, BC_STR(""));
	else if (call->api->stopping)
		call_problem(call, BC_PROBLEM_BUSY, "the daemon stops", "ask when it runs again");
	else if (call->api->streams.count == STREAMS_MAX)
		call_problem(call, BC_PROBLEM_BUSY, "16 streams are open already",
			     "close a console that nobody looks at, or ask for /v1/summary");
	else
		begin_if_possible(call);
}

void bc_api_end_streams(struct bc_api *api)
{
	while (api->streams.first)
		end(api->streams.first, false);
}
