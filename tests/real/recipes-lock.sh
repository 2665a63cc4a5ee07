#!/bin/bash
# Every recipe that the project ships is locked on the real index and archives, twice, without a change.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
# Not every machine reaches the builds that PyPI lacks.
getent hosts download.pytorch.org >/dev/null && elsewhere=yes || elsewhere=
for recipe in "$top"/recipes/*.yaml "$top"/examples/*.yaml "$top"/examples/*/*.yaml; do
    folder=$work/$(basename "$recipe" .yaml)
    case $recipe in
    "$top"/examples/*/*) cp -r "$(dirname "$recipe")" "$folder" ;;
    *) mkdir "$folder" && cp "$recipe" "$folder/" ;;
    esac
    if [ -z "$elsewhere" ] && grep -q '^cuda: cpu' "$recipe"; then
        echo "skipped: ${recipe#"$top"/} needs download.pytorch.org, which is not reached"
        continue
    fi
    copy=$folder/$(basename "$recipe")
    "$envbuild" lock -q "$copy" 2>"$work/err" || fail "$recipe: $(cat "$work/err")"
    cp "${copy%.yaml}.lock" "$work/lock"
    "$envbuild" lock "$copy" 2>"$work/err" || fail "$recipe again: $(cat "$work/err")"
    grep -q 'up to date' "$work/err" || fail "$recipe again says $(cat "$work/err")"
    cmp -s "${copy%.yaml}.lock" "$work/lock" || fail "$recipe: a second lock changed it"
    ok "${recipe#"$top"/}"
done
