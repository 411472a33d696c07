/* SPDX-License-Identifier: MIT */
/* Reads the rules of the fault engine; what they mean stands in fault.c. */
#include "store/fault_impl.h"

#include <string.h>

#include "base/err.h"

enum { STALL_MAX_MS = 10 * 60 * 1000 };
#define EVERY_KIND ((UINT32_C(1) << BC_STORE_KINDS) - 1)

#define CODES(o, b, a, c, t)                                                                       \
	{                                                                                          \
		[FAULT_OPEN] = (o), [FAULT_BEGIN] = (b), [FAULT_OPERATION] = (a),                  \
		[FAULT_COMMIT] = (c), [FAULT_TEND] = (t)                                           \
	}

static const struct fault_what whats[] = {
	{ .name = "refuse",
	  .codes = CODES(BC_ESTORE, BC_ESTORE, BC_ESTORE, BC_ESTORE, 0),
	  .reach = BC_REACH_OPERATION,
	  .text = "refuses this",
	  .hint = "it was told to; nothing of it is kept" },
	{ .name = "nomem",
	  .codes = CODES(BC_ENOMEM, BC_ENOMEM, BC_ENOMEM, BC_ENOMEM, 0),
	  .reach = BC_REACH_OPERATION,
	  .text = "ran out of memory",
	  .hint = "give the process more memory" },
	{ .name = "damaged",
	  .codes = CODES(BC_ESTORE, 0, BC_ESTORE, 0, 0),
	  .reach = BC_REACH_OPERATION,
	  .text = "is damaged",
	  .hint = "stop backchannel, keep a copy, and rebuild it" },
	{ .name = "full",
	  .codes = CODES(BC_ESTORE, BC_ESTORE, BC_ESTORE, BC_ESTORE, 0),
	  .reach = BC_REACH_WRITES,
	  .text = "has no space left",
	  .hint = "free space on its file system; the store goes on by itself" },
	{ .name = "eio",
	  .codes = CODES(BC_EIO, BC_ESTORE, BC_ESTORE, BC_ESTORE, 0),
	  .reach = BC_REACH_WRITES,
	  .text = "cannot be read or written: Input/output error",
	  .hint = "look for disk errors (dmesg), then restart backchannel" },
	{ .name = "busy",
	  .codes = CODES(BC_EBUSY, 0, 0, 0, 0),
	  .text = "is in use by another process",
	  .hint = "stop the other process; only one may use a store" },
	{ .name = "unsure-lost",
	  .codes = CODES(0, 0, 0, BC_EUNSURE, 0),
	  .reach = BC_REACH_WRITES,
	  .text = "cannot say whether this landed",
	  .hint = "put it again" },
	{ .name = "unsure-landed",
	  .codes = CODES(0, 0, 0, BC_EUNSURE, 0),
	  .reach = BC_REACH_WRITES,
	  .lands = true,
	  .text = "cannot say whether this landed",
	  .hint = "put it again" },
	{ .name = "fsync",
	  .codes = CODES(0, BC_ESTORE, BC_ESTORE, BC_EUNSURE, BC_ESTORE),
	  .reach = BC_REACH_FINAL,
	  .text = "failed to reach the disk",
	  .hint = "look for disk errors (dmesg), then restart backchannel" },
	{ .name = "fsync-landed",
	  .codes = CODES(0, 0, 0, BC_EUNSURE, 0),
	  .reach = BC_REACH_FINAL,
	  .lands = true,
	  .text = "failed to reach the disk",
	  .hint = "look for disk errors (dmesg), then restart backchannel" },
};

static const struct {
	const char *name;
	enum fault_place place;
} places[] = {
	{ "open", FAULT_OPEN },
	{ "begin", FAULT_BEGIN },
	{ "commit", FAULT_COMMIT },
	{ "tend", FAULT_TEND },
};

static int refuse(const struct fault_rule *rule, const char *what, const char *hint,
		  struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "fault \"%.*s\" %s", (int)rule->text.len,
		   rule->text.ptr ? rule->text.ptr : "", what);
	bc_err_hint(err, "%s", hint);
	return BC_EINVAL;
}

/* --- where --------------------------------------------------------------------------------- */

static bool names_kind(struct bc_str name, enum bc_store_kind kind)
{
	if (bc_str_eq(name, "any"))
		return true;
	if (bc_str_eq(name, bc_store_kind_writes(kind) ? "write" : "read"))
		return true;
	return bc_str_eq(name, bc_store_kind_name(kind));
}

static int parse_where(struct bc_str name, struct fault_rule *rule, struct bc_err *err)
{
	for (size_t i = 0; i < BC_COUNT(places); i++) {
		if (!bc_str_eq(name, places[i].name))
			continue;
		rule->place = places[i].place;
		return 0;
	}
	rule->place = FAULT_OPERATION;
	for (int kind = 0; kind < BC_STORE_KINDS; kind++) {
		if (names_kind(name, (enum bc_store_kind)kind))
			rule->kinds |= UINT32_C(1) << kind;
	}
	if (rule->kinds)
		return 0;
	return refuse(rule, "strikes at no place that there is",
		      "use open, begin, commit, tend, any, read, write, or an operation such as "
		      "accept-order",
		      err);
}

