/* SPDX-License-Identifier: MIT */
/*
 * `backchannel call --paginate`: a search from its first page to its last. Items are printed as the
 * pages come, with the bytes they came with; one page is in memory at a time.
 *
 * Some versions of Commerce answer a page past the end with the last one again, some sort without
 * an order of their own, so that an item wanders to the next page while they are read. Therefore
 * the end is where total_count items have come, or where a page brings nothing new; and an item
 * with an id (entity_id or id) is printed once. Without ids, a page past the end that came before
 * is the end.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/call.h"
#include "cli/json_text.h"

enum { PAGE_SIZE = 100, BAR_WIDTH = 30 };

struct pages {
	const struct bc_invocation *in;
	struct call_way *way;
	struct bc_client_request request;
	FILE *to;
	bool lines, pretty;

	struct bc_buf path;   /* without what pages */
	char root[24];	      /* "searchCriteria", as the caller spells it */
	uint64_t size, first; /* first: the page to begin with, from 1 */
	uint64_t page;	      /* the one under way */

	struct call_seen seen;
	uint64_t came, printed;
	int64_t total; /* -1: it is not told */
	bool opened;   /* the document has been begun */
};

/* --- the query ------------------------------------------------------------------------------- */

/* Which of a search's parameters this is. Commerce takes both spellings, but of the root only one
 * at a time. */
enum parameter { OTHER, ROOT, PAGE_SIZE_OF, CURRENT_PAGE_OF };

static enum parameter parameter_of(struct bc_str name, const char **ret_root)
{
	static const struct {
		const char *inner;
		enum parameter is;
	} inners[] = {
		{ "", ROOT },
		{ "[pageSize]", PAGE_SIZE_OF },
		{ "[page_size]", PAGE_SIZE_OF },
		{ "[currentPage]", CURRENT_PAGE_OF },
		{ "[current_page]", CURRENT_PAGE_OF },
	};
	static const char *const roots[] = { "searchCriteria", "search_criteria" };
	for (size_t r = 0; r < BC_COUNT(roots); r++) {
		if (!bc_str_starts(name, roots[r]))
			continue;
		struct bc_str inner = { name.ptr + strlen(roots[r]), name.len - strlen(roots[r]) };
		*ret_root = roots[r];
		for (size_t i = 0; i < BC_COUNT(inners); i++)
			if (bc_str_eq(inner, inners[i].inner))
				return inners[i].is;
	}
	return OTHER;
}

static enum bc_exit read_number(struct pages *p, struct bc_str value, const char *name,
				uint64_t most, uint64_t *ret)
{
	if (!bc_parse_u64(value, ret) && *ret >= 1 && *ret <= most)
		return BC_EXIT_DONE;
	return bc_cli_usage(p->in, "%s is 1 to %llu, not \"%.*s\"", name, (unsigned long long)most,
			    (int)value.len, value.ptr);
}

static enum bc_exit no_memory(void)
{
	struct bc_err err = { 0 };
	bc_err_nomem(&err);
	return bc_cli_fail(&err);
}

static enum bc_exit read_parameter(struct pages *p, struct bc_str whole)
{
	const char *root = NULL;
	struct bc_str value = whole, raw = bc_str_split(&value, '=');
	struct bc_buf name;
	bc_buf_init(&name, 4096);
	int failed = bc_percent_decode(&name, raw, true);
	enum parameter is =
		failed ? OTHER : parameter_of((struct bc_str){ name.data, name.len }, &root);
	bc_buf_finish(&name);
	if (root)
		snprintf(p->root, sizeof(p->root), "%s", root);
	switch (is) {
	case ROOT:
		return BC_EXIT_DONE; /* of no use beside what is added */
	case PAGE_SIZE_OF:
		return read_number(p, value, "the page size", BC_COMMERCE_PAGE_MAX, &p->size);
	case CURRENT_PAGE_OF:
		return read_number(p, value, "the current page", UINT32_MAX, &p->first);
	case OTHER:
		break;
	}
	return bc_buf_addf(&p->path, "%.*s&", (int)whole.len, whole.ptr) ? no_memory()
									 : BC_EXIT_DONE;
}

