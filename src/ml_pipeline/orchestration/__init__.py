"""The only room that imports `airflow.sdk`: thin tasks, the DAG builders, and `results_db`."""
