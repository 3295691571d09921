"""Canonical JSON: what goes in comes out, to the bit, and everything else is refused by its path."""

from __future__ import annotations

import json
import math
import struct
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqdata.errors import Invalid
from aqdata.models import canonical

texts = st.text()
keys = st.one_of(
    texts,
    st.sampled_from(
        ["", "%", "a.b", "$set", "%5F", "%2E", "__float__", "__complex__", "__int__", "__date__", "%%", '"']
    ),
    st.text(alphabet='.$%"\\\x00\x1f_5F2Ea', max_size=6),
)
floats = st.one_of(
    st.floats(), st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", struct.pack(">Q", bits))[0])
)
dates = st.datetimes(
    min_value=datetime(1, 1, 2),
    max_value=datetime(9999, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9.5))]),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    floats,
    texts,
    dates,
    st.builds(complex, floats, floats),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


def same(left: Any, right: Any) -> bool:
    """Equal in type, order and bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    return bool(left == right)


@given(values)
def test_a_value_comes_back_as_it_went_in(value: Any) -> None:
    data = canonical.encode(value)
    back = canonical.decode(data)
    assert same(back, value)
    assert canonical.encode(back) == data


@given(values)
def test_the_tree_is_plain_json_that_any_reader_takes(value: Any) -> None:
    tree = canonical.to_json_value(value)
    data = canonical.write_tree(tree)
    assert same(json.loads(data), canonical.read_tree(data))
    assert same(canonical.from_json_value(tree), value)


@given(st.dictionaries(keys, st.integers(), max_size=6))
def test_every_key_can_be_addressed_by_a_dotted_path(value: dict[str, int]) -> None:
    for key in canonical.to_json_value(value):
        assert key
        assert not any(character in '.$"\\' or character < " " for character in key)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, '{"__float__":"NaN"}'),
        (-math.inf, '{"__float__":"-Infinity"}'),
        (struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0], '{"__float__":"0x7ff8000000000001"}'),
        (complex(-0.0, math.inf), '{"__complex__":{"re":-0.0,"im":{"__float__":"Infinity"}}}'),
        (2**63 - 1, "9223372036854775807"),
        (2**63, '{"__int__":"9223372036854775808"}'),
        (-(2**63) - 1, '{"__int__":"-9223372036854775809"}'),
        (
            datetime(2026, 11, 22, 11, 7, tzinfo=timezone(timedelta(hours=1))),
            '{"__date__":"2026-11-22T10:07:00.000000Z"}',
        ),
        ([1, 1.0, -0.0, True, None, "µ"], '[1,1.0,-0.0,true,null,"µ"]'),
        ({"ch1.power": 1, "$set": 2, "": 3, "50%": 4}, '{"ch1%2Epower":1,"%24set":2,"%":3,"50%25":4}'),
        ({"__float__": "NaN"}, '{"%5F_float__":"NaN"}'),
        ((1, 2), "[1,2]"),
    ],
)
def test_it_is_written_so(value: Any, text: str) -> None:
    assert canonical.encode(value).decode() == text


def test_numpy_values_become_pythons_own() -> None:
    value = {
        "float": np.float32(0.5),
        "int": np.uint64(2**64 - 1),
        "bool": np.True_,
        "complex": np.complex64(1j),
        "text": np.str_("x"),
        "array": np.array([[1, 2], [3, 4]], np.int8),
        "nan": np.array([1.0, np.nan]),
        "0d": np.array(7),
    }
    back = canonical.decode(canonical.encode(value))
    expected = {
        "float": 0.5,
        "int": 2**64 - 1,
        "bool": True,
        "complex": 1j,
        "text": "x",
        "array": [[1, 2], [3, 4]],
        "nan": [1.0, math.nan],
        "0d": 7,
    }
    assert same(back, expected)


def test_a_naive_date_is_local_time() -> None:
    local = datetime(2026, 7, 1, 12, 0)
    assert canonical.utc_text(local) == canonical.utc_text(local.astimezone(UTC))


class Color(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": {"b.c": [0, {1, 2}]}}, "doc.a.b%2Ec.1"),
        ({"a": b"bytes"}, "doc.a"),
        ({"a": object()}, "doc.a"),
        ({"a": Color.RED}, "doc.a"),
        ({"a": "\ud800"}, "doc.a"),
        ({"a": [{"\ud800": 1}]}, "doc.a.0"),
        ({"a": {1: 2}}, "doc.a"),
        ({"a": np.longdouble(1)}, "doc.a"),
        ({"a": np.datetime64("2026-11-22")}, "doc.a"),
        ({"a": np.array([None])}, "doc.a"),
        ({"a": np.ma.array([1, 2], mask=[True, False])}, "doc.a"),
        ({"a": 10**5000}, "doc.a"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_path(value: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        canonical.encode(value, "doc")
    assert caught.value.field == field


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Invalid, match="nested deeper than 90"):
        canonical.encode(value)


def test_nesting_has_one_limit_for_writing_and_none_below_it_for_reading() -> None:
    deep: Any = math.nan
    for _ in range(canonical.MAX_DEPTH):
        deep = [deep]
    assert same(canonical.decode(canonical.encode(deep)), deep)
    with pytest.raises(Invalid, match="nested deeper"):
        canonical.encode([deep])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b"NaN",
        b"[Infinity]",
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"a":%s}' % (b"9" * 5000),
        b'{"a":1,"a":2}',
        b'{"a%2Eb":1,"a.b":2}',
        b'{"%":1,"":2}',
        b'{"__float__":"NaN","x":1}',
        b'{"__float__":"nan"}',
        b'{"__float__":1.5}',
        b'{"__float__":"0x7ff8000000000000"}',
        b'{"__float__":"0x3ff0000000000000"}',
        b'{"\\u005f_float__":"no"}',
        b'{"__complex__":[1,2]}',
        b'{"__complex__":{"re":1,"im":"x"}}',
        b'{"__complex__":{"re":true,"im":1}}',
        b'{"__int__":"12"}',
        b'{"__int__":18446744073709551616}',
        b'{"__int__":"0018446744073709551616"}',
        b'{"__date__":"2026-11-22"}',
        b'{"__date__":"2026-13-22T10:07:00.123456Z"}',
        b'{"a%":1}',
        b'{"a%2eb":1}',
        b'{"a%41":1}',
        b'{"%5Fa":1}',
        b'{"a%7E":1}',
    ],
)
def test_broken_json_and_malformed_tags_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        canonical.decode(data)


def test_a_malformed_tag_is_named_by_its_path() -> None:
    with pytest.raises(Invalid) as caught:
        canonical.decode(b'{"custom":{"list":[1,{"__int__":"1"}]}}')
    assert caught.value.field == "custom.list.1"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: data.decode()])
def test_it_reads_any_buffer(kind: Any) -> None:
    assert canonical.decode(kind(b'{"a":"\xc2\xb5"}')) == {"a": "µ"}
