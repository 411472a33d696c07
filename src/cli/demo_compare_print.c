/* SPDX-License-Identifier: MIT */
/*
 * What the comparison prints. The table is Markdown as it stands, aligned for whoever reads it in a
 * terminal, so that docs/compare.md and the README hold the very lines that a run prints, and a
 * test compares them. Hence nothing in it depends on how fast the machine is.
 */
#include "cli/demo_compare.h"

#include <string.h>

enum { CELL_BYTES = 64, COLUMNS = 8 };

#define FOOTNOTE " (1)"

/* Nothing lost, and nothing doubled that the ledger does not call unknown. */
bool compare_held(const struct compare_result *r)
{
	return r->orders > 0 && r->ours.lost == 0 && r->ours.doubled == r->unknown &&
	       !r->daemon_lost;
}

void compare_print_opening(const struct demo *d)
{
	fprintf(d->out,
		"The guide's sample and backchannel side by side, through %d faults, on this "
		"machine "
		"alone.\n"
		"Both have the same ten shoppers with the same landing URLs and order numbers, and "
		"a partner each;\nonly what is in the partners' books counts.\n"
		"  time     runs %d times as fast for both: the minute is %d s, the time-out of 30 "
		"s "
		"is %d s\n"
		"  sample   hands back to http://%s\n"
		"  daemon   a new one in each fault, hands back to http://%s\n"
		"  traces   %s (removed at the end)\n",
		COMPARE_FAULTS, COMPARE_SPEED, COMPARE_MINUTE_MS / 1000, COMPARE_TIMEOUT_MS / 1000,
		d->sample_partner.address, d->sandbox.address, d->dir);
	fflush(d->out);
}

static const char *tally(struct demo *d, const struct compare_side *s)
{
	return demo_text(d, "%d returned, %d lost, %d doubled", s->returned, s->lost, s->doubled);
}

void compare_print_result(struct demo *d, const struct compare_result *r)
{
	char sample[32], ours[32];
	demo_note(d, "an order waited up to %s in the sample's shop, %s in ours",
		  bc_format_span(r->sample.longest_ms, sample, sizeof(sample)),
		  bc_format_span(r->ours.longest_ms, ours, sizeof(ours)));
	demo_note(d, "the sample:  %s; failures in its log: %u", tally(d, &r->sample),
		  r->sample_failures);
	demo_expect(
		d, compare_held(r),
		demo_text(d, "backchannel: %d returned, 0 lost, %d doubled", r->orders, r->unknown),
		demo_text(d, "%s%s", tally(d, &r->ours),
			  r->daemon_lost ? "; the daemon did not live" : ""));
}

/* --- the table ---------------------------------------------------------------------------------
 */

typedef char table_row[COLUMNS][CELL_BYTES];

static void put_number(char *cell, int n, bool footnote)
{
	snprintf(cell, CELL_BYTES, "%d%s", n, footnote ? FOOTNOTE : "");
}

static void fill_row(table_row row, const char *title, const struct compare_result *r)
{
	snprintf(row[0], CELL_BYTES, "%s", title);
	put_number(row[1], r->orders, false);
	put_number(row[2], r->sample.returned, false);
	put_number(row[3], r->sample.lost, false);
	put_number(row[4], r->sample.doubled, false);
	put_number(row[5], r->ours.returned, false);
	put_number(row[6], r->ours.lost, false);
	put_number(row[7], r->ours.doubled, r->unknown > 0);
}

static void add_side(struct compare_side *to, const struct compare_side *s)
{
	to->returned += s->returned;
	to->lost += s->lost;
	to->doubled += s->doubled;
}

static struct compare_result add_up(const struct compare *c)
{
	struct compare_result sum = { 0 };
	for (size_t i = 0; i < COMPARE_FAULTS; i++) {
		sum.orders += c->results[i].orders;
		sum.unknown += c->results[i].unknown;
		add_side(&sum.sample, &c->results[i].sample);
		add_side(&sum.ours, &c->results[i].ours);
	}
	return sum;
}

/* Is it what a shop does not want? */
static bool is_bad(size_t column, const char *cell)
{
	static const bool counts_harm[COLUMNS] = { [3] = true, [4] = true, [6] = true, [7] = true };
	return counts_harm[column] && cell[0] >= '1' && cell[0] <= '9';
}

