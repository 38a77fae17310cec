"""Ordered lists: the catalog, tags, referrers."""
