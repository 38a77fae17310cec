"""Replications of a registry to other locations, all of which are one site today."""
