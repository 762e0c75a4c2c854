"""The web server's settings, see https://docs.gunicorn.org/en/stable/settings.html."""

import os
import sys

bind = f"{os.environ.get('AIRFLOW__API__HOST', '127.0.0.1')}:{os.environ.get('AIRFLOW__API__PORT', '8080')}"
worker_class = "airflow.api_fastapi.gunicorn_app.AirflowUvicornWorker"
workers = int(os.environ.get("ML_PIPELINE_API_WORKERS", "2"))
preload_app = sys.platform == "linux"
control_socket_disable = True
forwarded_allow_ips = ""
