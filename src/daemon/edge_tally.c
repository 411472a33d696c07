/* SPDX-License-Identifier: MIT */
/* See edge_impl.h: what strangers can cause a thousand times a second is one line a minute. */
#include "daemon/edge_impl.h"

enum { TELL_EVERY_MS = 60 * 1000 };

uint64_t edge_tally_count(struct edge_tally *t, const struct bc_edge *e)
{
	uint64_t now = bc_elapsed_ms(e->shop->clock), since = ++t->since;
	if (t->told_ms && now - t->told_ms < TELL_EVERY_MS)
		return 0;
	t->told_ms = now ? now : 1;
	t->since = 0;
	return since;
}
