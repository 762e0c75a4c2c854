"""The science: plain functions on DataFrames, usable from a notebook; never Airflow."""
