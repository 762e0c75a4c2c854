# shellcheck shell=bash
# Makes .venv, or brings it up to date. Sourced by the scripts that need it, which then call
#
#     bootstrap ROOT [dev]
#
# When .venv is what it should be, that takes some milliseconds. Otherwise: a venv of the standard
# library; uv, from PATH or by pip; the locked packages with their bytecode; this clone as an
# editable installation. A stamp, written last, tells a whole .venv from an interrupted one.
# Messages go to stderr: stdout is the caller's. It is longer than a script here should be, because
# it runs before there is a Python to run anything better in.

OLDEST_MINOR=11
NEWEST_MINOR=14
# Network errors of uv and pip, in their own words.
NETWORK_ERRORS='dns error|error sending request|failed to fetch|failed to download|client error'
NETWORK_ERRORS="$NETWORK_ERRORS|connection|timed out|unreachable|name resolution|no matching distr"

bootstrap() {
    ROOT=$1 WANTED=${2:-plain} CHILD=''
    VENV=$ROOT/.venv STAMP=$ROOT/.venv/.ml-pipeline
    LOCK=$ROOT/airflow_home/run/bootstrap.lock LOG=$ROOT/airflow_home/logs/bootstrap.log
    ! is_current || return 0
    check_folder
    (umask 077 && mkdir -p "${LOCK%/*}" "${LOG%/*}")
    trap release_lock EXIT
    trap 'interrupt 1' HUP
    trap 'interrupt 2' INT
    trap 'interrupt 15' TERM
    take_lock
    is_current || set_up
    release_lock
    trap - EXIT HUP INT TERM
}

# --- What .venv is --------------------------------------------------------------------------------

# Whether .venv is whole, and made for this folder, these locks and this Python.
is_current() {
    read_stamp && [ "$stamped_root" = "$ROOT" ] && has_same_python && has_same_packages
}

# Whether the Python that .venv was made with still runs, and is the one that is asked for.
has_same_python() {
    [ "$(python_version "$VENV/bin/python")" = "$stamped_python" ] || return 1
    [ -z "${ML_PIPELINE_PYTHON:-}" ] ||
        [ "$(python_version "$ML_PIPELINE_PYTHON")" = "$stamped_python" ]
}

# Whether .venv holds the locked packages. One for development also serves for use, so that the two
# do not undo each other's work.
has_same_packages() {
    [ "$stamped_packages" = "$(checksum_packages)" ] || return 1
    [ "$WANTED" != dev ] || [ "$stamped_dev" = "$(checksum_dev)" ]
}

read_stamp() {
    stamped_root='' stamped_python='' stamped_packages='' stamped_dev=none
    [ -f "$STAMP" ] || return 1
    {
        IFS= read -r stamped_root
        IFS= read -r stamped_python
        IFS= read -r stamped_packages
        IFS= read -r stamped_dev
    } <"$STAMP"
}

write_stamp() {
    local dev=none
    [ "$WANTED" != dev ] || dev=$(checksum_dev)
    printf '%s\n' "$ROOT" "$(python_version "$VENV/bin/python")" "$(checksum_packages)" "$dev" \
        >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
}

checksum_packages() {
    cat "$ROOT/requirements.txt" "$ROOT/pyproject.toml" | cksum
}

checksum_dev() {
    cksum <"$ROOT/requirements-dev.txt"
}

# --- Which Python ---------------------------------------------------------------------------------

# Print a Python's version, such as 3.11; nothing when it does not run.
python_version() {
    "$1" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || :
}

is_supported() {
    case $1 in
        3.[0-9] | 3.[0-9][0-9]) [ "${1#3.}" -ge "$OLDEST_MINOR" ] && [ "${1#3.}" -le "$NEWEST_MINOR" ] ;;
        *) return 1 ;;
    esac
}

# Print the Python that a virtual environment's Python was made from, or the Python itself.
base_python() {
    "$1" -I -S -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))'
}

# Set `python` to the first one that will do.
find_python() {
    local name version found=''
    for name in "${ML_PIPELINE_PYTHON:-python3}" python3.13 python3.12 python3.14 python3.11; do
        version=$(python_version "$name")
        if is_supported "$version"; then
            python=$(base_python "$name")
            return
        fi
        [ -z "$version" ] || found="${found:+$found, }$name is $version"
        [ -z "${ML_PIPELINE_PYTHON:-}" ] ||
            fail "ML_PIPELINE_PYTHON=$name is ${version:-no Python that runs};" \
                "3.$OLDEST_MINOR to 3.$NEWEST_MINOR will do."
    done
    fail "Python 3.$OLDEST_MINOR to 3.$NEWEST_MINOR is needed; found ${found:-none}. Install one" \
        "(Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13)," \
        "or name one: ML_PIPELINE_PYTHON=/path/to/python3."
}

