/* SPDX-License-Identifier: MIT */
/* Files of the tree that a table of the program writes: each must be what the table renders. With
 * BC_WRITE_DOCS=1 in the environment a test writes its file first. Include it below cmocka.h. */
#ifndef BC_TESTS_WRITTEN_DOCS_H
#define BC_TESTS_WRITTEN_DOCS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/settings_parts.h"

enum { DOCS_MAX = 1 << 20 };

BC_UNUSED static void read_doc(const char *path, struct bc_buf *ret)
{
	struct bc_err err = { 0 };
	struct stat st;

	bc_buf_init(ret, DOCS_MAX);
	if (bc_settings_read_file(path, DOCS_MAX - 1, true, ret, &st, &err))
		fail_msg("%s", err.text);
}

BC_UNUSED static void assert_doc_is(const char *path, const struct bc_buf *wanted)
{
	struct bc_buf found;

	if (getenv("BC_WRITE_DOCS")) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		assert_int_equal(fwrite(wanted->data, 1, wanted->len, file), wanted->len);
		assert_int_equal(fclose(file), 0);
	}
	read_doc(path, &found);
	if (strcmp(found.data, wanted->data) != 0)
		fail_msg("%s is not what the table renders; run this test with BC_WRITE_DOCS=1",
			 path);
	bc_buf_finish(&found);
}

#endif
