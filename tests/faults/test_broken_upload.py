"""Clients that go away in the middle of a save leave nothing behind."""

from __future__ import annotations

import socket
import time

import pytest
from faults.harness import DATAFILES, Sample, Server, assert_equal, attempts

import aqdata

SECONDS = 20.0


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("kind", ["small", "large", "files"])
def test_client_goes_away(server: Server, kind: str, reset: bool) -> None:
    one = Sample.new(kind, 1)
    body = b"".join(bytes(piece) for piece in one.pack())
    head = f"POST {DATAFILES} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/zip\r\n"
    for share in (0.05, 0.5, 0.99):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: int(len(body) * share)])
            # until the server has written some of it
            deadline = time.monotonic() + 0.2
            while not attempts(server.folder, one.id) and time.monotonic() < deadline:
                time.sleep(0.01)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        deadline = time.monotonic() + SECONDS
        while attempts(server.folder, one.id) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert attempts(server.folder, one.id) == set()
        assert server.answers("GET", one.path) == 404
    assert one.save(server) == 201
    with aqdata.connect(server.url) as lab:
        assert_equal(lab, one)
