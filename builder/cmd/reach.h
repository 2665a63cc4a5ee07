/* cmd/reach.h - how this user reaches registries: the configuration, certificates, who is logged
 * in.
 * What a host turned out to need is remembered in the store, as "put" or "chunks", and used where
 * the configuration says nothing.
 *
 * `registries` of the configuration (config.h); certificates from certs.d/HOST:PORT/ of Docker and
 * podman, in ~/.config/containers, /etc/containers, ~/.config/docker and /etc/docker: *.crt are
 * authorities, client.cert and client.key are ours. The first such folder that is there counts.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/registries.h"
#include "config.h"

struct reach; /* opaque; reach_open to reach_free */

struct reach_from {
    bool offline;                 /* none is asked: ERR_NET */
    const char *store_dir;        /* where it is remembered what a host turned out to need */
    char *const *environment;     /* borrowed, as all here */
    const char *config_path;      /* may be NULL */
    const char *ca_file, *ca_dir; /* as the environment names them; may be NULL */
    const char *user_agent;
    const struct events *events;
};

/* Nothing is read before a registry is asked for. */
struct reach *reach_open(const struct reach_from *from);
struct registries *reach_registries(struct reach *r);
void reach_free(struct reach *r);
