#!/usr/bin/env bash
# Set up what is missing, start everything, run the pipeline once: see `ml-pipeline up --help`.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started by another shell
set -euo pipefail

ROOT=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=airflow_postgresql_env.sh
. "$ROOT/airflow_postgresql_env.sh"
# shellcheck source=scripts/bootstrap.sh
. "$ROOT/scripts/bootstrap.sh"

bootstrap "$ROOT"
exec ml-pipeline up "$@"
