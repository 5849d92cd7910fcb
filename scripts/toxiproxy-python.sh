#!/usr/bin/env bash
# Drives `firedrill proxy` with Toxiproxy's public Python client (toxiproxy-python on PyPI), unmodified, the way its users
# do. Not part of CI, because it needs PyPI.
#   scripts/toxiproxy-python.sh [FIREDRILL]
set -euo pipefail
cd "$(dirname "$0")/.."
firedrill=${1:-target/release/firedrill}

folder=$(mktemp -d)
trap 'kill "${proxy:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet toxiproxy-python requests future
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$firedrill" proxy -port "$port" > "$folder/log" 2>&1 &
proxy=$!
"$folder/venv/bin/python" scripts/toxiproxy-python.py "$port"
