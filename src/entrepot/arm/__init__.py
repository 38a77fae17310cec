"""The resource framework: a descriptor for each resource type, from which its part of the management API comes.

Spec: Azure Resource Manager's "Resource API Reference"; how az uses it is in AZ-CLI-FLOWS (DESIGN D8).
"""
