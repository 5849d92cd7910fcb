# Source this file: it runs a script's work in stages and reports at the end how long each took.
#   stage NAME COMMAND...     continues when the command fails; `close` then fails

stage_lines=()
stage_failed=0
stage_began=$SECONDS

stage() {
    local name=$1 began=$SECONDS status=ok
    shift
    printf '\n=== %s\n' "$name"
    "$@" || { status="FAILED ($?)"; stage_failed=1; }
    local took=$((SECONDS - began))
    stage_lines+=("$(printf '%-24s %3d min %2d s   %s' "$name" $((took / 60)) $((took % 60)) "$status")")
}

close() {
    local took=$((SECONDS - stage_began))
    printf '\n=== %s\n' "$1"
    printf '%s\n' "${stage_lines[@]}"
    printf '%-24s %3d min %2d s\n' "together" $((took / 60)) $((took % 60))
    return $stage_failed
}
