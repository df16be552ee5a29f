#!/bin/sh
# Installs what the tests need on a fresh Debian and is not there yet: Chromium, curl, npm, newman, golangci-lint.
set -eu
cd "$(dirname "$0")/.."

lint_version=v2.15.0
missing=
for tool in chromium curl git npm; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "provision: please install:$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq -o DPkg::Lock::Timeout=300
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $missing </dev/null >/dev/null
fi

# newman, exactly as locked.
if ! cmp -s e2e/package-lock.json e2e/node_modules/.locked; then
    npm ci --prefix e2e --ignore-scripts --no-audit --no-fund --loglevel=error
    cp e2e/package-lock.json e2e/node_modules/.locked
fi

# golangci-lint, built by the Go that is here: one built by an older Go refuses to run.
if ! .cache/bin/golangci-lint version 2>/dev/null |
    grep -qF "version ${lint_version#v} built with $(go env GOVERSION) "; then
    GOBIN="$PWD/.cache/bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint_version"
fi
