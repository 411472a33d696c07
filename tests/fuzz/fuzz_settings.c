/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the two parsers of settings and the snapshot behind them. An input whose first line is
 * "env" is a .env from its second line on; any other input is a settings file. Whatever was
 * accepted must be in bounds, must be shown as text that reads back to the same value, and must not
 * show a secret; whatever was not must have said why.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/settings_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is shown of a field must be read back as the same value. */
static void check_round_trip(const struct bc_settings *s, const struct bc_setting_row *row)
{
	const void *field = (const char *)s + row->offset;
	struct bc_err err = { 0 };
	uint64_t again = 0; /* large enough and aligned for every kind of field */
	struct bc_buf shown;

	_Static_assert(sizeof(void *) <= sizeof(again), "a field fits");
	bc_buf_init(&shown, BC_SETTINGS_FILE_MAX);
	BC_ASSERT(row->type->format(field, &shown) == 0);
	if (row->type == &bc_setting_secret) {
		BC_ASSERT(shown.len == 0 || strcmp(shown.data, "set") == 0);
	} else if (shown.len) {
		BC_ASSERT(row->type->parse(row, (struct bc_str){ shown.data, shown.len }, &again,
					   &err) == 0);
		BC_ASSERT(row->type->equal(field, &again));
		row->type->free(&again);
	}
	bc_buf_finish(&shown);
}

static void check_settings(const struct bc_settings *s)
{
	struct bc_buf shown;

	for (size_t i = 0; i < bc_setting_row_count; i++)
		check_round_trip(s, &bc_setting_rows[i]);
	BC_ASSERT(s->retry_base_ms <= s->retry_cap_ms);
	BC_ASSERT(s->delivery_timeout_ms < s->lane_lease_ms);
	BC_ASSERT(s->listen && s->url && s->state && s->store && s->sovendus_params[0]);
	for (size_t i = 0; i < s->product_count; i++) {
		BC_ASSERT(s->products[i].label[0] && s->products[i].partner);
		BC_ASSERT(i < 2 || strcmp(s->products[i - 1].label, s->products[i].label) < 0);
	}
	bc_buf_init(&shown, 4 * BC_SETTINGS_FILE_MAX);
	BC_ASSERT(bc_settings_show_text(s, &shown) == 0);
	BC_ASSERT(bc_settings_show_json(s, &shown) == 0);
	bc_buf_finish(&shown);
	BC_ASSERT(bc_settings_check_startable(s, NULL, NULL) != BC_ENOMEM);
}

static void check_report(const struct bc_settings_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct bc_settings_finding *f = &report->findings[i];

		BC_ASSERT(f->problem.text[0] && f->where);
		for (const char *c = f->problem.text; *c; c++)
			BC_ASSERT((unsigned char)*c >= 0x20);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *const environment[] = { (char *)"HOME=/home/shop", NULL };
	const struct bc_settings_source source = { .environment = environment, .cwd = "/nowhere" };
	struct bc_str text = { (const char *)data, size };
	struct bc_settings_report report;
	struct bc_settings *s = NULL;
	struct bc_settings_loader l;

	bc_settings_report_init(&report);
	BC_ASSERT(bc_settings_loader_init(&l, &source, &report, false) == 0);
	if (size >= 4 && bc_str_starts(text, "env\n"))
		BC_ASSERT(bc_settings_parse_dotenv(&l, ".env",
						   (struct bc_str){ text.ptr + 4, size - 4 }) == 0);
	else
		BC_ASSERT(bc_settings_parse_ini(&l, "backchannel.conf", text) == 0);
	BC_ASSERT(bc_settings_build(&l, &s) == 0);
	bc_settings_loader_finish(&l);
	BC_ASSERT(!s == (report.errors > 0));
	check_report(&report);
	if (s)
		check_settings(s);
	bc_settings_unref(s);
	bc_settings_report_finish(&report);
	return 0;
}
