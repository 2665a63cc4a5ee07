/* out/load.h - images into a pipe: `docker load`, `podman load`, standard output. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../oci/place.h"

/* Start `program` ("docker", "podman" or a path) with the argument "load" and stream an archive
 * into it. A missing program is ERR_SYSTEM with what to install. If it fails, close says so in its
 * own words. `events` is borrowed until close; here and below, whoever waits can be interrupted. */
int load_open(struct place **out, const char *program, int64_t mtime, const struct events *events,
              struct err *e) MUST_CHECK;

/* The diff_ids of the image that Docker has under that name ("pytorch:2.6.0"), bottom first, if it
 * takes an archive without them: its own store of layers does, containerd's does not. Empty
 * otherwise. */
void load_known(struct digests *out, const char *program, const char *name,
                const struct events *events);

/* The number ("Id") of the image that Docker or Podman has under that name; false: it has none. */
bool load_id(struct digest *out, const char *program, const char *name,
             const struct events *events);

/* Append a name of the image that Docker or Podman has by that number; false: it has none. */
bool load_name(struct buf *out, const char *program, const char *id, const struct events *events);

/* An archive onto a descriptor that stays the caller's (standard output). A reader that went away
 * is an error, never a signal. `what` names it in messages; borrowed. */
int load_stream(struct place **out, int fd, const char *what, int64_t mtime,
                const struct events *events, struct err *e) MUST_CHECK;
