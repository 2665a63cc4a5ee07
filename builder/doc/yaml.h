/* doc/yaml.h - YAML text to a doc, by libyaml. Anchors and aliases, tags, several documents,
 * duplicate keys and NUL in text are refused with their place; at most 32 lists and maps stand in
 * one another, in at most 1 MiB of text. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

/* `file` is the name for messages. Empty text is an error that says the document is empty. */
int yaml_parse(struct doc *out, struct str text, const char *file, struct err *e) MUST_CHECK;
int yaml_read(struct doc *out, const char *path, struct err *e) MUST_CHECK;
