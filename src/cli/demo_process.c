/* SPDX-License-Identifier: MIT */
/*
 * Processes of the demo. Each is this very program, or a web server, started in the temporary
 * folder, with an environment of our making and in a process group of its own, so that a Ctrl-C at
 * the terminal reaches the demo alone, which then ends them. Should the demo itself be killed, the
 * kernel ends them (PR_SET_PDEATHSIG): nothing stays behind on any way out.
 */
#include "cli/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum { WORDS_MAX = 12, PATH_BYTES = 4096, FILE_MAX_BYTES = 1024 * 1024, EXIT_NO_EXEC = 127 };

#define PROGRAM "/proc/self/exe"

/* By its name where it has one: under valgrind the link itself is valgrind. */
static void name_program(char name[PATH_BYTES])
{
	ssize_t n = readlink(PROGRAM, name, PATH_BYTES - 1);
	name[n > 0 ? n : 0] = '\0';
	if (access(name, X_OK))
		snprintf(name, PATH_BYTES, "%s", PROGRAM);
}

/* Between fork and exec: only what a signal handler might do, too. */
BC_NORETURN static void become(const struct demo_program *p, const char *dir, const char *output,
			       char *const *argv, char *const *environment, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, p->end_signal);
	if (getppid() != parent || null < 0 || out < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 || chdir(dir))
		_exit(EXIT_NO_EXEC);
	execve(p->path, argv, environment);
	_exit(EXIT_NO_EXEC);
}

int demo_spawn_program(const struct demo_program *p, const char *folder, const char *const *words,
		       char *const *environment, const char *output, pid_t *ret_pid,
		       struct bc_err *err)
{
	const char *argv[WORDS_MAX + 2] = { p->name };
	size_t n = 0;
	while (words[n] && n < WORDS_MAX) {
		argv[n + 1] = words[n];
		n++;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid < 0) {
		bc_err_set(err, BC_EIO, "cannot start a process: %s", strerror(errno));
		bc_err_hint(err, "see the limit of processes: ulimit -u");
		return BC_EIO;
	}
	if (pid == 0)
		become(p, folder, output, (char *const *)argv, environment, parent);
	setpgid(pid, pid); /* by whoever of the two comes first */
	*ret_pid = pid;
	return 0;
}

int demo_spawn(const char *folder, const char *const *words, char *const *environment,
	       const char *output, pid_t *ret_pid, struct bc_err *err)
{
	char path[PATH_BYTES];
	struct demo_program self = { .name = "backchannel", .path = path, .end_signal = SIGKILL };
	name_program(path);
	return demo_spawn_program(&self, folder, words, environment, output, ret_pid, err);
}

bool demo_ended(pid_t pid, int *ret_status)
{
	pid_t got;
	do
		got = waitpid(pid, ret_status, WNOHANG);
	while (got < 0 && errno == EINTR);
	return got == pid;
}

bool demo_wait_end(struct demo *d, pid_t pid, int *ret_status)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	while (!demo_ended(pid, ret_status))
		if (bc_elapsed_ms(&bc_clock_system) >= end || !demo_sleep(d, DEMO_POLL_MS))
			return false;
	return true;
}

void demo_kill(struct demo_child *child)
{
	if (!child->pid)
		return;
	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	child->pid = 0;
}

const char *demo_end_text(int status, char *text, size_t bytes)
{
	if (WIFSIGNALED(status))
		snprintf(text, bytes, "it was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, bytes, "it ended with exit code %d", WEXITSTATUS(status));
	return text;
}

bool demo_stop(struct demo *d, struct demo_child *child)
{
	char text[96] = "it still runs";
	int status = 0;
	if (!child->pid)
		return demo_expect(d, false, demo_text(d, "the %s still runs", child->name),
				   "it has ended before");
	kill(child->pid, SIGTERM);
	bool ended = demo_wait_end(d, child->pid, &status);
	if (ended) {
		child->pid = 0;
		demo_end_text(status, text, sizeof(text));
	}
	if (d->interrupted)
		return false;
	bool good = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return good ||
	       demo_expect(d, false,
			   demo_text(d, "the %s ends with exit code 0 on SIGTERM", child->name),
			   text);
}

static void slept(void *ctx)
{
	struct demo *d = ctx;
	bc_loop_stop(d->loop);
}

bool demo_sleep(struct demo *d, uint64_t ms)
{
	if (d->interrupted)
		return false;
	if (!d->timer)
		d->timer = bc_timer_create(d->loop, slept, d);
	if (!d->timer)
		return false;
	bc_timer_start(d->timer, ms);
	bc_loop_run(d->loop);
	bc_timer_stop(d->timer);
	return !d->interrupted;
}

bool demo_read_file(const char *path, struct bc_buf *ret_text)
{
	char part[4096];
	FILE *f = fopen(path, "re");
	size_t n;
	int bad = 0;
	bc_buf_init(ret_text, FILE_MAX_BYTES);
	if (!f)
		return false;
	while (!bad && (n = fread(part, 1, sizeof(part), f)) > 0)
		bad = bc_buf_add(ret_text, part, n);
	bad |= ferror(f);
	fclose(f);
	return !bad && bc_buf_adds(ret_text, "") == 0;
}
