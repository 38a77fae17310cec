"""Blobs and their links: find, commit, mount, delete."""
