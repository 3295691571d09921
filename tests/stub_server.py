"""A server that does what a test tells it to, on a real socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Handler(BaseHTTPRequestHandler):
    """One connection; `server.script` says what to do with each request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.stub.connections += 1  # type: ignore[attr-defined]

    def handle_request(self) -> None:
        stub: Stub = self.server.stub  # type: ignore[attr-defined]
        request = Request(self.command, self.path, {key.lower(): value for key, value in self.headers.items()})
        with stub.lock:
            stub.requests.append(request)
            step = stub.steps.pop(0) if len(stub.steps) > 1 else stub.steps[0]
        self.request_seen = request
        step(self)

    do_GET = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815

    def take_body(self) -> bytes:
        self.request_seen.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        return self.request_seen.body

    def reply(self, status: int, content: bytes = b"", size: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


Step = Callable[[Handler], None]


@dataclass
class Stub:
    """The server: `steps` are done one after the other, the last one for ever."""

    url: str
    steps: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *steps: Step) -> None:
        self.steps = list(steps)


def answer(status: int, content: bytes = b"", size: int | None = None, **headers: str) -> Step:
    """Take the whole request, then answer; `size` is the length that is promised."""

    def step(handler: Handler) -> None:
        handler.take_body()
        handler.reply(status, content, size, **headers)
        if size is not None:
            handler.hang_up()

    return step


def problem(status: int, **problem: Any) -> Step:
    return answer(status, json.dumps(problem).encode(), content_type="application/problem+json")


def hang_up(handler: Handler) -> None:
    """Break off without an answer."""
    handler.take_body()
    handler.hang_up()


@contextmanager
def stub_server() -> Iterator[Stub]:
    """The server while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        stub = Stub(f"http://127.0.0.1:{http.server_address[1]}")
        http.stub = stub  # type: ignore[attr-defined]
        http.handle_error = lambda *_: None  # type: ignore[method-assign]
        # threads of connections that are kept alive end when the client closes them
        http.block_on_close = False
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            http.shutdown()
            thread.join()
