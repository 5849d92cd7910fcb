#!/usr/bin/env bash
# Makes sure that the programs and libraries named on the command line are installed, and installs missing ones with the
# system's package manager: as root without asking, otherwise through sudo, which may ask.
#   scripts/need.sh redis-server curl cargo
set -euo pipefail

say() { printf 'firedrill: %s\n' "$*"; }
die() { printf 'firedrill: %s\n' "$*" >&2; exit 4; }

present() {
    case "$1" in
        # The command alone is not enough: the engine must answer.
        docker) command -v docker >/dev/null && docker version >/dev/null 2>&1 ;;
        # Read by a parser that is not ours: python3 of the system, or the one that FIREDRILL_TEST_PYTHON names.
        junitparser) "${FIREDRILL_TEST_PYTHON:-/usr/bin/python3}" -c 'import junitparser' 2>/dev/null ;;
        # Virtual environments, for the examples that are written in Python.
        venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
        # The same for schemas: a validator that is not ours.
        jsonschema) "${FIREDRILL_TEST_PYTHON:-/usr/bin/python3}" -c 'import jsonschema' 2>/dev/null ;;
        # For the examples in other languages.
        php-cli) command -v php >/dev/null ;;
        # `grep -q` ends at the first match, and php then fails because nobody reads on.
        php-redis) command -v php >/dev/null && php -m | grep -x redis >/dev/null ;;
        ruby-redis-rack) command -v ruby >/dev/null && ruby -e 'require "redis-rack"' 2>/dev/null ;;
        # And for YAML.
        yaml) "${FIREDRILL_TEST_PYTHON:-/usr/bin/python3}" -c 'import yaml' 2>/dev/null ;;
        docker-compose) command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "not root and no sudo: run as root: $*"
    fi
}

# The packages that provide $1, by package manager.
packages() {
    case "$1:$2" in
        curl:*) echo curl ;;
        redis-server:brew) echo redis ;;
        redis-server:apt-get) echo redis-server ;;
        redis-server:*) echo redis ;;
        docker:apt-get) echo docker.io ;;
        docker-compose:apt-get) echo docker-compose ;;
        junitparser:apt-get | junitparser:dnf) echo python3-junitparser ;;
        venv:apt-get) echo python3-venv ;;
        chromedriver:apt-get) echo chromium-driver ;;
        chromedriver:apk) echo chromium-chromedriver ;;
        promtool:dnf | promtool:apk | promtool:brew) echo prometheus ;;
        venv:*) echo python3 ;;
        jsonschema:apt-get | jsonschema:dnf) echo python3-jsonschema ;;
        jsonschema:*) die "jsonschema is missing: install it with pip, and name that Python in FIREDRILL_TEST_PYTHON" ;;
        junitparser:*) die "junitparser is missing: install it with pip, and name that Python in FIREDRILL_TEST_PYTHON" ;;
        yaml:apt-get) echo python3-yaml ;;
        yaml:dnf) echo python3-pyyaml ;;
        yaml:*) die "PyYAML is missing: install it with pip, and name that Python in FIREDRILL_TEST_PYTHON" ;;
        pip:*) echo python3-pip ;;
        groff:apt-get | groff:dnf) echo groff-base ;;
        readelf:*) echo binutils ;;
        cc:apt-get) echo build-essential ;;
        cc:brew) echo gcc ;;
        cc:*) echo gcc ;;
        *) echo "$1" ;;
    esac
}

missing=()
look() {
    missing=()
    for need in "$@"; do present "$need" || missing+=("$need"); done
}
look "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

# Package managers fail where another of them runs, as one does when two tests install what they need.
if command -v flock >/dev/null; then
    exec 9>"${TMPDIR:-/tmp}/firedrill-need-$(id -u).lock"
    flock 9
    look "$@"
    [ ${#missing[@]} -gt 0 ] || exit 0
fi

for need in "${missing[@]}"; do
    [ "$need" != cargo ] || die "cargo is missing: install Rust 1.90 or newer, see https://rustup.rs"
done

for manager in apt-get dnf apk brew none; do command -v "$manager" >/dev/null && break; done

# The package of promtool starts a server where services are started, so only the program is taken out of it.
promtool_alone() {
    local here
    here=$(mktemp -d)
    say "missing: promtool; taking it out of the package prometheus"
    as_root apt-get update -qq
    (cd "$here" && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb .)
    as_root install -m 755 "$here/usr/bin/promtool" /usr/local/bin/promtool
    rm -rf "$here"
}
if [ "$manager" = apt-get ] && [[ " ${missing[*]} " = *" promtool "* ]]; then
    promtool_alone
    for at in "${!missing[@]}"; do [ "${missing[$at]}" != promtool ] || unset "missing[$at]"; done
    missing=("${missing[@]}")
    [ ${#missing[@]} -gt 0 ] || exit 0
fi
[ "$manager" != none ] || die "missing: ${missing[*]}; no package manager that is known here (apt-get, dnf, apk, brew): install them by hand"

wanted=()
for need in "${missing[@]}"; do
    # One name may mean several packages.
    read -r -a names <<<"$(packages "$need" "$manager")"
    wanted+=("${names[@]}")
done
say "missing: ${missing[*]}; installing ${wanted[*]} with $manager"
case "$manager" in
    apt-get)
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
        ;;
    dnf) as_root dnf install -y -q "${wanted[@]}" ;;
    apk) as_root apk add -q "${wanted[@]}" ;;
    brew) brew install -q "${wanted[@]}" ;;
esac

# An engine that was just installed, or was not running, may have to be started.
if [[ " ${missing[*]} " = *" docker "* ]] && ! present docker && command -v service >/dev/null; then
    as_root service docker start >/dev/null 2>&1 || true
    for _ in $(seq 50); do present docker && break; sleep 0.2; done
fi

for need in "${missing[@]}"; do present "$need" || die "$need is still missing after the installation"; done
say "installed"
