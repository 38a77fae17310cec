"""Images of other registries that are pulled through a registry here, and kept."""
