"""Small measurements that a page of docs/decisions/ stands on: ``.venv/bin/python -m bench.decisions.NAME``."""
