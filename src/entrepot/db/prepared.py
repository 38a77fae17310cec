"""Statements of hot paths: built from Core once, compiled once for each database, run by the driver itself.

SQLAlchemy spends 50 us on a constant statement and several times that on one that is built for its call; the drivers
5-11 (DESIGN D4). A push runs some eighty statements, so this is most of what it costs (docs/performance.md).

The values are what the driver stores: instants are converted, results are not (an ``Instant`` comes back as a number).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

Row = Sequence[Any]  # a driver's row: the caller's query knows its types
Values = Mapping[str, Any]  # by bind parameter

_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class _Parameter:
    """``constant`` is what stands in the statement itself."""

    name: str
    convert: Callable[[Any], Any] | None
    constant: Any

    def of(self, values: Values) -> Any:  # noqa: ANN401  what the column takes
        value = values[self.name] if self.constant is _REQUIRED else self.constant
        return value if self.convert is None else self.convert(value)


class Compiled:
    """A statement as one driver takes it."""

    __slots__ = ("_parameters", "_plain", "_positional", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        binds: Mapping[str, Any] = getattr(compiled, "binds", {})
        positions: Iterable[str] | None = getattr(compiled, "positiontup", None)
        self._positional = positions is not None
        self._parameters = tuple(_parameter(name, binds[name], dialect) for name in positions or binds)
        self._plain = all(each.convert is None and each.constant is _REQUIRED for each in self._parameters)

    def bind(self, values: Values) -> Any:  # noqa: ANN401  a tuple or a dictionary, as the driver wants it
        """The values in the driver's form. A value that the statement does not name is left out."""
        if self._positional:
            if self._plain:
                return [values[each.name] for each in self._parameters]
            return [each.of(values) for each in self._parameters]
        return {each.name: each.of(values) for each in self._parameters}


def _parameter(name: str, bind: Any, dialect: Dialect) -> _Parameter:  # noqa: ANN401  SQLAlchemy's BindParameter
    constant = _REQUIRED if bind.required else bind.effective_value
    return _Parameter(name, bind.type.dialect_impl(dialect).bind_processor(dialect), constant)


class Prepared:
    """A constant statement with named bind parameters, for use inside a door's transaction."""

    __slots__ = ("_compiled", "statement")

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """Compiled at the first use: by then every table is complete."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = Compiled(self.statement, dialect)
        return found

    def rows(self, tx: Connection, **values: Any) -> list[Row]:  # noqa: ANN401  any column's value
        """Run it; every row that it selects or returns."""
        return self._run(tx, values).fetchall()

    def first(self, tx: Connection, **values: Any) -> Row | None:  # noqa: ANN401  the same
        """Run it; the first row, if there is one."""
        return self._run(tx, values).fetchone()

    def run(self, tx: Connection, **values: Any) -> None:  # noqa: ANN401  the same
        """Run it; it has no rows."""
        self._run(tx, values)

    def each(self, tx: Connection, several: Iterable[Values]) -> None:
        """Run it once for each of these."""
        for values in several:
            self._run(tx, values)

    def _run(self, tx: Connection, values: Values) -> Any:  # noqa: ANN401  the driver's cursor
        compiled = self.compiled(tx.dialect)
        driver: Any = tx.connection.driver_connection
        try:
            return driver.execute(compiled.sql, compiled.bind(values))
        except tx.dialect.loaded_dbapi.Error as error:
            _raise_as_sqlalchemy_does(tx, compiled.sql, error)


def _raise_as_sqlalchemy_does(tx: Connection, sql: str, error: Exception) -> NoReturn:
    """What the doors know how to read; values are not told, they may be secrets.

    Where one connection is dead the others in the pool are, too: all go, as when SQLAlchemy finds it out.
    """
    dialect = tx.dialect
    is_dead = dialect.is_disconnect(error, tx.connection.dbapi_connection, None)  # pyright: ignore[reportArgumentType]  the driver's own
    raised = DBAPIError.instance(
        sql, None, error, dialect.loaded_dbapi.Error, dialect=dialect, connection_invalidated=is_dead
    )
    if is_dead:
        tx.invalidate(error)
        tx.engine.dispose()
    raise raised from error
