# shellcheck shell=bash
# Makes .venv, or brings it up to date. Sourced by the scripts that need it, which then call
#
#     bootstrap ROOT [dev]
#
# When .venv is what it should be, that takes some milliseconds. Otherwise: a venv of the standard
# library; uv, from PATH or by pip; the locked packages with their bytecode; this clone as an
# editable installation. A stamp, written last, tells a whole .venv from an interrupted one.
# Beside it, in the order of use:
#
#     bootstrap_steps.sh       one bootstrap at a time, interrupted at any time; what it says
#     bootstrap_python.sh      which Python
#     bootstrap_packages.sh    uv, pip and the packages

# shellcheck source=scripts/bootstrap_steps.sh
. "${BASH_SOURCE[0]%/*}/bootstrap_steps.sh"
# shellcheck source=scripts/bootstrap_python.sh
. "${BASH_SOURCE[0]%/*}/bootstrap_python.sh"
# shellcheck source=scripts/bootstrap_packages.sh
. "${BASH_SOURCE[0]%/*}/bootstrap_packages.sh"

bootstrap() {
    ROOT=$1 WANTED=${2:-plain}
    VENV=$ROOT/.venv STAMP=$ROOT/.venv/.ml-pipeline
    LOCK=$ROOT/airflow_home/run/bootstrap.lock LOG=$ROOT/airflow_home/logs/bootstrap.log
    ! is_current || return 0
    check_folder
    begin_alone
    is_current || set_up
    end_alone
}

# --- What .venv is --------------------------------------------------------------------------------

# Whether .venv is whole, and made for this folder, these locks and this Python.
is_current() {
    read_stamp && [ "$stamped_root" = "$ROOT" ] && has_same_python && has_same_packages
}

# Whether the Python that .venv was made with still runs here, and is the one that is asked for.
has_same_python() {
    [ -n "$stamped_python" ] || return 1
    [ "$(python_kind "$VENV/bin/python")" = "$stamped_python" ] || return 1
    [ -z "${ML_PIPELINE_PYTHON:-}" ] || [ "$(python_kind "$ML_PIPELINE_PYTHON")" = "$stamped_python" ]
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
    printf '%s\n' "$ROOT" "$(python_kind "$VENV/bin/python")" "$(checksum_packages)" "$dev" \
        >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
}

checksum_packages() {
    cat "$ROOT/requirements.txt" "$ROOT/pyproject.toml" | cksum
}

checksum_dev() {
    cksum <"$ROOT/requirements-dev.txt"
}

# --- Making it ------------------------------------------------------------------------------------

check_folder() {
    # Airflow expands $ and % in its home's path, and PATH is split at colons.
    case $ROOT in
        *[\$%:]*) fail "$ROOT: the folder's path must hold no \$, % or colon. Move it." ;;
    esac
    (umask 077 && mkdir -p "${LOCK%/*}" "${LOG%/*}" 2>/dev/null) || :
    [ -w "$ROOT" ] && [ -w "${LOCK%/*}" ] && [ -w "${LOG%/*}" ] ||
        fail "$(id -un) cannot write in $ROOT. Start as the user whose folder it is," \
            "or clone the project into a folder of your own."
}

set_up() {
    : >"$LOG"
    read_stamp || :
    [ "$stamped_dev" = none ] || WANTED=dev
    choose_python
    if [ "$(python_kind "$BASE_PYTHON")" != "$stamped_python" ]; then
        say "Setting up .venv with Python $(python_version "$BASE_PYTHON"): once, about a minute …"
        remove_venv
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

remove_venv() {
    rm -f "$STAMP" # first: what is half removed must not look whole
    read_stamp || :
    rm -rf "$VENV"
}

# Set BASE_PYTHON to the one that .venv was made from, or else to the first that will do.
choose_python() {
    if has_same_python; then
        BASE_PYTHON=$(base_python "$VENV/bin/python")
    else
        find_python
    fi
}

make_venv() {
    # Links that are there would be kept, wherever they lead.
    rm -f "$VENV/bin/python" "$VENV/bin/python3" "$VENV/bin/python${stamped_python%% *}"
    "$BASE_PYTHON" -m venv --without-pip "$VENV" >>"$LOG" 2>&1 ||
        fail "$BASE_PYTHON cannot make a virtual environment: $(tail -n 1 "$LOG")." \
            "Debian, Ubuntu: apt install python3-venv."
    # Then uv writes programs that find their Python beside themselves, wherever the folder is.
    echo 'relocatable = true' >>"$VENV/pyvenv.cfg"
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
