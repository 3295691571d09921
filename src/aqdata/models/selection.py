"""Which part of an array is meant: numpy's indexing, checked and normalised once; nothing here reads an array's store.

Every axis of the array becomes an ascending list of positions to read, the outer block; `apply` then makes numpy's
result from that block by letting numpy index it. So a store needs to read nothing but outer blocks, and the rules of
where axes end up are numpy's own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aqdata.errors import Invalid, InvalidIndex
from aqdata.models.indexing import Entry, Integers, check_item, item_from_json, item_from_text, meet_axes, normal

MAX_TEXT = 10_000
# numpy's own limit
MAX_AXES = 64


class Selection:
    """A part of an array of a known shape. Make one with `of`, `parse` or `from_json`."""

    def __init__(self, array_shape: tuple[int, ...], entries: tuple[Entry, ...], field: str | None = None) -> None:
        self.array_shape = array_shape
        self._entries = entries
        arrays = [entry for entry in entries if isinstance(entry, np.ndarray)]
        self.is_basic = not arrays
        self.shape = _result_shape(entries, _broadcast(arrays, field))
        if len(self.shape) > MAX_AXES:
            raise InvalidIndex(f"the result would have {len(self.shape)} axes; at most {MAX_AXES}", field=field)

    @classmethod
    def of(cls, index: object, shape: Sequence[int], field: str | None = "slice") -> Selection:
        """What `x[index]` means for an array `x` of this shape.

        A position out of bounds is refused even where numpy lets it pass because the result is empty.

        Raises:
            InvalidIndex: numpy refuses it too, or it is a single boolean (which adds an axis; mostly a slip).
        """
        given = index if isinstance(index, tuple) else (index,)
        shape = tuple(shape)
        # each of these takes at least one axis or adds one, up to one ellipsis
        if len(given) > len(shape) + MAX_AXES + 1:
            raise InvalidIndex(f"too many indices: {len(given)}", field=field)
        return cls(shape, tuple(meet_axes([check_item(item, field) for item in given], shape, field)), field)

    @classmethod
    def parse(cls, text: str, shape: Sequence[int], field: str | None = "slice") -> Selection:
        """A selection as text, in numpy's notation without brackets: `10:20,::2,...,None,-1`; empty: all.

        Raises:
            InvalidIndex: it is not such a text, or does not fit the shape.
        """
        if len(text) > MAX_TEXT:
            raise InvalidIndex(f"{len(text)} characters; at most {MAX_TEXT}: send the index as JSON", field=field)
        parts = text.split(",") if text.strip() else []
        return cls.of(tuple(item_from_text(part.strip(), field) for part in parts), shape, field)

    @classmethod
    def from_json(cls, index: object, shape: Sequence[int], field: str | None = "index") -> Selection:
        """A selection as `to_json` gives it.

        Raises:
            Invalid: not a list of int, {"slice": [start, stop, step]}, "...", null and {"array": [...]}.
            InvalidIndex: it does not fit the shape.
        """
        if not isinstance(index, list):
            raise Invalid("an index is a list with one element per axis", field=field)
        items = (item_from_json(item, f"{field}.{at}" if field else None) for at, item in enumerate(index))
        return cls.of(tuple(items), shape, field)

    def to_json(self) -> list[Any]:
        """The selection as a list for JSON, with nothing relative to the end left."""
        return [_to_json(entry) for entry in self._entries]

    def to_text(self) -> str:
        """The selection as `parse` reads it.

        Raises:
            Invalid: it holds arrays.
        """
        if not self.is_basic:
            raise Invalid("index arrays have no text form: use JSON")
        return ",".join(_text(entry) for entry in self._entries)

    @property
    def size(self) -> int:
        """How many elements the result has."""
        return math.prod(self.shape)

    @property
    def is_scalar(self) -> bool:
        """Whether numpy gives a scalar instead of a 0-d array."""
        return not self.shape and not self._has_ellipsis

    @property
    def whole(self) -> bool:
        """Whether this is the entire array as it is."""
        axes = [entry for entry in self._entries if entry is not Ellipsis]
        return len(axes) == len(self.array_shape) and all(
            isinstance(entry, range) and entry == range(length)
            for entry, length in zip(axes, self.array_shape, strict=True)
        )

    @property
    def index(self) -> tuple[Any, ...]:
        """The index for a numpy array that holds the whole array."""
        return tuple(_slice(entry) if isinstance(entry, range) else entry for entry in self._entries)

    @cached_property
    def axes(self) -> tuple[range | Integers, ...]:
        """The outer block to read: for each axis of the array its positions, ascending and unique."""
        return tuple(_positions(entry) for entry in self._entries if entry is not None and entry is not Ellipsis)

    def apply(self, block: NDArray[Any]) -> NDArray[Any]:
        """What numpy gives (0-d for a scalar), from the outer block `x[np.ix_(*axes)]`; may be a view of it."""
        axes = iter(self.axes)
        mapped = [
            entry if entry is None or entry is Ellipsis else _in_block(entry, next(axes)) for entry in self._entries
        ]
        # the ellipsis makes numpy give a 0-d array instead of a scalar, which would lose the dtype of texts
        result: NDArray[Any] = block[tuple(mapped) if self._has_ellipsis else (*mapped, ...)]
        return result

    def bands(self, itemsize: int, limit: int) -> Iterator[Selection]:
        """Parts of at most `limit` bytes, or one element, whose results in C order make up this one's when joined.

        Raises:
            Invalid: it holds index arrays.
        """
        if not self.is_basic:
            raise Invalid("index arrays can't be read in bands")
        if not self.size:
            return
        at = [number for number, entry in enumerate(self._entries) if isinstance(entry, range)]
        ranges = [entry for entry in self._entries if isinstance(entry, range)]
        for pieces in _split(ranges, max(1, limit // max(1, itemsize))):
            entries = list(self._entries)
            for number, piece in zip(at, pieces, strict=True):
                entries[number] = piece
            yield Selection(self.array_shape, tuple(entries))

    def __repr__(self) -> str:
        shown = self.to_text() if self.is_basic else f"{len(self._entries)} entries"
        return f"<Selection {shown} of {self.array_shape}: {self.shape}>"

    @cached_property
    def _has_ellipsis(self) -> bool:
        return any(entry is Ellipsis for entry in self._entries)


def _slice(positions: range) -> slice:
    return slice(positions.start, positions.stop if positions.stop >= 0 else None, positions.step)


def _broadcast(arrays: list[Integers], field: str | None) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError as error:
        shapes = " ".join(str(array.shape) for array in arrays)
        raise InvalidIndex(f"the index arrays don't broadcast together: {shapes}", field=field) from error


def _result_shape(entries: tuple[Entry, ...], broadcast: tuple[int, ...]) -> tuple[int, ...]:
    """Numpy's rule: the axes of index arrays stand where these stood if they were side by side, else in front."""
    lengths = [_lengths(entry) for entry in entries]
    if not any(isinstance(entry, np.ndarray) for entry in entries):
        return tuple(itertools.chain.from_iterable(lengths))
    # integers go along with index arrays
    advanced = [at for at, entry in enumerate(entries) if isinstance(entry, (int, np.ndarray))]
    first = advanced[0] if advanced[-1] - advanced[0] == len(advanced) - 1 else 0
    before, after = itertools.chain.from_iterable(lengths[:first]), itertools.chain.from_iterable(lengths[first:])
    return (*before, *broadcast, *after)


