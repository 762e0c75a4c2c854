"""The maintenance DAG (airflow): old rows, logs and leftovers are removed every night."""

from ml_pipeline.orchestration.maintenance import build_maintenance_dag

dag = build_maintenance_dag()
