"""Logs, metrics, request ids."""
