"""Triggers: what begins runs by itself, once for each thing that happens, and why it did or did not."""