/* Everything of the path but what pages, so that it ends in '?' or '&'. */
static enum bc_exit read_path(struct pages *p)
{
	struct bc_str query = bc_str_of(p->request.path), path = bc_str_split(&query, '?');
	enum bc_exit result = BC_EXIT_DONE;
	if (bc_buf_addf(&p->path, "%.*s?", (int)path.len, path.ptr))
		return no_memory();
	while (query.ptr && !result) {
		struct bc_str parameter = bc_str_split(&query, '&');
		if (parameter.len)
			result = read_parameter(p, parameter);
	}
	return result;
}

/* --- printing -------------------------------------------------------------------------------- */

static void open_document(struct pages *p)
{
	if (!p->opened && !p->lines)
		fputs(p->pretty ? "{\n  \"items\": [" : "{\"items\":[", p->to);
	p->opened = true;
}

static void close_document(struct pages *p)
{
	unsigned long long total = p->total >= 0 ? (unsigned long long)p->total : p->printed;
	open_document(p);
	if (p->lines)
		return;
	fprintf(p->to,
		p->pretty ? "%s],\n  \"total_count\": %llu\n}\n" : "%s],\"total_count\":%llu}\n",
		p->pretty && p->printed ? "\n  " : "", total);
}

static void print_item(struct pages *p, struct bc_str item)
{
	open_document(p);
	if (p->lines) {
		bc_json_write(item, BC_JSON_COMPACT, 0, p->to);
		putc('\n', p->to);
	} else {
		fputs(p->printed ? "," : "", p->to);
		fputs(p->pretty ? "\n    " : "", p->to);
		if (p->pretty)
			bc_json_write(item, BC_JSON_PRETTY, 2, p->to);
		else
			fwrite(item.ptr, 1, item.len, p->to);
	}
	p->printed++;
}

/* Only where somebody watches, and not into what they watch. */
static bool is_watched(const struct pages *p)
{
	return isatty(STDERR_FILENO) && !isatty(fileno(p->to));
}

static void show_progress(const struct pages *p)
{
	char bar[BAR_WIDTH + 1];
	uint64_t total = p->total > 0 ? (uint64_t)p->total : 0;
	uint64_t came = p->came < total ? p->came : total;
	size_t full = total ? (size_t)(came * BAR_WIDTH / total) : 0;
	if (!is_watched(p))
		return;
	memset(bar, '#', full);
	memset(bar + full, '.', BAR_WIDTH - full);
	bar[BAR_WIDTH] = '\0';
	if (p->total >= 0)
		fprintf(stderr, "\r[%s] %llu of %llu", bar, (unsigned long long)came,
			(unsigned long long)total);
	else
		fprintf(stderr, "\r%llu ...", (unsigned long long)p->came);
}

static void end_progress(const struct pages *p)
{
	if (is_watched(p) && p->page > p->first)
		fputc('\n', stderr);
}

/* --- a page ---------------------------------------------------------------------------------- */

static bool id_of(struct bc_str item, struct bc_str *ret_id)
{
	return bc_json_member(item, "entity_id", ret_id) || bc_json_member(item, "id", ret_id);
}

/* What a page brought. */
struct yield {
	uint64_t items, fresh;
	bool with_ids;
};

static int take_item(struct pages *p, struct bc_str item, struct yield *y)
{
	struct bc_str id;
	int fresh = 1;
	if (id_of(item, &id)) {
		y->with_ids = true;
		fresh = call_seen_add(&p->seen, id);
	}
	if (fresh < 0)
		return fresh;
	if (fresh)
		print_item(p, item);
	y->items++;
	y->fresh += (uint64_t)fresh;
	return 0;
}

/* Without ids: did this page come before? The set then holds pages. Two that are the same though
 * neither is past the end are two ("pending", a hundred times). */
static int is_new_page(struct pages *p, struct bc_str items)
{
	struct bc_str rest = items, first, id;
	if (bc_json_next(&rest, &first) && id_of(first, &id))
		return 1;
	int fresh = call_seen_add(&p->seen, items);
	bool within = p->total >= 0 && (p->page - 1) * p->size < (uint64_t)p->total;
	return fresh == 0 && within ? 1 : fresh;
}

