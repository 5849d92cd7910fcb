#!/usr/bin/env bash
# Installs the packages of an example:
#   scripts/example.sh aiohttp-cart
# Those of requirements.txt in the versions that it pins, into target/examples/NAME; those of apt.txt with the system's package
# manager, in the versions of its release.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:?which example? one of: $(ls examples)}
example=examples/$name
[ -f "$example/$name.toml" ] || { echo "firedrill: there is no $example/$name.toml" >&2; exit 4; }

if [ -f "$example/apt.txt" ]; then
    mapfile -t packages <"$example/apt.txt"
    scripts/need.sh "${packages[@]}"
fi

pinned=$example/requirements.txt
into=target/examples/$name
# A folder with the same pins is complete: the copy is the last thing written.
if [ -f "$pinned" ] && ! cmp -s "$pinned" "$into/installed.txt"; then
    scripts/need.sh venv
    python3 -m venv --clear "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pinned"
    cp "$pinned" "$into/installed.txt"
fi
