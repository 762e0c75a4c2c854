# shellcheck shell=bash
# The environment of this clone; source it from bash or zsh: source airflow_postgresql_env.sh
if [ -n "${ZSH_VERSION:-}" ]; then
    ML_PIPELINE_HOME=${(%):-%x}
else
    ML_PIPELINE_HOME=${BASH_SOURCE[0]}
fi
ML_PIPELINE_HOME=$(CDPATH='' cd -- "$(dirname -- "$ML_PIPELINE_HOME")" && pwd -P)
export ML_PIPELINE_HOME
export AIRFLOW_HOME="$ML_PIPELINE_HOME/airflow_home"
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD='sh -c '\''cat "$AIRFLOW_HOME/secrets/sql_alchemy_conn"'\'
export AIRFLOW__CORE__FERNET_KEY_CMD='sh -c '\''cat "$AIRFLOW_HOME/secrets/fernet_key"'\'
export AIRFLOW__API_AUTH__JWT_SECRET_CMD='sh -c '\''cat "$AIRFLOW_HOME/secrets/jwt_secret"'\'
export AIRFLOW__API__SECRET_KEY_CMD='sh -c '\''cat "$AIRFLOW_HOME/secrets/api_secret_key"'\'
export PATH="$ML_PIPELINE_HOME/.venv/bin:$PATH"
unset PYTHONDONTWRITEBYTECODE