static void read_total(struct pages *p, struct bc_str body)
{
	struct bc_str text;
	uint64_t total;
	if (bc_json_member(body, "total_count", &text) && !bc_parse_u64(text, &total) &&
	    total <= INT64_MAX)
		p->total = (int64_t)total;
}

static bool is_over(const struct pages *p, const struct yield *y)
{
	if (!y->fresh)
		return true;
	return p->total >= 0 ? p->came >= (uint64_t)p->total : y->items < p->size;
}

static int take_page(struct pages *p, struct bc_str items, struct yield *y)
{
	struct bc_str item;
	int fresh = is_new_page(p, items);
	while (fresh > 0 && bc_json_next(&items, &item))
		if (take_item(p, item, y))
			return BC_ENOMEM;
	p->came += y->items;
	return fresh < 0 ? fresh : 0;
}

/* --- failures -------------------------------------------------------------------------------- */

/* In front of what the failure itself prints: which page it was. */
static enum bc_exit tell_page(const struct pages *p, enum bc_exit result)
{
	end_progress(p);
	fprintf(stderr, "  this was page %llu%s\n", (unsigned long long)p->page,
		p->opened ? "; what was printed before it is not whole" : "");
	return result;
}

static enum bc_exit is_no_search(const struct pages *p)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EINVAL, "the answer has no \"items\": it is no search result");
	bc_err_hint(&err, "--paginate is for lists such as /V1/orders; call it without");
	return tell_page(p, bc_cli_fail(&err));
}

/* --- all of them ----------------------------------------------------------------------------- */

static enum bc_exit read_page(struct pages *p, const struct bc_client_answer *got, bool *ret_over)
{
	struct bc_str body = { got->body, got->body_bytes }, items;
	struct yield y = { 0 };
	if (got->status >= 300)
		return tell_page(p, call_fail(got));
	if (!bc_json_is_valid(body) || !bc_json_member(body, "items", &items) ||
	    (items.ptr[0] != '[' && !bc_str_eq(items, "null")))
		return is_no_search(p);
	read_total(p, body);
	if (take_page(p, items, &y))
		return no_memory();
	*ret_over = is_over(p, &y);
	show_progress(p);
	return BC_EXIT_DONE;
}

static enum bc_exit one_page(struct pages *p, bool *ret_over)
{
	struct call_answer answer = { 0 };
	struct bc_err err = { 0 };
	struct bc_buf path;
	bc_buf_init(&path, BC_COMMERCE_URL_MAX);
	if (bc_buf_addf(&path, "%s%s%%5BpageSize%%5D=%llu&%s%%5BcurrentPage%%5D=%llu", p->path.data,
			p->root, (unsigned long long)p->size, p->root,
			(unsigned long long)p->page)) {
		bc_buf_finish(&path);
		return bc_cli_usage(p->in, "the path is too long");
	}
	p->request.path = path.data;
	enum bc_exit result;
	if (call_way_ask(p->way, &p->request, &answer, &err))
		result = tell_page(p, bc_cli_fail(&err));
	else
		result = read_page(p, &answer.got, ret_over);
	call_answer_finish(&answer);
	bc_buf_finish(&path);
	return result;
}

static enum bc_exit follow(struct pages *p)
{
	enum bc_exit result = read_path(p);
	bool over = false;
	if (result)
		return result;
	p->came = (p->first - 1) * p->size;
	for (p->page = p->first; !result && !over && !ferror(p->to); p->page++) {
		result = one_page(p, &over);
		if (result)
			return result;
	}
	close_document(p);
	end_progress(p);
	return BC_EXIT_DONE;
}

enum bc_exit call_pages(const struct bc_invocation *in, struct call_way *way,
			const struct bc_client_request *request, bool lines, FILE *to)
{
	struct pages p = { .in = in,
			   .way = way,
			   .request = *request,
			   .to = to,
			   .lines = lines,
			   .pretty = isatty(fileno(to)),
			   .root = "searchCriteria",
			   .size = PAGE_SIZE,
			   .first = 1,
			   .total = -1 };
	bc_buf_init(&p.path, BC_COMMERCE_URL_MAX);
	enum bc_exit result = follow(&p);
	call_seen_finish(&p.seen);
	bc_buf_finish(&p.path);
	return result;
}
