"""What our child processes have in common: they end when the server does, however it ends."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_PR_SET_NAME: Final = 15


def become_child(parent: int, name: str) -> None:
    """Called first in a forked child: die with the parent, and take no signal the way the parent does.

    The name, 15 characters at most, is what ``ps -o comm`` and ``top`` show.

    A parent that ends by SIGKILL cannot stop its children; Linux does it for us (PR_SET_PDEATHSIG). The signal comes
    when the *thread* that forked ends, so fork from one that lives as long as the process.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    libc.prctl(_PR_SET_NAME, name.encode())
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to be told
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    # A terminal sends these to the whole group; the parent passes on what children should hear.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
