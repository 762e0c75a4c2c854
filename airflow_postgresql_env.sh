# shellcheck shell=bash
# The environment of this clone, for bash (3.2 or newer) and zsh:
#
#     source airflow_postgresql_env.sh
#
# What belongs to the clone (its folders, database, secrets, addresses) is always set here, and what
# another project exported for them is dropped, so that no stray variable leads to somebody else's
# database. ML_PIPELINE_* and tuning variables (AIRFLOW__SCHEDULER__*, AIRFLOW__CORE__PARALLELISM …)
# of the caller win over the file .env, and both over airflow_home/airflow.cfg.
#
# Secrets do not enter the environment: Airflow runs the *_CMD variables when it needs one.

if [ -z "${BASH_VERSION:-}${ZSH_VERSION:-}" ]; then
    echo "airflow_postgresql_env.sh: source it from bash or zsh." >&2
    return 1
fi

_ml_pipeline_environment() {
    # The user's shell options (and in zsh: word splitting, globbing) must not bend what follows.
    [ -z "${ZSH_VERSION:-}" ] || emulate -L sh
    local IFS=$' \t\n' home came_from="${ML_PIPELINE_HOME:-}"
    home=$(_ml_pipeline_folder) && [ -f "$home/airflow_postgresql_env.sh" ] || {
        echo "airflow_postgresql_env.sh: source it where it lies, in its clone." >&2
        return 1
    }
    _ml_pipeline_forget_env_file
    _ml_pipeline_drop_foreign
    _ml_pipeline_set_own "$home"
    _ml_pipeline_read_env_file "$home/.env"
    _ml_pipeline_set_address
    _ml_pipeline_set_path "$came_from" "$home"
    _ml_pipeline_spare_loopback_the_proxy
    _ml_pipeline_set_fork_safety
    _ml_pipeline_hint "$home"
}

# Print the folder of this file, every symbolic link followed.
_ml_pipeline_folder() {
    local file="$_ml_pipeline_file" link
    while [ -L "$file" ]; do
        link=$(readlink "$file") || return 1
        case $link in
            /*) file=$link ;;
            *) file=${file%/*}/$link ;;
        esac
    done
    file=${file%/*}
    _ml_pipeline_physical "${file:-/}"
}

# Print a folder's path without links. An alias, function or hook of the user named cd stays out.
_ml_pipeline_physical() {
    # shellcheck disable=SC2034 # zsh runs these hooks, which may print, whenever a folder changes
    local CDPATH='' chpwd_functions=''
    unset -f chpwd 2>/dev/null || :
    builtin cd -- "$1" >/dev/null && builtin pwd -P
}

# Undo what a .env set before, this clone's or another's, except what the caller changed since.
_ml_pipeline_forget_env_file() {
    local mark name
    for mark in ${ML_PIPELINE_FROM_ENV_FILE:-}; do
        name=${mark%%=*}
        if _ml_pipeline_is_setting "$name" && [ "$mark" = "$(_ml_pipeline_mark "$name")" ]; then
            unset "$name"
        fi
    done
    unset ML_PIPELINE_FROM_ENV_FILE
}

# Print a variable's name and what tells whether its value is still the same.
_ml_pipeline_mark() {
    printf '%s=' "$1"
    eval "printf '%s' \"\${$1-}\"" | cksum | tr -s ' ' :
}

_ml_pipeline_drop_foreign() {
    local name
    for name in $(_ml_pipeline_exported_names); do
        ! _ml_pipeline_is_own "$name" || unset "$name"
    done
    # An activated environment's, and what would put other modules before ours.
    unset PYTHONHOME PYTHONPATH
    # Set in many container images; Airflow without bytecode starts two to three times slower.
    unset PYTHONDONTWRITEBYTECODE
    # libpq lets these win over, or add to, a complete URL: PGHOSTADDR even leads to another server.
    unset PGCHANNELBINDING PGCLIENTENCODING PGGSSENCMODE PGHOSTADDR PGOPTIONS PGREQUIREAUTH \
        PGREQUIRESSL PGSERVICE PGSSLMODE PGSSLNEGOTIATION PGTARGETSESSIONATTRS
}

_ml_pipeline_exported_names() {
    env | sed -n 's/^\(_\{0,1\}AIRFLOW_[A-Z0-9_]*\)=.*/\1/p'
}

