"""Every setting of Entrepot, once, as typed values. Pure: ``cli`` reads flags, environment and file into it.

``serve --help`` and the reference page are printed from the descriptions in ``model``. Why pydantic and not
pydantic-settings: docs/decisions/0004.
"""

from entrepot.settings.model import GROUPS, Settings
from entrepot.settings.values import DEFAULT_DOMAIN, SettingError, is_ip_address, is_loopback

__all__ = ["DEFAULT_DOMAIN", "GROUPS", "SettingError", "Settings", "is_ip_address", "is_loopback"]
