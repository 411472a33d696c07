/* SPDX-License-Identifier: MIT */
/* See backup.h: what `backup` and `restore` show. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/backup.h"

enum { BAR_CELLS = 30 };

/* --- the bar --------------------------------------------------------------------------------- */

static struct {
	const char *what; /* shown last; NULL: nothing is */
	unsigned shown;
} bar;

static void draw(const char *what, unsigned cells, bool known)
{
	char text[BAR_CELLS + 1];
	for (unsigned i = 0; i < BAR_CELLS; i++)
		text[i] = known ? (i < cells ? '#' : '.') : (i == cells % BAR_CELLS ? '#' : '.');
	text[BAR_CELLS] = '\0';
	fprintf(stderr, "\r%-9s [%s]", what, text);
}

static void tell(void *ctx, const char *what, uint64_t done, uint64_t of)
{
	(void)ctx;
	unsigned cells = (unsigned)(of ? done * BAR_CELLS / of : done);
	if (!isatty(STDERR_FILENO) || (bar.what == what && bar.shown == cells))
		return;
	bar.what = what;
	bar.shown = cells;
	draw(what, cells, of > 0);
}

const struct bc_backup_progress backup_bar = { .tell = tell };

void backup_bar_end(void)
{
	if (bar.what)
		fprintf(stderr, "\r%*s\r", BAR_CELLS + 13, "");
	bar.what = NULL;
}

/* --- facts ----------------------------------------------------------------------------------- */

char *backup_size(uint64_t bytes, char *text)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes / 1024;
	size_t unit = 0;
	while (n >= 1024 && unit + 1 < BC_COUNT(units)) {
		n /= 1024;
		unit++;
	}
	snprintf(text, 32, "%.1f %s", n, units[unit]);
	return text;
}

uint64_t backup_orders(const struct bc_backup_facts *f)
{
	uint64_t sum = 0;
	for (int i = 0; i < BC_ORDER_STATES; i++)
		sum += f->orders[i];
	return sum;
}

void backup_print_facts(const struct bc_backup_facts *f)
{
	printf("layout %ld, %llu clicks, %llu orders, %llu attempts", f->layout,
	       (unsigned long long)f->clicks, (unsigned long long)backup_orders(f),
	       (unsigned long long)f->attempts);
}

json_t *backup_facts_json(const struct bc_backup_facts *f)
{
	json_t *orders = json_object();
	for (int i = 0; i < BC_ORDER_STATES; i++)
		json_object_set_new(orders, bc_order_state_name((enum bc_order_state)i),
				    json_integer((json_int_t)f->orders[i]));
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:s, s:s}", "bytes", (json_int_t)f->bytes,
			 "layout", (json_int_t)f->layout, "clicks", (json_int_t)f->clicks, "orders",
			 orders, "attempts", (json_int_t)f->attempts, "made_at", f->made_at,
			 "hash_key", f->hash_key);
}
