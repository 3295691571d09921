"""Parts of arrays over HTTP against numpy, of packs and of directories of several chunks; what does not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from array_strategies import same_bits
from hypothesis import HealthCheck, given, settings
from index_strategies import indices
from live_server import API, LiveServer, assert_refused
from reading import JSON, KINDS, from_raw, save

from aqdata.errors import InvalidIndex
from aqdata.models.selection import Selection

random = np.random.default_rng(0)

LARGE = {
    "c": random.normal(size=(7, 61, 700)),
    "f": np.asfortranarray(random.integers(0, 2**40, (300, 7, 130))),
    "texts": np.array([f"{number} ü" for number in range(90_000)], np.dtypes.StringDType()).reshape(300, 300),
    "u": np.asfortranarray(np.array([f"{number}" for number in range(90_000)], "U6").reshape(300, 300)),
    "s": np.array([f"{number}" for number in range(300_000)], "S6").reshape(3, 100, 1000),
    "when": np.arange(300_000).astype("M8[us]").reshape(2, -1),
    "odd": np.asfortranarray(random.normal(size=(2, 70001)).astype("c16")),
    "on": random.integers(0, 2, (1500, 999)).astype(bool),
    "small": np.arange(120, dtype="i2").reshape(2, 3, 4, 5),
    "one": np.array(5.0),
}


@pytest.fixture(scope="module", params=KINDS)
def large(request: pytest.FixtureRequest) -> tuple[LiveServer, str]:
    """A server that has each of `LARGE`; packs of several chunks, or directories of them."""
    server: LiveServer = request.getfixturevalue(request.param)
    half = list(LARGE)[::2]
    file_ids = [
        save(server, {name: array for name, array in LARGE.items() if (name in half) == first})
        for first in (True, False)
    ]
    blobs = [blob for blob in server.stored()[0] if blob.startswith(tuple(file_ids))]
    assert all((".zarr.zip" in blob) == (request.param == "server") for blob in blobs)
    return server, ",".join(file_ids)


def located(large: tuple[LiveServer, str], name: str) -> tuple[LiveServer, str]:
    server, file_ids = large
    return server, f"{API}/{file_ids.split(',')[list(LARGE).index(name) % 2]}/data/{name}"


many = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("order", ["C", "K"])
def test_whole_arrays(large: tuple[LiveServer, str], name: str, order: str) -> None:
    server, path = located(large, name)
    answer = server.get(path, order=order)
    assert same_bits(from_raw(answer), LARGE[name])
    if order == "C":
        assert answer.headers["X-Aqdata-Order"] == "C"


@pytest.mark.parametrize("name", LARGE)
def test_slices_are_numpys(large: tuple[LiveServer, str], name: str) -> None:
    server, path = located(large, name)
    array = LARGE[name]

    @many
    @given(indices(array.shape, basic=True))
    def check(index: tuple[Any, ...]) -> None:
        try:
            expected = np.asarray(array[index] if Ellipsis in index else array[(*index, ...)])
        except IndexError:
            return
        text = ",".join(map(as_text, index))
        for order in ("C", "K"):
            assert same_bits(from_raw(server.get(path, slice=text, order=order)), expected)

    check()


def as_text(item: Any) -> str:
    if isinstance(item, slice):
        return ":".join("" if part is None else str(part) for part in (item.start, item.stop, item.step))
    return "..." if item is Ellipsis else "None" if item is None else str(int(item))


@pytest.mark.parametrize("name", LARGE)
def test_index_arrays_are_numpys(large: tuple[LiveServer, str], name: str) -> None:
    server, path = located(large, name)
    array = LARGE[name]

    @many
    @given(indices(array.shape))
    def check(index: tuple[Any, ...]) -> None:
        try:
            expected = array[index] if any(item is Ellipsis for item in index) else array[(*index, ...)]
            selection = Selection.of(index, array.shape)
        except (IndexError, InvalidIndex):
            return
        body = json.dumps({"index": selection.to_json()})
        assert same_bits(from_raw(server.request("POST", f"{path}/read", body)), np.asarray(expected))

    check()


def test_index_json_of_others(large: tuple[LiveServer, str]) -> None:
    server, path = located(large, "small")
    array = LARGE["small"]
    mask = array[0, :, 0, 0] > 15
    cases: list[tuple[list[Any], Any]] = [
        ([], np.index_exp[...]),
        ([1], np.index_exp[1]),
        ([-1, "...", {"slice": [None, None, -2]}], np.index_exp[-1, ..., ::-2]),
        ([None, {"array": [1, 0]}], np.index_exp[None, [1, 0]]),
        ([{"array": [[0], [1]]}, {"array": [0, 2]}], np.index_exp[[[0], [1]], [0, 2]]),
        ([0, {"array": mask.tolist()}], np.index_exp[0, mask]),
    ]
    for index, expected in cases:
        got = from_raw(server.request("POST", f"{path}/read", json.dumps({"index": index})))
        assert same_bits(got, np.asarray(array[expected]))
    answer = server.request("POST", f"{path}/read", json.dumps({"index": [1, 2, 3]}), {"Accept": JSON})
    assert answer.json["data"] == array[1, 2, 3].tolist()


WRONG_SLICES: dict[str, tuple[str, str]] = {
    "a word": ("x", "'x'"),
    "a float": ("1.5", "'1.5'"),
    "too many colons": ("1:2:3:4", "1:2:3:4"),
    "step of 0": ("::0", "0"),
    "out of bounds": ("2", "bounds"),
    "out of bounds below": ("-3", "bounds"),
    "too many": ("0,0,0,0,0", "5"),
    "two ellipses": ("...,...", "ellips"),
    "brackets": ("[1]", "[1]"),
    "empty part": ("1,,2", "''"),
    "code": ("__import__('os')", "__import__"),
    "a long number": ("9" * 5000, ""),
    "a long text": (":," * 6000, "characters"),
    "many new axes": ("None," * 70 + "0", ""),
    "unicode digits": ("٣", "٣"),
}


@pytest.mark.parametrize("name", WRONG_SLICES)
def test_wrong_slices_are_refused(large: tuple[LiveServer, str], name: str) -> None:
    server, path = located(large, "small")
    text, detail = WRONG_SLICES[name]
    assert_refused(server.get(path, slice=text), 422, "slice", detail)


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (b"", "index", "JSON"),
        (b"{}", "index", "index"),
        (b"[]", "index", "index"),
        (b'{"index": 3}', "index", "list"),
        (b'{"index": [7]}', "index", "bounds"),
        (b'{"index": ["x"]}', "index.0", "integer"),
        (b'{"index": [{"slice": [1, 2]}]}', "index.0", "slice"),
        (b'{"index": [{"slice": [1, 2, 0]}]}', "index", "0"),
        (b'{"index": [{"array": ["a"]}]}', "index", ""),
        (b'{"index": [{"array": [1.5]}]}', "index", ""),
        (b'{"index": [{"array": [[1], [1, 2]]}]}', "index", ""),
        (b'{"index": [{"array": [9]}]}', "index", "bounds"),
        (b'{"index": [{"array": [true]}]}', "index", ""),
        (b'{"index": [true]}', "index.0", ""),
        (b'{"index": [1.0]}', "index.0", ""),
        (b'{"index": [{"array": [0, 1]}, {"array": [0, 1, 2]}]}', "index", "broadcast"),
        (b'{"index": [' + b"[" * 5000, "index", "nested"),
        (b"\xff", "index", "UTF-8"),
    ],
)
def test_wrong_indices_are_refused(large: tuple[LiveServer, str], body: bytes, field: str, detail: str) -> None:
    server, path = located(large, "small")
    answer = server.request("POST", f"{path}/read", body)
    assert answer.status == 422, answer.content
    assert answer.json["field"] == field, answer.json
    assert detail in answer.json["detail"]


def test_index_arrays_have_limits(large: tuple[LiveServer, str]) -> None:
    server, path = located(large, "c")
    rows = {"array": np.zeros((3000, 1), int).tolist()}
    columns = {"array": [list(range(60)) * 100]}
    answer = server.request("POST", f"{path}/read", json.dumps({"index": [rows, columns]}))
    assert_refused(answer, 413, "index", "in one request")
    answer = server.request("POST", f"{path}/read", b" " * ((16 << 20) + 1))
    assert_refused(answer, 413, "body", "more than")
