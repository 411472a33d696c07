/* SPDX-License-Identifier: MIT */
/* `backchannel retry` and `cancel`: sends orders again, or withdraws some. A selection says how
 * many first, and asks. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/selector.h"

struct options {
	struct bc_selector selector;
	bool yes;
};

/* POST on one order; prints how it stands now. */
static enum bc_exit change(const struct bc_invocation *in, const char *order, const char *verb)
{
	struct bc_reply reply;
	bc_autofree char *path = bc_remote_order_path(order, verb);
	if (!path)
		return bc_cli_usage(in, "\"%.40s...\" is too long for an order", order);
	enum bc_exit result = bc_remote_call(in, "POST", path, NULL, false, &reply);
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else
		printf("order %s: %s\n", order, bc_json_text(reply.json, "state"));
	bc_reply_finish(&reply);
	return result;
}

static enum bc_exit each(const struct bc_invocation *in, const char *verb)
{
	enum bc_exit worst = BC_EXIT_DONE;
	for (int i = 0; i < in->argc; i++) {
		enum bc_exit result = change(in, in->argv[i], verb);
		worst = result ? result : worst;
	}
	return worst;
}

static enum bc_exit post_selected(const struct bc_invocation *in, struct bc_remote *remote,
				  bool dry, json_int_t *ret_count)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (bc_selector_path(&path, "/v1/orders/retry", &o->selector, dry ? "dry_run=1" : NULL)) {
		bc_buf_finish(&path);
		return bc_cli_usage(in, "an option is too long");
	}
	enum bc_exit result = bc_remote_request(remote, "POST", path.data, NULL, &reply);
	bc_buf_finish(&path);
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	*ret_count = json_integer_value(json_object_get(reply.json, "count"));
	bc_reply_finish(&reply);
	return result;
}

static bool confirmed(json_int_t count, const struct options *o)
{
	char answer[8] = "";
	if (o->yes || !count)
		return true;
	if (!isatty(STDIN_FILENO)) {
		fputs("backchannel: nothing was sent\n  add --yes to send them\n", stderr);
		return false;
	}
	fputs("send them again? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void print_many(const struct options *o, json_int_t count, FILE *to)
{
	fprintf(to, "%lld %s order(s)", (long long)count, o->selector.state);
	bc_selector_print(&o->selector, to);
	fputc('\n', to);
	fflush(to);
}

/* With --json, stdout has the result alone. */
static enum bc_exit retry_selected(const struct bc_invocation *in, struct bc_remote *remote)
{
	const struct options *o = in->options;
	json_int_t count = 0;
	enum bc_exit result = post_selected(in, remote, true, &count);
	if (result)
		return result;
	print_many(o, count, in->json ? stderr : stdout);
	if (!confirmed(count, o))
		return BC_EXIT_FAILED;
	if (count)
		result = post_selected(in, remote, false, &count);
	if (result)
		return result;
	if (in->json)
		printf("{\"count\":%lld}\n", (long long)count);
	else if (count)
		printf("%lld will be handed back again\n", (long long)count);
	return BC_EXIT_DONE;
}

static enum bc_exit run_retry(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_remote *remote = NULL;
	if (in->argc && !bc_selector_is_empty(&o->selector))
		return bc_cli_usage(in, "name orders, or select them by --state, not both");
	if (in->argc)
		return each(in, "/retry");
	if (!o->selector.state)
		return bc_cli_usage(in, "say which: orders by their id, or --state rejected");
	enum bc_exit result = bc_remote_open(in, BC_REMOTE_ANY, &remote);
	if (!result)
		result = retry_selected(in, remote);
	bc_remote_close(remote);
	return result;
}

static enum bc_exit run_cancel(const struct bc_invocation *in)
{
	return each(in, "/cancel");
}

static const struct bc_option rows[] = {
	BC_SELECTOR_ROWS(struct options, "at most so many, the newest first (all; up to 1000)"),
	{ "yes", 'y', NULL, offsetof(struct options, yes), "do not ask" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_retry = {
	.name = "retry",
	.summary = "hand orders back again, or now",
	.operands = "[ID...]",
	.details = "A pending order is sent at once; a rejected, expired or cancelled one becomes "
		   "pending again. With --state it says how many first, and asks.",
	.example = "backchannel retry --state rejected --since 24h",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_max = -1,
	.run = run_retry,
};

const struct bc_command bc_command_cancel = {
	.name = "cancel",
	.summary = "withdraw an order that was not handed back yet",
	.operands = "ID...",
	.example = "backchannel cancel 100045",
	.prints_json = true,
	.operands_min = 1,
	.operands_max = -1,
	.run = run_cancel,
};
