"""A DataFile as a read-only Zarr store: keys, HEAD and Range requests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from live_server import Answer, LiveServer
from reading import JSON, KINDS, RAW, save

ARRAYS = {"float64": np.array([0.1, 1e300, 5e-324, -0.0]), "one": np.array(1), "none": np.zeros(0)}


@pytest.fixture(scope="module", params=KINDS)
def stored(request: pytest.FixtureRequest) -> tuple[LiveServer, str]:
    server: LiveServer = request.getfixturevalue(request.param)
    return server, save(server, ARRAYS)


def under_zarr(server: LiveServer, file_id: str) -> Callable[..., Answer]:
    def request(key: str, method: str = "GET", **headers: str) -> Answer:
        return server.request(method, f"/zarr/{file_id}/{key}", headers=headers)

    return request


@pytest.fixture(scope="module")
def zarr(stored: tuple[LiveServer, str]) -> Callable[..., Answer]:
    return under_zarr(*stored)


def test_zarr_keys(zarr: Callable[..., Answer]) -> None:
    group = zarr("zarr.json")
    assert (group.status, group.media_type) == (200, JSON)
    described = group.json["consolidated_metadata"]["metadata"]
    assert list(described) == list(ARRAYS)
    assert zarr("float64/zarr.json").json == described["float64"]
    chunk = zarr("float64/c.0")
    assert (chunk.content, chunk.media_type) == (ARRAYS["float64"].tobytes(), RAW)
    for key in (
        "",
        "nothing/zarr.json",
        "none/c.0",
        "one/c.0",
        "float64",
        "float64/",
        "float64/c.1",
        "float64/c/0",
        "float64/c.00",
        "c.0",
    ):
        answer = zarr(key)
        assert answer.status == 404, key
    for key in ("float64/c.-1", "float64/c.²", "float64/c.0.0", "../x", "float64/../zarr.json", "__files__/x"):
        assert zarr(key.replace("²", "%C2%B2")).status == 404, key


def test_zarr_head(zarr: Callable[..., Answer]) -> None:
    for key in ("zarr.json", "float64/c.0"):
        whole, head = zarr(key), zarr(key, "HEAD")
        assert (head.status, head.content) == (200, b"")
        assert head.headers["Content-Length"] == str(len(whole.content))
        assert head.headers["Accept-Ranges"] == "bytes"
    assert zarr("nothing", "HEAD").status == 404


@pytest.mark.parametrize(
    ("given_range", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=8-15", 8, 16),
        ("bytes=8-", 8, 32),
        ("bytes=-8", 24, 32),
        ("bytes=-100", 0, 32),
        ("bytes=8-1000", 8, 32),
        ("Bytes=1-2", 1, 3),
    ],
)
def test_zarr_ranges(zarr: Callable[..., Answer], given_range: str, start: int, stop: int) -> None:
    whole = ARRAYS["float64"].tobytes()
    answer = zarr("float64/c.0", Range=given_range)
    assert (answer.status, answer.content) == (206, whole[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert zarr("float64/c.0", "HEAD", Range=given_range).headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("given_range", ["bytes=32-", "bytes=40-50", "bytes=-0"])
def test_a_range_behind_the_end_is_416(zarr: Callable[..., Answer], given_range: str) -> None:
    answer = zarr("float64/c.0", Range=given_range)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */32"
    assert answer.json["field"] == "Range"


@pytest.mark.parametrize(
    "given_range",
    ["x", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes=²-"],
)
def test_a_range_that_is_none_is_ignored(zarr: Callable[..., Answer], given_range: str) -> None:
    """As RFC 9110 says."""
    answer = zarr("float64/c.0", Range=given_range.encode("latin-1").decode("latin-1"))
    assert (answer.status, answer.content) == (200, ARRAYS["float64"].tobytes())
