#!/usr/bin/env bash
# Makes what a release consists of, in target/dist: an archive with static firedrill and session-server, man pages, completions
# and licences; its bill of materials (CycloneDX); and SHA256SUMS of both.
#   scripts/dist.sh                    # as released
#   scripts/dist.sh --profile drill    # sooner built, for a try
#   scripts/dist.sh --from FOLDER      # packs the binaries in FOLDER, if they are static
# musl where it is installed (rustup target add x86_64-unknown-linux-musl, and musl-gcc), else glibc (2.34 or newer), linked
# statically: such a binary resolves names by /etc/hosts and DNS alone.
set -euo pipefail

die() { printf 'firedrill: %s\n' "$*" >&2; exit 4; }

profile=release
from=""
while [ $# -gt 0 ]; do
    case "$1" in
        --profile) profile=${2:?--profile needs a name} ;;
        --from) from=$(realpath "${2:?--from needs a folder}") ;;
        *) die "$1: there are --profile NAME and --from FOLDER" ;;
    esac
    shift 2
done
cd "$(dirname "$0")/.."

scripts/need.sh cargo cc python3 readelf
machine=$(uname -m)
target=$machine-unknown-linux-musl
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || ! command -v musl-gcc >/dev/null; then
    target=$machine-unknown-linux-gnu
fi

if [ -z "$from" ]; then
    from=target/$target/$profile
    echo "firedrill: building static binaries for $target into $from"
    # Whoever reads a backtrace needs no path of the machine that built it.
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
        cargo build --locked --profile "$profile" --config "profile.$profile.strip=\"debuginfo\"" --target "$target" \
        --package firedrill --package firedrill-storage --bin firedrill --bin session-server
fi
for binary in firedrill session-server; do
    [ -x "$from/$binary" ] || die "there is no $from/$binary"
    # A program that names an interpreter is loaded with shared libraries.
    headers=$(readelf --program-headers "$from/$binary") || die "readelf cannot read $from/$binary"
    ! grep -w INTERP <<<"$headers" >/dev/null || die "$from/$binary is not static: it needs shared libraries"
done

dist=target/dist
name=firedrill-$("$from/firedrill" -V | cut -d ' ' -f 2)-$machine-linux
rm -rf "$dist"
root=$dist/$name
mkdir -p "$root/man" "$root/completions"
cp "$from/firedrill" "$from/session-server" LICENSE-APACHE LICENSE-MIT "$root"
"$root/firedrill" man --out "$root/man"
for shell in bash zsh fish; do "$root/firedrill" completions "$shell" >"$root/completions/firedrill.$shell"; done
scripts/sbom.py "$target" >"$dist/$name.cdx.json"
# The same commit makes the same archive.
tar -C "$dist" --sort name --owner 0 --group 0 --numeric-owner --mtime "@$(git log -1 --format=%ct 2>/dev/null || echo 0)" \
    -c "$name" | gzip -n >"$dist/$name.tar.gz"
(cd "$dist" && sha256sum "$name.tar.gz" "$name.cdx.json" >SHA256SUMS && cat SHA256SUMS)
echo "firedrill: made $dist/$name.tar.gz"
