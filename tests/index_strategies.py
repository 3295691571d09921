"""Hypothesis strategies of shapes and of everything that numpy takes as an index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def shapes(min_dims: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    return hnp.array_shapes(min_dims=min_dims, max_dims=5, min_side=0, max_side=6)


@st.composite
def slices(draw: st.DrawFn, length: int) -> slice:
    edge = st.none() | st.integers(-length - 2, length + 2)
    return slice(draw(edge), draw(edge), draw(st.none() | st.integers(-3, 3).filter(bool)))


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...], *, basic: bool = False, slack: int = 0) -> tuple[Any, ...]:
    """An index of any kind; with `slack`, one that may be out of bounds or not fit at all."""
    items: list[Any] = []
    axis = 0
    together = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    kinds = ["int", "slice", "slice", "new", *([] if basic else ["array", "array", "mask"])]
    while axis < len(shape) + (draw(st.booleans()) and slack):
        kind = draw(st.sampled_from(["stop", *kinds]))
        length = shape[axis] if axis < len(shape) else 3
        inside = st.integers(-length - slack, length - 1 + slack)
        if kind == "stop":
            break
        if kind == "slice" or (length == 0 and not slack and kind != "new"):
            items.append(draw(slices(length)))
        elif kind == "new":
            items.append(None)
            continue
        elif kind == "int":
            items.append(draw(inside.map(draw(st.sampled_from([int, np.int32, np.array])))))
        elif kind == "array":
            own = together[draw(st.integers(0, len(together) - 1)) :]
            own = tuple(1 if draw(st.booleans()) else side for side in own) if draw(st.booleans()) else own
            array = draw(
                hnp.arrays(draw(st.sampled_from(["i8", "i2"] if length < 2**15 else ["i8"])), own, elements=inside)
            )
            items.append(array.tolist() if draw(st.booleans()) else array)
        else:
            taken = draw(st.integers(1, min(2, max(1, len(shape) - axis))))
            mask = draw(hnp.arrays(bool, tuple(shape[axis : axis + taken]) or (3,)))
            items.append(mask)
            axis += taken - 1
        axis += 1
    if draw(st.booleans()):
        # where an ellipsis lets items address other axes, they may not fit: the callers drop those
        items.insert(draw(st.integers(0, len(items))), Ellipsis)
    return tuple(items)


def numbered(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.arange(int(np.prod(shape))).reshape(shape)
