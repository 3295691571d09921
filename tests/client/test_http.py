"""The HTTP transport against a server that misbehaves on a real socket."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_server import Handler, Stub, answer, hang_up, problem

from aqdata import errors
from aqdata.client import HttpTransport
from aqdata.errors import (
    AqdataError,
    Conflict,
    Corrupt,
    Deleted,
    Forbidden,
    Invalid,
    InvalidIndex,
    NotFound,
    ServerError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
    Unreachable,
)
from aqdata.lab import Lab, Progress
from aqdata.lab.transport import BytesBody
from aqdata.models.dtypes import dtype_name
from aqdata.models.selection import Selection
from aqdata.wire.strings import encode_strings

ID = "0193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3a"
QUIET = Progress()
RECEIPT = json.dumps({"id": ID, "revision": 1, "state": "complete", "saved_at": "2026-11-22T10:07:00.123456Z"}).encode()
DOCUMENT = b'{"id":"x"}'


def raw(array: np.ndarray[Any, Any], order: str = "C", size: int | None = None, **headers: str) -> Callable[..., None]:
    """How a server sends an array."""
    content = encode_strings(array) if dtype_name(array.dtype) == "str" else array.tobytes(order)  # type: ignore[arg-type]
    told = {
        "x_aqdata_dtype": dtype_name(array.dtype),
        "x_aqdata_shape": ",".join(map(str, array.shape)),
        "x_aqdata_order": order,
    }
    return answer(200, content, size, **(told | headers))


def read(transport: HttpTransport, array: np.ndarray[Any, Any], index: Any = ...) -> np.ndarray[Any, Any]:
    return transport.read(ID, "s21", Selection.of(index, array.shape), array.dtype, QUIET)


class Parts:
    """A body of many buffers that counts how often it is begun."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))
        self.begun = 0

    def __iter__(self) -> Any:
        self.begun += 1
        return iter(self.parts)


# sending


def test_save_sends_all_buffers_with_their_length(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(201, RECEIPT))
    parts = Parts(b"a", b"", b"b" * 100_000, b"c", b"d" * (3 << 20), b"e" * 10)
    assert transport.save(parts, QUIET) == RECEIPT
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/datafiles")
    assert request.headers["content-type"] == "application/zip"
    assert request.headers["content-length"] == str(parts.size)
    assert "transfer-encoding" not in request.headers
    assert request.body == b"".join(parts.parts)


def test_a_broken_save_is_sent_again_from_the_start(server: Stub, transport: HttpTransport) -> None:
    server.script(hang_up, hang_up, answer(201, RECEIPT))
    parts = Parts(b"a" * 200_000, b"b")
    assert transport.save(parts, QUIET) == RECEIPT
    assert parts.begun == 3
    assert [request.body for request in server.requests] == [b"".join(parts.parts)] * 3


def test_a_save_broken_in_the_middle_is_sent_again(server: Stub, transport: HttpTransport) -> None:
    def break_off(handler: Handler) -> None:
        handler.rfile.read(1 << 20)
        handler.hang_up()

    server.script(break_off, answer(201, RECEIPT))
    body = bytes(32 << 20)
    assert transport.save(BytesBody(body), QUIET) == RECEIPT
    assert server.requests[1].body == body


@pytest.mark.parametrize("then", ["waits", "closes", "resets"])
def test_a_refusal_during_the_upload_gives_the_servers_reason(
    server: Stub, transport: HttpTransport, then: str
) -> None:
    done = threading.Event()

    def refuse(handler: Handler) -> None:
        handler.rfile.read(1000)
        reason = {"type": "urn:aqdata:error:Invalid", "detail": "no such codec", "field": "s21/zarr.json"}
        handler.reply(422, json.dumps(reason).encode(), content_type="application/problem+json")
        if then == "waits":
            done.wait(10)
        if then == "resets":
            time.sleep(0.2)
            # closing with unread bytes sends a reset
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        handler.close_connection = True

    server.script(refuse, answer(200, DOCUMENT))
    began = time.monotonic()
    with pytest.raises(Invalid, match=r"s21/zarr\.json: no such codec") as caught:
        transport.save(BytesBody(bytes(64 << 20)), QUIET)
    assert time.monotonic() - began < 5
    assert caught.value.field == "s21/zarr.json"
    # what was not sent is not taken for the next request
    assert transport.document(ID) == DOCUMENT
    done.set()