# --- Making it ------------------------------------------------------------------------------------

# Airflow expands $ and % in its home's path, and PATH is split at colons.
check_folder() {
    case $ROOT in
        *[\$%:]*) fail "$ROOT: the folder's path must hold no \$, % or colon. Move it." ;;
    esac
}

set_up() {
    : >"$LOG"
    read_stamp || :
    [ "$stamped_dev" = none ] || WANTED=dev
    choose_python
    if [ "$(python_version "$python")" != "$stamped_python" ]; then
        say "Setting up .venv with Python $(python_version "$python"): once, about a minute …"
        rm -rf "$VENV"
    elif has_same_packages; then
        say "Mending .venv: the folder was moved or copied, or its Python …"
    else
        say "Updating .venv to the locked packages …"
    fi
    make_venv
    has_same_packages || install_packages
    install_project
    provide_realpath
    write_stamp
}

choose_python() {
    if has_same_python && [ -n "$stamped_python" ]; then
        python=$(base_python "$VENV/bin/python")
    else
        find_python
    fi
}

make_venv() {
    # Links that are there would be kept, wherever they lead.
    rm -f "$VENV/bin/python" "$VENV/bin/python3" "$VENV/bin/python$stamped_python"
    "$python" -m venv --without-pip "$VENV" >>"$LOG" 2>&1 ||
        fail "$python cannot make a virtual environment: $(tail -n 1 "$LOG")." \
            "Debian, Ubuntu: apt install python3-venv."
    # Then uv writes programs that find their Python beside themselves, wherever the folder is.
    echo 'relocatable = true' >>"$VENV/pyvenv.cfg"
}

install_packages() {
    local lock=$ROOT/requirements.txt
    [ "$WANTED" != dev ] || lock=$ROOT/requirements-dev.txt
    rm -f "$STAMP" # a half-installed package looks whole: without the stamp all is made anew
    [ -x "$VENV/bin/uv" ] || install_uv
    run_step "installing $(grep -c '==' "$lock") packages" run_uv \
        pip sync --require-hashes --compile-bytecode "$lock" || fail_to_install
}

# A lock without its build tools could not be installed without a network later on.
install_project() {
    run_step "installing this folder" run_uv pip install --offline --no-deps --no-build-isolation \
        --reinstall-package ml-pipeline --editable "$ROOT" || fail_to_install
}

# Install the locked uv: with any uv that is there, or else with pip.
install_uv() {
    local lock=$VENV/uv.txt
    awk '/^uv==/ { is_uv = 1 } is_uv { print } is_uv && !/\\$/ { exit }' \
        "$ROOT/requirements.txt" >"$lock"
    if command -v uv >/dev/null; then
        ! run_step "installing uv" run_uv pip install --no-deps --require-hashes -r "$lock" ||
            return 0
    fi
    find_pip
    run_step "installing uv" run_pip install --no-deps --require-hashes -r "$lock" ||
        fail_to_install
}

# Give .venv a pip, or set PIP_FROM to a Python whose pip can work for .venv.
find_pip() {
    PIP_FROM=$VENV/bin/python
    if "$python" -I -c 'import ensurepip' 2>/dev/null; then
        run_step "installing pip" in_clean_environment "$PIP_FROM" -I -m ensurepip ||
            fail_to_install
    elif "$python" -I -m pip --version >/dev/null 2>&1; then
        PIP_FROM=$python
    else
        fail "$python has neither ensurepip nor pip, and there is no uv." \
            "Debian, Ubuntu: apt install python3-venv."
    fi
}

run_pip() {
    in_clean_environment "$PIP_FROM" -I -m pip --python "$VENV/bin/python" "$@"
}

run_uv() {
    local uv=$VENV/bin/uv
    [ -x "$uv" ] || uv=uv
    adopt_pip_settings
    in_clean_environment "$uv" "$@" --python "$VENV/bin/python"
}

