"""Surface /v2: the OCI distribution API.

Spec: OCI distribution-spec 1.1 and its current text; Docker Registry HTTP API V2.
"""
