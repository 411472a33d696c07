/* SPDX-License-Identifier: MIT */
/*
 * See notify.h. The protocol is one datagram of NAME=VALUE lines to a Unix socket: too little to be
 * worth a library that is loaded into a process that holds keys.
 *
 * A round: the timer posts a task to the delivery loop, which posts it back, and puts a read to the
 * store; when both are home, the ping leaves. A round that is not home when the timer fires again
 * is left to come home, and no other one is begun.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "core/origin.h"

enum { ARENA_BYTES = 512, ARENA_MAX_BYTES = 4096, TEXT_MAX_BYTES = 96 };

struct bc_notify {
	struct bc_loop *loop, *delivery_loop; /* borrowed; delivery_loop may be NULL */
	struct bc_store *store;		      /* borrowed */
	int fd;				      /* owned; -1 = nobody listens */
	struct sockaddr_un to;
	socklen_t to_bytes;
	uint64_t ping_ms;	/* 0 = no watchdog */
	struct bc_timer *timer; /* owned; NULL = no watchdog */
	bool watched;		/* the first round is set, and each sets the next */
	bool stopping;
	bool leaving;	  /* destroy waits for the round */
	unsigned awaited; /* of the round: delivery loop, store */
	bool alive;	  /* nobody in this round had a bad answer */
	struct bc_task there, back;
	struct bc_origin origin;
	struct bc_arena *arena; /* owned; the question's */
	struct bc_store_op question;
	uint64_t operations; /* that the store had done at the last round */
};

/* --- sending --------------------------------------------------------------------------------- */

static void send_text(struct bc_notify *n, const char *text)
{
	if (n->fd < 0)
		return;
	/* Never waits: a manager that does not read must not stop a listener. */
	if (sendto(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&n->to, n->to_bytes) < 0)
		bc_log_warning("notify.failed", BC_LS("message", text),
			       BC_LS("error", strerror(errno)));
}

static int set_address(struct bc_notify *n, const char *socket, struct bc_err *err)
{
	size_t len = strlen(socket);

	if ((socket[0] != '/' && socket[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path)) {
		bc_err_set(err, BC_EINVAL, "NOTIFY_SOCKET \"%s\" is not the name of a socket",
			   socket);
		bc_err_hint(err, "leave it to the service manager, or unset it");
		return BC_EINVAL;
	}
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, socket, len + 1);
	if (socket[0] == '@')
		n->to.sun_path[0] = '\0';
	/* An abstract name has no terminator: each byte that is counted belongs to it. */
	n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (socket[0] == '/')
		n->to_bytes++;
	return 0;
}

static int open_socket(struct bc_notify *n, const char *socket_name, struct bc_err *err)
{
	if (!socket_name || !socket_name[0])
		return 0;
	int result = set_address(n, socket_name, err);
	if (result)
		return result;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
				   "cannot make a socket for NOTIFY_SOCKET: %s", strerror(errno));
	return 0;
}

/* --- the round ------------------------------------------------------------------------------- */

static void came_home(struct bc_notify *n, bool alive)
{
	n->alive = n->alive && alive;
	if (--n->awaited)
		return;
	if (n->alive && !n->stopping)
		send_text(n, "WATCHDOG=1");
	if (n->leaving)
		bc_loop_stop(n->loop);
}

static void delivery_came_home(struct bc_task *task)
{
	came_home(BC_CONTAINER(task, struct bc_notify, back), true);
}

static void delivery_turns(struct bc_task *task)
{
	struct bc_notify *n = BC_CONTAINER(task, struct bc_notify, there);
	bc_loop_post(n->loop, &n->back);
}

static uint64_t operations_done(struct bc_notify *n)
{
	struct bc_store_stats stats;
	bc_store_stats(n->store, &stats);
	return stats.operations;
}

/* A full queue is refused without asking the store's thread: then it counts what that thread did
 * since. */
