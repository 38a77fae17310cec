"""Images of other registries, and of this deployment's own, come into its repositories: for imports and the cache."""
