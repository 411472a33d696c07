/* SPDX-License-Identifier: MIT */
/*
 * The report of a load: every error and warning in the order of finding. Texts are struct bc_err's,
 * so they are bounded and hold no control byte, whatever stood in the file they speak of.
 */
#include "daemon/settings_parts.h"

#include <string.h>

/* Beyond this a report says no more than that there was more: a binary file given as settings must
 * not become a report of a million lines. */
enum { FINDINGS_MAX = 200 };

void bc_settings_report_init(struct bc_settings_report *report)
{
	*report = (struct bc_settings_report){ 0 };
}

void bc_settings_report_finish(struct bc_settings_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->findings[i].where);
	free(report->findings);
	*report = (struct bc_settings_report){ 0 };
}

/* Room for one more. The array doubles, and is full exactly at the powers of two. */
static int make_room(struct bc_settings_report *report)
{
	struct bc_settings_finding *grown;

	if (report->count & (report->count - 1))
		return 0;
	grown = realloc(report->findings, (report->count ? 2 * report->count : 1) * sizeof(*grown));
	if (!grown)
		return BC_ENOMEM;
	report->findings = grown;
	return 0;
}

int bc_settings_report_add(struct bc_settings_report *report, enum bc_settings_severity severity,
			   const char *where, const struct bc_err *problem)
{
	struct bc_settings_finding finding = { .severity = severity, .problem = *problem };

	if (report->count < FINDINGS_MAX) {
		if (make_room(report))
			return BC_ENOMEM;
		finding.where = bc_str_dup(bc_str_of(where));
		if (!finding.where)
			return BC_ENOMEM;
		report->findings[report->count++] = finding;
	}
	if (severity == BC_SETTINGS_ERROR)
		report->errors++;
	return 0;
}

static int print_one(const struct bc_settings_finding *f, struct bc_buf *out)
{
	int rc = bc_buf_addf(out, "%s: %s%s%s\n",
			     f->severity == BC_SETTINGS_ERROR ? "error" : "warning", f->where,
			     f->where[0] ? ": " : "", f->problem.text);

	if (!rc && f->problem.hint[0])
		rc = bc_buf_addf(out, "  %s\n", f->problem.hint);
	return rc;
}

int bc_settings_report_print(const struct bc_settings_report *report, struct bc_buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < report->count; i++)
		rc = print_one(&report->findings[i], out);
	if (!rc && report->count == FINDINGS_MAX)
		rc = bc_buf_addf(out, "error: only the first %d findings are shown\n",
				 FINDINGS_MAX);
	return rc;
}
