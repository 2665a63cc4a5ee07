/* tests/unit/peer.h - start a loopback peer of tests/peers/ from a unit test, and end it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

struct peer {
    pid_t pid;
    int input;        /* closing it ends the peer */
    int port, port_2; /* on 127.0.0.1; some have one alone */
};

/* Run `script` with python3; `folder` may be NULL. False, said on stderr, when there is no python3:
 * the caller skips. */
static inline bool peer_start(struct peer *peer, const char *script, const char *folder)
{
    int in[2], out[2];
    char line[64] = "";
    FILE *said;

    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: python3 is missing, so %s cannot run\n", script);
        return false;
    }
    /* The peer must reach only what it serves; proxies would come between. */
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        abort();
    peer->pid = fork();
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("python3", "python3", script, folder ? folder : ".", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->input = in[1];
    said = fdopen(out[0], "r");
    if (!said || !fgets(line, sizeof line, said) ||
        sscanf(line, "%d %d", &peer->port, &peer->port_2) < 1) {
        fprintf(stderr, "%s did not say its ports\n", script);
        abort();
    }
    fclose(said);
    return true;
}

static inline void peer_stop(struct peer *peer)
{
    if (!peer->pid)
        return;
    close(peer->input);
    waitpid(peer->pid, NULL, 0);
    peer->pid = 0;
}

/* `peer` of a whole group of tests, from setup to teardown: they skip where it has no port. */
#define PEER_OF_GROUP(script)                   \
    static struct peer peer;                    \
    static int start_peer(void **state)         \
    {                                           \
        (void)!peer_start(&peer, script, NULL); \
        return 0;                               \
    }                                           \
    static int stop_peer(void **state)          \
    {                                           \
        peer_stop(&peer);                       \
        return 0;                               \
    }

/* A fresh folder under TMPDIR or /tmp; the caller frees the path. */
static inline char *scratch_make(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);

    snprintf(path, 4096, "%s/envbuild-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        abort();
    return path;
}

static inline void scratch_remove(char *path)
{
    char command[4200];

    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", path);
    free(path);
}
