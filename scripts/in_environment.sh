#!/usr/bin/env bash
# Run a command in this clone's environment, which is set up first where that is needed:
# ./scripts/in_environment.sh [--dev] COMMAND …
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started by another shell
set -euo pipefail

ROOT=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=airflow_postgresql_env.sh
. "$ROOT/airflow_postgresql_env.sh"
# shellcheck source=scripts/bootstrap.sh
. "$ROOT/scripts/bootstrap.sh"

if [ "${1:-}" = --dev ]; then
    shift
    bootstrap "$ROOT" dev
else
    bootstrap "$ROOT"
fi
exec "$@"
