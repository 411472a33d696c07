/* SPDX-License-Identifier: MIT */
/*
 * `backchannel call`: one call of Commerce's REST API. Its answer goes to standard output as it
 * came, for people laid out; what went wrong, and what helps, to standard error.
 */
#include "cli/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/json_text.h"

struct options {
	const char *data, *store, *output, *timeout;
	const char *headers[BC_OPTION_MANY + 1];
	bool include, paginate, lines;
};

enum { METHOD_BYTES = 24, TIMEOUT_MAX_MS = 24 * 3600 * 1000 };

/* The line, read. */
struct order {
	struct bc_client_request request;
	char method[METHOD_BYTES];
	const char *headers[BC_OPTION_MANY + 1];
	struct bc_buf body;
};

/* --- reading the line ------------------------------------------------------------------------ */

static int read_all(FILE *from, struct bc_buf *to, struct bc_err *err)
{
	enum { PIECE = 64 * 1024 };
	for (;;) {
		char *room = bc_buf_room(to, PIECE);
		if (!room)
			return bc_err_tell(err, BC_ETOOBIG,
					   "send less at once, or call Commerce directly",
					   "the body is longer than %d MiB",
					   CALL_BODY_MAX_BYTES / 1024 / 1024);
		size_t got = fread(room, 1, PIECE, from);
		to->len += got;
		if (got == 0)
			return ferror(from)
				       ? bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
						     "the body cannot be read: %s", strerror(errno))
				       : bc_buf_adds(to, "");
	}
}

/* "@-" is standard input, "@FILE" a file, anything else the body itself. */
static int read_body(const char *data, struct bc_buf *body, struct bc_err *err)
{
	if (data[0] != '@')
		return bc_buf_adds(body, data);
	if (!strcmp(data, "@-"))
		return read_all(stdin, body, err);
	FILE *file = fopen(data + 1, "rbe");
	if (!file) {
		bc_err_set(err, BC_EIO, "\"%s\" cannot be read: %s", data + 1, strerror(errno));
		bc_err_hint(err, "-d @FILE sends a file, -d @- standard input, -d TEXT the text");
		return BC_EIO;
	}
	int result = read_all(file, body, err);
	fclose(file);
	return result;
}

static bool names(const char *header, const char *name)
{
	size_t n = strlen(name);
	return strncasecmp(header, name, n) == 0 && header[n] == ':';
}

/* What is set by other means, and what would not do what it says. */
static enum bc_exit read_headers(const struct bc_invocation *in, struct order *o)
{
	static const char *const ours[] = {
		"Authorization", "x-api-key",	   "x-gw-ims-org-id",
		"Host",		 "Content-Length", "Transfer-Encoding"
	};
	const struct options *options = in->options;
	size_t n = 0;
	for (const char *const *h = options->headers; *h; h++) {
		if (!strchr(*h, ':') || **h == ':')
			return bc_cli_usage(in, "-H takes \"Name: value\", not \"%s\"", *h);
		for (size_t i = 0; i < BC_COUNT(ours); i++)
			if (names(*h, ours[i]))
				return bc_cli_usage(in, "%s is set by itself", ours[i]);
		if (names(*h, "Content-Type"))
			o->request.content_type = *h + sizeof("Content-Type:") - 1 +
						  strspn(*h + sizeof("Content-Type:") - 1, " ");
		else
			o->headers[n++] = *h;
	}
	return BC_EXIT_DONE;
}

static enum bc_exit read_method(const struct bc_invocation *in, struct order *o)
{
	const char *text = in->argv[0];
	size_t n = strlen(text);
	if (n >= METHOD_BYTES ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != n || !n)
		return bc_cli_usage(in, "\"%.40s\" is no method; GET, POST, PUT, DELETE ...", text);
	for (size_t i = 0; i < n; i++)
		o->method[i] = (char)(text[i] & ~0x20);
	return BC_EXIT_DONE;
}

static enum bc_exit read_timeout(const struct bc_invocation *in, struct order *o)
{
	const char *text = ((const struct options *)in->options)->timeout;
	uint64_t ms = CALL_TIMEOUT_MS;
	if (text && (bc_parse_duration_ms(bc_str_of(text), &ms) || ms < 1 || ms > TIMEOUT_MAX_MS))
		return bc_cli_usage(in, "--timeout takes a duration up to 24h, not \"%s\"", text);
	o->request.timeout_ms = (uint32_t)ms;
	return BC_EXIT_DONE;
}

static enum bc_exit read_line(const struct bc_invocation *in, struct order *o)
{
	const struct options *options = in->options;
	struct bc_err err = { 0 };
	enum bc_exit result = read_method(in, o);
	if (!result)
		result = read_headers(in, o);
	if (!result)
		result = read_timeout(in, o);
	if (result)
		return result;
	if (options->paginate && (strcmp(o->method, "GET") != 0 || options->data))
		return bc_cli_usage(in, "--paginate follows a GET without a body");
	if (options->lines && !options->paginate)
		return bc_cli_usage(in, "--lines goes with --paginate");
	if (options->data && read_body(options->data, &o->body, &err)) {
		bc_err_tell(&err, BC_ENOMEM, "send a smaller body, or free memory on this machine",
			    "no memory for the body");
		return bc_cli_fail(&err);
	}
	o->request.method = o->method;
	o->request.path = in->argv[1];
	o->request.store = options->store;
	o->request.headers = o->headers;
	o->request.body = options->data ? (o->body.data ? o->body.data : "") : NULL;
	o->request.body_bytes = o->body.len;
	o->request.answer_max_bytes = CALL_BODY_MAX_BYTES;
	return BC_EXIT_DONE;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* No escape sequence of a stranger's reaches the terminal. */
static void print_tame(struct bc_str text, FILE *to)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool steers = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
		putc(steers ? '?' : c, to);
	}
	if (text.len && text.ptr[text.len - 1] != '\n')
		putc('\n', to);
}

