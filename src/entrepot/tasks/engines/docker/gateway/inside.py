"""What runs in a run's gateway: it listens in the run's networks, hands that to the worker, and does nothing else.

A socket belongs to the network in which it was made, whoever holds it. So the worker itself answers there, and the
container needs no way out, no list and no line of the proxy's.
"""

import socket
import struct
from typing import Final

PORT: Final = 3128
PLACE: Final = "/gateway.sock"
_WAITING: Final = 128


def main() -> None:
    listener = socket.create_server(("", PORT), backlog=_WAITING)
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(PLACE)
        rights = struct.pack("i", listener.fileno())
        worker.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        worker.recv(1)  # nothing comes: it ends with the worker
