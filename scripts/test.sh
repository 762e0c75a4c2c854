#!/usr/bin/env bash
# Lint, types, shell and all tests: ./scripts/test.sh [what to hand to pytest]
set -euo pipefail

ROOT=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=airflow_postgresql_env.sh
. "$ROOT/airflow_postgresql_env.sh"
# shellcheck source=scripts/bootstrap.sh
. "$ROOT/scripts/bootstrap.sh"

bootstrap "$ROOT" dev
cd "$ROOT"
ruff check .
ruff format --check .
mypy
shellcheck -x ./*.sh scripts/*.sh .ci/run
if [ "$#" -gt 0 ]; then
    exec python -m pytest "$@"
fi
exec python -m pytest --cov
