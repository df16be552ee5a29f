#!/bin/sh
# Runs every fuzz target of the tree for the given time each (default 5s).
set -eu
cd "$(dirname "$0")/.."
for package in $(go list ./...); do
    for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "fuzz $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-5s}" "$package"
    done
done
