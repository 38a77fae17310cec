"""What goes and what stays: online garbage collection, and the check of the content store against the catalog.

Why it is built so: docs/decisions/0005-garbage-collection.md.
"""
