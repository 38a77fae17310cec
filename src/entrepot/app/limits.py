"""What an operator asks and changes of a registry's limits on the machine itself, beside a running server or not."""

from collections.abc import Sequence
from contextlib import closing

from entrepot.app.parts import utc_now
from entrepot.app.upkeep import open_existing
from entrepot.catalog.model import OPERATOR, Change
from entrepot.registries.limits import Held, change_limits, show_limits
from entrepot.registries.tiers import SkuName, parse_tier_limits
from entrepot.settings import SettingError, Settings


def limits(settings: Settings, registry: str, written: Sequence[str]) -> tuple[SkuName, list[Held]]:
    """What holds, once what is written holds. Raises SettingError, RESOURCE_UNKNOWN, RESOURCE_INVALID."""
    changes = settings.tier_limits
    try:
        parse_tier_limits(changes)
    except ValueError as error:
        raise SettingError("tier_limits", str(error)) from None
    with closing(open_existing(settings)) as database:
        if written:
            database.write(change_limits, registry, written, changes, Change(OPERATOR, utc_now(), ""))
        return database.read(show_limits, registry, changes)
