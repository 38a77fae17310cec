"""Entrepot: a self-hosted container registry with the features and interfaces of Azure Container Registry."""
