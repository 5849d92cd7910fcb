#!/usr/bin/env bash
# Installs the schemas and rules of scripts/validators.txt into target/validators, without what the packages need to run:
# the tests read the files alone.
set -euo pipefail
cd "$(dirname "$0")/.."

pinned=scripts/validators.txt
into=target/validators
# A folder with the same pins is complete: the copy is the last thing written. Tests may ask for it at the same time.
mkdir -p target
exec 9>"$into.lock"
flock 9
cmp -s "$pinned" "$into/installed.txt" && exit 0
scripts/need.sh python3 pip
rm -rf "$into"
python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --no-compile --root-user-action ignore \
    --target "$into" --requirement "$pinned"
cp "$pinned" "$into/installed.txt"
