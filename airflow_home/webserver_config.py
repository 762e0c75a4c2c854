"""Settings of the log-in pages (Flask-AppBuilder), which Airflow reads from this place."""

# Failed log-ins are counted per web server process: the default, but it warns unless it is named.
RATELIMIT_STORAGE_URI = "memory://"
