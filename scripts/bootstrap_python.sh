# shellcheck shell=bash
# Which Python will do. Part of bootstrap.sh, which sources it.

OLDEST_MINOR=11
NEWEST_MINOR=14
PRINT_KIND='
import os, sys
system = os.uname()
print("%d.%d" % sys.version_info[:2] + sys.abiflags, system.sysname, system.machine)
'

# Print what decides which packages fit a Python, such as `3.11 Linux x86_64` (3.14t when it is
# free-threaded); nothing when it does not run.
python_kind() {
    "$1" -I -S -c "$PRINT_KIND" 2>/dev/null || :
}

python_version() {
    local kind
    kind=$(python_kind "$1")
    printf '%s' "${kind%% *}"
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

# Set BASE_PYTHON to the first one that will do.
find_python() {
    local name version found=''
    for name in "${ML_PIPELINE_PYTHON:-python3}" python3.13 python3.12 python3.14 python3.11; do
        version=$(python_version "$name")
        if is_supported "$version"; then
            # shellcheck disable=SC2034 # read by the files beside this one
            BASE_PYTHON=$(base_python "$name")
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
