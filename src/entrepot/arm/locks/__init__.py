"""Locks on resources: Microsoft.Authorization/locks."""
