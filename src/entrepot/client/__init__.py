"""A typed client of our public APIs: the management API, /acr/v1 and /v2, as anybody may call them.

It imports nothing of the server. httpx calls, not the guarded client: that one keeps a server from being sent into its
operator's network, while a person means the server that they name, wherever it is.
"""
