"""The deployment's key: what the catalog keeps encrypted is encrypted with it (access/sealing.py).

The key lies outside the catalog: in the environment, in a file that the operator names, or in one that the first start
makes in the data folder. Servers that share a catalog share it too. The outside identity provider's secret is read here
as well.
"""

import base64
import os
from pathlib import Path
from typing import Final

from entrepot.access.sealing import KEY_BYTES, Sealer
from entrepot.app.certificates import write_durably
from entrepot.settings import SettingError, Settings

_SECRET_LIMIT: Final = 1024
SECRET_KEY_FILE: Final = "secret.key"  # noqa: S105  a file's name


def open_sealer(settings: Settings) -> Sealer:
    """Raises SettingError for a key that is not there or is none."""
    if settings.secret_key is not None:
        return Sealer(base64.b64decode(settings.secret_key.get_secret_value()))
    path = key_file(settings)
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise SettingError("secret_key_file", f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingError("secret_key_file", f"{path} does not hold 32 bytes in base64")
    return Sealer(key)


def make_key_file(settings: Settings) -> None:
    """Make the data folder's own key file, unless it is there or the settings name another key."""
    if settings.secret_key is None and settings.secret_key_file is None and not key_file(settings).exists():
        write_durably(key_file(settings), base64.b64encode(os.urandom(KEY_BYTES)) + b"\n", 0o600)


def key_file(settings: Settings) -> Path:
    return settings.secret_key_file or settings.data_dir / SECRET_KEY_FILE


def provider_secret(settings: Settings) -> str | None:
    """What the outside identity provider gave us. Raises SettingError for a file that cannot be used."""
    if settings.oidc_client_secret is not None:
        return settings.oidc_client_secret.get_secret_value()
    path = settings.oidc_client_secret_file
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError("oidc_client_secret_file", f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        secret = ""
    if not 1 <= len(secret) <= _SECRET_LIMIT:
        raise SettingError("oidc_client_secret_file", f"{path} does not hold 1 to {_SECRET_LIMIT} characters of text")
    return secret
