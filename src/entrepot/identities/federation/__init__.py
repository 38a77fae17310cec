"""Workload identity federation: tokens of outside OIDC issuers instead of secrets (docs/concepts/federation.md)."""
