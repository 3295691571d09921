"""A transport, and the server that it talks to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stub_server import Stub, stub_server

from aqdata.client import HttpTransport


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


@pytest.fixture
def transport(server: Stub, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpTransport]:
    monkeypatch.setattr("aqdata.client.http.WAITS", (0.01, 0.02))
    transport = HttpTransport(server.url)
    yield transport
    transport.close()