def test_an_early_success_is_one(server: Stub, transport: HttpTransport) -> None:
    def accept(handler: Handler) -> None:
        handler.reply(200, RECEIPT)
        handler.take_body()

    server.script(accept)
    assert transport.save(BytesBody(bytes(64 << 20)), QUIET) == RECEIPT


def test_an_error_while_reading_the_body_leaves_the_transport_usable(server: Stub, transport: HttpTransport) -> None:
    class Broken:
        size = 2 << 20

        def __iter__(self) -> Any:
            yield bytes(1 << 20)
            raise OSError("the disk is gone")

    server.script(answer(200, DOCUMENT))
    with pytest.raises(OSError, match="the disk is gone"):
        transport.save(Broken(), QUIET)
    assert transport.document(ID) == DOCUMENT


# trying again


def test_503_is_tried_again(server: Stub, transport: HttpTransport) -> None:
    server.script(problem(503, detail="busy"), answer(201, RECEIPT))
    parts = Parts(b"abc")
    assert transport.save(parts, QUIET) == RECEIPT
    assert parts.begun == 2


def test_503_for_good_is_the_servers_reason(server: Stub, transport: HttpTransport) -> None:
    server.script(problem(503, type="urn:aqdata:error:StoreUnavailable", detail="MongoDB does not answer"))
    with pytest.raises(StoreUnavailable, match="MongoDB does not answer"):
        transport.document(ID)
    assert len(server.requests) == 3


def test_retry_after_is_honoured(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(503, b"", retry_after="1"), answer(200, DOCUMENT))
    began = time.monotonic()
    transport.document(ID)
    assert 1 <= time.monotonic() - began < 3


def test_who_is_told_to_come_back_much_later_is_told_so(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(503, b"", retry_after="3600"))
    with pytest.raises(StoreUnavailable):
        transport.document(ID)
    assert len(server.requests) == 1


SAFE: list[Callable[[HttpTransport], Any]] = [
    lambda transport: transport.document(ID),
    lambda transport: transport.load(ID),
    lambda transport: transport.page(limit=1),
    lambda transport: transport.get_file(ID, "fit.png", QUIET),
    lambda transport: transport.write_pack(ID, io.BytesIO(), QUIET),
    lambda transport: transport.save(BytesBody(b"x"), QUIET),
    lambda transport: transport.delete(ID),
    lambda transport: read(transport, np.zeros(3)),
    lambda transport: read(transport, np.zeros(3), [[0, 2]]),
]
ONCE: list[Callable[[HttpTransport], Any]] = [
    lambda transport: transport.put_file(ID, "fit.png", BytesBody(b"x"), QUIET),
    lambda transport: transport.restore(ID),
    lambda transport: transport.purge(ID),
]


@pytest.mark.parametrize(("call", "times"), [*((call, 3) for call in SAFE), *((call, 1) for call in ONCE)])
def test_only_what_is_safe_is_sent_again(
    server: Stub, transport: HttpTransport, call: Callable[[HttpTransport], Any], times: int
) -> None:
    server.script(hang_up)
    with pytest.raises(Unreachable, match="broke off"):
        call(transport)
    assert len(server.requests) == times


def test_no_server_says_how_to_start_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        transport = HttpTransport(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unreachable, match=r"no aqdata server at http://127.*`aqdata serve` \(Connection refused\)"):
            transport.document(ID)


def test_no_such_host() -> None:
    with pytest.raises(Unreachable, match=r"no host of the name in http://nowhere\.invalid:5000"):
        HttpTransport("http://nowhere.invalid:5000").document(ID)


def test_a_silent_server_is_given_up(server: Stub) -> None:
    server.script(lambda handler: time.sleep(1))
    transport = HttpTransport(server.url, read_timeout=0.2)
    with pytest.raises(Unreachable, match=r"went silent for 0\.2 s"):
        transport.document(ID)
    assert len(server.requests) == 1


# receiving


def test_a_cut_answer_is_read_again(server: Stub, transport: HttpTransport) -> None:
    array = np.arange(300_000.0)
    server.script(raw(array[:-1], size=array.nbytes, x_aqdata_shape="300000"), raw(array))
    np.testing.assert_array_equal(read(transport, array), array)


