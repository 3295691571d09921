"""A connection that notices an answer while it still sends, so that a refused upload fails with the server's reason."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import Any

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError
from urllib3.util.wait import wait_for_read, wait_for_socket

from aqdata.lab.transport import Body, Buffer

SEND_TIMEOUT = 60.0
"""Seconds that the server may take nothing of what is sent."""

_PIECE = 1 << 20
_SMALL = 1 << 16


class _Watching(HTTPConnection):
    """Stops sending when the server has answered.

    BrokenPipeError is what urllib3 takes as "read the answer now". Otherwise we would go on filling the buffers of a
    server that has stopped reading, and its reset would discard the answer.
    """

    _unfinished = False

    def connect(self) -> None:
        self._unfinished = False
        super().connect()

    @property
    def is_connected(self) -> bool:
        # the rest of a body that was never sent must not be followed by a new request
        return not self._unfinished and super().is_connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        view = memoryview(data).cast("B")
        while view:
            view = view[self._send_some(view[:_PIECE]) :]

    def _send_some(self, piece: memoryview) -> int:
        if isinstance(self.sock, ssl.SSLSocket):
            # something to read may be no more than a session ticket here
            self.sock.settimeout(SEND_TIMEOUT)
            self.sock.sendall(piece)
            return len(piece)
        self._unfinished = True
        if not wait_for_socket(self.sock, read=True, write=True, timeout=SEND_TIMEOUT):
            raise TimeoutError(f"the server took nothing for {SEND_TIMEOUT:.0f} s")
        if wait_for_read(self.sock, timeout=0):
            raise BrokenPipeError("the server answered before it had everything")
        sent = self.sock.send(piece)
        self._unfinished = False
        return sent


class _WatchingTLS(_Watching, HTTPSConnection):
    pass


class Pool(HTTPConnectionPool):
    """Connections to one server."""

    ConnectionCls = _Watching


class PoolTLS(HTTPSConnectionPool):
    """Encrypted ones."""

    ConnectionCls = _WatchingTLS


def pieces(body: Body) -> Iterator[Buffer]:
    """The buffers of a body with small ones joined, so that they don't become a packet each."""
    small = bytearray()
    for buffer in body:
        view = memoryview(buffer).cast("B")
        if view.nbytes < _SMALL:
            small += view
            if len(small) < _SMALL:
                continue
            view = memoryview(b"")
        if small:
            yield bytes(small)
            small.clear()
        if view:
            yield view
    if small:
        yield bytes(small)


def read_into(response: BaseHTTPResponse, view: memoryview) -> int:
    """Read some bytes of an answer of known length into a buffer; 0 when there are no more.

    urllib3's own `readinto` reads into bytes first and copies these, which takes a third of the time of a large answer.
    """
    raw = getattr(response, "_fp", None)
    if not isinstance(raw, http.client.HTTPResponse) or response.length_remaining is None:
        return _copied(response, view)
    try:
        count = raw.readinto(view)
    except TimeoutError as error:
        raise ProtocolError("nothing came", error) from error
    except OSError as error:
        raise ProtocolError("the connection broke", error) from error
    response.length_remaining -= count
    return count


def _copied(response: BaseHTTPResponse, view: memoryview) -> int:
    piece = response.read(len(view))
    view[: len(piece)] = piece
    return len(piece)