# Become a program that installs into .venv, whatever the caller's variables point to. Mirrors,
# caches, certificates and proxies of the user stay.
in_clean_environment() {
    unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
    unset PIP_CONSTRAINT PIP_NO_BINARY PIP_PREFIX PIP_PYTHON PIP_ROOT PIP_TARGET PIP_USER
    unset UV_BREAK_SYSTEM_PACKAGES UV_BUILD_CONSTRAINT UV_CONSTRAINT UV_EXCLUDE UV_EXCLUDE_NEWER \
        UV_MANAGED_PYTHON UV_NO_BINARY UV_NO_BINARY_PACKAGE UV_NO_MANAGED_PYTHON UV_OVERRIDE \
        UV_PROJECT UV_PROJECT_ENVIRONMENT UV_PYTHON UV_PYTHON_PREFERENCE UV_REQUIRE_HASHES \
        UV_SYSTEM_PYTHON UV_TARGET UV_WORKING_DIRECTORY UV_WORKING_DIR
    # airflow_postgresql_env.sh sets it on macOS; here it would hide the system's own proxy.
    [ "$(uname -s)" != Darwin ] || [ "${no_proxy:-}" != '*' ] || unset no_proxy
    exec "$@"
}

# uv does not read pip's settings: hand it the user's package index, certificates and proxy.
adopt_pip_settings() {
    local settings index
    settings=$("$python" -m pip config list 2>/dev/null) || settings=''
    index=$(pip_setting index-url)
    [ -z "$index" ] || has_uv_index || export UV_DEFAULT_INDEX="$index"
    [ -n "${SSL_CERT_FILE:-}" ] || SSL_CERT_FILE=$(pip_setting cert)
    [ -z "$SSL_CERT_FILE" ] || export SSL_CERT_FILE
    [ -n "${ALL_PROXY:-}${all_proxy:-}" ] || ALL_PROXY=$(pip_setting proxy)
    [ -z "${ALL_PROXY:-}" ] || export ALL_PROXY
}

# Print one of pip's settings, from PIP_* or else from its files.
pip_setting() {
    printf '%s\n' "$settings" | sed -En "s/^(:env:|global|install)\.$1='(.*)'\$/\2/p" | head -n 1
}

has_uv_index() {
    [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}${UV_INDEX:-}${UV_CONFIG_FILE:-}" ] ||
        [ -f "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" ] || [ -f /etc/uv/uv.toml ]
}

# uv's relocatable programs call realpath, which macOS lacks before version 13.
provide_realpath() {
    command -v realpath >/dev/null && return
    cat >"$VENV/bin/realpath" <<'REALPATH'
#!/bin/sh
exec "${0%/*}/python" -I -S -c 'import os, sys; print(os.path.realpath(sys.argv[-1]))' "$@"
REALPATH
    chmod +x "$VENV/bin/realpath"
}

# --- Steps, signals, the lock ---------------------------------------------------------------------

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
    [ ! -t 2 ] || printf '\r' >&2
    [ "$status" -ne 0 ] || say "  $text: $((SECONDS - started)) s"
    return "$status"
}

fail_to_install() {
    if grep -Eiq "$NETWORK_ERRORS" "$LOG"; then
        fail "the packages cannot be downloaded; setting up needs the network, later starts do not." \
            "Check the connection (proxy, package index) and start again. Details: $LOG"
    fi
    fail "$(grep -v '^ *$' "$LOG" | tail -n 3) (all of it: $LOG)"
}

interrupt() {
    trap '' HUP INT TERM
    [ -z "$CHILD" ] || kill "$CHILD" 2>/dev/null || :
    wait
    say "Interrupted; the next start goes on from here."
    exit $((128 + $1))
}

# The lock is a symbolic link that names its owner: made in one step, and readable at once.
take_lock() {
    local owner told=''
    until ln -s "$(identity $$)" "$LOCK" 2>/dev/null; do
        owner=$(readlink "$LOCK") || continue
        if [ "$(identity "${owner%%@*}")" != "$owner" ]; then
            steal_lock "$owner"
            continue
        fi
        [ -n "$told" ] || say "Process ${owner%%@*} is setting up this folder: waiting for it …"
        told=1
        sleep 1
    done
}

# Print a process's number and, where ps can tell, when it started: numbers are used again.
identity() {
    local started
    started=$(LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _) || started=''
    kill -0 "$1" 2>/dev/null && printf '%s@%s' "$1" "$started"
}

# Of two that find a dead owner's lock, one may hold the other's new one: it gives that back.
steal_lock() {
    local taken=$LOCK.$$
    mv "$LOCK" "$taken" 2>/dev/null || return 0
    if [ "$(readlink "$taken")" = "$1" ]; then
        rm -f "$taken"
    else
        mv "$taken" "$LOCK"
    fi
}

release_lock() {
    [ "$(readlink "$LOCK" 2>/dev/null)" != "$(identity $$)" ] || rm -f "$LOCK"
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}
