"""`entrepot app`: applications of the directory, what they sign in with, and managed identities."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.directory import add_verb, read_text
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.app.directory import Directory
    from entrepot.cli.parsing import Commands
    from entrepot.identities.model import NewSecret

_TEXT: Final = "Applications and managed identities of the directory. Works beside a running server."
_ADD: Final = "Add an application, and print its client id and first secret."
_LIST: Final = "List the applications with what they sign in with."
_SECRET: Final = "Add a secret and print it; those before stay good until they are removed."  # noqa: S105  a text
_CERTIFICATE: Final = "Let an application sign in with the key of this certificate."
_REMOVE: Final = "Remove a secret or a certificate: tokens got by it stop within two seconds."
_FEDERATE: Final = "Let an application sign in with tokens of an outside OIDC issuer, such as a CI system's."
_AUDIENCE: Final = "api://AzureADTokenExchange"
_IDENTITY: Final = "Add a managed identity, and print the header that its workload sends."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("app", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    add = add_verb(verbs, "add", _ADD, _add)
    add.add_argument("--redirect-uri", action="append", default=[], metavar="URI", help="where it may sign people in")
    add.add_argument("--public", action="store_true", help="it runs where it cannot keep a secret")
    add_verb(verbs, "list", _LIST, _list)
    secret = add_verb(verbs, "secret", _SECRET, _add_secret)
    secret.add_argument("--name", default="", help="what to call the secret")
    secret.add_argument("--days", type=int, metavar="DAYS", help="how long it is good; without it for ever")
    certificate = add_verb(verbs, "certificate", _CERTIFICATE, _add_certificate)
    remove = add_verb(verbs, "remove", _REMOVE, _remove)
    federate = add_verb(verbs, "federate", _FEDERATE, _federate)
    federate.add_argument("--name", required=True, help="what to call it")
    federate.add_argument("--issuer", required=True, metavar="URL", help="the tokens' iss: https://...")
    federate.add_argument("--subject", required=True, help="the tokens' sub")
    federate.add_argument("--pattern", action="store_true", help="the subject has * for any text of one segment")
    federate.add_argument("--audience", default=_AUDIENCE, help=f"the tokens' aud; without it {_AUDIENCE}")
    identity = add_verb(verbs, "identity", _IDENTITY, _add_identity)
    identity.add_argument("--machine", action="store_true", help="every process of this machine may have its tokens")
    for verb in (secret, certificate, federate, remove):
        verb.add_argument("client_id", help="client id of the application")
    for verb in (add, identity):
        verb.add_argument("name", help="what to call it")
    certificate.add_argument("file", help="the certificate, PEM")
    remove.add_argument("credential_id", help="id of the secret or certificate, as the list shows it")


def _add(directory: "Directory", arguments: argparse.Namespace) -> None:
    from entrepot.app.directory import attributes_of

    attributes = attributes_of(arguments.redirect_uri, is_public=arguments.public)
    made, secret = directory.add_application(arguments.name, attributes)
    print(f"client id: {made.client_id}\nobject id: {made.principal_id}")
    _tell(secret)


def _add_secret(directory: "Directory", arguments: argparse.Namespace) -> None:
    _tell(directory.add_secret(arguments.client_id, arguments.name, arguments.days))


def _tell(secret: "NewSecret") -> None:
    print(f"secret id: {secret.id}\nsecret:    {secret.value}")


def _add_certificate(directory: "Directory", arguments: argparse.Namespace) -> None:
    made = directory.add_certificate(arguments.client_id, read_text(arguments.file))
    print(f"certificate id: {made.id}\nSHA-256:        {made.fingerprint}\nends:           {made.expires_at}")


def _federate(directory: "Directory", arguments: argparse.Namespace) -> None:
    from entrepot.identities.federation.credentials import CredentialInvalid, Match, federated_credential

    try:
        trusted = federated_credential(
            name=arguments.name,
            issuer=arguments.issuer,
            audiences=[arguments.audience],
            subject=arguments.subject,
            match=Match.PATTERN if arguments.pattern else Match.EXACT,
        )
    except CredentialInvalid as error:
        raise Refusal([str(error)], USAGE) from None
    directory.add_federated(arguments.client_id, trusted)


def _remove(directory: "Directory", arguments: argparse.Namespace) -> None:
    if not directory.remove_credential(arguments.client_id, arguments.credential_id):
        raise Refusal(["the application has no such secret or certificate"])


def _add_identity(directory: "Directory", arguments: argparse.Namespace) -> None:
    made, secret = directory.add_managed_identity(arguments.name, is_open=arguments.machine)
    print(f"client id: {made.client_id}\nobject id: {made.id}\nidentity header: {made.client_id}.{secret.value}")


def _list(directory: "Directory", arguments: argparse.Namespace) -> None:  # noqa: ARG001  verbs have one shape
    for application, credentials in directory.applications():
        print(f"{application.client_id}  {application.name}")
        for each in credentials:
            ends = "" if each.expires_at is None else f"  ends {each.expires_at:%Y-%m-%d}"
            print(f"  {each.kind}  {each.id}  {each.hint}{ends}  {each.name}")
