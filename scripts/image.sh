#!/usr/bin/env bash
# Builds a container image of nothing but static firedrill and session-server, and this machine's list of authorities for rediss://.
# It takes what scripts/dist.sh made, and has it made first where it is missing.
#   scripts/image.sh                    # firedrill/firedrill:local
#   scripts/image.sh registry/name:tag
#   docker run --rm --network host --user "$(id -u):$(id -g)" --volume "$PWD:/work" firedrill/firedrill:local \
#       run redis-outage --redis redis://localhost:6379 --out runs
# It has no redis-server: drills need --redis.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1:-firedrill/firedrill:local}
scripts/need.sh docker tar
packed() { ls -d "target/dist/firedrill-"*"-$(uname -m)-linux" 2>/dev/null; }
packed >/dev/null || scripts/dist.sh
from=$(packed)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Whoever runs it, with --user, can write a temporary file, the journals of changes to a Redis, and its runs.
mkdir -p "$root/etc/ssl/certs"
mkdir -m 1777 "$root/tmp" "$root/state" "$root/work"
cp "$from/firedrill" "$from/session-server" "$from/LICENSE-MIT" "$from/LICENSE-APACHE" "$root"
authorities=/etc/ssl/certs/ca-certificates.crt
[ ! -e "$authorities" ] || cp -L "$authorities" "$root$authorities"
chmod 755 "$root"

tar -C "$root" --owner 0 --group 0 --numeric-owner -c . | docker import \
    --change 'ENV PATH=/ FIREDRILL_STATE=/state' \
    --change 'WORKDIR /work' \
    --change 'USER 65534:65534' \
    --change 'ENTRYPOINT ["/firedrill"]' \
    - "$tag" >/dev/null
printf 'firedrill: made %s of %s, %s\n' "$tag" "$from" "$("$from/firedrill" --version | sed -n 2p)"
