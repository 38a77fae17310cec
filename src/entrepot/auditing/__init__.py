"""The audit log at work: chained and signed, verified, listed, exported. Concept: docs/concepts/audit.md."""
