# shellcheck shell=bash
# One bootstrap at a time, its long steps and its messages. Part of bootstrap.sh, which sources it.
# Messages go to stderr: stdout is the caller's.

CHILD=''

# Wait until nobody else sets up this folder; then let no signal leave anything running or locked.
begin_alone() {
    trap release_lock EXIT
    trap 'interrupt 1' HUP
    trap 'interrupt 2' INT
    trap 'interrupt 15' TERM
    take_lock
}

end_alone() {
    release_lock
    trap - EXIT HUP INT TERM
}

interrupt() {
    trap '' HUP INT TERM
    [ -z "$CHILD" ] || kill "$CHILD" 2>/dev/null || :
    wait
    say "Interrupted; the next start goes on from here."
    exit $((128 + $1))
}

# Run what lasts, in the background so that a signal is heeded at once; show that time goes by.
run_step() {
    local text=$1 started=$SECONDS status=0
    shift
    "$@" >>"$LOG" 2>&1 &
    CHILD=$!
    while [ -t 2 ] && kill -0 "$CHILD" 2>/dev/null; do
        printf '\r  %s … %d s' "$text" $((SECONDS - started)) >&2
        sleep 0.2
    done
    wait "$CHILD" || status=$?
    CHILD=''
    [ ! -t 2 ] || printf '\r%*s\r' $((${#text} + 12)) '' >&2 # wipe out what told the time
    [ "$status" -ne 0 ] || say "  $text: $((SECONDS - started)) s"
    return "$status"
}

# The lock is a symbolic link that names its owner: made in one step, and readable at once.
take_lock() {
    local owner error told='' vain=0
    until error=$(ln -s "$(identity $$)" "$LOCK" 2>&1); do
        if ! owner=$(readlink "$LOCK"); then # given back in the meantime, or a full disk
            vain=$((vain + 1))
            [ "$vain" -lt 20 ] || fail "$error"
        elif ! is_alive "$owner"; then
            remove_lock_of "$owner"
        else
            [ -n "$told" ] || say "Process ${owner%%@*} is setting up this folder: waiting for it …"
            told=1
            sleep 1
        fi
    done
}

# The right to remove a dead owner's lock is a lock too, with that owner's name: of several that
# find it, one removes it, and a slow one cannot remove the next owner's.
remove_lock_of() {
    local right=$LOCK.$1
    if ln -s "$(identity $$)" "$right" 2>/dev/null; then
        [ "$(readlink "$LOCK")" != "$1" ] || rm -f "$LOCK"
        rm -f "$right"
    elif ! is_alive "$(readlink "$right")"; then
        rm -f "$right"
    fi
}

release_lock() {
    case $(readlink "$LOCK" 2>/dev/null) in
        "$$@"*) rm -f "$LOCK" ;;
    esac
}

is_alive() {
    [ -z "$1" ] || [ "$(identity "${1%%@*}")" = "$1" ]
}

# Print a process's number and when it started, as numbers are used again; nothing when it is dead,
# also when only its parent does not know it yet.
identity() {
    if [ -r /proc/self/stat ]; then
        identity_by_proc "$1"
    else
        identity_by_ps "$1"
    fi
}

# On Linux ps computes the start from a clock that may be set in the meantime: use the ticks.
identity_by_proc() {
    local pid=$1 stat
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # what follows the name: the state, and 19 words on the start
    set -- ${stat##*) }
    [ "$1" != Z ] && printf '%s@%s' "$pid" "${20}"
}

identity_by_ps() {
    local pid=$1 stat
    stat=$(LC_ALL=C ps -o stat= -o lstart= -p "$pid" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # the state, and five words of a date
    set -- $stat
    [ "${1#Z}" = "$1" ] && printf '%s@%s' "$pid" "$3-$4-$5-$6"
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}
