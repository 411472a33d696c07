/* SPDX-License-Identifier: MIT */
/*
 * A client's life, what is under way in it, and the loop it may share with its caller.
 *
 * Both forms are one: there is a loop of its own, which either a thread of its own runs, or which
 * takes a turn whenever the caller says so. At the end the thread is gone first, and the one who
 * destroys it has the loop for himself: so each job ends in one way only, in whichever form.
 */
#include <backchannel/client.h>

#include "base/err.h"
#include "core/client_impl.h"
#include "core/client_shared.h"

/* The client whose thread this is. */
static _Thread_local const struct bc_client *serving;

int bc_client_gone(struct bc_err *err)
{
	return bc_err_tell(
		err, BC_ESTATE,
		"finish what is under way before the client is destroyed, or make another one",
		"the client was destroyed");
}

int bc_client_check_open(const struct bc_client *c, struct bc_err *err)
{
	return atomic_load(&c->ending) ? bc_client_gone(err) : 0;
}

int bc_client_check_blocking(const struct bc_client *c, struct bc_err *err)
{
	if (!c->thread) {
		bc_err_set(err, BC_ESTATE, "a blocking call of a client without a thread");
		bc_err_hint(err, "create it with run_thread, or use the form with a completion");
		return BC_ESTATE;
	}
	if (serving != c)
		return 0;
	bc_err_set(err, BC_ESTATE, "a blocking call inside a completion would wait for itself");
	bc_err_hint(err, "use the form with a completion there");
	return BC_ESTATE;
}

/* --- what is under way ----------------------------------------------------------------------- */

static void job_begin(struct bc_task *task)
{
	struct client_job *job = BC_CONTAINER(task, struct client_job, task);
	struct bc_client *c = job->client;
	job->next = c->jobs;
	job->link = &c->jobs;
	if (job->next)
		job->next->link = &job->next;
	c->jobs = job;
	if (c->stopping)
		job->stop(job);
	else
		job->begin(job);
}

void bc_client_job_post(struct bc_client *c, struct client_job *job)
{
	job->client = c;
	job->task = (struct bc_task){ .run = job_begin };
	bc_loop_post(c->loop, &job->task);
}

void bc_client_job_remove(struct client_job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
}

/* Nothing begins any more, so one job's end touches no other. */
static void stop_jobs(struct bc_client *c)
{
	struct client_job *next;
	for (struct client_job *job = c->jobs; job; job = next) {
		next = job->next;
		job->stop(job);
	}
}

/* --- its end --------------------------------------------------------------------------------- */

/* Then those that were posted and not begun, and the waits for a token, which are told now. */
static void end_jobs(struct bc_client *c)
{
	c->stopping = true;
	if (c->tokens)
		bc_tokens_stop(c->tokens);
	do {
		stop_jobs(c);
		bc_loop_turn(c->loop);
	} while (c->jobs);
}

static void client_free(struct bc_client *c)
{
	if (!c->shared)
		bc_tokens_destroy(c->tokens);
	bc_http_client_destroy(c->http);
	bc_upstream_door_destroy(c->door);
	if (!c->shared)
		bc_loop_destroy(c->loop);
	bc_client_settings_finish(&c->settings);
	free(c);
}

void bc_client_destroy(struct bc_client *client)
{
	if (!client || client->doomed)
		return;
	BC_ASSERT(serving != client);
	atomic_store(&client->ending, true);
	if (client->dispatching) {
		client->doomed = true;
		return;
	}
	client->doomed = true;
	bc_loop_thread_join(client->thread);
	end_jobs(client);
	client_free(client);
}

/* --- its beginning --------------------------------------------------------------------------- */

static void mark_thread(struct bc_task *task)
{
	serving = BC_CONTAINER(task, struct bc_client, mark);
}

static int open_tokens(struct bc_client *c, struct bc_err *err)
{
	struct bc_tokens_options options = { .clock = c->clock, .quiet = true };
	if (!c->settings.oauth.client_id)
		return 0;
	return bc_tokens_create(c->loop, &c->settings.oauth, &options, &c->tokens, err);
}

/* On the loop that is there. */
static int open_parts(struct bc_client *c, struct bc_err *err)
{
	struct bc_http_client_options http = { .user_agent = c->settings.user_agent,
					       .proxy = c->settings.proxy,
					       .ca_file = c->settings.ca_file,
					       .connections_max = c->settings.concurrency };
	int result = bc_http_client_create(c->loop, &http, &c->http, err);
	if (!result)
		result = bc_upstream_door_create(c->loop, c->upstream, &c->door, err);
	return result;
}

static void client_abandon(struct bc_client *c)
{
	if (c->loop) {
		client_free(c);
		return;
	}
	bc_client_settings_finish(&c->settings);
	free(c);
}

static struct bc_client *client_new(const struct bc_clock *clock)
{
	struct bc_client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->clock = clock;
	c->pump.run = bc_client_calls_pump;
	c->mark.run = mark_thread;
	c->upstream = &c->own_upstream;
	bc_upstream_init(c->upstream, c->clock);
	return c;
}

int bc_client_create_shared(const struct bc_client_options *options,
			    const struct bc_client_shared *shared, struct bc_client **ret_client,
			    struct bc_err *err)
{
	struct bc_client *c = client_new(shared->clock);
	if (!c)
		return bc_err_nomem(err);
	c->shared = true;
	c->loop = shared->loop;
	c->tokens = shared->tokens;
	c->upstream = shared->upstream;
	int result = bc_client_settings_read(options, true, &c->settings, err);
	if (!result)
		result = open_parts(c, err);
	if (result)
		client_abandon(c);
	else
		*ret_client = c;
	return result;
}

void bc_client_end(struct bc_client *client)
{
	atomic_store(&client->ending, true);
	client->stopping = true;
	stop_jobs(client);
}

int bc_client_create(const struct bc_client_options *options, struct bc_client **ret_client,
		     struct bc_err *err)
{
	struct bc_client *c = client_new(&bc_clock_system);
	if (!c)
		return bc_err_nomem(err);
	int result = bc_client_settings_read(options, false, &c->settings, err);
	if (!result)
		result = bc_loop_create(&c->loop, err);
	if (!result)
		result = open_parts(c, err);
	if (!result)
		result = open_tokens(c, err);
	if (!result && options->run_thread)
		result = bc_loop_thread_start(c->loop, "backchannel", &c->thread, err);
	if (result) {
		client_abandon(c);
		return result;
	}
	if (c->thread)
		bc_loop_post(c->loop, &c->mark);
	*ret_client = c;
	return 0;
}

/* --- on the caller's loop -------------------------------------------------------------------- */

int bc_client_fd(const struct bc_client *client)
{
	return bc_loop_fd(client->loop);
}

int bc_client_timeout_ms(const struct bc_client *client)
{
	return bc_loop_timeout_ms(client->loop);
}

void bc_client_dispatch(struct bc_client *client)
{
	BC_ASSERT(!client->thread && !client->dispatching);
	client->dispatching = true;
	bc_loop_turn(client->loop);
	client->dispatching = false;
	if (!client->doomed)
		return;
	end_jobs(client);
	client_free(client);
}
