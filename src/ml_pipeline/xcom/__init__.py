"""The Arrow XCom backend: DataFrames between tasks, in PostgreSQL when small, as files when large.

Every Airflow process imports `backend`; pandas and pyarrow are imported when a frame is met.
"""
