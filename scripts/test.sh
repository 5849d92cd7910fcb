#!/usr/bin/env bash
# Runs the tests stage by stage, and counts the drills that were repeated because the machine held them up.
#   scripts/test.sh [ci|all|3/16]   shipped scenarios tagged ci (default), all, or also the third of sixteen shares of the rest
# Fails if a test fails, or if more than 5 % of the drills were repeated although the machine did nothing else.
# TESTS_BESIDE is a command that runs at the lowest priority next to the suites that mostly wait. It ends before the drills begin,
# as do the suites that compute.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stages.sh

export FIREDRILL_TEST_SCENARIOS=${1:-ci}
export FIREDRILL_TEST_DRILLS=${TMPDIR:-/tmp}/firedrill-drills.$$
trap 'rm -f "$FIREDRILL_TEST_DRILLS" "$FIREDRILL_TEST_DRILLS".*' EXIT
: >"$FIREDRILL_TEST_DRILLS"

# Tests that take the whole machine for a minute run with all scenarios only.
long=""
[ "$FIREDRILL_TEST_SCENARIOS" != all ] || long=--include-ignored

# Always of the whole workspace: with `-p`, Cargo chooses other features and compiles up to a hundred crates again.
of_workspace() { cargo test --color never --locked --no-fail-fast --workspace "$@"; }

