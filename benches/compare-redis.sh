#!/bin/sh
# Firedrill's `redis` target and redis-benchmark in turn against one private redis-server.
# Usage: benches/compare-redis.sh [--rounds N] [--seconds N] [--connections N] [--pipeline N] [--payload BYTES] [--keys N]
#        [--threads N] [--unix yes] [--resp3] [--memtier PROGRAM] [--rate N]
set -eu
cd "$(dirname "$0")/.."
for command in redis-server redis-benchmark cargo; do
    command -v "$command" >/dev/null || { echo "$0: $command is missing (Debian: apt-get install redis)" >&2; exit 4; }
done
cargo build --release --quiet -p firedrill-benches --bin redis-compare
exec "${CARGO_TARGET_DIR:-target}/release/redis-compare" "$@"
