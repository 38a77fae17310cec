"""What a run puts into its own registry beside what its engine pushes: indexes of platforms, attestations."""
