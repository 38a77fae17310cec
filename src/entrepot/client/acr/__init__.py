"""The program of the image ``acr``, which steps of tasks run: what acr-cli 0.19 does, on our own client.

Texts and flags are acr-cli's, so that scripts that read them go on. What differs: docs/decisions/0023.
"""
