"""The guarded HTTP client: the one way out of the house (DESIGN D10)."""
