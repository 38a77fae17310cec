"""Why somebody may or may not do something, and what would permit it."""
