"""A `Transport` over the HTTP API, on urllib3; what the answers mean is decided in `lab.py`."""

from __future__ import annotations

import http.client
import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeVar, cast
from urllib.parse import quote, urlencode

import numpy as np
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import parse_url

from aqdata.client.connection import Pool, PoolTLS, pieces, read_into
from aqdata.client.problems import foreign, problem
from aqdata.errors import AqdataError, Corrupt, Invalid, ServerError, Unreachable
from aqdata.lab.progress import Progress
from aqdata.lab.transport import Body, Buffer, BytesBody, Loaded
from aqdata.models import canonical
from aqdata.models.dtypes import dtype_name
from aqdata.models.selection import Selection
from aqdata.wire.strings import decode_strings

PREFIX = "/api/v1"
PACK = "application/zip"
JSON = "application/json"
RAW = "application/octet-stream"

TRIES = 3
WAITS = (0.1, 2.0)
"""Seconds between tries: the first, which then doubles, and the longest."""

LONGEST_RETRY_AFTER = 30.0
_PIECE = 512 << 10
_THREADS = 32

R = TypeVar("R")


class _TransientError(Exception):
    """A failure after which the same request may succeed."""

    def __init__(self, error: AqdataError, wait: float = 0.0) -> None:
        self.error = error
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Request:
    """`retry` says that sending it twice does no more than sending it once."""

    method: str
    path: str
    query: Mapping[str, str | int | None] | None = None
    accept: str = JSON
    media_type: str | None = None
    body: Body | None = None
    retry: bool = True


