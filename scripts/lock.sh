#!/usr/bin/env bash
# Make the two locks from pyproject.toml: ./scripts/lock.sh [--upgrade | --upgrade-package NAME …]
# A version stays as it is where it still fits, unless it is to be upgraded.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started by another shell
set -euo pipefail

ROOT=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=airflow_postgresql_env.sh
. "$ROOT/airflow_postgresql_env.sh"
# shellcheck source=scripts/bootstrap.sh
. "$ROOT/scripts/bootstrap.sh"

# Write a lock's successor beside it: for all platforms and every Python that is supported.
lock() {
    local file=$1
    shift
    cp "$file" "$file.new"
    say "Locking $file …"
    (download_with_uv pip compile --quiet --python-version "3.$OLDEST_MINOR" \
        --constraint scripts/constraints.txt --output-file "$file.new" "$@" pyproject.toml)
}

bootstrap "$ROOT"
BASE_PYTHON=$(base_python "$VENV/bin/python")
cd "$ROOT"
trap 'rm -f requirements.txt.new requirements-dev.txt.new' EXIT
lock requirements.txt "$@"
lock requirements-dev.txt --extra dev --constraint requirements.txt.new "$@"
mv requirements.txt.new requirements.txt
mv requirements-dev.txt.new requirements-dev.txt
