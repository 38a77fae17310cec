"""Which worker takes which run: pools, architectures, places, and what is told of a run that waits."""
