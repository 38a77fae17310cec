"""The composition root: settings, parts, one ASGI application. Only this room knows every other.

Nothing is imported here: a command on the data folder loads what it needs, and not the web side.
"""