# Whether a variable of Airflow says where this clone's things lie or who may enter: not tuning.
_ml_pipeline_is_own() {
    case $1 in
        AIRFLOW_HOME | AIRFLOW_CONFIG | AIRFLOW_API_APPS | _AIRFLOW_*) ;;
        AIRFLOW_CONN_RESULTS_DB | AIRFLOW_CONN_AIRFLOW_DB) ;;
        AIRFLOW__API_AUTH__*EXPIRATION_TIME | AIRFLOW__API_AUTH__JWT_LEEWAY) return 1 ;;
        AIRFLOW__API_AUTH__*) ;;
        AIRFLOW__API__BASE_URL | AIRFLOW__API__HOST | AIRFLOW__API__PORT) ;;
        AIRFLOW__API__SECRET_KEY*) ;;
        AIRFLOW__CELERY__BROKER_URL* | AIRFLOW__CELERY__RESULT_BACKEND*) ;;
        AIRFLOW__CELERY__CELERY_APP_NAME | AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS) ;;
        AIRFLOW__COMMON_IO__*) ;;
        AIRFLOW__CORE__ASSET_MANAGER* | AIRFLOW__CORE__AUTH_MANAGER) ;;
        AIRFLOW__CORE__DAGS_FOLDER | AIRFLOW__CORE__PLUGINS_FOLDER) ;;
        AIRFLOW__CORE__DEFAULT_IMPERSONATION | AIRFLOW__CORE__EXECUTOR) ;;
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL | AIRFLOW__CORE__FERNET_KEY*) ;;
        AIRFLOW__CORE__MULTI_TEAM | AIRFLOW__CORE__UNIT_TEST_MODE) ;;
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER* | AIRFLOW__CORE__SQL_ALCHEMY_*) ;;
        AIRFLOW__CORE__XCOM_BACKEND) ;;
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_*) ;;
        AIRFLOW__DATABASE__ALEMBIC_INI_FILE_PATH | AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS) ;;
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN* | AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA) ;;
        AIRFLOW__DATABASE__SQL_ALCHEMY_ENGINE_ARGS* | AIRFLOW__DATABASE__SQL_ALCHEMY_SESSION_*) ;;
        AIRFLOW__FAB__AUTH_* | AIRFLOW__FAB__CONFIG_FILE | AIRFLOW__FAB__CUSTOM_ROLES) ;;
        AIRFLOW__LOGGING__BASE_LOG_FOLDER | AIRFLOW__LOGGING__*_LOG_DIRECTORY) ;;
        AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS | AIRFLOW__LOGGING__REMOTE_*) ;;
        AIRFLOW__SECRETS__* | AIRFLOW__STATE_STORE__BACKEND) ;;
        AIRFLOW__WORKERS__SECRETS_BACKEND* | AIRFLOW__WORKERS__STATE_STORE_BACKEND) ;;
        AIRFLOW__WEBSERVER__*) ;; # Airflow 2's section, of which some options still count
        *) return 1 ;;
    esac
}

_ml_pipeline_set_own() {
    export ML_PIPELINE_HOME="$1" AIRFLOW_HOME="$1/airflow_home"
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=$(_ml_pipeline_print_secret sql_alchemy_conn)
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD=$(_ml_pipeline_print_secret sql_alchemy_conn_async)
    AIRFLOW__CORE__FERNET_KEY_CMD=$(_ml_pipeline_print_secret fernet_key)
    AIRFLOW__API_AUTH__JWT_SECRET_CMD=$(_ml_pipeline_print_secret jwt_secret)
    AIRFLOW__API__SECRET_KEY_CMD=$(_ml_pipeline_print_secret api_secret_key)
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD \
        AIRFLOW__CORE__FERNET_KEY_CMD AIRFLOW__API_AUTH__JWT_SECRET_CMD AIRFLOW__API__SECRET_KEY_CMD
}

# Print the command with which Airflow reads a secret. Airflow splits it like a shell line, expands
# nothing in it, and does not strip what it prints; no character of the path needs quoting.
_ml_pipeline_print_secret() {
    printf "sh -c '%s'" "cat \"\$AIRFLOW_HOME/secrets/$1\" || { echo \"Not set up yet, or not\
 readable: run \$ML_PIPELINE_HOME/start_airflow.sh\" >&2; exit 1; }"
}

# Export what .env sets: NAME=value lines, never run as code.
_ml_pipeline_read_env_file() {
    local line
    [ -r "$1" ] && [ -f "$1" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            \#*) ;;
            *=*) _ml_pipeline_adopt_setting "$line" ;;
        esac
    done <"$1"
}

