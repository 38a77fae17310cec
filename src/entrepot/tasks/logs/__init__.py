"""The logs of runs: written while they run, read by ranges, whole in the content store at the end."""
