"""Why something is kept, or when it goes."""