@pytest.mark.parametrize("call", [*SAFE[:4], *SAFE[5:6]])
def test_a_cut_answer_is_an_error(server: Stub, transport: HttpTransport, call: Callable[[HttpTransport], Any]) -> None:
    server.script(answer(200, b"x" * 1000, size=2000))
    with pytest.raises(Unreachable, match="broke off its answer: 1000 bytes came, 1000 more were promised"):
        call(transport)


def test_a_cut_array_is_an_error_never_a_short_array(server: Stub, transport: HttpTransport) -> None:
    array = np.arange(300_000.0)
    server.script(raw(array[:1000], size=array.nbytes, x_aqdata_shape="300000"))
    with pytest.raises(Unreachable, match="8000 bytes came"):
        read(transport, array)


def test_a_cut_array_without_length_is_an_error(server: Stub, transport: HttpTransport) -> None:
    def step(handler: Handler) -> None:
        handler.send_response(200)
        for key, value in {"Dtype": "float64", "Shape": "1000"}.items():
            handler.send_header(f"X-Aqdata-{key}", value)
        handler.end_headers()
        handler.wfile.write(bytes(4000))
        handler.close_connection = True

    server.script(step)
    with pytest.raises(Corrupt, match="ends after 4000 of 8000 bytes"):
        read(transport, np.zeros(1000))


def test_a_cut_download_leaves_nothing(server: Stub, transport: HttpTransport, tmp_path: Path) -> None:
    server.script(answer(200, b"x" * 1000, size=2000))
    target = tmp_path / "rabi.zarr.zip"
    target.write_bytes(b"the one from yesterday")
    with pytest.raises(Unreachable):
        Lab(transport).download(ID, target)
    assert target.read_bytes() == b"the one from yesterday"
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_starts_again_after_a_break(server: Stub, transport: HttpTransport, tmp_path: Path) -> None:
    server.script(answer(200, b"x" * 1000, size=2_000_000), answer(200, b"y" * 2_000_000))
    path = Lab(transport).download(ID, tmp_path)
    assert path == tmp_path / f"{ID}.zarr.zip"
    assert path.read_bytes() == b"y" * 2_000_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.array(3 + 4j),
        np.array([True, False]),
        np.array([["a", "bcd"]], "U3"),
        np.array([b"a", b"bcd"], "S3"),
        np.array(["a", "", "ü😀"], np.dtypes.StringDType()),
        np.array("scalar", np.dtypes.StringDType()),
        np.array(["2026-11-22T10:07", "NaT"], "datetime64[us]"),
        np.array([1, -1], "timedelta64[25ns]"),
        np.frombuffer(np.uint64(0x7FF8000000000123).tobytes(), "f8"),
        np.arange(1_000_000, dtype="u4").reshape(10, -1),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_arrive_as_they_are(
    server: Stub, transport: HttpTransport, array: np.ndarray[Any, Any], order: str
) -> None:
    if dtype_name(array.dtype) == "str" and order == "F":
        pytest.skip("texts come in C order")
    server.script(raw(array, order))
    got = read(transport, array)
    assert got.dtype == array.dtype
    assert got.dtype.isnative
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes() if dtype_name(array.dtype) != "str" else (got == array).all()
    got[...] = got


def test_a_selection_is_in_the_request(server: Stub, transport: HttpTransport) -> None:
    array = np.arange(50).reshape(10, 5)
    server.script(raw(array), raw(array[2:4, ::-1]), raw(array[[1, 3]]))
    read(transport, array)
    read(transport, array, np.s_[2:4, ::-1])
    read(transport, array, [1, 3])
    whole, part, arrays = server.requests
    assert whole.path == f"/api/v1/datafiles/{ID}/data/s21?order=K"
    assert part.path == f"/api/v1/datafiles/{ID}/data/s21?slice=2%3A4%2C4%3A%3A-1"
    assert (arrays.method, arrays.path) == ("POST", f"/api/v1/datafiles/{ID}/data/s21/read")
    assert json.loads(arrays.body) == {"index": [{"array": [1, 3]}, {"slice": [0, 5, 1]}]}


def test_an_array_other_than_asked_for_is_refused(server: Stub, transport: HttpTransport) -> None:
    array = np.zeros((3, 4))
    for wrong in (raw(array.T), raw(array.astype("f4")), raw(array[:2], x_aqdata_shape="3,4"), answer(200, b"?" * 96)):
        server.script(wrong)
        with pytest.raises(ServerError, match="the server sent"):
            read(transport, array)


