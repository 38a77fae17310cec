"""Registries as resources: their admin account, scope maps and repository tokens."""
