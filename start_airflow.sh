#!/usr/bin/env bash
# Set up what is missing, then start everything: see ml-pipeline up --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./airflow_postgresql_env.sh
exec ml-pipeline up "$@"
