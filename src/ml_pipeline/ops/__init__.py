"""Running the project: PostgreSQL, the stack of processes, its health; never `ml` or Airflow."""
