#!/bin/sh
# Installs on Debian bookworm what is not there yet, and says what before it does:
#   provision.sh tests [PACKAGE...]   what the tests run: Chromium, the proxies and clients of docs/, PostgreSQL, newman
#   provision.sh linter               golangci-lint
set -eu
cd "$(dirname "$0")/.."

lint_version=v2.15.0
packages='
    aria2 apache2 apache2-utils cadaver caddy chromium curl faketime git gunicorn haproxy httpie
    libwww-perl lighttpd lua-socket lynx maven mercurial nginx openjdk-17-jdk-headless openssl perl pgbouncer php-cli
    php-curl postgresql prometheus python3 python3-aiohttp python3-httpx python3-pip python3-requests rclone restic ruby skopeo squid strace
    man-db subversion varnish w3m wget wget2 zsh fish'

say() { echo "provision: $*" >&2; }

# installed says whether a Debian package is installed.
installed() {
    dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok'
}

# debian installs the packages with the given names that are not there.
debian() {
    missing=
    for package in "$@"; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "The tests need Debian packages that are not installed. As root, run:"
        say "  apt-get install --no-install-recommends$missing"
        exit 1
    fi
    say "The tests need these Debian packages. Installing them takes some minutes:$missing"
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
}

# newman installs the runner of Postman collections, exactly as locked.
newman() {
    if ! cmp -s e2e/package-lock.json e2e/node_modules/.locked; then
        say "The tests need newman. Installing it into e2e/node_modules."
        npm ci --prefix e2e --ignore-scripts --no-audit --no-fund --loglevel=error
        cp e2e/package-lock.json e2e/node_modules/.locked
    fi
}

# linter builds golangci-lint with the Go that is here: one built by an older Go refuses to run.
linter() {
    if ! .cache/bin/golangci-lint version 2>/dev/null |
        grep -qF "version ${lint_version#v} built with $(go env GOVERSION) "; then
        say "Building golangci-lint $lint_version into .cache/bin. It takes some minutes."
        GOBIN="$PWD/.cache/bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint_version"
    fi
}

case ${1-} in
tests)
    shift
    command -v npm >/dev/null || packages="$packages npm" # it may come with another Node than Debian's
    # shellcheck disable=SC2086 # a list of words
    debian $packages "$@"
    newman
    ;;
linter) linter ;;
*)
    say "usage: provision.sh tests [PACKAGE...] | linter"
    exit 2
    ;;
esac