def test_any_name_gets_there(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(200, b"x"))
    transport.get_file(ID, "50% ü?#&+;=.png", QUIET)
    path = server.requests[0].path
    assert path == f"/api/v1/datafiles/{ID}/files/50%25%20%C3%BC%3F%23%26%2B%3B%3D.png"


def test_a_small_datafile_may_come_whole(server: Stub, transport: HttpTransport) -> None:
    server.script(
        answer(200, b"PK", content_type="application/zip"), answer(200, b"{}", content_type="application/json")
    )
    assert transport.load(ID).is_pack
    assert not transport.load(ID).is_pack
    assert server.requests[0].headers["accept"] == "application/zip, application/json"


def test_connections_are_kept(server: Stub, transport: HttpTransport) -> None:
    array = np.arange(300_000)
    server.script(
        answer(200, DOCUMENT),
        problem(404, detail="not here"),
        answer(204),
        answer(201, RECEIPT),
        raw(array),
        raw(array[:0], x_aqdata_shape="0"),
        answer(200, b""),
    )
    transport.document(ID)
    with pytest.raises(NotFound):
        transport.document(ID)
    transport.delete(ID)
    transport.save(BytesBody(bytes(2 << 20)), QUIET)
    read(transport, array)
    read(transport, array, slice(0, 0))
    transport.get_file(ID, "empty", QUIET)
    transport.write_pack(ID, io.BytesIO(), QUIET)
    assert server.connections == 1


def test_threads_share_a_transport(server: Stub, transport: HttpTransport) -> None:
    array = np.arange(100_000)
    server.script(raw(array))
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(lambda _: read(transport, array), range(64)):
            np.testing.assert_array_equal(got, array)
    assert server.connections <= 8


# what the server says


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (422, "urn:aqdata:error:Invalid", Invalid),
        (422, "urn:aqdata:error:InvalidIndex", InvalidIndex),
        (413, "urn:aqdata:error:TooLarge", TooLarge),
        (404, "https://aqdata.example/errors#not-found", NotFound),
        (410, "urn:aqdata:error:Deleted", Deleted),
        (409, "urn:aqdata:error:Conflict", Conflict),
        (403, "forbidden", Forbidden),
        (507, "urn:aqdata:error:StoreFull", StoreFull),
        (500, "urn:aqdata:error:Corrupt", Corrupt),
        (500, "about:blank", ServerError),
        (404, "about:blank", NotFound),
        (405, "urn:aqdata:error:Http", Invalid),
        (418, "urn:aqdata:error:AqdataError", AqdataError),
        (302, "", ServerError),
    ],
)
def test_a_problem_is_our_error(
    server: Stub, transport: HttpTransport, status: int, told: str, kind: type[AqdataError]
) -> None:
    server.script(problem(status, type=told, title="Title", detail="what to do", field="a.b"))
    with pytest.raises(AqdataError) as caught:
        transport.document(ID)
    assert type(caught.value) is kind
    assert (caught.value.detail, caught.value.field) == ("what to do", "a.b")


@pytest.mark.parametrize(
    ("content", "media_type", "message"),
    [
        (b"<html>nginx</html>", "text/html", "the server answered 502 Bad Gateway"),
        (b"upstream is down", "text/plain", "the server answered 502 Bad Gateway: upstream is down"),
        (b"{broken", "application/problem+json", "the server answered 502 Bad Gateway: {broken"),
        (b"[1]", "application/json", "the server answered 502 Bad Gateway"),
        (b"", "text/plain", "the server answered 502 Bad Gateway"),
        (b"{}", "application/json", "the server answered 502 Bad Gateway"),
        (b"\xff" * 200_000, "text/plain", "the server answered 502 Bad Gateway"),
    ],
)
def test_what_a_proxy_says(
    server: Stub, transport: HttpTransport, content: bytes, media_type: str, message: str
) -> None:
    server.script(answer(502, content, content_type=media_type), answer(200, DOCUMENT))
    with pytest.raises(ServerError) as caught:
        transport.document(ID)
    assert str(caught.value).startswith(message)
    assert transport.document(ID) == DOCUMENT


