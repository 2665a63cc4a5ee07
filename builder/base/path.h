/* base/path.h - paths as text: joining, cleaning, judging. Nothing here touches the disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "arena.h"
#include "buf.h"

/* dir + "/" + name, or name alone when it is absolute or dir is empty. Owned. */
char *path_join(const char *dir, const char *name);
/* The directory part: "a/b" gives "a", "b" gives ".", "/b" gives "/". Owned. */
char *path_dir(const char *path);
/* The last part, borrowed. */
struct str path_base(struct str path);
/* Normalise: no "//", no ".", no trailing "/"; ".." is resolved against what is before it. False
 * when ".." would climb above the start. An absolute path stays absolute. */
bool path_clean(struct buf *out, struct str path);
/* What may become a path in an image: relative, no empty part, no "." or "..", no NUL, no part over
 * 255 bytes, whole path at most 4096. */
bool path_is_safe(struct str path);
/* Is `path` the folder, or below it? Both clean, and both relative or both absolute. */
bool path_is_in(struct str path, struct str folder);
bool path_is_kernels(struct str path); /* in /proc, /sys or /dev */