/* --- when ---------------------------------------------------------------------------------- */

static int refuse_when(const struct fault_rule *rule, struct bc_err *err)
{
	return refuse(rule, "strikes at no call that there is",
		      "use @3 for the third call, @3+ from it on, @3-7 for a run of them, @/3 for "
		      "every third",
		      err);
}

static int parse_when(struct bc_str text, struct fault_rule *rule, struct bc_err *err)
{
	bool onward = text.len && text.ptr[text.len - 1] == '+';
	bool every = bc_str_starts(text, "/");
	struct bc_str last = text, first;
	if (every || onward)
		last.len--;
	if (every)
		last.ptr++;
	first = bc_str_split(&last, '-');
	if (bc_parse_u64(first, &rule->first) || rule->first == 0)
		return refuse_when(rule, err);
	rule->every = every ? rule->first : 1;
	rule->last = every || onward ? UINT64_MAX : rule->first;
	if (!last.ptr)
		return 0;
	if (every || onward || bc_parse_u64(last, &rule->last) || rule->last < rule->first)
		return refuse_when(rule, err);
	return 0;
}

/* --- what ---------------------------------------------------------------------------------- */

static int parse_stall(struct bc_str text, struct fault_rule *rule, struct bc_err *err)
{
	uint64_t ms;
	if (bc_parse_duration_ms(text, &ms) || ms > STALL_MAX_MS)
		return refuse(rule, "stalls for no time that can be read",
			      "write stall-250ms; at most 10 minutes", err);
	rule->stall_ms = (uint32_t)ms;
	return 0;
}

static int parse_what(struct bc_str name, struct fault_rule *rule, struct bc_err *err)
{
	static const struct bc_str stall = { "stall-", 6 };
	if (bc_str_starts(name, stall.ptr))
		return parse_stall((struct bc_str){ name.ptr + stall.len, name.len - stall.len },
				   rule, err);
	for (size_t i = 0; i < BC_COUNT(whats); i++) {
		if (bc_str_eq(name, whats[i].name))
			rule->what = &whats[i];
	}
	if (!rule->what)
		return refuse(rule, "is of no kind that there is",
			      "use refuse, nomem, damaged, full, eio, busy, unsure-lost, "
			      "unsure-landed, fsync, fsync-landed or stall-250ms",
			      err);
	if (!rule->what->codes[rule->place])
		return refuse(
			rule, "cannot happen at that place",
			"busy is for open; unsure-... and fsync-landed for commit; damaged for "
			"open and operations; tend takes fsync and stall-...",
			err);
	return 0;
}

/* --- the whole ----------------------------------------------------------------------------- */

static int parse_rule(struct bc_str text, struct fault_rule *rule, struct bc_err *err)
{
	struct bc_str what = text;
	struct bc_str when = bc_str_split(&what, '=');
	struct bc_str where = bc_str_split(&when, '@');
	*rule = (struct fault_rule){ .text = text, .first = 1, .last = UINT64_MAX, .every = 1 };
	if (!what.ptr)
		return refuse(rule, "does not say what happens", "write it as commit@3=eio", err);
	int result = parse_where(where, rule, err);
	if (result == 0 && when.ptr)
		result = parse_when(when, rule, err);
	return result ? result : parse_what(what, rule, err);
}

int fault_parse(struct bc_str spec, struct fault_rules *ret_rules, struct bc_err *err)
{
	*ret_rules = (struct fault_rules){ 0 };
	while (spec.len) {
		if (ret_rules->count == FAULT_RULES_MAX)
			return bc_err_tell(err, BC_EINVAL,
					   "leave some out: one rule may hit many operations",
					   "there are more than %d faults", FAULT_RULES_MAX);
		struct fault_rule *rule = &ret_rules->rules[ret_rules->count++];
		int result = parse_rule(bc_str_split(&spec, ','), rule, err);
		if (result)
			return result;
	}
	return 0;
}

int fault_check_undo(const struct fault_rules *rules, const struct bc_engine *inner,
		     struct bc_err *err)
{
	for (size_t i = 0; inner->undoes_nothing && i < rules->count; i++) {
		const struct fault_rule *rule = &rules->rules[i];
		const struct fault_what *what = rule->what;
		bool undoes = (rule->place == FAULT_COMMIT && what && !what->lands) ||
			      (rule->place == FAULT_OPERATION && what &&
			       what->reach != BC_REACH_OPERATION);
		if (undoes)
			return refuse(rule, "has something undone, which this engine cannot",
				      "let begin fail instead, or wrap sqlite:PATH", err);
	}
	return 0;
}
