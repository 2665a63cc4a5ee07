/* out/load.h - images into a running Docker or Podman: a docker-archive into `PROGRAM load`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/sink.h"
#include "../oci/place.h"

/* Start `program` ("docker", "podman" or a path) with the argument "load" and stream an archive
 * into it. A missing program is ERR_SYSTEM with what to install. If it fails, close says so in its
 * own words. */
int load_open(struct place **out, const char *program, int64_t mtime, struct err *e) MUST_CHECK;

/* A descriptor as a sink; a reader that went away is an error, never a signal. */
struct fd_sink {
    struct sink sink;
    int fd;           /* borrowed */
    const char *what; /* for messages, borrowed */
};
void fd_sink_init(struct fd_sink *s, int fd, const char *what);
