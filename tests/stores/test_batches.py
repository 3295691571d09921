"""Large blocks are read in parts that touch few chunks each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aqdata
from aqdata.stores import arrays
from aqdata.stores.arrays import batches
from aqdata.wire.layout import Layout


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Layout, tuple[Any, ...]]:
    """A layout, and sorted positions on each axis."""
    shape = tuple(draw(st.lists(st.integers(1, 40), max_size=3)))
    chunk = tuple(draw(st.integers(1, length)) for length in shape)
    axes: list[Any] = []
    for length in shape:
        axis = range(draw(st.integers(0, length - 1)), length, draw(st.integers(1, 5)))
        picked = draw(st.lists(st.sampled_from(axis), min_size=1, max_size=9))
        axes.append(draw(st.sampled_from([axis, np.array(sorted(picked))])))
    return Layout("float64", shape, "C", chunk), tuple(axes)


@given(block=blocks(), room=st.integers(1, 60))
def test_parts_fill_the_block_once_and_touch_few_chunks(block: tuple[Layout, tuple[Any, ...]], room: int) -> None:
    layout, axes = block
    seen = np.zeros(tuple(map(len, axes)), int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_AT_ONCE", room * layout.chunk_items * layout.itemsize)
        for part in batches(layout, axes):
            seen[part] += 1
            touched = 1
            for axis, cut, length in zip(axes, part, layout.chunk, strict=True):
                touched *= len(np.unique(np.asarray(axis[cut]) // length))
            assert touched <= room
    assert (seen == 1).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1 << 21,), (64, 40_000), (30, 300, 300)])
def test_blocks_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any, shape: tuple[int, ...]) -> None:
    monkeypatch.setattr(arrays, "_AT_ONCE", 1)
    array = np.random.default_rng(1).random(shape).reshape(shape, order=order)
    with aqdata.open(tmp_path) as lab:
        got = lab.load(lab.save(aqdata.DataFile({"name": "x"}, {"x": array})))["x"]
        for index in (np.s_[::7], np.s_[..., 5::9], np.s_[..., 3], np.s_[3:30, ...], np.s_[::-11]):
            assert np.array_equal(got[index], array[index])
        some = np.array([1, 1, 29, 3, -2])
        assert np.array_equal(got[some], array[some])
        assert np.array_equal(got[..., some], array[..., some])
