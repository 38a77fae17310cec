"""The rows of the table, in the order of DESIGN section 5."""

from typing import Final

from bench.model import Row
from bench.rows import background, idle, large, listing, management, pushes, reads, tasks, tokens

ROWS: Final[tuple[Row, ...]] = (
    *reads.ROWS,
    *tokens.ROWS,
    *management.ROWS,
    *pushes.ROWS,
    *large.ROWS,
    *listing.ROWS,
    *background.ROWS,
    *tasks.ROWS,
    *idle.ROWS,
)
