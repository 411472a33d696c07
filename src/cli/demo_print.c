/* SPDX-License-Identifier: MIT */
/*
 * Everything the demo prints. One look: a step has a number and a title, below it what was sent (>)
 * and seen (<), and every fact that was checked with its mark. Colour only on a terminal.
 */
#include "cli/demo.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/cli.h"

enum { LAST_LINES = 6, TEXT_MAX_BYTES = 64 * 1024 };

#define MARGIN "     "

static const char *colour(const struct demo *d, const char *sequence)
{
	return d->colour ? sequence : "";
}

void demo_print_step(const struct demo *d, int n, const char *title)
{
	fprintf(d->out, "\n%s%d. %s%s\n", colour(d, "\033[1m"), n, title, colour(d, "\033[0m"));
	fflush(d->out);
}

void demo_note(const struct demo *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs(MARGIN, d->out);
	vfprintf(d->out, fmt, ap);
	putc('\n', d->out);
	va_end(ap);
	fflush(d->out);
}

void demo_print_block(const struct demo *d, const char *margin, const char *text)
{
	struct bc_str rest = bc_str_of(text);
	while (rest.len) {
		struct bc_str line = bc_str_split(&rest, '\n');
		fprintf(d->out, MARGIN "%s%s%.*s%s\n", colour(d, "\033[2m"), margin, (int)line.len,
			line.ptr, colour(d, "\033[0m"));
	}
	fflush(d->out);
}

bool demo_expect(struct demo *d, bool held, const char *what, const char *came)
{
	if (held) {
		fprintf(d->out, "   %s✓%s %s\n", colour(d, "\033[32m"), colour(d, "\033[0m"), what);
		d->facts++;
	} else {
		fprintf(d->out,
			"   %s✗%s this did not hold\n" MARGIN "expected: %s\n" MARGIN
			"came:     %s\n",
			colour(d, "\033[31m"), colour(d, "\033[0m"), what,
			came[0] ? came : "nothing");
	}
	fflush(d->out);
	return held;
}

bool demo_fail(struct demo *d, const char *what, const struct bc_err *err)
{
	return demo_expect(d, false, what,
			   demo_text(d, "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint));
}

const char *demo_text(struct demo *d, const char *fmt, ...)
{
	struct bc_buf text;
	va_list ap;
	bc_buf_init(&text, TEXT_MAX_BYTES);
	va_start(ap, fmt);
	int bad = bc_buf_addv(&text, fmt, ap);
	va_end(ap);
	const char *kept =
		bad ? NULL : bc_arena_dup(d->arena, text.data ? text.data : "", text.len);
	bc_buf_finish(&text);
	return kept ? kept : "";
}

void demo_print_opening(const struct demo *d)
{
	fprintf(d->out,
		"The journey of a click, from the landing to the partner and back, a program's "
		"calls of\nAdobe Commerce, and orders that Commerce itself tells of, on this "
		"machine alone.\n"
		"  partner  a stand-in for Sovendus and for Adobe at http://%s\n"
		"  daemon   backchannel serve at http://%s\n"
		"  traces   %s (removed at the end)\n",
		d->sandbox.address, d->daemon.address, d->dir);
	fflush(d->out);
}

void demo_print_next(const struct demo *d)
{
	static const char *const lines[][2] = {
		{ "the stand-in for Sovendus and for Adobe, for yourself", "backchannel sandbox" },
		{ "the daemon (in another terminal), pointed at it",
		  "SOVENDUS_BASE_URL=http://127.0.0.1:8799/ext SOVENDUS_PRODUCT_ID=any-product "
		  "SOVENDUS_API_KEY=any-key IMS_BASE_URL=http://127.0.0.1:8799 "
		  "IMS_CLIENT_ID=any-client IMS_CLIENT_SECRET=any-secret "
		  "API_ENDPOINT=http://127.0.0.1:8799/any-tenant backchannel serve" },
		{ "a landing, an order, and its story (in a third)",
		  "backchannel capture 'https://shop.example/?sovReqToken=11111-test-111-11111' "
		  "--session my-session-4711" },
		{ NULL, "backchannel order 100045 --session my-session-4711 --wait 5s" },
		{ NULL, "backchannel explain 100045" },
		{ "a call of Commerce, with no token in sight",
		  "curl http://127.0.0.1:8787/accs/V1/products/MUG-BLUE" },
		{ "an order of Commerce that carries a click; fetched, and handed back",
		  "curl http://127.0.0.1:8799/_sandbox/orders -d '{\"state\":\"processing\","
		  "\"custom_attributes\":{\"bc_click\":\"t.22222-test-222-22222\"}}'" },
		{ NULL, "backchannel pull --since 1h" },
		{ "capture at the web server, without any code", "backchannel recipe nginx" },
	};
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	fprintf(d->out, "\n%sTry next%s (backchannel is %s)\n", colour(d, "\033[1m"),
		colour(d, "\033[0m"), path);
	for (size_t i = 0; i < BC_COUNT(lines); i++) {
		if (lines[i][0])
			fprintf(d->out, MARGIN "%s# %s%s\n", colour(d, "\033[2m"), lines[i][0],
				colour(d, "\033[0m"));
		fprintf(d->out, MARGIN "%s\n", lines[i][1]);
	}
}

/* The last lines of a log, and where the rest is. */
static void print_log(const struct demo *d, const struct demo_child *child)
{
	struct bc_buf text;
	int lines = 0;
	if (demo_read_file(child->log, &text) && text.len) {
		const char *at = text.data + text.len - 1;
		while (at > text.data && lines < LAST_LINES)
			lines += *--at == '\n';
		fprintf(d->out, MARGIN "the log of the %s ends (%s):\n", child->name, child->log);
		demo_print_block(d, "| ", at + (*at == '\n'));
	}
	bc_buf_finish(&text);
}

void demo_print_logs(const struct demo *d)
{
	const struct demo_child *children[] = { &d->sandbox, &d->sample_partner, &d->daemon,
						&d->other,   &d->commerce,	 &d->nginx };
	for (size_t i = 0; i < BC_COUNT(children); i++)
		if (children[i]->log)
			print_log(d, children[i]);
	fprintf(d->out, MARGIN "Everything is kept in %s\n", d->dir);
}

void demo_print_closing(const struct demo *d, int held, int steps, uint64_t duration_ms)
{
	fprintf(d->out, "\n%s%d of %d steps held%s: %d facts checked in %.1f s.\n",
		colour(d, held == steps ? "\033[1;32m" : "\033[1;31m"), held, steps,
		colour(d, "\033[0m"), d->facts, (double)duration_ms / 1000);
}
