"""One index, as numpy, text or JSON writes it, met with the axes of an array; what it selects is in `selection.py`."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from types import EllipsisType
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from aqdata.errors import Invalid, InvalidIndex

Integers = NDArray[np.int64]
Item = int | slice | EllipsisType | None | NDArray[Any]
# an item that met its axis: nothing relative to the end, masks turned into positions
Entry = int | range | EllipsisType | None | Integers

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
# numpy's limit for arrays that are broadcast together
_MAX_ARRAY_AXES = 32
_KINDS = "integers, slices, '...', None (newaxis), and integer or boolean arrays"


def check_item(item: Any, field: str | None) -> Item:
    """One element of an index, with everything that numpy takes for an integer or an array made into one."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        raise InvalidIndex("a single boolean is no index: use None for a new axis", field=field)
    if isinstance(item, SupportsIndex) and not isinstance(item, np.ndarray):
        try:
            return operator.index(item)
        except TypeError:
            # classes that stand for whole arrays have __index__ for the case that they hold one integer
            pass
    try:
        array = np.asarray(item)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidIndex(f"not an index: {error}", field=field) from error
    if array.size == 0 and not isinstance(item, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind in "iu":
        if array.ndim > _MAX_ARRAY_AXES:
            raise InvalidIndex(f"an index array has {array.ndim} axes; at most {_MAX_ARRAY_AXES}", field=field)
        return array if array.ndim else int(array)
    if array.dtype.kind == "b" and array.ndim:
        return array
    shown = type(item).__name__ if array.dtype.kind == "O" else f"{array.dtype}"
    raise InvalidIndex(f"{shown} is no index: use {_KINDS}", field=field)


def meet_axes(items: list[Item], shape: tuple[int, ...], field: str | None) -> Iterator[Entry]:
    """The items as entries: one for each axis of the array, one for each new axis, and an ellipsis that is empty."""
    taken = sum(_axes_taken(item) for item in items)
    rest = len(shape) - taken
    if rest < 0:
        raise InvalidIndex(f"too many indices: the array has {len(shape)} axes, {taken} were indexed", field=field)
    if sum(item is Ellipsis for item in items) > 1:
        raise InvalidIndex("an index can have only one ellipsis ('...')", field=field)
    if not any(item is Ellipsis for item in items):
        items = [*items, *[slice(None)] * rest]
    axis = 0
    for item in items:
        if item is None:
            yield None
        elif isinstance(item, EllipsisType):
            # an ellipsis that stands for no axis still parts the arrays around it, and makes a scalar a 0-d array
            yield from (range(length) for length in shape[axis : axis + rest])
            if not rest:
                yield Ellipsis
            axis += rest
        elif isinstance(item, np.ndarray) and item.dtype.kind == "b":
            yield from _mask(item, axis, shape, field)
            axis += item.ndim
        else:
            yield _entry(item, axis, shape[axis], field)
            axis += 1


def _axes_taken(item: Item) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype.kind == "b" else 1


def _entry(item: int | slice | NDArray[Any], axis: int, length: int, field: str | None) -> Entry:
    if isinstance(item, slice):
        try:
            return normal(range(*item.indices(length)))
        except (TypeError, ValueError) as error:
            raise InvalidIndex(f"axis {axis}: {error}", field=field) from error
    if isinstance(item, int):
        _check_bounds(item, axis, length, field)
        return item + length if item < 0 else item
    if item.size:
        _check_bounds(int(item.min()), axis, length, field)
        _check_bounds(int(item.max()), axis, length, field)
    positions = item.astype(np.int64)
    return np.where(positions < 0, positions + length, positions)


def _check_bounds(position: int, axis: int, length: int, field: str | None) -> None:
    if not -length <= position < length:
        shown = position if abs(position) < 2**64 else "beyond 64 bits"
        raise InvalidIndex(f"index {shown} is out of bounds for axis {axis} of length {length}", field=field)


def _mask(mask: NDArray[np.bool_], axis: int, shape: tuple[int, ...], field: str | None) -> tuple[Integers, ...]:
    for at, (length, expected) in enumerate(zip(mask.shape, shape[axis:], strict=False), axis):
        if length != expected:
            raise InvalidIndex(
                f"the boolean index has length {length} along axis {at} of length {expected}", field=field
            )
    return tuple(positions.astype(np.int64, copy=False) for positions in mask.nonzero())


def normal(positions: range) -> range:
    """The same positions with step 1 where there is only one way to go, and no stop beyond the next step."""
    if not positions:
        return range(0)
    if len(positions) == 1:
        return range(positions[0], positions[0] + 1)
    return range(positions.start, positions[-1] + (1 if positions.step > 0 else -1), positions.step)


def item_from_text(part: str, field: str | None) -> int | slice | EllipsisType | None:
    """One element between the commas of `?slice=`."""
    if part == "...":
        return Ellipsis
    if part in ("None", "newaxis"):
        return None
    numbers = [number.strip() for number in part.split(":")]
    if len(numbers) <= 3 and all(_INTEGER.fullmatch(number) or (not number and ":" in part) for number in numbers):
        values = [int(number) if number else None for number in numbers]
        return slice(*values) if len(values) > 1 else values[0]
    raise InvalidIndex(f"{part[:50]!r} is none of 3, 10:20, ::2, ... and None", field=field)


def item_from_json(item: object, field: str | None) -> object:
    """One element of the JSON form; what an array holds is checked by `check_item`."""
    if item is None or (isinstance(item, int) and not isinstance(item, bool)):
        return item
    if item == "...":
        return Ellipsis
    if isinstance(item, dict) and len(item) == 1:
        parts = item.get("slice")
        if isinstance(parts, list) and len(parts) == 3 and all(part is None or type(part) is int for part in parts):
            return slice(*parts)
        if isinstance(item.get("array"), list):
            return item["array"]
    raise Invalid(
        'not an integer, {"slice": [start, stop, step]}, "...", null or {"array": [integers or booleans]}', field=field
    )
