/* A test case in a process of its own: whatever happens to it, the loop goes on and the case has failed. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "verify.h"

#include <string.h>
#if !defined(__wasi__)
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Reads the whole result; false where the other side ended early or took too long. */
static bool receive(int fd, verify_result *r, long timeout_s, bool *late)
{
    size_t have = 0;
    double end = cli_seconds() + (double)timeout_s;

    *late = false;
    while (have < sizeof *r) {
        struct pollfd p = { fd, POLLIN, 0 };
        double left = end - cli_seconds();
        int ready = poll(&p, 1, timeout_s ? (left > 0 ? (int)(left * 1000) + 1 : 0) : -1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) *late = true;
        if (ready <= 0) return false;
        ssize_t got = read(fd, (char *)r + have, sizeof *r - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        have += (size_t)got;
    }
    return true;
}

void verify_apart(const char *folder, const verify_options *o, verify_result *r)
{
    int ends[2], status = 0;
    bool late;

    fflush(NULL);
    if (pipe(ends)) {
        verify_case(folder, o, r);
        return;
    }
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        verify_case(folder, o, r);
        return;
    }
    if (pid == 0) {
        close(ends[0]);
        verify_case(folder, o, r);
        ssize_t put = write(ends[1], r, sizeof *r);
        _exit(put == (ssize_t)sizeof *r ? 0 : 1);
    }
    close(ends[1]);
    bool whole = receive(ends[0], r, o->timeout_s, &late);
    close(ends[0]);
    if (!whole) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (whole) return;
    *r = (verify_result){ .outcome = VERIFY_FAILED };
    if (late)
        snprintf(r->reason, sizeof r->reason, "no answer after %ld s", o->timeout_s);
    else if (WIFSIGNALED(status))
        snprintf(r->reason, sizeof r->reason, "crashed with signal %d", WTERMSIG(status));
    else
        snprintf(r->reason, sizeof r->reason, "ended with code %d", WEXITSTATUS(status));
}
#else
void verify_apart(const char *folder, const verify_options *o, verify_result *r)
{
    verify_case(folder, o, r);
}
#endif
