#!/bin/sh
# Firedrill's `http` target, oha and wrk in turn against one small HTTP server.
# Usage: benches/compare-http.sh [--rounds N] [--seconds N] [--connections N] [--rate N] [--oha PATH]
set -eu
cd "$(dirname "$0")/.."
for command in redis-server wrk cargo; do
    command -v "$command" >/dev/null || { echo "$0: $command is missing (Debian: apt-get install redis wrk)" >&2; exit 4; }
done
cargo build --release --quiet -p firedrill -p firedrill-benches --bin firedrill --bin http-compare
exec "${CARGO_TARGET_DIR:-target}/release/http-compare" "$@"
