"""A fresh catalog of each kind for a measurement, with durable commits; and what the figures belong to."""

import platform
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.contenders.lab import Lab
from bench.contenders.postgresql import start_postgresql, version
from bench.machine import describe
from bench.processes import Household
from entrepot.app.first_start import prepare
from entrepot.settings import Settings

_MS: Final = 1000


def catalogs() -> Iterator[tuple[str, Settings]]:
    """SQLite, then PostgreSQL: each with the first rows; gone when the next is asked for."""
    with Household(None) as household:
        print(", ".join(f"{name} {value}" for name, value in describe(household.folder).items()))
        print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, PostgreSQL {version()}")
        yield "sqlite", _prepared(household.folder / "sqlite", None)
        postgresql = start_postgresql(Lab.furnish(household), household.folder)
        yield "postgresql", _prepared(household.folder / "beside", postgresql.url)


def _prepared(data: Path, url: str | None) -> Settings:
    settings = Settings.model_validate({"data_dir": data, "database_url": url, "no_tls": True, "log_level": "error"})
    prepare(settings)
    return settings


def spread(seconds: Sequence[float]) -> str:
    """Median, 90th percentile and worst, in milliseconds."""
    ordered = sorted(seconds)
    figures = (statistics.median(ordered), ordered[int(len(ordered) * 0.9)], ordered[-1])
    return "median {:.1f} ms, p90 {:.1f} ms, worst {:.1f} ms".format(*(figure * _MS for figure in figures))
