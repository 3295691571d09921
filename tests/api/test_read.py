"""Reading over HTTP: the four representations and slices against numpy, from packs and from directories."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from array_strategies import Array, same_bits
from live_server import API, LiveServer, assert_refused
from reading import CSV, JSON, KINDS, NPY, RAW, from_raw, save

from aqdata.models import canonical
from aqdata.models.dtypes import dtype_name

NAN = np.array([0x7FF8000000000123, 0xFFF0000000000001, 0x8000000000000000, 0x7FF0000000000000], "u8").view("f8")
random = np.random.default_rng(0)

ARRAYS: dict[str, Array] = {
    "bool": np.array([[True, False], [False, False]]),
    **{name: np.array([0, 1, np.iinfo(name).min, np.iinfo(name).max], name) for name in ("int8", "int16", "int32")},
    **{name: np.array([0, 1, np.iinfo(name).max], name) for name in ("int64", "uint8", "uint16", "uint32", "uint64")},
    "float16": np.array([0.1, -0.0, np.inf, np.nan], "f2"),
    "float32": np.array([0.1, -0.0, -np.inf, np.nan], "f4"),
    "float64": np.array([0.1, 1e300, 5e-324, -0.0]),
    "nan": NAN,
    "complex64": np.array([complex(0.1, -0.0), complex(np.nan, np.inf)], "c8"),
    "complex128": np.array([[complex(0.1, -0.0)], [complex(np.nan, -np.inf)]]),
    "str": np.array([["a", ""], ['ü😀 "quoted", and\r\nmore', "\0x"]], np.dtypes.StringDType()),
    "U3": np.array(["abc", "", "ü😀"]),
    "S3": np.array([b"abc", b"", b"\xff\0x"]),
    **{f"M8 {unit}": np.array([0, 1, 10**5, "NaT"], f"M8[{unit}]") for unit in ("D", "s", "ms", "us", "ns", "25us")},
    "m8": np.array([5, -1, "NaT"], "m8[ns]"),
    "0-d": np.array(2.5),
    "0-d str": np.array("text", np.dtypes.StringDType()),
    "0-d complex": np.array(1 + 2j),
    "empty": np.zeros(0),
    "empty 2-d": np.zeros((3, 0), "c16"),
    "empty str": np.zeros((0, 2), np.dtypes.StringDType()),
    "fortran": np.asfortranarray(random.normal(size=(4, 5))),
    "6-d": np.arange(64, dtype="u2").reshape(2, 2, 2, 2, 2, 2),
}


@pytest.fixture(scope="module", params=KINDS)
def stored(request: pytest.FixtureRequest) -> tuple[LiveServer, str]:
    """A server that has all of `ARRAYS` in one DataFile."""
    server: LiveServer = request.getfixturevalue(request.param)
    return server, save(server, ARRAYS)


@pytest.mark.parametrize("name", ARRAYS)
def test_octet_stream(stored: tuple[LiveServer, str], name: str) -> None:
    server, file_id = stored
    for accept in (None, RAW, "*/*"):
        answer = server.get(f"{API}/{file_id}/data/{name.replace(' ', '%20')}", accept)
        assert same_bits(from_raw(answer), ARRAYS[name])
        assert answer.headers["X-Aqdata-Dtype"] == dtype_name(ARRAYS[name].dtype)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("order", ["C", "K"])
def test_npy(stored: tuple[LiveServer, str], name: str, order: str) -> None:
    server, file_id = stored
    answer = server.get(f"{API}/{file_id}/data/{name.replace(' ', '%20')}", NPY, order=order)
    if name.endswith("str"):
        assert_refused(answer, 422, "Accept", "application/json")
        return
    assert answer.media_type == NPY
    got = np.load(io.BytesIO(answer.content))
    assert same_bits(got, ARRAYS[name])
    if name == "fortran":
        assert got.flags.f_contiguous == (order == "K")


def expected_json(array: Array) -> Any:
    """What JSON says of an array, written down by other means than the server's."""
    kind = array.dtype.kind
    if kind == "S":
        flat: list[Any] = [bytes(value).decode("latin-1") for value in array.flat]
    elif kind == "M":
        flat = [str(value) for value in array.flat]
    elif kind == "m":
        flat = [int(value) for value in array.view("i8").flat]
    else:
        flat = [value.item() if isinstance(value, np.generic) else value for value in array.flat]
    return flat


