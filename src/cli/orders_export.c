/* SPDX-License-Identifier: MIT */
/*
 * `backchannel orders --export`: everything that the selector names, newest first, page by page.
 * What is reported meanwhile is not in it; an order stands in it once.
 *
 * --with-tokens: the one place where click tokens are shown. They are what a partner's account
 * manager may ask for, to find a conversion that the shop took back.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/orders.h"

#define PAGE "1000"

static const char *const columns[] = {
	"order",      "state",	     "reason",		"product",	 "lane",
	"kind",	      "amount",	     "currency",	"attempt_count", "created_at",
	"updated_at", "finished_at", "next_attempt_at", "deadline_at",	 "revoked_at",
	"entity_id",  "edition",     "comment",		"token",
};
/* The last one is there only when it is asked for. */
static size_t column_count(const struct bc_orders_options *o)
{
	return BC_COUNT(columns) - !o->with_tokens;
}

/* RFC 4180: quoted where it must be, a quote doubled. */
static void print_cell(const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (const char *c = text; *c; c++) {
		if (*c == '"')
			putchar('"');
		putchar(*c);
	}
	putchar('"');
}

static void print_csv_head(const struct bc_orders_options *o)
{
	for (size_t i = 0; i < column_count(o); i++)
		printf("%s%s", i ? "," : "", columns[i]);
	fputs("\r\n", stdout);
}

static void print_csv(const struct bc_orders_options *o, const json_t *order)
{
	for (size_t i = 0; i < column_count(o); i++) {
		const json_t *value = json_object_get(order, columns[i]);
		if (i)
			putchar(',');
		if (json_is_integer(value))
			printf("%lld", (long long)json_integer_value(value));
		else if (json_is_string(value))
			print_cell(json_string_value(value));
	}
	fputs("\r\n", stdout);
}

static void print_json(const struct bc_orders_options *o, const json_t *order)
{
	(void)o;
	json_dumpf(order, stdout, JSON_COMPACT);
	putchar('\n');
}

static const struct format {
	const char *name;
	void (*head)(const struct bc_orders_options *o); /* may be NULL */
	void (*row)(const struct bc_orders_options *o, const json_t *order);
} formats[] = {
	{ "csv", print_csv_head, print_csv },
	{ "json", NULL, print_json },
};

struct order_export {
	const struct bc_invocation *in;
	struct bc_remote *remote;
	const struct format *format;
	char cursor[24]; /* "" before the first page and after the last */
	unsigned long long rows;
	bool started;
};

/* Only where somebody watches, and not into what they watch. */
static void show_progress(const struct order_export *e, bool over)
{
	if (!isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
		return;
	fprintf(stderr, over ? "\r%llu orders\n" : "\r%llu orders ...", e->rows);
}

static void print_page(struct order_export *e, const json_t *answer)
{
	size_t i;
	json_t *order;
	const json_t *orders = json_object_get(answer, "orders");
	if (!e->started && e->format->head)
		e->format->head(e->in->options);
	e->started = true;
	json_array_foreach(orders, i, order) e->format->row(e->in->options, order);
	e->rows += json_array_size(orders);
	snprintf(e->cursor, sizeof(e->cursor), "%s", bc_json_text(answer, "next"));
}

/* --limit is at most one page, and then that page is all. */
static int page_path(const struct order_export *e, struct bc_buf *path)
{
	struct bc_orders_options o = *(const struct bc_orders_options *)e->in->options;
	char cursor[40];
	snprintf(cursor, sizeof(cursor), "cursor=%s", e->cursor);
	if (!o.selector.limit)
		o.selector.limit = PAGE;
	return bc_orders_path(path, &o, e->cursor[0] ? cursor : NULL);
}

static enum bc_exit export_page(struct order_export *e)
{
	struct bc_reply reply;
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (page_path(e, &path)) {
		bc_buf_finish(&path);
		return bc_cli_usage(e->in, "an option is too long");
	}
	enum bc_exit result = bc_remote_request(e->remote, "GET", path.data, NULL, &reply);
	bc_buf_finish(&path);
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else
		print_page(e, reply.json);
	bc_reply_finish(&reply);
	return result;
}

static enum bc_exit export_all(struct order_export *e)
{
	const struct bc_orders_options *o = e->in->options;
	enum bc_exit result;
	do {
		result = export_page(e);
		if (result && e->started)
			fputs("  the export ends here, and is not whole\n", stderr);
		if (!result)
			show_progress(e, false);
	} while (!result && e->cursor[0] && !o->selector.limit && !ferror(stdout));
	if (e->started)
		show_progress(e, true);
	return result;
}

enum bc_exit bc_orders_export(const struct bc_invocation *in)
{
	const struct bc_orders_options *o = in->options;
	struct order_export e = { .in = in };
	for (size_t i = 0; i < BC_COUNT(formats); i++)
		if (!strcmp(formats[i].name, o->format))
			e.format = &formats[i];
	if (!e.format)
		return bc_cli_usage(in, "there is no format \"%s\"; there are: csv, json",
				    o->format);
	if (in->json && !strcmp(e.format->name, "csv"))
		return bc_cli_usage(in, "--json and --export csv are one too many");
	enum bc_exit result = bc_remote_open(in, BC_REMOTE_ANY, &e.remote);
	if (result)
		return result;
	if (o->with_tokens)
		fputs("backchannel: this export holds click tokens in clear, and whoever has one "
		      "can use it in the shop's place\n"
		      "  keep it like a password, and delete it when it has served; the log says "
		      "that it was made\n",
		      stderr);
	result = export_all(&e);
	bc_remote_close(e.remote);
	return result;
}
