"""Import of images: from another registry of the deployment, or from any other that speaks the OCI API."""
