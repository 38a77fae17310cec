"""The resource type Microsoft.ContainerRegistry/registries."""
