"""The check of the content store against the catalog, and of the catalog against itself."""
