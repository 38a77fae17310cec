"""Manifests and tags: find, commit, delete."""
