"""``python -m bench.receiver PORT``: a receiver of webhooks that answers at once."""

import asyncio
import re
import sys
from typing import Final

_LENGTH: Final = re.compile(rb"(?i)content-length: (\d+)")


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._came = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport if isinstance(transport, asyncio.WriteTransport) else None

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if self._transport is not None and end and length is not None and len(body) >= int(length[1]):
            self._transport.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            self._transport.close()


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
