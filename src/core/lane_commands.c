/* SPDX-License-Identifier: MIT */
/*
 * The operator's commands. Each comes from another thread as a task, moves a lane or sends its test
 * token, and is answered on its own loop: a move once it is on disk, a probe once the partner has
 * answered. Every command is answered exactly once.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

static const char *const action_name[] = {
	[BC_LANE_PAUSE] = "pause",
	[BC_LANE_RESUME] = "resume",
	[BC_LANE_PROBE] = "probe",
};

/* --- answering ----------------------------------------------------------------------------- */

static void told(struct bc_task *task)
{
	struct bc_lane_command *c = BC_CONTAINER(task, struct bc_lane_command, task);
	c->done(c);
}

static void answer(struct bc_lane_command *c, const struct lane *lane, int result)
{
	struct bc_delivery *d = c->delivery;
	c->result = result;
	for (size_t i = 0; lane && i < d->lane_count; i++)
		if (d->lanes[i] == lane)
			c->status = d->status[i]; /* written by this thread alone */
	c->task.run = told;
	bc_loop_post(c->loop, &c->task);
}

static void refuse(struct bc_lane_command *c, int code, const char *text, const char *hint)
{
	bc_err_set(&c->err, code, "%s", text);
	bc_err_hint(&c->err, "%s", hint);
	answer(c, NULL, code);
}

static void refuse_stopping(struct bc_lane_command *c)
{
	refuse(c, BC_EUNREACH, "the daemon stops", "ask again once it runs");
}

static void push(struct bc_lane_command **list, struct bc_lane_command *c)
{
	c->next = *list;
	*list = c;
}

static struct bc_lane_command *take_all(struct bc_lane_command **list)
{
	struct bc_lane_command *all = *list;
	*list = NULL;
	return all;
}

void lane_commands_recorded(struct lane *lane, int result)
{
	for (struct bc_lane_command *c = take_all(&lane->for_record), *next; c; c = next) {
		next = c->next;
		if (result == 0)
			answer(c, lane, 0);
		else
			refuse(c, BC_ESTORE,
			       "done, but the store did not take it: a restart forgets it",
			       "mend the disk; it is written as soon as the store takes it");
	}
}

static void copy_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "");
}

void lane_commands_probed(struct lane *lane, const struct bc_partner_verdict *verdict,
			  const struct bc_http_answer *http)
{
	for (struct bc_lane_command *c = take_all(&lane->for_probe), *next; c; c = next) {
		next = c->next;
		if (!verdict) {
			refuse(c, BC_EUNREACH, "the test token was not sent, or dropped on its way",
			       "the settings changed, the daemon stops or memory is short: ask "
			       "again");
			continue;
		}
		c->outcome = verdict->outcome;
		c->http_status = http->status;
		c->duration_ms = http->duration_ms;
		copy_text(c->meaning, sizeof(c->meaning), verdict->meaning);
		copy_text(c->hint, sizeof(c->hint), verdict->hint);
		answer(c, lane, 0);
	}
}

void lane_commands_untestable(struct lane *lane)
{
	bool tries = lane->state == BC_LANE_PARKED || lane->state == BC_LANE_BROKEN;
	for (struct bc_lane_command *c = take_all(&lane->for_probe), *next; c; c = next) {
		next = c->next;
		refuse(c, BC_ESTATE, "this partner has no test token that could be sent",
		       tries ? "one conversion is let out now instead: backchannel lanes shows "
			       "whether the lane opens"
			     : "what is due leaves by itself: backchannel orders shows what comes "
			       "of it");
	}
}

void lane_commands_stop(struct lane *lane)
{
	for (struct bc_lane_command *c = take_all(&lane->for_record), *next; c; c = next) {
		next = c->next;
		refuse_stopping(c);
	}
}

/* --- doing --------------------------------------------------------------------------------- */

static void pause_lane(struct lane *lane, struct bc_lane_command *c)
{
	if (lane->state == BC_LANE_PAUSED && !lane->unsaved && !lane->putting) {
		answer(c, lane, 0);
		return;
	}
	lane_probe_drop(lane);
	lane_enter(lane, BC_LANE_PAUSED, "paused by the operator", "");
	push(&lane->for_record, c);
}

static void resume_lane(struct lane *lane, struct bc_lane_command *c)
{
	char text[BC_LANE_NAME_BYTES + 64];
	if (lane->state == BC_LANE_PAUSED) {
		lane->proven = false;
		lane_enter(lane, BC_LANE_OPEN, "", "");
		push(&lane->for_record, c);
		return;
	}
	snprintf(text, sizeof(text), "lane \"%s\" is %s, not paused", lane->name,
		 bc_lane_state_name[lane->state]);
	refuse(c, BC_ESTATE, text,
	       lane->state == BC_LANE_OPEN
		       ? "nothing holds it: what is due leaves"
		       : "it opens by itself when the partner takes what it sends; backchannel "
			 "lanes probe asks the partner now");
}

static void probe_lane(struct lane *lane, struct bc_lane_command *c)
{
	push(&lane->for_probe, c);
	lane_probe(lane);
}

static void (*const actions[])(struct lane *, struct bc_lane_command *) = {
	[BC_LANE_PAUSE] = pause_lane,
	[BC_LANE_RESUME] = resume_lane,
	[BC_LANE_PROBE] = probe_lane,
};

static void run(struct bc_task *task)
{
	struct bc_lane_command *c = BC_CONTAINER(task, struct bc_lane_command, task);
	struct bc_delivery *d = c->delivery;
	struct lane *lane = delivery_lane_find(d, c->lane);
	if (d->stopping) {
		refuse_stopping(c);
	} else if (!d->released) {
		struct bc_lane_command **end = &d->commands;
		while (*end)
			end = &(*end)->next;
		*end = c; /* until it is known how the lanes stand */
	} else if (!lane || !lane->product) {
		refuse(c, BC_ENOENT, "no such lane", "backchannel lanes names them");
	} else {
		bc_log_info("lane.command", BC_LS("lane", lane->name),
			    BC_LS("action", action_name[c->action]));
		actions[c->action](lane, c);
	}
}

void delivery_commands_begin(struct bc_delivery *d)
{
	for (struct bc_lane_command *c = take_all(&d->commands), *next; c; c = next) {
		next = c->next;
		c->next = NULL;
		run(&c->task);
	}
}

void bc_delivery_command(struct bc_delivery *d, struct bc_lane_command *command)
{
	command->delivery = d;
	command->next = NULL;
	bc_err_clear(&command->err);
	command->task.run = run;
	bc_loop_post(d->loop, &command->task);
}
