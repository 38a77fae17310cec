"""``python -m entrepot`` is the `entrepot` command."""

import sys

from entrepot.cli import main

if __name__ == "__main__":
    sys.exit(main())
