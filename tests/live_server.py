"""A real server on a free port, in a thread of the tests, over a folder; raw requests to it, and what it stored."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn

from aqdata.api.app import create_app
from aqdata.backends import open_service
from aqdata.config import Config
from aqdata.config.model import DataBackend, MetadataBackend, Server
from aqdata.wire.pack import Limits

API = "/api/v1/datafiles"
PACK = "application/zip"


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type()


class LiveServer:
    """A server over a folder. `pack` is the size in bytes up to which it stores DataFiles as packs."""

    def __init__(self, folder: Path, pack: int | None = None, **options: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        # fsync is tested where it matters
        config = Config(
            data_backend=DataBackend(path=str(self.data), durable=False),
            metadata_backend=MetadataBackend(url=f"sqlite:///{folder / 'datafiles.sqlite'}"),
            server=Server(**options),
        )

        @asynccontextmanager
        async def stores(config: Config) -> Any:
            async with open_service(config, mapped=True) as service:
                if pack is not None:
                    service.limits = replace(service.limits, pack=pack)
                self.limits: Limits = service.limits
                yield service

        self.app = create_app(config, stores)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, ws="none", proxy_headers=False))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> LiveServer:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: str
    ) -> Answer:
        """One request on a connection of its own."""
        if query:
            path += "?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        connection = self.connection()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, accept: str | None = None, **query: str) -> Answer:
        return self.request("GET", path, headers={"Accept": accept} if accept else None, **query)

    def post_pack(self, pack: bytes) -> Answer:
        return self.request("POST", API, pack, {"Content-Type": PACK})

    def stored(self) -> tuple[list[str], list[str]]:
        """The blobs and the ids of all records."""
        blobs = sorted(path.relative_to(self.data).as_posix() for path in self.data.rglob("*") if path.is_file())
        ids = [
            found["id"]
            for state in ("", "&state=deleted")
            for found in self.request("GET", f"{API}?limit=1000{state}").json["datafiles"]
        ]
        return blobs, sorted(ids)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Hold that nothing more and nothing less is stored after what is done inside."""
        before = self.stored()
        yield
        # a client that hung up does not see the end of its request; ours come after it
        self.stored()
        deadline = time.monotonic() + 30
        while self._server.server_state.tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        assert self.stored() == before


def assert_refused(answer: Answer, status: int, field: str | None, detail: str) -> None:
    """A problem document that names the field and says what is wrong."""
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.content[:500]
    problem = answer.json
    assert problem["status"] == status
    assert problem["type"].startswith("urn:aqdata:error:")
    assert problem["title"]
    assert problem.get("field") == field, problem
    assert detail in problem["detail"], problem
