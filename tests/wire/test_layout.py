"""How arrays are cut: the runs tile them, and chunks have sizes that pay."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aqdata.errors import Invalid
from aqdata.models.dtypes import NUMERIC
from aqdata.wire.layout import LIMIT, TARGET, Layout, Order, planned_itemsize

dtypes = st.sampled_from([*NUMERIC, "str", "U7", "S3", "datetime64[ns]"])
large = st.lists(st.integers(0, 300) | st.integers(0, 3_000_000), max_size=5).map(tuple)
orders: st.SearchStrategy[Order] = st.sampled_from(["C", "F"])


@settings(max_examples=300, deadline=None)
@given(dtypes, large, orders)
def test_runs_tile_the_array(dtype: str, shape: tuple[int, ...], order: Order) -> None:
    layout = Layout.plan(dtype, shape, order)
    assume(layout.chunk_count <= 2000)
    strides = [math.prod(layout.stored_shape[axis + 1 :]) for axis in range(len(shape))]
    expected = 0
    keys = set()
    for number, run in enumerate(layout.runs()):
        # a run is contiguous in stored order: its last element is as far from the first as it has elements
        first = sum(part.start * stride for part, stride in zip(run.index, strides, strict=True))
        last = sum((part.stop - 1) * stride for part, stride in zip(run.index, strides, strict=True))
        assert (first, last - first + 1) == (expected, run.count)
        assert run.start == expected
        assert run.size == layout.chunk_items
        assert layout.key(layout.cell(number)) == run.key
        assert layout.number(layout.cell(number)) == number
        expected += run.count
        keys.add(run.key)
    assert expected == math.prod(shape)
    assert len(keys) == layout.chunk_count


@settings(max_examples=500, deadline=None)
@given(dtypes, large, orders)
def test_chunks_have_one_to_eight_mib_and_little_padding(dtype: str, shape: tuple[int, ...], order: Order) -> None:
    layout = Layout.plan(dtype, shape, order)
    layout.check("x")
    size = layout.chunk_items * planned_itemsize(dtype)
    if layout.chunk_count > 1:
        assert TARGET <= size <= LIMIT
    if layout.chunk_count:
        assert layout.nbytes <= layout.size * planned_itemsize(dtype) * 4 / 3


@pytest.mark.parametrize("shape", [(64, 8388608), (4096, 131072), (1, 536870912), (536870912,), (8, 8, 8, 1048576)])
def test_four_gib_have_no_padding_at_all(shape: tuple[int, ...]) -> None:
    for order in ("C", "F"):
        layout = Layout.plan("float64", shape, order)  # type: ignore[arg-type]
        assert layout.nbytes == 4 << 30


@settings(max_examples=100, deadline=None)
@given(large, st.data())
def test_chunks_of_others_are_checked(shape: tuple[int, ...], data: st.DataObject) -> None:
    chunk = tuple(data.draw(st.integers(1, max(length, 1))) for length in shape)
    layout = Layout("float64", shape, "C", chunk)
    try:
        layout.check("x/zarr.json")
    except Invalid:
        return
    assume(0 < layout.chunk_count <= 500)
    runs = list(layout.runs())
    assert sum(run.count for run in runs) == math.prod(shape)


def test_what_can_not_be_stored_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 32"):
        Layout.plan("float64", (1,) * 33, field="x")
    with pytest.raises(Invalid, match="use str"):
        Layout.plan("U300000", (1,), field="x")
    assert np.dtype("U300000").itemsize > 1 << 20