# Export what a line of .env sets, unless the caller exported it.
_ml_pipeline_adopt_setting() {
    local name
    name=$(_ml_pipeline_trimmed "${1%%=*}")
    name=${name#export }
    _ml_pipeline_is_setting "$name" && ! _ml_pipeline_is_set "$name" || return 0
    export "$name=$(_ml_pipeline_unquoted "${1#*=}")"
    ML_PIPELINE_FROM_ENV_FILE="${ML_PIPELINE_FROM_ENV_FILE:-} $(_ml_pipeline_mark "$name")"
    export ML_PIPELINE_FROM_ENV_FILE
}

# Whether a name is one that .env may set.
_ml_pipeline_is_setting() {
    case $1 in
        *[!ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_]*) return 1 ;;
        ML_PIPELINE_HOME | ML_PIPELINE_FROM_ENV_FILE) return 1 ;;
        ML_PIPELINE_?*) ;;
        AIRFLOW__?*) ! _ml_pipeline_is_own "$1" ;;
        *) return 1 ;;
    esac
}

_ml_pipeline_is_set() {
    eval "[ -n \"\${$1+set}\" ]"
}

# Print a value without the blanks (and carriage return) around it, and without its quotes.
_ml_pipeline_unquoted() {
    local value
    value=$(_ml_pipeline_trimmed "$1")
    case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    printf '%s' "$value"
}

_ml_pipeline_trimmed() {
    local text="$1"
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# Where the web server is found; `ml-pipeline up --port` tells its own processes another place.
_ml_pipeline_set_address() {
    local port="${ML_PIPELINE_PORT:-8080}"
    export AIRFLOW__API__HOST="${ML_PIPELINE_HOST:-127.0.0.1}" AIRFLOW__API__PORT="$port"
    # A path alone leads the browser back to the name that it used: a tunnel's, a proxy's.
    export AIRFLOW__API__BASE_URL="${ML_PIPELINE_URL:-/}"
    export AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:$port/execution/"
}

# Put our programs first and another clone's away.
_ml_pipeline_set_path() {
    _ml_pipeline_leave_path "$2/.venv/bin"
    [ -z "$1" ] || _ml_pipeline_leave_path "$1/.venv/bin"
    export PATH="$2/.venv/bin${PATH:+:$PATH}" VIRTUAL_ENV="$2/.venv"
}

_ml_pipeline_leave_path() {
    local rest=":${PATH:-}:"
    while :; do
        case $rest in
            *":$1:"*) rest=${rest%%":$1:"*}:${rest#*":$1:"} ;;
            *) break ;;
        esac
    done
    rest=${rest#:}
    PATH=${rest%:}
}

# A proxy has no business between processes of this machine.
_ml_pipeline_spare_loopback_the_proxy() {
    local spared="${no_proxy:-${NO_PROXY:-}}" host
    _ml_pipeline_has_proxy && [ "$spared" != '*' ] || return 0
    for host in localhost 127.0.0.1; do
        case ",$spared," in
            *",$host,"*) ;;
            *) spared=${spared:+$spared,}$host ;;
        esac
    done
    export no_proxy="$spared"
}

_ml_pipeline_has_proxy() {
    [ -n "${http_proxy:-}${https_proxy:-}${all_proxy:-}" ] ||
        [ -n "${HTTP_PROXY:-}${HTTPS_PROXY:-}${ALL_PROXY:-}" ]
}

# macOS aborts a forked process that calls its Objective-C libraries, as asking it for a proxy does;
# Python asks it only when no variable names one.
_ml_pipeline_set_fork_safety() {
    [ "$(uname -s 2>/dev/null)" = Darwin ] || return 0
    export OBJC_DISABLE_INITIALIZE_FORK_SAFETY=YES
    [ -n "${no_proxy:-}${NO_PROXY:-}" ] || export no_proxy='*'
}

_ml_pipeline_hint() {
    case $- in
        *i*) [ -x "$1/.venv/bin/ml-pipeline" ] || echo "Not set up yet: run $1/start_airflow.sh" >&2 ;;
    esac
}

# Leave the user's shell as it was, but for the environment.
_ml_pipeline_clean_up() {
    local IFS=$' \t\n' name
    unset _ml_pipeline_file
    if [ -n "${ZSH_VERSION:-}" ]; then
        unfunction -m '_ml_pipeline_*'
    else
        for name in $(compgen -A function _ml_pipeline_); do
            unset -f "$name"
        done
    fi
}

# Not zsh's %x: without a locale that writes letters beyond ASCII as escapes.
if [ -n "${ZSH_VERSION:-}" ]; then
    # shellcheck disable=SC2154 # zsh sets it
    _ml_pipeline_file=${functions_source[_ml_pipeline_environment]}
else
    _ml_pipeline_file=${BASH_SOURCE[0]:-}
fi
case $_ml_pipeline_file in
    /*) ;;
    *) _ml_pipeline_file=$PWD/$_ml_pipeline_file ;;
esac

# In a condition, a failing command does not end a shell that runs with `set -e`.
if _ml_pipeline_environment; then
    _ml_pipeline_clean_up
else
    _ml_pipeline_clean_up
    return 1
fi