class HttpTransport:
    """Talks to one server, over as many connections as there are threads that call."""

    def __init__(self, url: str, *, connect_timeout: float = 5.0, read_timeout: float = 60.0) -> None:
        """Make no connection yet. Time-outs in seconds; `read_timeout` is for each wait, not for all of a transfer."""
        try:
            parsed = parse_url(url if "://" in url else f"http://{url}")
        except LocationParseError as error:
            raise Invalid(f"{url!r} is no URL; write http://host:5000", field="url") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise Invalid(f"{url!r} is no HTTP URL; write http://host:5000", field="url")
        if parsed.query or parsed.fragment or parsed.auth:
            raise Invalid(f"{url!r} has more than host, port and path", field="url")
        self.url = parsed.url.rstrip("/")
        self._base = (parsed.path or "").rstrip("/") + PREFIX
        self._timeout = Timeout(connect=connect_timeout, read=read_timeout)
        pool = PoolTLS if parsed.scheme == "https" else Pool
        self._pool = pool(parsed.host, parsed.port, maxsize=_THREADS, block=False)

    def __repr__(self) -> str:
        return f"<HttpTransport {self.url}>"

    def save(self, pack: Body, progress: Progress) -> Buffer:
        return self._call(_Request("POST", "/datafiles", media_type=PACK, body=_Counted(pack, progress)), _content)

    def load(self, file_id: str) -> Loaded:
        def loaded(response: BaseHTTPResponse) -> Loaded:
            return Loaded(_content(response), response.headers.get("content-type", "").startswith(PACK))

        return self._call(_Request("GET", f"/datafiles/{file_id}", accept=f"{PACK}, {JSON}"), loaded)

    def document(self, file_id: str) -> Buffer:
        return self._call(_Request("GET", f"/datafiles/{file_id}"), _content)

    def page(
        self, *, limit: int, cursor: str | None = None, state: str | None = None, ending: str | None = None
    ) -> Buffer:
        query = {"limit": limit, "cursor": cursor, "state": state, "ending": ending}
        return self._call(_Request("GET", "/datafiles", query), _content)

    def read(self, file_id: str, name: str, selection: Selection, dtype: np.dtype, progress: Progress) -> np.ndarray:
        path = f"/datafiles/{file_id}/data/{_quoted(name)}"
        if selection.is_basic:
            query = {"order": "K"} if selection.whole else {"slice": selection.to_text()}
            request = _Request("GET", path, query, RAW)
        else:
            body = BytesBody(canonical.encode({"index": selection.to_json()}))
            request = _Request("POST", f"{path}/read", accept=RAW, media_type=JSON, body=body)
        return self._call(request, lambda response: _array(response, selection.shape, dtype, progress))

    def write_pack(self, file_id: str, out: BinaryIO, progress: Progress) -> None:
        def write(response: BaseHTTPResponse) -> None:
            out.seek(0)
            out.truncate()
            progress.start(response.length_remaining)
            for piece in response.stream(_PIECE):
                out.write(piece)
                progress.advance(len(piece))

        self._call(_Request("GET", f"/datafiles/{file_id}.zarr.zip", accept=PACK), write)

    def delete(self, file_id: str) -> None:
        self._call(_Request("DELETE", f"/datafiles/{file_id}"), _content)

    def restore(self, file_id: str) -> None:
        self._call(_Request("POST", f"/datafiles/{file_id}/restore", retry=False), _content)

    def purge(self, file_id: str) -> None:
        # a second one would say that there is no such DataFile
        self._call(_Request("DELETE", f"/datafiles/{file_id}", {"purge": "true"}, retry=False), _content)

    def get_file(self, file_id: str, name: str, progress: Progress) -> Buffer:
        request = _Request("GET", f"/datafiles/{file_id}/files/{_quoted(name)}", accept="*/*")
        return self._call(request, lambda response: _content(response, progress))

    def put_file(self, file_id: str, name: str, body: Body, progress: Progress) -> Buffer:
        # not retried: each one that arrives is a revision
        path = f"/datafiles/{file_id}/files/{_quoted(name)}"
        counted = _Counted(body, progress)
        return self._call(_Request("PUT", path, media_type=RAW, body=counted, retry=False), _content)

    def close(self) -> None:
        self._pool.close()

    def _call(self, request: _Request, handle: Callable[[BaseHTTPResponse], R]) -> R:
        """What `handle` makes of the answer, which it reads to its end; tries again where that is safe and may help."""
        for failures in itertools.count(1):
            try:
                return self._try(request, handle)
            except _TransientError as failure:
                if not request.retry or failures == TRIES or failure.wait > LONGEST_RETRY_AFTER:
                    raise failure.error from failure.__cause__
                # spread, so that many clients don't come back at the same moment
                pause = min(WAITS[0] * 2 ** (failures - 1), WAITS[1]) * random.uniform(0.5, 1.5)  # noqa: S311
                time.sleep(max(pause, failure.wait))
        raise AssertionError("unreachable")

    def _try(self, request: _Request, handle: Callable[[BaseHTTPResponse], R]) -> R:
        query = {key: value for key, value in (request.query or {}).items() if value is not None}
        target = f"{self._base}{request.path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": request.accept, "User-Agent": "aqdata"}
        if request.body is not None:
            headers["Content-Length"] = str(request.body.size)
        if request.media_type:
            headers["Content-Type"] = request.media_type
        # urllib3 sends any buffers, its types say bytes
        body = cast("Iterator[bytes]", pieces(request.body)) if request.body is not None else None
        try:
            response = self._pool.urlopen(
                request.method,
                target,
                body=body,
                headers=headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                if response.status >= 300:
                    raise _failure(response, self.url)
                if request.accept != "*/*" and "text/html" in response.headers.get("content-type", ""):
                    raise foreign(response, self.url)
                result = handle(response)
                response.drain_conn()
                return result
            finally:
                # a connection whose answer was read to the end is back in the pool already and stays open
                response.close()
                response.release_conn()
        except HTTPError as error:
            raise self._explain(error) from error

    def _explain(self, error: HTTPError) -> Exception:
        """Ours for an error of urllib3; one that may pass is wrapped."""
        cause = error.args[1] if len(error.args) > 1 else None
        if isinstance(error, ClosedPoolError):
            return AqdataError("this Lab is closed")
        if isinstance(error, NameResolutionError):
            return Unreachable(f"there is no host of the name in {self.url}")
        if isinstance(error, NewConnectionError):
            reason = getattr(error.__cause__, "strerror", None) or error.__cause__
            return _TransientError(
                Unreachable(f"no aqdata server at {self.url}; start one with `aqdata serve` ({reason})")
            )
        if isinstance(error, ConnectTimeoutError):
            return Unreachable(f"{self.url} does not answer within {self._timeout.connect_timeout:g} s")
        if isinstance(error, ReadTimeoutError) or isinstance(cause, TimeoutError):
            return Unreachable(f"{self.url} went silent for {self._timeout.read_timeout:g} s")
        if isinstance(error, SSLError):
            # OpenSSL's words for an answer that is not TLS; they differ with its version
            if any(words in str(error).lower().replace("_", " ") for words in ("wrong version number", "record layer")):
                return Unreachable(f"{self.url} does not speak HTTPS; try http://{self.url.removeprefix('https://')}")
            return Unreachable(f"no trusted connection to {self.url}: {error}")
        if isinstance(cause, IncompleteRead):
            got = f"{cause.partial} bytes came, {cause.expected} more were promised"
            return _TransientError(Unreachable(f"{self.url} broke off its answer: {got}"))
        if isinstance(cause, http.client.BadStatusLine) and not isinstance(cause, http.client.RemoteDisconnected):
            return Unreachable(f"{self.url} answers, but not as an aqdata server over HTTP; is it the right port?")
        return _TransientError(Unreachable(f"{self.url} broke off the connection: {cause or error}"))


class _Counted:
    """A body that tells how far it is."""

    def __init__(self, body: Body, progress: Progress) -> None:
        self.size = body.size
        self._body = body
        self._progress = progress

    def __iter__(self) -> Iterator[Buffer]:
        self._progress.start(self.size)
        for buffer in self._body:
            yield buffer
            self._progress.advance(memoryview(buffer).nbytes)


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _failure(response: BaseHTTPResponse, url: str) -> Exception:
    error = problem(response, url)
    if response.status != 503:
        return error
    after = response.headers.get("retry-after", "")
    return _TransientError(error, float(after) if after.isdecimal() else 0.0)


def _content(response: BaseHTTPResponse, progress: Progress | None = None) -> Buffer:
    """The whole body."""
    size = response.length_remaining
    if not size:
        return response.read()
    # read() would hold it twice
    content = bytearray(size)
    _fill(response, memoryview(content), progress or Progress())
    return content


def _fill(response: BaseHTTPResponse, view: memoryview, progress: Progress) -> None:
    """Read exactly as many bytes as fit."""
    progress.start(len(view))
    at = 0
    while at < len(view):
        count = read_into(response, view[at : at + _PIECE])
        if not count and response.length_remaining is None:
            raise Corrupt(f"the server's answer ends after {at} of {len(view)} bytes")
        if not count:
            raise ProtocolError("the answer is cut short", IncompleteRead(at, len(view) - at))
        at += count
        progress.advance(count)


def _array(response: BaseHTTPResponse, shape: tuple[int, ...], dtype: np.dtype, progress: Progress) -> np.ndarray:
    """The array of a raw answer, whose headers must agree with what was asked for."""
    expected = {"x-aqdata-dtype": dtype_name(dtype), "x-aqdata-shape": ",".join(map(str, shape))}
    for header, value in expected.items():
        if (got := response.headers.get(header)) != value:
            raise ServerError(f"the server sent {header} {got!r} instead of {value!r}")
    order: Literal["C", "F"] = "F" if response.headers.get("x-aqdata-order") == "F" else "C"
    if isinstance(dtype, np.dtypes.StringDType):
        texts = decode_strings(_content(response, progress))
        if texts.size != math.prod(shape):
            raise ServerError(f"the server sent {texts.size} texts instead of {math.prod(shape)}")
        return texts.reshape(shape, order=order)
    array: np.ndarray = np.empty(math.prod(shape), dtype.newbyteorder("<"))
    size = response.length_remaining
    if size is not None and size != array.nbytes:
        raise ServerError(f"the server sent {size} bytes instead of {array.nbytes}")
    _fill(response, array.view(np.uint8).data, progress)
    return array.astype(dtype, copy=False).reshape(shape, order=order)