def _lengths(entry: Entry) -> tuple[int, ...]:
    if isinstance(entry, range):
        return (len(entry),)
    return (1,) if entry is None else ()


def _positions(entry: int | range | Integers) -> range | Integers:
    if isinstance(entry, int):
        return range(entry, entry + 1)
    if isinstance(entry, range):
        return entry if entry.step > 0 else normal(entry[::-1])
    unique = np.unique(entry)
    steps = np.diff(unique)
    if unique.size and (steps == steps[:1]).all():
        return normal(range(int(unique[0]), int(unique[-1]) + 1, int(steps[0]) if steps.size else 1))
    return unique


def _in_block(entry: int | range | Integers, positions: range | Integers) -> int | slice | Integers:
    """The index of the block that does what the entry did to the array."""
    if isinstance(entry, int):
        return 0
    if isinstance(entry, range):
        return slice(None, None, 1 if entry.step > 0 else -1)
    if isinstance(positions, range):
        return (entry - positions.start) // positions.step
    return np.searchsorted(positions, entry).astype(np.int64, copy=False)


def _split(ranges: list[range], count: int) -> Iterator[tuple[range, ...]]:
    """The product of ranges cut into parts of at most `count` elements, in C order."""
    inner = 1
    at = len(ranges)
    while at and inner * len(ranges[at - 1]) <= count:
        at -= 1
        inner *= len(ranges[at])
    if not at:
        yield tuple(ranges)
        return
    # `at - 1` is the axis to cut; the ones before it go one by one
    cut, rows = ranges[at - 1], count // inner
    for outer in itertools.product(*ranges[: at - 1]):
        ones = [range(position, position + 1) for position in outer]
        for start in range(0, len(cut), rows):
            yield (*ones, normal(cut[start : start + rows]), *ranges[at:])


def _to_json(entry: Entry) -> Any:
    if isinstance(entry, range):
        part = _slice(entry)
        return {"slice": [part.start, part.stop, part.step]}
    if isinstance(entry, np.ndarray):
        return {"array": entry.tolist()}
    return "..." if entry is Ellipsis else entry


def _text(entry: Entry) -> str:
    if isinstance(entry, range):
        stop = f"{entry.stop}" if entry.stop >= 0 else ""
        return f"{entry.start}:{stop}" + (f":{entry.step}" if entry.step != 1 else "")
    return "..." if entry is Ellipsis else f"{entry}"
