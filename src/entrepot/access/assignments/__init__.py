"""Roles given and taken: role assignments and custom role definitions, for whoever changes them."""