static void store_came_home(struct bc_store_op *op)
{
	struct bc_notify *n = op->ctx;
	uint64_t done = operations_done(n);
	bool alive = op->result != BC_EBUSY || done != n->operations;

	n->operations = done;
	came_home(n, alive);
}

static void ask_store(struct bc_notify *n)
{
	bc_arena_reset(n->arena);
	n->question = (struct bc_store_op){
		.kind = BC_STORE_GET_META, .done = store_came_home, .ctx = n, .arena = n->arena
	};
	n->question.in.meta.key = BC_STR("hash_key");
	bc_store_submit(n->store, &n->origin.base, &n->question);
}

static void begin_round(void *ctx)
{
	struct bc_notify *n = ctx;

	bc_timer_start(n->timer, n->ping_ms);
	if (n->awaited)
		return;
	n->alive = true;
	n->awaited = n->delivery_loop ? 2 : 1;
	if (n->delivery_loop)
		bc_loop_post(n->delivery_loop, &n->there);
	ask_store(n);
}

/* --- life ------------------------------------------------------------------------------------ */

static uint64_t number_of(const char *text)
{
	char *end = NULL;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	return errno || *end ? 0 : number;
}

void bc_notify_read_environment(struct bc_notify_options *options)
{
	const char *pid = getenv("WATCHDOG_PID");

	options->socket = getenv("NOTIFY_SOCKET");
	options->watchdog_ms = number_of(getenv("WATCHDOG_USEC")) / 1000;
	if (pid && number_of(pid) != (uint64_t)getpid())
		options->watchdog_ms = 0; /* meant for the process that started us */
}

static int open_watchdog(struct bc_notify *n, uint64_t watchdog_ms, struct bc_err *err)
{
	if (n->fd < 0 || !watchdog_ms)
		return 0;
	n->ping_ms = watchdog_ms / 2;
	n->there.run = delivery_turns;
	n->back.run = delivery_came_home;
	n->timer = bc_timer_create(n->loop, begin_round, n);
	n->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	n->operations = operations_done(n);
	return n->timer && n->arena ? 0 : bc_err_nomem(err);
}

int bc_notify_create(struct bc_loop *loop, const struct bc_notify_options *options,
		     struct bc_notify **ret_notify, struct bc_err *err)
{
	struct bc_notify *n = calloc(1, sizeof(*n));

	if (!n)
		return bc_err_nomem(err);
	n->loop = loop;
	n->delivery_loop = options->delivery_loop;
	n->store = options->store;
	n->fd = -1;
	bc_origin_init(&n->origin, loop);
	int result = open_socket(n, options->socket, err);
	if (!result)
		result = open_watchdog(n, options->watchdog_ms, err);
	if (result)
		bc_notify_destroy(n);
	else
		*ret_notify = n;
	return result;
}

void bc_notify_ready(struct bc_notify *n)
{
	if (!n)
		return;
	send_text(n, "READY=1");
	if (n->timer && !n->watched)
		bc_timer_start(n->timer, n->ping_ms);
	n->watched = true;
}

void bc_notify_reloading(struct bc_notify *n)
{
	char text[TEXT_MAX_BYTES];
	struct timespec now;

	if (!n)
		return;
	/* Type=notify-reload of newer managers tells by the time which reload it was. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	send_text(n, text);
}

void bc_notify_stopping(struct bc_notify *n)
{
	if (!n || n->stopping)
		return;
	n->stopping = true;
	if (n->timer)
		bc_timer_stop(n->timer);
	send_text(n, "STOPPING=1");
}

void bc_notify_destroy(struct bc_notify *n)
{
	if (!n)
		return;
	n->stopping = n->leaving = true;
	bc_timer_destroy(n->timer);
	n->timer = NULL;
	while (n->awaited)
		bc_loop_run(n->loop);
	bc_origin_finish(&n->origin);
	bc_arena_destroy(n->arena);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
}
