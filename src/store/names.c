/* SPDX-License-Identifier: MIT */
/* The words of the store contract: states and operations by name. They reach JSON and logs. */
#include "store/store.h"

static const char *const state_names[BC_ORDER_STATES] = {
	[BC_ORDER_UNATTRIBUTED] = "unattributed", [BC_ORDER_PENDING] = "pending",
	[BC_ORDER_SENDING] = "sending",		  [BC_ORDER_DELIVERED] = "delivered",
	[BC_ORDER_REJECTED] = "rejected",	  [BC_ORDER_EXPIRED] = "expired",
	[BC_ORDER_CANCELLED] = "cancelled",
};

static const struct kind {
	const char *name;
	bool writes;
} kinds[BC_STORE_KINDS] = {
	[BC_STORE_PUT_CLICK] = { "put-click", true },
	[BC_STORE_DELETE_CLICK] = { "delete-click", true },
	[BC_STORE_ACCEPT_ORDER] = { "accept-order", true },
	[BC_STORE_LEASE] = { "lease", true },
	[BC_STORE_FINISH] = { "finish", true },
	[BC_STORE_RELEASE] = { "release", true },
	[BC_STORE_GET_ORDER] = { "get-order", false },
	[BC_STORE_LIST_ORDERS] = { "list-orders", false },
	[BC_STORE_REQUEUE] = { "requeue", true },
	[BC_STORE_CANCEL] = { "cancel", true },
	[BC_STORE_PURGE] = { "purge", true },
	[BC_STORE_COUNTS] = { "counts", false },
	[BC_STORE_RETURNS] = { "returns", false },
	[BC_STORE_HISTORY] = { "history", false },
	[BC_STORE_LANES] = { "lanes", false },
	[BC_STORE_PUT_LANE] = { "put-lane", true },
	[BC_STORE_GET_META] = { "get-meta", false },
	[BC_STORE_PUT_META] = { "put-meta", true },
	[BC_STORE_PROBE] = { "probe", true },
	[BC_STORE_TAKE_PAGE] = { "take-page", true },
	[BC_STORE_BIND_CLICK] = { "bind-click", true },
	[BC_STORE_DUE_COMMENTS] = { "due-comments", false },
	[BC_STORE_PUT_COMMENT] = { "put-comment", true },
	[BC_STORE_BACKUP] = { "backup", false },
};

const char *bc_order_state_name(enum bc_order_state state)
{
	BC_ASSERT((unsigned)state < BC_ORDER_STATES);
	return state_names[state];
}

int bc_order_state_parse(struct bc_str name, enum bc_order_state *ret_state)
{
	for (int i = 0; i < BC_ORDER_STATES; i++) {
		if (bc_str_eq(name, state_names[i])) {
			*ret_state = (enum bc_order_state)i;
			return 0;
		}
	}
	return BC_EINVAL;
}

bool bc_store_kind_writes(enum bc_store_kind kind)
{
	BC_ASSERT((unsigned)kind < BC_STORE_KINDS);
	return kinds[kind].writes;
}

const char *bc_store_kind_name(enum bc_store_kind kind)
{
	BC_ASSERT((unsigned)kind < BC_STORE_KINDS);
	return kinds[kind].name;
}
