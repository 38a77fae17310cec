"""Purge rules: which tags and manifests go by name, age, number and use, by schedule or asked for.

The parameters are those of ``acr purge`` (ACR-REFERENCE 8.7), and more.
"""
