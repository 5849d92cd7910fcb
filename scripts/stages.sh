# Source this file: it runs a script's work in stages and reports at the end how long each took, how much processor time of its
# own, what share of the machine was idle meanwhile (more may run at once there), and how much of the disk is left.
#   stage NAME COMMAND...     continues when the command fails; `close` then fails

stage_lines=()
stage_failed=0
stage_began=$SECONDS

# Ticks: idle of all cores and all since the machine started, and those of this script's children that have ended (man 5
# proc). Zeros where there are no such files.
stage_ticks() {
    local _ user nice system idle iowait irq softirq steal own
    { read -r _ user nice system idle iowait irq softirq steal _ </proc/stat && read -r own </proc/$$/stat; } 2>/dev/null ||
        { echo 0 0 0; return; }
    read -r -a own <<<"${own##*) }"
    echo $((idle + iowait)) $((user + nice + system + idle + iowait + irq + softirq + steal)) $((own[13] + own[14]))
}

stage() {
    local name=$1 began=$SECONDS status=ok ticks_before ticks_after
    read -r -a ticks_before <<<"$(stage_ticks)"
    shift
    printf '\n=== %s\n' "$name"
    "$@" || { status="FAILED ($?)"; stage_failed=1; }
    local took=$((SECONDS - began))
    read -r -a ticks_after <<<"$(stage_ticks)"
    local all=$((ticks_after[1] - ticks_before[1])) own=$((ticks_after[2] - ticks_before[2])) used=""
    [ $all -le 0 ] || used=", $((own / $(getconf CLK_TCK))) s of CPU, $((100 * (ticks_after[0] - ticks_before[0]) / all)) % idle"
    stage_lines+=("$(printf '%-24s %3d min %2d s   %s%s' "$name" $((took / 60)) $((took % 60)) "$status" "$used")")
}

close() {
    local took=$((SECONDS - stage_began))
    printf '\n=== %s\n' "$1"
    printf '%s\n' "${stage_lines[@]}"
    printf '%-24s %3d min %2d s   %s of disk left\n' "together" $((took / 60)) $((took % 60)) "$(df -Ph . | awk 'NR == 2 { print $4 }')"
    return $stage_failed
}
