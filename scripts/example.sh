#!/usr/bin/env bash
# Installs the packages of an example into target/examples/NAME, in the versions that it pins:
#   scripts/example.sh aiohttp-cart
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:?which example? one of: $(ls examples)}
pinned=examples/$name/requirements.txt
[ -f "$pinned" ] || { echo "firedrill: there is no $pinned" >&2; exit 4; }
into=target/examples/$name
# A folder with the same pins is complete: the copy is the last thing written.
cmp -s "$pinned" "$into/installed.txt" && exit 0
scripts/need.sh venv
python3 -m venv --clear "$into"
"$into/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pinned"
cp "$pinned" "$into/installed.txt"
