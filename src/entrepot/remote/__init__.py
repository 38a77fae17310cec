"""Pull client for other registries, over the guarded client alone: manifests, blobs by range, their sign-in.

Spec: OCI distribution-spec, "Pull"; distribution's "Token Authentication Specification".
"""
