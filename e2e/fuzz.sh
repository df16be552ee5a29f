#!/bin/sh
# Runs the fuzz targets whose name matches PATTERN (all by default): fuzz.sh [LIMIT [PATTERN]]. LIMIT is a number
# of inputs for each target (50000x, the default) or a time (30s). A number is the calmer limit: before Go 1.27 a
# time limit may end in "context deadline exceeded" without any finding (go.dev/issue/75804).
set -eu
cd "$(dirname "$0")/.."
limit=${1:-50000x}
pattern=${2:-.}

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
corpus=$(go env GOCACHE)/fuzz
found=0
for directory in $(grep -rl '^func Fuzz' --include='*_test.go' --exclude-dir=node_modules . | xargs -n 1 dirname | sort -u); do
    go test -c -fuzz=Fuzz -o "$built/fuzz.test" "$directory"
    for target in $("$built/fuzz.test" -test.list '^Fuzz' | grep '^Fuzz' | grep -E "$pattern"); do
        found=$((found + 1))
        echo "fuzz $directory $target"
        (cd "$directory" && "$built/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$limit" \
            -test.fuzzminimizetime 1s -test.fuzzcachedir "$corpus/$(go list .)")
    done
done
test "$found" -gt 0 || { echo "fuzz: no target matches $pattern" >&2; exit 1; }
