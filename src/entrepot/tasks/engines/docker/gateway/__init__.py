"""The way out of runs whose egress is a list: a proxy that the worker is, at an address in the run's own networks."""