@pytest.mark.parametrize(
    ("status", "content", "media_type"),
    [
        (404, b"<html>nothing here</html>", "text/html"),
        (404, b'{"detail": "Not Found"}', "application/json"),
        (501, b"Unsupported method", "text/html"),
        (302, b"", "text/html"),
        (200, b"<html>log in</html>", "text/html; charset=utf-8"),
    ],
)
def test_another_http_server_is_noticed(
    server: Stub, transport: HttpTransport, status: int, content: bytes, media_type: str
) -> None:
    server.script(answer(status, content, content_type=media_type))
    with pytest.raises(Unreachable) as caught:
        transport.page(limit=1)
    assert str(caught.value).startswith(f"{server.url} answers, but is it an aqdata server?")
    assert len(server.requests) == 1


def test_an_attached_page_is_no_mistake(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(200, b"<html>", content_type="text/html"))
    assert transport.get_file(ID, "a.html", QUIET) == b"<html>"


def test_what_does_not_speak_http_is_noticed(server: Stub, transport: HttpTransport) -> None:
    def greet(handler: Handler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        handler.wfile.flush()
        handler.close_connection = True

    server.script(greet)
    with pytest.raises(Unreachable, match="is it the right port"):
        transport.document(ID)


def test_https_where_there_is_none_says_try_http(server: Stub) -> None:
    server.script(answer(200, DOCUMENT))
    transport = HttpTransport(server.url.replace("http", "https"))
    with pytest.raises(Unreachable, match=f"try {server.url}$"):
        transport.document(ID)
    transport.close()


def test_every_error_class_has_a_name_on_the_wire(server: Stub, transport: HttpTransport) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AqdataError)]
    for kind in kinds:
        server.script(problem(400, type=f"urn:aqdata:error:{kind.__name__}"))
        with pytest.raises(AqdataError) as caught:
            transport.document(ID)
        assert type(caught.value) is kind


# addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://cryo2.lab:5000/", "http://cryo2.lab:5000"),
        ("cryo2.lab:5000", "http://cryo2.lab:5000"),
        ("https://lab.example/aqdata/", "https://lab.example/aqdata"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert HttpTransport(url).url == shown


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://a b", "http://x?y=1", "http://u:p@x", "sqlite:///x"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        HttpTransport(url)
    assert caught.value.field == "url"


def test_a_server_below_a_path(server: Stub) -> None:
    server.script(answer(200, DOCUMENT))
    HttpTransport(f"{server.url}/lab/").document(ID)
    assert server.requests[0].path == f"/lab/api/v1/datafiles/{ID}"


def test_a_closed_lab_says_so(server: Stub, transport: HttpTransport) -> None:
    server.script(answer(200, DOCUMENT))
    transport.document(ID)
    transport.close()
    with pytest.raises(AqdataError, match="closed"):
        transport.document(ID)


# progress


def test_bars_count_bytes_both_ways(server: Stub, transport: HttpTransport, capsys: pytest.CaptureFixture[str]) -> None:
    server.script(answer(201, RECEIPT), answer(200, bytes(5 << 20)))
    with Progress("up", True) as bar:
        transport.save(BytesBody(bytes(3 << 20)), bar)
    with Progress("down", True) as bar:
        transport.get_file(ID, "x", bar)
    shown = capsys.readouterr().err
    assert "up: 100%" in shown
    assert "3.00M/3.00M" in shown
    assert "down: 100%" in shown
    assert "5.00M/5.00M" in shown


@pytest.mark.parametrize("wanted", [False, None])
def test_no_bar_off_a_terminal(
    server: Stub, transport: HttpTransport, capsys: pytest.CaptureFixture[str], wanted: bool | None
) -> None:
    server.script(answer(200, bytes(70 << 20)))
    with Progress("down", wanted) as bar:
        transport.get_file(ID, "x", bar)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("total", "shown"), [(1 << 20, False), (100 << 20, True)])
def test_bars_on_a_terminal_are_for_large_transfers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, total: int, shown: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("load", None) as bar:
        bar.start(total)
        bar.advance(total)
    assert ("load" in capsys.readouterr().err) is shown


def test_bars_on_a_terminal_are_for_long_transfers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("aqdata.lab.progress.LONG", 0.01)
    with Progress("load", None) as bar:
        bar.start(100)
        bar.advance(50)
        time.sleep(0.02)
        bar.advance(50)
    assert "load: 100%" in capsys.readouterr().err
