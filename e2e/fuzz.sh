#!/bin/sh
# Runs every fuzz target of the tree: for so many inputs each (50000x, the default) or so long (30s). A number of
# inputs is the calmer limit: before Go 1.27 a time limit may end in "context deadline exceeded" without any
# finding (go.dev/issue/75804).
set -eu
cd "$(dirname "$0")/.."

packages=$(go list ./...)
found=0
for package in $packages; do
    names=$(go test -list '^Fuzz' "$package")
    for target in $(echo "$names" | grep '^Fuzz' || true); do
        found=$((found + 1))
        echo "fuzz $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-50000x}" "$package"
    done
done
test "$found" -gt 0 || { echo "fuzz: no target found" >&2; exit 1; }
