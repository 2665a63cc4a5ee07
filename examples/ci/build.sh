#!/bin/sh
# Build the image of a recipe, as its lock says. With PUBLISH set it goes into the registry: under its tag, and under one
# that never moves. Without, of a change that is only proposed, it stays on this machine. Layers come from the registry and
# are left there, so that a runner with an empty disk makes no more than what is new. Never keep the store in an action's cache.
#
#   RECIPE   recipes/torch.yaml, with its lock beside it
#   IMAGE    ghcr.io/org/torch
#   CACHE    ghcr.io/org/layers
#   CELL     one cell of the recipe's matrix, "pytorch=2.6.0,variant=devel"; empty: there is none
#   PUBLISH  1, or empty
# SPDX-License-Identifier: Apache-2.0
set -eu
place=oci:${TMPDIR:-/tmp}/images
[ -z "${PUBLISH:-}" ] || place=docker://$IMAGE
envbuild build --locked ${CELL:+--cell "$CELL"} --cache "docker://$CACHE" -o "$place" "$RECIPE"
[ -z "${PUBLISH:-}" ] || envbuild tags "docker://$IMAGE"
