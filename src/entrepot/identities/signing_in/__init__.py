"""Signing in: passwords and second factors, how failures slow down, and what is handed out."""
