"""Every secret of a run, in each form in which it may turn up somewhere.

Whoever builds a new way to sign in adds an act to ACTS (test_secrets.py), and keeps here what it uses.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

SHORTEST = 8


@dataclass
class Vault:
    """Secrets by what they are."""

    secrets: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, secret: str) -> str:
        """Answers the secret, so that it can be kept where it is made."""
        assert len(secret) >= SHORTEST, f"{name} is too short to be told from other text"
        self.secrets[name] = secret
        return secret

    def keep_basic(self, name: str, user: str, password: str) -> tuple[str, str]:
        """A user with a password, as Basic carries them together."""
        self.keep(name, password)
        self.keep(f"{name} as Basic", base64.b64encode(f"{user}:{password}".encode()).decode())
        return user, password

    def keep_token(self, name: str, token: str) -> str:
        """A JWT: its signature alone would be enough, its head and claims are none."""
        self.keep(f"{name}'s signature", token.rpartition(".")[2])
        return self.keep(name, token)

    def keep_code(self, name: str, code: str) -> str:
        """Six digits are found anywhere by chance, so they are looked for as what they are sent as."""
        for number, form in enumerate((f"code={code}", f'"code":"{code}"', f'"code": "{code}"', f"'code': '{code}'")):
            self.keep(f"{name}, form {number}", form)
        return code

    def keep_pem(self, name: str, pem: str) -> str:
        """A private key, by the lines between its markers."""
        for number, line in enumerate(pem.strip().splitlines()[1:-1]):
            self.keep(f"{name}, line {number}", line)
        return pem

    def found_in(self, content: bytes) -> list[str]:
        """Which secrets are there, in any form."""
        return [name for name, secret in self.secrets.items() if any(form in content for form in _forms(secret))]


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    yield raw.hex().encode()
    # As part of something longer in base64: each way in which its bytes may lie in groups of three.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        inner = encoded[4 if before else 0 : -4]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