build() {
    of_workspace --quiet --no-run || return
    built=$(of_workspace --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
}

# Runs suites of the package in a folder: suites FOLDER NAME... They are those of the one build: for `cargo test --test NAME`
# Cargo looks only at the packages that have such a suite, chooses other features, and compiles some seventy crates again.
suites() {
    local folder=$1 name binary failed=""
    shift
    for name; do
        binary=$(realpath "$(grep "/$name-[0-9a-f]*$" <<<"$built")") || return
        (cd "$folder" && "$binary" --quiet $long) || failed+=" $name"
    done
    [ -z "$failed" ] || { echo "failed:$failed. For one test: cargo test --workspace --test SUITE -- NAME"; return 1; }
}

# Starts a command, which prints into a file: in_background NAME COMMAND...
declare -A running
in_background() {
    local name=$1
    shift
    "$@" >"$FIREDRILL_TEST_DRILLS.$name" 2>&1 &
    running[$name]=$!
}

# Waits for what runs under these names, and prints what it said.
ends() {
    local failed=0 name
    for name; do
        wait "${running[$name]}" || failed=1
        unset "running[$name]"
        cat "$FIREDRILL_TEST_DRILLS.$name"
    done
    return $failed
}

# How long a loop takes, in milliseconds of processor time: about 1200 on a fast machine.
loop_time() {
    local times
    times=$( (TIMEFORMAT=%U; time for ((i = 0; i < 1000000; i++)); do :; done) 2>&1)
    echo "${times/./}"
}

# The share of the machine, in percent, that others use.
used_by_others() {
    local _ user nice system idle iowait irq softirq steal busy all
    read -r _ user nice system idle iowait irq softirq steal _ </proc/stat
    busy=$((user + nice + system + irq + softirq + steal)) all=$((busy + idle + iowait))
    sleep 1
    read -r _ user nice system idle iowait irq softirq steal _ </proc/stat
    busy=$((user + nice + system + irq + softirq + steal - busy)) all=$((user + nice + system + irq + softirq + steal + idle + iowait - all))
    echo $((100 * busy / (all > 0 ? all : 1)))
}

# Drills mostly wait. A fast machine bears half as many more at once, and some more if it does nothing else; on a slow one they
# would hold one another up.
FAST=1600
QUIET=20
took=$(loop_time)
used=$(used_by_others)
places=12
[ "$took" -gt "$FAST" ] || places=18
[ "$took" -gt "$FAST" ] || [ "$used" -gt "$QUIET" ] || places=22
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
echo "a loop takes $took ms, others use $used % of the machine: $places places for drills"

# Suites of the harness whose drills have the machine to themselves.
alone() {
    local -x FIREDRILL_TEST_PLACES=${FIREDRILL_TEST_PLACES:-$places} RUST_TEST_THREADS=$((RUST_TEST_THREADS * places / 12))
    suites harness "$@"
}

# These mostly wait, for servers that start, stop and fail over: more of them run at once, unless a build takes the rest of the
# machine and would hold their drills up.
labs() {
    [ -n "${TESTS_BESIDE:-}" ] || local -x FIREDRILL_TEST_PLACES=18 RUST_TEST_THREADS=$((2 * RUST_TEST_THREADS))
    suites harness labs
}

storage_faults() {
    local failed=0
    suites storage suite || failed=1
    suites harness faults || failed=1
    return $failed
}

side_by_side() {
    in_background labs labs
    in_background storage_faults storage_faults
    ends labs storage_faults
}

# And these compute. They give way, so that no drill beside them is held up. The unit tests start processes too, and wait for
# them only so long: they are not among these.
computing() {
    local failed=0
    renice -n 15 -p "$BASHPID" >/dev/null
    suites reports reports || failed=1
    suites harness/capacity simulated || failed=1
    suites storage/sim simulator || failed=1
    suites harness/proxy proxy process || failed=1
    return $failed
}

# Ticks of all cores since the machine started, of this script's children, and those withheld by the hypervisor:
# busy idle steal own (man 5 proc).
ticks() {
    local _ user nice system idle iowait irq softirq steal stat
    read -r _ user nice system idle iowait irq softirq steal _ </proc/stat
    read -r stat </proc/$$/stat
    read -r -a stat <<<"${stat##*) }"
    echo $((user + nice + system + irq + softirq)) $((idle + iowait)) "$steal" $((stat[13] + stat[14]))
}

drills_run_again() {
    awk -F '\t' -v before="$before" -v after="$(ticks)" '
        { count[$1]++ }
        $1 != "done" { times[$2]++ }
        $1 == "done" && $3 != "" && (!($2 in steady) || $3 < steady[$2]) { steady[$2] = $3 }
        END {
            split(before, b, " "); split(after, a, " ")
            all = (a[1] - b[1]) + (a[2] - b[2]) + (a[3] - b[3])
            others = ((a[1] - b[1]) - (a[4] - b[4])) / all; steal = (a[3] - b[3]) / all
            quiet = others <= 0.10 && steal <= 0.02
            ended = count["done"] + count["saturated"]
            share = ended ? count["again"] / ended : 0
            printf "%d drills, %d run again (%.1f %%; at most 5 %% on a quiet machine)\n", ended, count["again"], 100 * share
            for (name in times) printf "  %s: the machine held it up, %d x\n", name, times[name]
            if (count["saturated"]) printf "%d stayed so, and failed\n", count["saturated"]
            # A drill that was hardly steady again when its load ended will be inconclusive one day.
            for (name in steady) if (steady[name] < 1200) printf "  %s: steady again %d ms before its load ended\n", name, steady[name]
            printf "other programs took %.1f %% of the machine, its host %.1f %%: %s\n", 100 * others, 100 * steal, \
                quiet ? "quiet" : "not quiet, so the share decides nothing"
            exit quiet && share > 0.05
        }' "$FIREDRILL_TEST_DRILLS"
}

stage "build the tests" build
before=$(ticks)
in_background computing computing
[ -z "${TESTS_BESIDE:-}" ] || in_background beside nice -n 19 bash -c "$TESTS_BESIDE"
# Rustc finds some cycles only where it optimises, as people run the harness; the tests use it unoptimised, which builds in a
# third of the time.
optimised() { cargo --config profile.dev.package.firedrill.opt-level=1 test --quiet --workspace --examples --locked --no-run; }
[ -z "$long" ] || stage "the harness optimised" optimised
stage "unit" of_workspace --quiet --lib --bins --examples
stage "examples in the docs" of_workspace --quiet --doc
stage "suites side by side" side_by_side
stage "command" alone command
stage "what computed beside" ends "${!running[@]}"
stage "drills ($FIREDRILL_TEST_SCENARIOS)" alone drills
stage "drills run again" drills_run_again
close "tests"
