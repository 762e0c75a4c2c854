# shellcheck shell=bash
# uv, pip, and the packages that they install into .venv. Part of bootstrap.sh, which sources it.

# Network errors of uv and pip, in their own words.
NETWORK_ERRORS='dns error|error sending request|failed to fetch|failed to download|client error'
NETWORK_ERRORS="$NETWORK_ERRORS|connection|timed out|unreachable|name resolution|no matching distr"

install_packages() {
    local lock=$ROOT/requirements.txt
    [ "$WANTED" != dev ] || lock=$ROOT/requirements-dev.txt
    rm -f "$STAMP" # a half-installed package looks whole: without the stamp all is made anew
    [ -x "$VENV/bin/uv" ] || install_uv
    run_step "installing $(grep -c '==' "$lock") packages" download_with_uv \
        pip sync --require-hashes --compile-bytecode "$lock" || fail_to_install
}

# A lock without its build tools could not be installed without a network later on.
install_project() {
    run_step "installing this folder" run_uv pip install --offline --no-deps --no-build-isolation \
        --reinstall-package ml-pipeline --editable "$ROOT" || fail_to_install
    point_beside
}

# Let .venv find the package from where it lies itself: then a folder that was moved or copied works
# before it is mended, and a copy never acts on what it was copied from.
point_beside() {
    local file
    for file in "$VENV"/lib/python3.*/site-packages/*ml_pipeline.pth; do
        echo ../../../../src >"$file"
    done
}

# Install the locked uv: with any uv that is there, or else with pip.
install_uv() {
    local lock=$VENV/uv.txt
    awk '/^uv==/ { is_uv = 1 } is_uv { print } is_uv && !/\\$/ { exit }' \
        "$ROOT/requirements.txt" >"$lock"
    if command -v uv >/dev/null; then
        ! run_step "installing uv" download_with_uv \
            pip install --no-deps --require-hashes -r "$lock" || return 0
    fi
    find_pip
    run_step "installing uv" run_pip install --no-deps --require-hashes -r "$lock" ||
        fail_to_install
}

# Give .venv a pip, or set PIP_FROM to a Python whose pip can work for .venv.
find_pip() {
    PIP_FROM=$VENV/bin/python
    if "$BASE_PYTHON" -I -c 'import ensurepip' 2>/dev/null; then
        run_step "installing pip" in_clean_environment "$PIP_FROM" -I -m ensurepip ||
            fail_to_install
        rm -f "$VENV"/bin/pip* # unlike `python -m pip` they name this folder, and it may be moved
    elif "$BASE_PYTHON" -I -m pip --version >/dev/null 2>&1; then
        PIP_FROM=$BASE_PYTHON
    else
        fail "$BASE_PYTHON has neither ensurepip nor pip, and there is no uv." \
            "Debian, Ubuntu: apt install python3-venv."
    fi
}

run_pip() {
    in_clean_environment "$PIP_FROM" -I -m pip --python "$VENV/bin/python" "$@"
}

download_with_uv() {
    adopt_pip_settings
    run_uv "$@"
}

run_uv() {
    local uv=$VENV/bin/uv
    [ -x "$uv" ] || uv=uv
    # With the project named, the settings (uv.toml) of the current folder do not count.
    in_clean_environment "$uv" "$@" --project "$ROOT" --python "$VENV/bin/python"
}

# Become a program that installs into .venv, whatever the caller's variables ask for.
in_clean_environment() {
    local name
    for name in $(env | sed -En 's/^((PIP|UV)_[A-Za-z0-9_]+)=.*/\1/p'); do
        is_about_downloading "$name" || unset "$name"
    done
    unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
    # airflow_postgresql_env.sh sets it on macOS; here it would hide the system's own proxy.
    [ "$(uname -s)" != Darwin ] || [ "${no_proxy:-}" != '*' ] || unset no_proxy
    exec "$@"
}

# Whether a setting of uv or pip says where packages come from and how, not what to install where.
is_about_downloading() {
    case $1 in
        *_INDEX* | *_FIND_LINKS | *_CACHE* | *_CONFIG* | *_TIMEOUT | *_RETRIES | *_OFFLINE) ;;
        *_CERT* | *_TLS | *_HOST | *_PROXY | *_KEYRING_PROVIDER | UV_HTTP* | PIP_USE_*) ;;
        UV_CONCURRENT_* | UV_LINK_MODE) ;;
        *) return 1 ;;
    esac
}

# uv does not read pip's settings: hand it the user's package index, certificates and proxy.
adopt_pip_settings() {
    local settings index
    settings=$("$BASE_PYTHON" -m pip config list 2>/dev/null) || settings=''
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

fail_to_install() {
    if grep -Eiq "$NETWORK_ERRORS" "$LOG"; then
        fail "the packages cannot be downloaded; setting up needs the network, later starts do not." \
            "Check the connection (proxy, package index) and start again. Details: $LOG"
    fi
    fail "$(grep -v '^ *$' "$LOG" | tail -n 3) (all of it: $LOG)"
}
