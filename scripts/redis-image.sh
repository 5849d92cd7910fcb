#!/usr/bin/env bash
# Builds a small Docker image of this machine's redis-server from nothing: the program, redis-cli, their shared libraries and
# the dynamic loader. For machines without access to an image registry.
#   scripts/redis-image.sh                      # firedrill/redis:local
#   scripts/redis-image.sh redis:7.4-alpine     # under another name
#   firedrill run redis-outage --lab docker --image firedrill/redis:local
set -euo pipefail

die() { printf 'firedrill: %s\n' "$*" >&2; exit 4; }

tag="${1:-firedrill/redis:local}"
for need in docker ldd tar; do command -v "$need" >/dev/null || die "$need is missing"; done
server="$(command -v redis-server)" || die "redis-server is missing: scripts/need.sh redis-server"
client="$(command -v redis-cli)" || die "redis-cli is missing: apt-get install redis-tools"
# A single word, because `docker import --change` splits at blanks.
version="$("$server" --version | tr -c 'A-Za-z0-9.=:\n' '-')"

made_of="$(docker image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$tag" 2>/dev/null || true)"
if grep -qxF "FIREDRILL_MADE_OF=$version" <<<"$made_of"; then
    printf 'firedrill: %s is there already\n' "$tag"
    exit 0
fi

root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/bin" "$root/data" "$root/tmp"
cp -L "$server" "$root/usr/bin/redis-server"
cp -L "$client" "$root/usr/bin/redis-cli"
# "name => /path (address)", and the loader as "/path (address)".
ldd "$server" "$client" | grep -oE '/[^ ]+ \(0x' | cut -d' ' -f1 | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/bin' \
    --change "ENV FIREDRILL_MADE_OF=$version" \
    --change 'WORKDIR /data' \
    --change 'EXPOSE 6379' \
    --change 'VOLUME /data' \
    --change 'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]' \
    - "$tag" >/dev/null
printf 'firedrill: made %s of %s\n' "$tag" "$server"
