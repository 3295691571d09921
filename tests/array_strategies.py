"""Hypothesis strategies of arrays with any bits in any memory layout, and of what describes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aqdata.errors import Invalid
from aqdata.models import canonical
from aqdata.models.dtypes import NUMERIC, dtype_name
from aqdata.models.names import check_name
from aqdata.models.spec import DataSetSpec

Array = np.ndarray[Any, Any]

UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "25us", "ns", "ps", "fs", "as")

# what CF decoding acts on
ACTING = (
    *("units", "long_name", "coordinates", "calendar", "dtype", "_FillValue", "missing_value", "scale_factor"),
    *("add_offset", "grid_mapping", "bounds", "_Unsigned", "_Encoding", "_ARRAY_DIMENSIONS", "compress", "aqdata"),
)
TRICKY_UNITS = (
    *("K since cooldown", "seconds since 2020-01-01", "seconds", "s", "days", "nanoseconds", "min", "", " ", "µV/√Hz"),
    *("ns", "arbitrary, since today", "dBm", "1"),
)


def is_text(dtype: np.dtype) -> bool:
    return dtype.kind in "UT"


def same_bits(got: Array, expected: Array) -> bool:
    """Equal shape, dtype and bits, native byte order aside."""
    if expected.dtype.kind != "T":
        expected = expected.astype(expected.dtype.newbyteorder("="), copy=False)
    if (got.dtype, got.shape) != (expected.dtype, expected.shape):
        return False
    return got.tolist() == expected.tolist() if is_text(expected.dtype) else got.tobytes() == expected.tobytes()


def shapes(max_dims: int = 6) -> st.SearchStrategy[tuple[int, ...]]:
    return hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=5)


def dtypes() -> st.SearchStrategy[np.dtype]:
    plain = st.builds(
        lambda name, order: np.dtype(name).newbyteorder(order), st.sampled_from(NUMERIC), st.sampled_from("<>=")
    )
    times = st.builds("{0}{1}8[{2}]".format, st.sampled_from("<>"), st.sampled_from("mM"), st.sampled_from(UNITS))
    widths = st.integers(1, 5)
    fixed = st.builds("{0}{1}{2}".format, st.sampled_from("<>"), st.sampled_from("US"), widths)
    return st.one_of(plain, times.map(np.dtype), fixed.map(np.dtype), st.just(np.dtypes.StringDType()))


@st.composite
def arrays(draw: st.DrawFn, dtype: st.SearchStrategy[np.dtype] | None = None, max_dims: int = 6) -> Array:
    """Any bits: NaN payloads, -0.0, NaT. Any memory: C, Fortran, permuted axes, views with steps."""
    wanted = draw(dtype or dtypes())
    shape = draw(shapes(max_dims))
    count = math.prod(shape)
    if is_text(wanted):
        most = wanted.itemsize // 4 if wanted.kind == "U" else 20
        # few texts, drawn from often: large examples are slow to shrink
        few = draw(st.lists(st.text(max_size=most), min_size=1, max_size=4))
        flat = np.array([few[at % len(few)] for at in range(count)], dtype=wanted)
    else:
        pattern = draw(st.binary(min_size=1, max_size=64))
        data = (pattern * (count * wanted.itemsize // len(pattern) + 1))[: count * wanted.itemsize]
        if wanted.kind == "b":
            data = bytes(byte & 1 for byte in data)
        flat = np.frombuffer(data, wanted)
    return draw(memory(flat.reshape(shape)))


@st.composite
def memory(draw: st.DrawFn, array: Array) -> Array:
    """The same array in another memory layout."""
    kind = draw(st.sampled_from(["C", "F", "permuted", "steps"]))
    if kind in "CF":
        return np.array(array, order=kind)  # type: ignore[call-overload,no-any-return]
    axes = draw(st.permutations(range(array.ndim)))
    if kind == "permuted":
        return np.ascontiguousarray(array.transpose(axes)).transpose(np.argsort(axes)) if array.ndim else array
    steps = [draw(st.sampled_from([-2, -1, 1, 2, 3])) for _ in array.shape]
    base = np.zeros(tuple(length * abs(step) for length, step in zip(array.shape, steps, strict=True)), array.dtype)
    # the ellipsis keeps a 0-d array an array
    view: Array = base[(*(slice(None, None, step) for step in steps), ...)]
    view[...] = array
    return view


def is_name(name: str) -> bool:
    try:
        check_name(name, "DataSet")
    except Invalid:
        return False
    return True


def names() -> st.SearchStrategy[str]:
    # the categories that a name may have, so that little is drawn in vain
    text = st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\"), min_size=1, max_size=12)
    return st.sampled_from(["s21", "x y", "frequency", "100%", "a.b", "$x", "ü😀", "c"]) | text.filter(is_name)


def free() -> st.SearchStrategy[Any]:
    """What attributes and `custom` may hold."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.complex_numbers(allow_subnormal=True),
        st.text(max_size=8),
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )


@st.composite
def data_sets(draw: st.DrawFn, count: int = 3) -> dict[str, tuple[DataSetSpec, Array]]:
    """DataSets that may lie in one DataFile, by name."""
    keys = draw(st.lists(names(), max_size=count, unique_by=lambda name: name.casefold()))
    found: dict[str, tuple[DataSetSpec, Array]] = {}
    for number, name in enumerate(keys):
        array = draw(arrays())
        # no two DataSets share a dim
        dims = tuple(f"{draw(st.sampled_from(['d', 'x y', 'µ']))}{number}_{axis}" for axis in range(array.ndim))
        spec = DataSetSpec(
            dtype=dtype_name(array.dtype),
            shape=array.shape,
            dims=dims,
            units=draw(st.none() | st.sampled_from(TRICKY_UNITS) | st.text(max_size=5)),
            long_name=draw(st.none() | st.text(max_size=9)),
            coordinates=tuple(draw(st.lists(st.sampled_from(keys), unique=True, max_size=2))),
            attributes=draw(st.dictionaries(st.sampled_from(ACTING) | st.text(max_size=6), free(), max_size=3)),
        )
        found[name] = (spec, array)
    return found


def same_spec(got: DataSetSpec, expected: DataSetSpec) -> bool:
    """Equal, where NaN equals itself and 1 differs from 1.0; the order of attributes may change."""
    return _sorted(got) == _sorted(expected)


def _sorted(spec: DataSetSpec) -> bytes:
    return canonical.encode(spec.to_document() | {"attributes": dict(sorted(spec.attributes.items()))})
