"""What can come instead of an answer, each as a type of its own. Spec: DESIGN section 3, "errors"."""

import msgspec


class ClientError(Exception):
    """Each below says in its text what happened."""


class Unreachable(ClientError):
    """No answer came. ``tried``: what was sent, how often and where."""

    def __init__(self, reason: str, tried: str) -> None:
        super().__init__(reason)
        self.reason, self.tried = reason, tried


class SignInNeeded(ClientError):
    """The directory gives no token any more: the secret or the grant has ended."""


class Refused(ClientError):
    """The server's no, in its own words. ``status``: of the HTTP answer; ``request_id``: what the server's log has."""

    def __init__(self, status: int, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.request_id = status, code, message, request_id


class Unreadable(ClientError):
    """An answer that is not what this client knows: another kind of server, or another version."""


class _Told(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Arm(msgspec.Struct):
    error: _Told


class _Registry(msgspec.Struct):
    errors: list[_Told]


class _Directory(msgspec.Struct):
    error: str
    error_description: str = ""


_Body = _Arm | _Registry | _Directory


def refusal(status: int, content: bytes, request_id: str) -> Refused:
    """What an answer that is no success says, in any of our three dialects."""
    for shape in (_Arm, _Registry, _Directory):
        try:
            code, message = _words(msgspec.json.decode(content, type=shape))
        except msgspec.DecodeError:
            continue
        return Refused(status, code, message, request_id)
    return Refused(status, "", f"the server answered {status} and did not say why", request_id)


def _words(body: _Body) -> tuple[str, str]:
    match body:
        case _Arm(error):
            return error.code, error.message
        case _Registry(errors) if errors:
            return errors[0].code, errors[0].message
        case _Directory(error, description):
            return error, description or error
        case _:
            return "", "the server refused it and did not say why"
