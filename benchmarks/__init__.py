"""Reproducible measurements; each prints a table and a last line, and writes JSON."""
