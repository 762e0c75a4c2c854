#!/usr/bin/env bash
# Find zombies and orphans, and clear them: see `ml-pipeline zombies --help`.
set -euo pipefail

ROOT=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=airflow_postgresql_env.sh
. "$ROOT/airflow_postgresql_env.sh"
# shellcheck source=scripts/bootstrap.sh
. "$ROOT/scripts/bootstrap.sh"

bootstrap "$ROOT"
exec ml-pipeline zombies "$@"
