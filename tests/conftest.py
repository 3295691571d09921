"""What the tests share: a running server with a Lab on it, and the embedded Lab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_server import LiveServer

import aqdata
from aqdata import Lab


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A running server; others use it too."""
    with LiveServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def directory_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that stores every DataFile with elements as a directory, however small."""
    with LiveServer(tmp_path_factory.mktemp("directories"), pack=0) as server:
        yield server


@pytest.fixture(scope="session")
def lab(server: LiveServer) -> Iterator[Lab]:
    """The Lab on the running server."""
    with aqdata.connect(server.url) as lab:
        yield lab


@pytest.fixture(scope="session")
def directory_lab(directory_server: LiveServer) -> Iterator[Lab]:
    """The Lab on the server of directories."""
    with aqdata.connect(directory_server.url) as lab:
        yield lab


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The embedded stores in a folder."""
    with aqdata.open(tmp_path_factory.mktemp("embedded")) as lab:
        yield lab
