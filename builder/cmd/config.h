/* cmd/config.h - what a user sets for all recipes on a machine: mirrors, the keyring's command, and
 * how registries are spoken with.
 *
 * $XDG_CONFIG_HOME/envbuild/config.yaml, or ~/.config/envbuild/config.yaml. Nothing in it can
 * change which bytes are chosen or built: a mirror's must have the hashes that are known.
 *
 *     registries:
 *       registry.lan:5000: {insecure: true}              http will do, and any certificate
 *       registry.example.org: {upload: chunks, chunk: 50MB}    or patch, put; see oci/registry.h
 *     caches: [docker://registry.lan:5000/cache]         as --cache: see oci/layer_cache.h
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"
#include "../net/http.h"
#include "../oci/registry.h"

struct config_registry {
    struct str host; /* with its port, as references have it */
    bool insecure;
    enum registry_upload upload;
    uint64_t chunk; /* bytes; 0: the usual */
    /* What no file says. */
    uint64_t chunk_min;     /* bytes */
    uint32_t upload_max_ms; /* see oci/registry.h */
};

struct config {
    struct doc doc;          /* owns every text below */
    struct http_rules rules; /* mirrors by what they stand in for; all addresses end in "/" */
    struct strs keyring;     /* a program and its arguments; empty: none */
    struct VEC_OF(struct config_registry) registries;
    struct strs caches; /* "docker://HOST/NAME" */
};

/* A file that is not there, or a NULL path, is an empty configuration. */
int config_read(struct config *out, const char *path, struct err *e) MUST_CHECK;
/* What is set for a host; where nothing is, what hosts of that name are known to want. */
void config_registry(struct config_registry *out, const struct config *c, struct str host);
void config_clear(struct config *c);
