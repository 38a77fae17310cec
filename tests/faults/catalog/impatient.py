"""``entrepot`` that waits two seconds for a catalog that is locked or silent, instead of half a minute or more.

Run as ``python impatient.py serve ...``. The wait is no setting: nobody but a test wants another one.
"""

import functools
import sys

from entrepot.cli import main
from entrepot.db import postgresql, sqlite

WAIT_SECONDS = 2

if __name__ == "__main__":
    sqlite.WriteLock = functools.partial(sqlite.WriteLock, wait_seconds=WAIT_SECONDS)
    sqlite._PRAGMAS = (*sqlite._PRAGMAS, f"PRAGMA busy_timeout={WAIT_SECONDS * 1000}")
    postgresql.SILENCE_SECONDS = WAIT_SECONDS
    sys.exit(main(sys.argv[1:]))
