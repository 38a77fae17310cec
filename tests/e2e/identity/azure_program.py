"""A program that signs in with azure-identity, unchanged, and prints the tokens that it got. Its argument is JSON: the
credential's class, what to make it with, and the scopes.
"""

import json
import sys

import azure.identity
from azure.core.exceptions import ClientAuthenticationError


def tell(uri: str, code: str, _expires: object) -> None:
    """What the person must do."""
    sys.stdout.write(json.dumps([uri, code]) + "\n")
    sys.stdout.flush()


wanted = json.loads(sys.argv[1])
arguments = wanted["arguments"]
if wanted["credential"] == "DeviceCodeCredential":
    arguments["prompt_callback"] = tell
if wanted["credential"] == "ClientAssertionCredential":
    arguments["func"] = lambda: wanted["assertion"]
try:
    with getattr(azure.identity, wanted["credential"])(**arguments) as credential:
        tokens = [credential.get_token(*wanted["scopes"]).token for _ in range(wanted.get("times", 1))]
except ClientAuthenticationError as error:
    sys.exit(str(error))
sys.stdout.write(json.dumps(tokens) + "\n")