@pytest.mark.parametrize("name", ARRAYS)
def test_json(stored: tuple[LiveServer, str], name: str) -> None:
    server, file_id = stored
    array = ARRAYS[name]
    answer = server.get(f"{API}/{file_id}/data/{name.replace(' ', '%20')}", JSON)
    assert (answer.status, answer.media_type) == (200, JSON)
    got = canonical.decode(answer.content)
    assert (got["dtype"], got["shape"]) == (dtype_name(array.dtype), list(array.shape))
    nested = np.empty(array.shape, object)
    nested[...] = np.array([*expected_json(array), None], object)[:-1].reshape(array.shape)
    assert canonical.encode(got["data"]) == canonical.encode(nested.tolist())
    # plain JSON, for readers that know no more
    json.loads(answer.content, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("name", ARRAYS)
def test_csv(stored: tuple[LiveServer, str], name: str) -> None:
    server, file_id = stored
    array = ARRAYS[name]
    answer = server.get(f"{API}/{file_id}/data/{name.replace(' ', '%20')}", CSV)
    if array.ndim > 2:
        assert_refused(answer, 422, "slice", "6 dims")
        return
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    titles, *rows = csv.reader(io.StringIO(answer.content.decode(), newline=""))
    assert all(len(row) == len(titles) for row in rows)
    if array.dtype.kind == "c":
        assert all(title.startswith(("re(", "im(")) for title in titles)
        assert bool(rows) == bool(array.size)
        if not rows:
            return
        numbers = np.array([[float(text) for text in row] for row in rows], array.real.dtype)
        assert (numbers[:, ::2].ravel().tobytes(), numbers[:, 1::2].ravel().tobytes()) == (
            array.real.copy().tobytes(),
            array.imag.copy().tobytes(),
        )
        return
    texts = [text for row in rows for text in row]
    if array.dtype.kind == "f" and name != "nan":
        assert np.array([float(text) for text in texts], array.dtype).tobytes() == array.tobytes("C")
    elif array.dtype.kind == "S":
        assert [text.encode("latin-1") for text in texts] == array.ravel().tolist()
    else:
        assert texts == [str(value) for value in array.flat]


def test_json_says_the_units(server: LiveServer) -> None:
    from forms import metadata, npy, post_form

    answer = post_form(server, metadata(datasets={"f": {"units": "Hz"}}), ("f", npy([1.0])))
    got = server.get(f"{API}/{answer.json['id']}/data/f", JSON).json
    assert got == {"dtype": "float64", "shape": [1], "units": "Hz", "data": [1.0]}


def test_text_has_a_limit(server: LiveServer) -> None:
    file_id = save(server, {"x": np.zeros(1_000_001, "u1")})
    for accept in (JSON, CSV):
        assert_refused(server.get(f"{API}/{file_id}/data/x", accept), 413, "slice", "1000000 elements")
        assert server.get(f"{API}/{file_id}/data/x", accept, slice=":1000000").status == 200


def test_what_is_not_there(stored: tuple[LiveServer, str]) -> None:
    server, file_id = stored
    assert_refused(server.get(f"{API}/{file_id}/data/none"), 404, "name", "it has 'bool', 'int8'")
    other = file_id[:-4] + ("0000" if file_id[-4:] != "0000" else "1111")
    ways = ("", ".zarr.zip", "/data/x", "/files/x")
    for way in ways:
        assert_refused(server.get(f"{API}/{other}{way}"), 404, "id", other)
        assert_refused(server.get(f"{API}/xyz{way}"), 422, "id", "UUID")
    assert_refused(server.get(f"/zarr/{other}/zarr.json"), 404, "id", other)
    assert_refused(server.get(f"{API}/{file_id}/data/bool", order="X"), 422, "order", "'C' or 'K'")
