"""The bare server of the baselines R and H, a raw ASGI app: `python -m benchmarks.bare`; nothing of aqdata is in it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

import numpy as np
import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL = 8 << 10
PIECE = 1 << 20


@cache
def _content(size: int) -> memoryview:
    """What is sent, and what is received goes into it: pages that are there already."""
    return np.ones(size, np.uint8).data


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """GET /<n> answers n bytes; POST takes a body whole and answers nothing."""
    size = 0
    if scope["method"] == "POST":
        await _take(int(dict(scope["headers"])[b"content-length"]), receive)
    else:
        size = int(scope["path"][1:])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(size).encode())]})
    content = _content(size)
    for at in range(0, size, PIECE):
        await send({"type": "http.response.body", "body": content[at : at + PIECE], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _take(size: int, receive: Receive) -> None:
    buffer = _content(size)
    at = 0
    while True:
        message = await receive()
        body = message.get("body", b"")
        buffer[at : at + len(body)] = body
        at += len(body)
        if not message.get("more_body"):
            break
    if at != size:
        raise ValueError(f"{at} bytes came instead of {size}")


def main() -> None:
    """Serve on a free port of loopback until a signal comes; the first line printed is the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"bare server on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", ws="none")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
