"""The directory's own endpoints, in the shape of Microsoft's identity platform: MSAL and azure-identity use them as
they are.
"""
