#!/usr/bin/env bash
# Who gets the blame while other processes burn the cores? Drills a sound store, the same store with a planted loss, and one
# that sleeps 300 ms on its executor, next to busy loops, and counts the verdicts:
#
#   scripts/under-load.sh [DRILLS] [BURNERS]        200 drills of each, next to 2 burners
#
# Exits with 1 if a sound store was blamed, if more than a fifth of the sound drills next to one burner are inconclusive, if
# less than 95 % of the conclusive drills report the loss, or if the sleeper passed even once. The runs that blamed a sound
# store are kept in runs/under-load. FIREDRILL names the binary (default: target/release/firedrill), JOBS how many drills run
# at a time (2).
set -euo pipefail
cd "$(dirname "$0")/.."

drills=${1:-200} burners=${2:-2} jobs=${JOBS:-2}
bin=$(realpath "${FIREDRILL:-target/release/firedrill}")
work=$(mktemp -d) kept=$PWD/runs/under-load
pids=()
tidy() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap tidy EXIT

cat >"$work/short-outage.toml" <<'TOML'
name  = "short-outage"
about = "Redis is away for a second; nothing acknowledged may be lost."
[[load]]
rate     = "200/s"
for      = "4s"
sessions = 50
payload  = "1KB"
mix      = { create = 1, read = 6, append = 3, destroy = 0.2 }
[[fault]]
kind = "proxy.down"
at   = "1s"
for  = "1s"
[steady]
for = "500ms"
[gates]
"before.errors"        = "= 0%"
"during.errors"        = "<= 1%"
"after.read.p95"       = "<= 50ms"
"recovery"             = "<= 1500ms"
"fallback.activations" = "= 1"
TOML

cat >"$work/asleep.toml" <<'TOML'
name  = "asleep"
about = "Reads of a store that may sleep on the threads that drive it."
[store]
timeout = "2s"
[[load]]
rate     = "100/s"
for      = "3s"
sessions = 20
payload  = "1KB"
mix      = { create = 1, read = 9 }
[gates]
"all.p90" = "<= 100ms"
TOML

for ((n = 0; n < burners; n++)); do
    (while :; do :; done) &
    pids+=($!)
done

# Runs one drill and writes its seed, status and first reason on a line.
drill() {
    local kind=$1 file=$2 seed=$3 set=$4 status=0 out
    out=$("$bin" run "$work/$file.toml" --seed "$seed" $set --out "$work/runs/$kind-$seed" 2>&1) || status=$?
    printf '%s seed %s: %s  %s\n' "$kind" "$seed" "$status" \
        "$(grep -E '^. [A-Z]+ ' <<<"$out" | tail -1 || tail -1 <<<"$out")" >>"$work/$kind"
    # Keep the run: the basis of a false accusation is worth a look.
    if [[ $kind == sound && $status == 1 ]]; then mkdir -p "$kept" && cp -r "$work/runs/$kind-$seed" "$kept"; fi
    rm -rf "$work/runs/$kind-$seed"
}
export -f drill
export bin work kept

# Runs the drills of one kind and counts their verdicts: passed, failed, inconclusive.
series() {
    local kind=$1 file=$2 set=$3
    seq 1 "$drills" | xargs -P "$jobs" -I{} bash -c 'drill "$@"' _ "$kind" "$file" {} "$set"
    passed=$(grep -c ': 0  ' "$work/$kind" || true)
    failed=$(grep -c ': 1  ' "$work/$kind" || true)
    unclear=$(grep -c ': 3  ' "$work/$kind" || true)
    echo "$kind: $drills drills beside $burners burners: $passed passed, $failed failed, $unclear inconclusive," \
        "$((drills - passed - failed - unclear)) not carried out"
    grep -v ': 0  ' "$work/$kind" | sort | sed 's/.*: [0-9]*  //' | sort | uniq -c | sort -rn | head -5 || true
}

bad=0
series sound short-outage ""
((failed == 0)) || { bad=1; grep ': 1  ' "$work/sound"; }
((burners != 1 || unclear * 5 <= drills)) || bad=1
series loss short-outage "--set store.policy=degrade"
((failed * 100 >= (passed + failed) * 95)) || { bad=1; grep ': 0  ' "$work/loss"; }
series sleeper asleep "--set store.defect=blocks-its-executor"
((passed == 0)) || { bad=1; grep ': 0  ' "$work/sleeper"; }
exit $bad
