"""Parsers fed in pieces of any size: the pack's, and the one of .npy."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest
from array_strategies import Array, arrays, is_text, same_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from aqdata.body import Body
from aqdata.errors import AqdataError, Invalid
from aqdata.models import canonical
from aqdata.models.attachment import BytesFile
from aqdata.models.dtypes import dtype_name
from aqdata.models.spec import DataSetSpec
from aqdata.wire.chunks import join
from aqdata.wire.npy import NpyCutter, npy_header
from aqdata.wire.pack import Chunk, File, Header, Limits, Pack, Part, parse_pack

often = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes in a few pieces, or one by one for a while."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=8))
    start = draw(st.integers(0, len(data)))
    cuts += range(start, min(start + draw(st.sampled_from([0, 100])), len(data)))
    edges = [0, *sorted(cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def parts_of(pieces: list[bytes], limit: int = 1 << 30) -> list[Part]:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def collect() -> list[Part]:
        return [part async for part in Body(stream(), limit, None, None).parts(parse_pack(Limits()))]

    return asyncio.run(collect())


def pack() -> bytes:
    array = np.asfortranarray(np.arange(300_000.0).reshape(2, -1))
    arrays = {
        "x": (DataSetSpec("float64", array.shape, ("a", "b")), array),
        "t": (DataSetSpec("U3", (2,), ("c",)), np.array(["abc", "ü"])),
    }
    document = canonical.encode({"id": "019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42", "kind": "measurement", "name": "x"})
    return b"".join(Pack(document, arrays, {"a": BytesFile(b"hello"), "b": BytesFile(b"")}))


def flat(parts: list[Part]) -> list[tuple[object, ...]]:
    return [
        (part.array, part.key, bytes(part.data), part.crc)
        if isinstance(part, Chunk)
        else (part.name, bytes(part.data), part.crc)
        if isinstance(part, File)
        else (part,)
        for part in parts
    ]


PACK = pack()
WHOLE = flat(parts_of([PACK]))


@often
@given(splits(PACK))
def test_a_pack_in_any_pieces_has_the_same_parts(pieces: list[bytes]) -> None:
    assert isinstance(WHOLE[0][0], Header)
    assert len(WHOLE) == 6
    assert flat(parts_of(pieces)) == WHOLE


@often
@given(st.integers(0, len(PACK) - 1).flatmap(lambda end: splits(PACK[:end])))
def test_a_pack_cut_short_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(Invalid, match=r"ends early|missing"):
        parts_of(pieces)


def test_what_follows_a_pack_is_refused() -> None:
    for pieces in ([PACK + b"x"], [PACK, b"x"]):
        with pytest.raises(Invalid, match="follow the end"):
            parts_of(pieces)


def test_a_body_over_its_limit_is_refused() -> None:
    with pytest.raises(AqdataError, match="more than 100 bytes"):
        parts_of([PACK[:80], PACK[80:]], limit=100)


def cut(pieces: list[bytes]) -> Array:
    cutter = NpyCutter("x")
    chunks = [bytes(cutter.encode(run, piece)) for data in pieces for run, piece in cutter.feed(data)]
    return join(iter(chunks), cutter.end())


def saved(array: Array, version: tuple[int, int] | None) -> bytes:
    stream = io.BytesIO()
    npy_format.write_array(stream, array, version, allow_pickle=False)
    return stream.getvalue()


plain = arrays().filter(lambda array: not isinstance(array.dtype, np.dtypes.StringDType))
versions = st.sampled_from([None, (1, 0), (2, 0), (3, 0)])


@often
@given(plain, versions, st.data())
def test_an_npy_in_any_pieces_is_what_numpy_reads(
    array: Array, version: tuple[int, int] | None, data: st.DataObject
) -> None:
    content = saved(array, version)
    got = cut(data.draw(splits(content)))
    assert same_bits(got, np.load(io.BytesIO(content)))
    assert same_bits(got, array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_of_several_chunks(order: str) -> None:
    array = np.array(np.random.default_rng(0).normal(size=(700, 900)).astype(">c16"), order=order)  # type: ignore[call-overload]
    content = saved(array, None)
    for size in (1 << 16, 999_983, len(content)):
        assert same_bits(cut([content[at : at + size] for at in range(0, len(content), size)]), array)


@often
@given(plain)
def test_our_header_is_one_that_numpy_reads(array: Array) -> None:
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    little = array.astype(array.dtype.newbyteorder("<"))
    header = npy_header(dtype_name(array.dtype), array.shape, order)
    assert len(header) % 64 == 0
    assert same_bits(np.load(io.BytesIO(header + little.tobytes(order))), array)


def test_missing_and_surplus_bytes_are_refused() -> None:
    content = saved(np.arange(10.0), None)
    for end in range(len(content)):
        with pytest.raises(Invalid) as caught:
            cut([content[:end]])
        assert caught.value.field == "datasets.x"
    with pytest.raises(Invalid, match="3 bytes follow"):
        cut([content + b"xyz"])


def header_of(text: str, version: int = 1) -> bytes:
    width = 2 if version == 1 else 4
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(width, "little") + text.encode("latin-1", "replace")


BAD_HEADERS = [
    "",
    "{",
    "}",
    "()",
    "[" * 3000,
    "{'descr': '<f8', 'fortran_order': False}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
    "{'descr': '<f8', 'fortran_order': 3, 'shape': (3,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1e3,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '|V8', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<f16', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<c32', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<U0', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': 'M8', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<U999999999999', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': 'f8,,', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': (), 'fortran_order': False, 'shape': (3,)}",
    "{'descr': ('<f8',), 'fortran_order': False, 'shape': (3,)}",
    "{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (3,)}",
    "{'descr': [()], 'fortran_order': False, 'shape': (3,)}",
    "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}",
    "{'descr': [('', '|V8')], 'fortran_order': False, 'shape': (3,)}",
    "{'descr': {'a': 1}, 'fortran_order': False, 'shape': (3,)}",
    "{'descr': 3, 'fortran_order': False, 'shape': (3,)}",
    "{'descr': None, 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (3,",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)",
    "{'descr': '''",
    "\0",
    "__import__('os').abort()",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 33 + ")}",
]


@pytest.mark.parametrize("text", BAD_HEADERS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_bad_header_is_refused(text: str, version: int) -> None:
    with pytest.raises(Invalid) as caught:
        cut([header_of(text, version) + b"\0" * 64])
    assert caught.value.field == "datasets.x"


@often
@given(
    st.text(max_size=40) | st.text("{}[]()'\",:LO|<f8 descrfortanoshape0123", max_size=60), st.sampled_from([1, 2, 3])
)
def test_any_header_is_read_or_refused(text: str, version: int) -> None:
    with pytest.raises(Invalid):
        cut([header_of(text, version)])


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04K\x03.", b"PK\x03\x04", b"\x93NUMPY\x09\0", b"\x93NUMPY\x02\0\xff\xff\xff\x7f"]
)
def test_what_is_no_npy_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        cut([content.ljust(30, b"x") if content else b""])


def test_a_bool_that_is_none_is_refused_or_kept() -> None:
    content = bytearray(saved(np.array([True]), None))
    content[-1] = 2
    assert not is_text(cut([bytes(content)]).dtype)
