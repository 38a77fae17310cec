"""Runs: asked for, queued, worked off by a worker with an engine, and kept with what came of them."""