static void print_row(const struct demo *d, const size_t *width, table_row row)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		bool red = d->colour && is_bad(i, row[i]);
		fputs(i ? " | " : "| ", d->out);
		fprintf(d->out, i ? "%s%*s%s" : "%s%-*s%s", red ? "\033[31m" : "", (int)width[i],
			row[i], red ? "\033[0m" : "");
	}
	fputs(" |\n", d->out);
}

static void print_rule(const struct demo *d, const size_t *width)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		fputs("|-", d->out);
		for (size_t n = 0; n < width[i]; n++)
			putc('-', d->out);
		putc(i ? ':' : '-', d->out);
	}
	fputs("|\n", d->out);
}

static void print_footnote(const struct demo *d)
{
	fputs("\n(1) A request that was taken and never answered looks like one that was never "
	      "taken: nobody can know.\n    The daemon sends it again, and its ledger has both "
	      "attempts, the first as unknown. The sample\n    forgets it: right here, and wrong "
	      "whenever it was not taken (first row).\n",
	      d->out);
}

void compare_print_table(const struct compare *c)
{
	table_row rows[COMPARE_FAULTS + 2] = { { "fault", "orders", "sample: returned", "lost",
						 "doubled", "backchannel: returned", "lost",
						 "doubled" } };
	size_t width[COLUMNS] = { 0 };
	struct compare_result sum = add_up(c);
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		fill_row(rows[i + 1], compare_faults[i].title, &c->results[i]);
	fill_row(rows[COMPARE_FAULTS + 1], "together", &sum);
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		for (size_t k = 0; k < COLUMNS; k++)
			if (strlen(rows[i][k]) > width[k])
				width[k] = strlen(rows[i][k]);
	putc('\n', c->d->out);
	print_row(c->d, width, rows[0]);
	print_rule(c->d, width);
	for (size_t i = 1; i < BC_COUNT(rows); i++)
		print_row(c->d, width, rows[i]);
	if (sum.unknown)
		print_footnote(c->d);
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static json_t *side_json(const struct compare_side *s)
{
	return json_pack("{sisisisisI}", "asked", s->asked, "returned", s->returned, "lost",
			 s->lost, "doubled", s->doubled, "longest_wait_ms",
			 (json_int_t)s->longest_ms);
}

static json_t *fault_json(const struct compare_fault *fault, const struct compare_result *r)
{
	json_t *sample = side_json(&r->sample), *ours = side_json(&r->ours);
	json_object_set_new(sample, "logged_failures", json_integer(r->sample_failures));
	json_object_set_new(ours, "unknown", json_integer(r->unknown));
	return json_pack("{sssssisisososb}", "name", fault->name, "title", fault->title, "orders",
			 r->orders, "dead", r->dead, "sample", sample, "backchannel", ours, "held",
			 compare_held(r));
}

void compare_print_json(const struct compare *c, uint64_t duration_ms)
{
	json_t *faults = json_array();
	int held = 0;
	for (size_t i = 0; i < COMPARE_FAULTS; i++) {
		json_array_append_new(faults, fault_json(&compare_faults[i], &c->results[i]));
		held += compare_held(&c->results[i]);
	}
	json_t *all = json_pack("{sisIsosb}", "speed", COMPARE_SPEED, "duration_ms",
				(json_int_t)duration_ms, "faults", faults, "held",
				held == COMPARE_FAULTS);
	bc_autofree char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	puts(text ? text : "{}");
	json_decref(all);
}

void compare_print_closing(const struct compare *c, int held, uint64_t duration_ms)
{
	const struct demo *d = c->d;
	struct compare_result sum = add_up(c);
	const char *colour = held == COMPARE_FAULTS ? "\033[1;32m" : "\033[1;31m";
	fprintf(d->out,
		"\n%sOf %d orders backchannel lost %d and the guide's sample %d%s; it held in %d "
		"of "
		"%d faults, in %.1f s.\n",
		d->colour ? colour : "", sum.orders, sum.ours.lost, sum.sample.lost,
		d->colour ? "\033[0m" : "", held, COMPARE_FAULTS, (double)duration_ms / 1000);
}
