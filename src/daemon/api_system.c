/* SPDX-License-Identifier: MIT */
/* Routes that tell of the daemon itself: alive, ready. */
#include "daemon/api_impl.h"

void get_health(struct call *call)
{
	call_text(call, 200, "text/plain", BC_STR("ok\n"));
}

void get_ready(struct call *call)
{
	struct bc_store_stats stats;
	bc_store_stats(call->api->shop->store, &stats);
	if (stats.broken)
		call_problem(
			call, BC_PROBLEM_STORE_FAILED,
			"the store failed to reach the disk and takes no more writes",
			"check the disk, then restart the daemon; nothing acknowledged is lost");
	else if (!stats.writable)
		call_problem(call, BC_PROBLEM_STORE_FAILED, "the store refuses writes",
			     "free space or mend the disk; the store is tried again by itself");
	else
		call_text(call, 200, "text/plain", BC_STR("ready\n"));
}
