#!/bin/sh
# Look for what is newer, and propose it: the locks of a recipe are chosen anew, built, and pushed as a branch; TEXT tells
# what changed, in the words of `envbuild lock diff`. Where nothing is newer, TEXT is empty and nothing is pushed. The build
# leaves the new layers in the registry: when the change is taken, publishing it moves no layer.
#
#   RECIPE  recipes/torch.yaml, with its lock beside it; the working folder is a git checkout of it
#   CACHE   ghcr.io/org/layers
#   CELL    one cell of the recipe's matrix, as build.sh has it; empty: there is none
#   BRANCH  where the change goes to
#   TEXT    a file outside the checkout's history
# SPDX-License-Identifier: Apache-2.0
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: >"$TEXT"
envbuild lock --upgrade ${CELL:+--cell "$CELL"} "$RECIPE"
git diff --name-only --relative -- '*.lock' >"$scratch/changed"
while read -r lock; do
    git show "HEAD:./$lock" >"$scratch/old.lock"
    envbuild lock diff "$scratch/old.lock" "$lock" >"$scratch/words"
    if [ -s "$scratch/words" ]; then
        printf '%s\n\n' "$lock" >>"$TEXT"
        sed 's/^/    /' "$scratch/words" >>"$TEXT"
    else
        git checkout -q -- "$lock"
    fi
done <"$scratch/changed"
if ! [ -s "$TEXT" ]; then
    echo "nothing is newer"
    exit 0
fi
envbuild build ${CELL:+--cell "$CELL"} --cache "docker://$CACHE" -o "oci:$scratch/images" "$RECIPE"
git checkout -q -B "$BRANCH"
git add -u -- '*.lock'
git -c user.name=envbuild -c user.email=envbuild@localhost commit -q -m "Upgrade what is locked" -m "$(cat "$TEXT")"
git push -q --force origin "HEAD:refs/heads/$BRANCH"
