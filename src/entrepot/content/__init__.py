"""Blob bytes: stores, and the way in. Nothing here knows who asks or what a repository is."""
