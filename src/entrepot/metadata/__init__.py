"""Surface /acr/v1: what ACR's own data-plane API tells of repositories, tags and manifests, and their attributes.

Spec: ACR-REFERENCE 3; what `az acr repository` and the azure-containerregistry SDKs call.
"""
