"""Timers: NCrontab's expressions, as ACR Tasks has them (ACR-TASKS 7.3). Always in UTC.

Unlike in vixie cron, day and weekday must both fit, 7 is no Sunday, and ``@daily`` and its kin are not known.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH_LIMIT: Final = 256
# Within so many years every date comes that comes at all, each weekday of a leap day too.
_YEARS: Final = 40

_MONTHS: Final = tuple(calendar.month_name)[1:]
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_RANGE: Final = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]+))?", re.ASCII | re.IGNORECASE)


class ScheduleInvalid(Exception):
    """Which field is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        return frozenset(value for part in text.split(",") for value in self._range(part))

    def _range(self, part: str) -> range:
        found = _RANGE.fullmatch(part)
        if found is None:
            raise self._wrong(part)
        begin, end, step = found[1], found[2], int(found[3] or 1)
        start = self.first if begin is None else self._value(begin)
        # "5/10" goes on to the end, "5" is itself.
        stop = self._value(end) if end else self.last if begin is None or found[3] else start
        if start > stop or not 1 <= step <= self.last:
            raise self._wrong(part)
        return range(start, stop + 1, step)

    def _value(self, text: str) -> int:
        """A number, or the beginning of a name: the first that fits."""
        if text.isdigit():
            if self.first <= int(text[:4]) <= self.last:
                return int(text)
        else:
            for value, name in enumerate(self.names, self.first):
                if name.lower().startswith(text.lower()):
                    return value
        raise self._wrong(text)

    def _wrong(self, part: str) -> ScheduleInvalid:
        names = f" or the beginning of a name such as {self.names[0]}" if self.names else ""
        return ScheduleInvalid(
            f"{part!r} is no {self.name}: from {self.first} to {self.last}{names}, as *, a, a-b, a/n, a-b/n or */n, "
            "with commas between several"
        )


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def after(self, moment: datetime) -> datetime | None:
        """The first time that is later; None where there is none, as on the 30th of February."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        while day.year <= start.year + _YEARS:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
                continue
            if day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                found = self._time_of(day, start)
                if found is not None:
                    return found
            day += timedelta(days=1)
        return None

    def _time_of(self, day: datetime, start: datetime) -> datetime | None:
        times = (
            day.replace(hour=hour, minute=minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)
        )
        return next((time for time in times if time >= start), None)


def parse_schedule(text: str) -> Schedule:
    """Of ``minute hour day month weekday``. Raises ScheduleInvalid."""
    parts = text.split() if len(text) <= LENGTH_LIMIT else []
    if len(parts) != len(_FIELDS):
        raise ScheduleInvalid(
            f"{text[:LENGTH_LIMIT]!r} is an invalid crontab expression. It must contain 5 components of a schedule in "
            "the sequence of minutes, hours, days, months, and days of week."
        )
    return Schedule(*(field.parse(part) for field, part in zip(_FIELDS, parts, strict=True)))
