#!/bin/sh
# Installs what the tests need on a fresh Debian and is not there yet: Chromium, the proxies and clients of docs/,
# newman, golangci-lint; and the packages that it is given by name.
set -eu
cd "$(dirname "$0")/.."

lint_version=v2.15.0
packages='
    aria2 apache2 apache2-utils cadaver caddy chromium curl faketime git gunicorn haproxy httpie
    libwww-perl lighttpd lua-socket lynx maven mercurial nginx openjdk-17-jdk-headless openssl perl pgbouncer php-cli
    php-curl postgresql prometheus python3 python3-aiohttp python3-httpx python3-pip python3-requests rclone restic ruby skopeo squid strace
    man-db subversion varnish w3m wget wget2 zsh fish'
missing=
command -v npm >/dev/null || missing=npm # it may come with another Node than Debian's
for package in $packages "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "provision: please install:$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d # no server of these starts by itself
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
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
