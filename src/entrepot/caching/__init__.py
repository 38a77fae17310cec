"""The artifact cache: rules by which repositories here fill themselves from other registries as they are pulled."""
