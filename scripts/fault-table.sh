#!/bin/bash
# Fills the table of docs/faults.md, fault x policy, from real runs: every shipped scenario with faults under each of the
# reference policies. Needs a built firedrill, redis-server and jq. Takes about five minutes with four drills at a time.
#   scripts/fault-table.sh [FIREDRILL]        default: target/release/firedrill
set -euo pipefail
cd "$(dirname "$0")/.."
export FIREDRILL=${1:-target/release/firedrill}
POLICIES=(fail-fast degrade drain)
DOC=docs/faults.md
LANES=${LANES:-4}
command -v jq >/dev/null || { echo "jq is missing: install it with the package manager of this system" >&2; exit 4; }
[ -x "$FIREDRILL" ] || { echo "there is no $FIREDRILL: cargo build --release -p firedrill" >&2; exit 4; }

OUT=$(mktemp -d)
export OUT
trap 'rm -rf "$OUT"' EXIT

mapfile -t SCENARIOS < <(grep -l '^\[\[fault\]\]' scenarios/*.toml | xargs -n 1 basename -s .toml)

# One drill: where it says something, its exit status does not matter here, its record does.
drill() {
    local scenario=$1 policy=$2 dir="$OUT/$1.$2"
    mkdir -p "$dir"
    # Inconclusive (3) on a busy machine: the generator was held up, or the target was slow before the fault.
    for attempt in 1 2 3; do
        local status=0
        "$FIREDRILL" run "$scenario" --seed 1 --set "store.policy=$policy" --out "$dir" >"$dir/log" 2>&1 || status=$?
        [ "$status" = 3 ] && ! grep -q "never bit" "$dir/log" || break
    done
    echo "$scenario under $policy: exit status $status, attempt $attempt" >&2
}
export -f drill

for scenario in "${SCENARIOS[@]}"; do
    for policy in "${POLICIES[@]}"; do printf '%s %s\n' "$scenario" "$policy"; done
done | xargs -P "$LANES" -L 1 bash -c 'drill "$0" "$1"'

# shellcheck disable=SC2016  # jq's variables, not the shell's
cell='
def percent: . * 1000 | round / 10 | tostring + " %";
if any(.faults[]; .bit | not) then "never met it"
elif .verdict == "inconclusive" then "inconclusive"
else
  ([.phases[] | select(.name == "during")] | first | .outcomes) as $during
  | ([$during[]] | add) as $all
  | ([.checks[] | select(.name == "lost-answers")] | first | .offences) as $lost
  | [ "errors " + (($during.failed + $during.unknown) / $all | percent),
      "fallback " + ($during.degraded / $all | percent),
      "lost \($lost)",
      (if .recovery_ms then "back \(.recovery_ms / 100 | round / 10) s" else "not seen back" end)
    ] | join(", ")
end'

table() {
    local scenario policy record
    echo '| fault | scenario | `fail-fast` | `degrade` | `drain` |'
    echo '|---|---|---|---|---|'
    for scenario in "${SCENARIOS[@]}"; do
        local kinds row=""
        kinds=$(grep '^kind' "scenarios/$scenario.toml" | sed 's/.*"\(.*\)"/`\1`/' | uniq | paste -sd ' ')
        for policy in "${POLICIES[@]}"; do
            record="$OUT/$scenario.$policy/$scenario/run.json"
            if [ -e "$record" ]; then row+=" $(jq -r "$cell" "$record") |"; else row+=" no run |"; fi
        done
        echo "| $kinds | [$scenario](../scenarios/$scenario.toml) |$row"
    done | sort
}

table >"$OUT/table.md"
awk -v table="$OUT/table.md" '
    /<!-- fault-table: begin/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
    /<!-- fault-table: end/   { skip = 0 }
    !skip' "$DOC" >"$OUT/doc.md"
cp "$OUT/doc.md" "$DOC"
echo "wrote the table in $DOC" >&2
