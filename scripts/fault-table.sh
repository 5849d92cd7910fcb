#!/bin/bash
# Fills the table in docs/faults.md, fault x policy, from real runs: every shipped scenario with faults under each policy
# that fits it. Needs a built firedrill, a session-server next to it, redis-server and jq. Takes about seven minutes with
# six drills at a time (they mostly wait).
#   scripts/fault-table.sh [FIREDRILL]        default: target/release/firedrill
#   ONLY="redis-outage tls-acl" scripts/fault-table.sh      only these rows, on stdout; the document stays as it is
set -euo pipefail
cd "$(dirname "$0")/.."
export FIREDRILL=${1:-target/release/firedrill}
POLICIES=(fail-fast degrade drain silent-cache dual-write memory)
DOC=docs/faults.md
LANES=${LANES:-6}
command -v jq >/dev/null || { echo "jq is missing: install it with the package manager of this system" >&2; exit 4; }
[ -x "$FIREDRILL" ] || { echo "there is no $FIREDRILL: make build" >&2; exit 4; }
[ -x "$(dirname "$FIREDRILL")/session-server" ] || { echo "there is no session-server beside $FIREDRILL: make build" >&2; exit 4; }

OUT=$(mktemp -d)
export OUT
trap 'rm -rf "$OUT"' EXIT

if [ -n "${ONLY:-}" ]; then
    read -ra SCENARIOS <<<"$ONLY"
else
    mapfile -t SCENARIOS < <(grep -l '^\[\[fault\]\]' scenarios/*.toml | xargs -n 1 basename -s .toml)
fi

# The kinds of a scenario's faults, without duplicates.
kinds() {
    grep '^kind' "scenarios/$1.toml" | sed 's/.*"\(.*\)"/\1/' | grep '\.' | uniq
}

# Whether a scenario's faults can affect a store with this policy: a store in memory has no Redis that could fail, only
# a clock.
applies() {
    [ "$2" != memory ] || ! kinds "$1" | grep -v '^clock\.' >/dev/null
}

# Runs one drill. If it is conclusive, only its record matters here, not its exit status.
drill() {
    local scenario=$1 policy=$2 dir="$OUT/$1.$2"
    local sets=(--set "store.policy=$policy")
    # A rebuilt store would be empty, and the final reads would find nothing.
    [ "$policy" != memory ] || sets+=(--set store.final_reads=living)
    mkdir -p "$dir"
    # Inconclusive (3) on a busy machine: the generator was held up, or the target was slow before the fault.
    for attempt in 1 2 3; do
        local status=0
        "$FIREDRILL" run "$scenario" --seed 1 "${sets[@]}" --out "$dir" >"$dir/log" 2>&1 || status=$?
        [ "$status" = 3 ] && ! grep -q "never bit" "$dir/log" || break
    done
    echo "$scenario under $policy: exit status $status, attempt $attempt" >&2
}
export -f drill

for scenario in "${SCENARIOS[@]}"; do
    for policy in "${POLICIES[@]}"; do
        if applies "$scenario" "$policy"; then printf '%s %s\n' "$scenario" "$policy"; fi
    done
done | xargs -P "$LANES" -L 1 bash -c 'drill "$0" "$1"'

# shellcheck disable=SC2016  # jq's variables, not the shell's
cell='
def percent: . * 1000 | round / 10 | tostring + " %";
if any(.faults[]; .bit | not) then "never met it"
elif .verdict == "inconclusive" then "inconclusive"
else
  ([.phases[] | select(.name == "during")] | first | .outcomes) as $during
  | ([$during[]] | add) as $all
  | ([.checks[] | select(.name == "lost-writes")] | first | .offences) as $lost
  | [ "errors " + (($during.failed + $during.unknown) / $all | percent),
      "fallback " + ($during.degraded / $all | percent),
      "lost \($lost // "not told")",
      (if .recovery_ms then "back \(.recovery_ms / 100 | round / 10) s" else "not seen back" end)
    ] | join(", ")
end'

table() {
    local scenario policy record
    printf '| fault | scenario |'
    printf ' `%s` |' "${POLICIES[@]}"
    printf '\n|---|---|'
    printf -- '---|%.0s' "${POLICIES[@]}"
    echo
    for scenario in "${SCENARIOS[@]}"; do
        local faults row="" topology
        faults=$(kinds "$scenario" | sed 's/.*/`&`/' | paste -sd ' ')
        topology=$(sed -n 's/^topology *= *"\(.*\)"/ (\1)/p' "scenarios/$scenario.toml")
        for policy in "${POLICIES[@]}"; do
            record="$OUT/$scenario.$policy/$scenario/run.json"
            if ! applies "$scenario" "$policy"; then row+=" not applicable |"
            elif [ -e "$record" ]; then row+=" $(jq -r "$cell" "$record") |"; else row+=" no run |"; fi
        done
        echo "| $faults$topology | [$scenario](../scenarios/$scenario.toml) |$row"
    done | sort
}

table >"$OUT/table.md"
if [ -n "${ONLY:-}" ]; then
    cat "$OUT/table.md"
    exit
fi
awk -v table="$OUT/table.md" '
    /<!-- fault-table: begin/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
    /<!-- fault-table: end/   { skip = 0 }
    !skip' "$DOC" >"$OUT/doc.md"
cp "$OUT/doc.md" "$DOC"
echo "wrote the table in $DOC" >&2
