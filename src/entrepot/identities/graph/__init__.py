"""The part of Microsoft Graph that az and the SDKs need of a directory. Spec: Microsoft Graph REST API v1.0."""
