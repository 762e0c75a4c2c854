"""A machine-learning pipeline on Apache Airflow 3, run natively."""

__version__ = "0.1.0"