static void print_body(const struct bc_client_answer *a, FILE *to)
{
	struct bc_str body = { a->body, a->body_bytes };
	if (!isatty(fileno(to))) {
		fwrite(body.ptr, 1, body.len, to);
	} else if (bc_json_is_valid(body)) {
		bc_json_write(body, BC_JSON_PRETTY, 0, to);
		putc('\n', to);
	} else {
		print_tame(body, to);
	}
}

static enum bc_exit one_call(const struct bc_invocation *in, struct call_way *way,
			     const struct order *o, FILE *to)
{
	const struct options *options = in->options;
	struct call_answer answer = { 0 };
	struct bc_err err = { 0 };
	if (call_way_ask(way, &o->request, &answer, &err))
		return bc_cli_fail(&err);
	if (options->include) {
		fprintf(to, "HTTP %d\n%s\n", answer.got.status, answer.head);
	}
	print_body(&answer.got, to);
	fflush(to);
	enum bc_exit result = answer.got.status >= 300 ? call_fail(&answer.got) : BC_EXIT_DONE;
	call_answer_finish(&answer);
	return result;
}

/* --- the command ----------------------------------------------------------------------------- */

static enum bc_exit cannot_write(const char *path)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EIO, "\"%s\" cannot be written: %s", path, strerror(errno));
	bc_err_hint(&err, "the call itself may have been done: look before you repeat it");
	return bc_cli_fail(&err);
}

static enum bc_exit carry_out(const struct bc_invocation *in, const struct order *o, FILE *to)
{
	const struct options *options = in->options;
	struct call_way *way = NULL;
	enum bc_exit result = call_way_open(in, &way);
	if (result)
		return result;
	if (options->paginate)
		result = call_pages(in, way, &o->request, options->lines, to);
	else
		result = one_call(in, way, o, to);
	call_way_close(way);
	return result;
}

static enum bc_exit run_order(const struct bc_invocation *in, const struct order *o)
{
	const char *path = ((const struct options *)in->options)->output;
	if (!path)
		return carry_out(in, o, stdout);
	/* Before the call: one that was done, and cannot be told of, is worse than none. */
	FILE *to = fopen(path, "wbe");
	if (!to)
		return cannot_write(path);
	enum bc_exit result = carry_out(in, o, to);
	bool broken = ferror(to) != 0;
	if (fclose(to) || broken)
		return cannot_write(path);
	return result;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct order o = { 0 };
	bc_buf_init(&o.body, CALL_BODY_MAX_BYTES);
	enum bc_exit result = read_line(in, &o);
	if (!result)
		result = run_order(in, &o);
	bc_buf_finish(&o.body);
	return result;
}

static const struct bc_option rows[] = {
	{ "data", 'd', "BODY", offsetof(struct options, data),
	  "the body; @FILE a file's, @- that of standard input" },
	{ "header", 'H', "LINE", offsetof(struct options, headers),
	  "\"Name: value\"; may be repeated", BC_OPTION_MANY },
	{ "store", 0, "VIEW", offsetof(struct options, store), "the store view, such as all" },
	{ "paginate", 0, NULL, offsetof(struct options, paginate),
	  "all pages of a search, as one document" },
	{ "lines", 0, NULL, offsetof(struct options, lines),
	  "with --paginate: an item a line instead" },
	{ "include", 'i', NULL, offsetof(struct options, include),
	  "the status and the head before the body" },
	{ "timeout", 0, "DUR", offsetof(struct options, timeout),
	  "give up after so long, repeats included (60s)" },
	{ "output", 'o', "FILE", offsetof(struct options, output),
	  "write there instead of to standard output" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_call = {
	.name = "call",
	.summary = "call Commerce's REST API, with an access token that is kept fresh",
	.operands = "METHOD PATH",
	.words = "GET POST PUT DELETE",
	.details =
		"PATH is /V1/... with its query; /rest and a store view may stand before it. Goes "
		"through the gateway of a running daemon; where none runs, directly, and "
		"oauth.cache_file then spares token requests. Waits where Commerce asks for it, "
		"and "
		"repeats what may be repeated. JSON is laid out on a "
		"terminal; in a pipe every byte is as it came.\n\n"
		"An answer of 4xx or 5xx is printed too, with what helps on standard error: exit 3 "
		"for 4xx, 1 for 5xx, 4 when Commerce or the token endpoint is not reachable.\n\n"
		"--paginate takes the page size from searchCriteria[pageSize] (else 100, at most "
		"300), begins at searchCriteria[currentPage] and prints {\"items\":[...],"
		"\"total_count\":N} as the pages come. An item that an earlier page had is not "
		"printed again.",
	.example = "backchannel call GET '/V1/orders?searchCriteria[pageSize]=1'",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
