"""Indexing against numpy, which is the oracle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from index_strategies import indices, numbered, shapes

from aqdata.errors import AqdataError, Invalid, InvalidIndex
from aqdata.models.selection import Selection


def numpys(array: np.ndarray[Any, Any], index: Any) -> Any:
    try:
        return array[index]
    except IndexError:
        assume(False)


def read(array: np.ndarray[Any, Any], selection: Selection) -> np.ndarray[Any, Any]:
    """What a store does: the outer block and then `apply`."""
    for positions, length in zip(selection.axes, array.shape, strict=True):
        ordered = np.asarray(positions)
        assert (np.diff(ordered) > 0).all()
        assert all(0 <= position < length for position in positions)
        assert not isinstance(positions, range) or positions.stop <= length
    # np.ix_ refuses a 0-d array's empty tuple in no version; it gives ()
    return selection.apply(array[np.ix_(*selection.axes)])


def assert_same(got: np.ndarray[Any, Any], expected: Any) -> None:
    assert isinstance(got, np.ndarray)
    assert got.shape == np.shape(expected)
    np.testing.assert_array_equal(got, expected)


@given(st.data(), shapes())
def test_a_selection_reads_what_numpy_reads(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = numbered(shape)
    index = data.draw(indices(shape))
    expected = numpys(array, index)
    selection = Selection.of(index, shape)
    assert selection.shape == np.shape(expected)
    assert selection.size == np.size(expected)
    assert selection.is_scalar == np.isscalar(expected)
    assert_same(read(array, selection), expected)
    assert_same(np.asarray(array[selection.index]), expected)
    assert not selection.whole or (expected.shape == array.shape and (expected == array).all())


@given(st.data(), shapes())
def test_it_survives_json_and_text(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = numbered(shape)
    index = data.draw(indices(shape))
    expected = numpys(array, index)
    selection = Selection.of(index, shape)
    again = Selection.from_json(json.loads(json.dumps(selection.to_json())), shape)
    assert_same(read(array, again), expected)
    assert again.is_scalar == selection.is_scalar
    if selection.is_basic:
        parsed = Selection.parse(selection.to_text(), shape)
        assert_same(read(array, parsed), expected)
        assert parsed.is_scalar == selection.is_scalar
    else:
        with pytest.raises(Invalid, match="JSON"):
            selection.to_text()


@given(st.data(), shapes(), st.integers(1, 9), st.integers(0, 300))
def test_bands_join_to_the_whole(data: st.DataObject, shape: tuple[int, ...], itemsize: int, limit: int) -> None:
    array = numbered(shape)
    index = data.draw(indices(shape, basic=True))
    expected = np.asarray(numpys(array, index))
    bands = list(Selection.of(index, shape).bands(itemsize, limit))
    assert all(band.size * itemsize <= max(limit, itemsize) for band in bands)
    assert all(band.size for band in bands)
    joined = b"".join(read(array, band).tobytes() for band in bands)
    assert joined == expected.tobytes()
    if expected.size * itemsize <= limit:
        assert len(bands) == bool(expected.size)


@given(st.data(), shapes(min_dims=1))
@example(data=None, shape=(3, 3))  # type: ignore[arg-type]
def test_what_numpy_refuses_is_refused(data: st.DataObject | None, shape: tuple[int, ...]) -> None:
    array = numbered(shape)
    index = ([0, 1], [0, 1, 2]) if data is None else data.draw(indices(shape, slack=2))
    try:
        expected = array[index]
    except IndexError:
        with pytest.raises(InvalidIndex):
            Selection.of(index, shape)
    else:
        # a position out of bounds of an empty result is the one thing that numpy is more lenient about
        try:
            selection = Selection.of(index, shape)
        except InvalidIndex as error:
            assert "out of bounds" in str(error)  # noqa: PT017
            assert expected.size == 0
        else:
            assert_same(read(array, selection), expected)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (12, "slice: index 12 is out of bounds for axis 0 of length 10"),
        ((0, -6), "slice: index -6 is out of bounds for axis 1 of length 5"),
        (2**70, "index beyond 64 bits is out of bounds"),
        pytest.param(10**5000, "index beyond 64 bits is out of bounds", id="5000 digits"),
        (np.array([2**63], "u8"), "index 9223372036854775808 is out of bounds for axis 0 of length 10"),
        ((slice(None), [1, 5]), "index 5 is out of bounds for axis 1 of length 5"),
        ((0, 0, 0), "too many indices: the array has 2 axes, 3 were indexed"),
        ((..., 0, ...), "only one ellipsis"),
        (slice(0, 3, 0), "axis 0: slice step"),
        (slice("a", None), "axis 0: slice indices must be integers"),
        (1.0, "float64 is no index: use integers, slices"),
        ([1.0], "float64 is no index"),
        ("s21", "<U3 is no index"),
        ({"a": 1}, "dict is no index"),
        ([[1], [2, 3]], "not an index: .*inhomogeneous"),
        (True, "single boolean"),
        (np.array(True), "bool is no index"),
        (np.ones(9, bool), "the boolean index has length 9 along axis 0 of length 10"),
        (([0, 1], [0, 1, 2]), r"don't broadcast together: \(2,\) \(3,\)"),
        ((None,) * 63, "65 axes; at most 64"),
        ((None,) * 10_000, "too many indices: 10000"),
        ((0,) * 10_000, "too many indices: 10000"),
    ],
)
def test_the_error_says_what_is_wrong(index: object, message: str) -> None:
    with pytest.raises(InvalidIndex, match=message) as caught:
        Selection.of(index, (10, 5))
    assert isinstance(caught.value, IndexError)
    assert caught.value.field == "slice"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("", ()),
        ("...", ...),
        ("10:20,::2,...,None,-1", np.s_[10:20, ::2, ..., None, -1]),
        (" 3 , newaxis, +1:", np.s_[3, None, 1:]),
        ("::-1", np.s_[::-1]),
        (":", np.s_[:]),
    ],
)
def test_text_reads_like_numpy(text: str, index: Any) -> None:
    array = numbered((30, 4, 3))
    assert_same(read(array, Selection.parse(text, array.shape)), array[index])


@pytest.mark.parametrize(
    "text",
    [
        *("a", "1,", ",", "1:2:3:4", "1.0", "[1]", "1 2", "١", "0x1", "--1", ":a", "0:1:0", "True", "....", "1_0"),
        *("9" * 19, "9" * 20, "0," * 6000 + "0", "0," * 4000 + "0", "None," * 1000 + "0", "-", "1:-"),
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidIndex) as caught:
        Selection.parse(text, (30, 4, 3))
    assert len(str(caught.value)) < 300


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else [0]


@pytest.mark.parametrize(
    ("index", "field"),
    [
        (None, "index"),
        ("...", "index"),
        ({"slice": [0, 1, 1]}, "index"),
        ([True], "index.0"),
        ([0, 1.5], "index.1"),
        ([{"slice": [0, 1]}], "index.0"),
        ([{"slice": [0, 1, True]}], "index.0"),
        ([{"slice": [0, 1, "2"]}], "index.0"),
        ([{"slice": [0, 1, 2], "array": [1]}], "index.0"),
        ([{"array": 3}], "index.0"),
        ([{"array": ["a"]}], "index"),
        ([{"array": [0.5]}], "index"),
        ([{"array": [None]}], "index"),
        ([{"array": [{"array": [1]}]}], "index"),
        ([{"array": [10**400]}], "index"),
        ([{"array": nested(63)}], "index"),
        ([{"array": nested(64)}], "index"),
        ([{"array": nested(500)}], "index"),
        ([{"array": [[1], [1, 2]]}], "index"),
        ([10**400], "index"),
        ([{"slice": [0, 10, 0]}], "index"),
        ([0] * 100_000, "index"),
        ([[0]], "index.0"),
    ],
)
def test_other_json_is_refused(index: object, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        Selection.from_json(index, (30, 4))
    assert caught.value.field == field
    assert len(str(caught.value)) < 300


def test_slices_may_be_larger_than_64_bits() -> None:
    selection = Selection.from_json([{"slice": [-(10**400), 10**400, 10**400]}], (30,))
    assert selection.axes == (range(1),)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_any_json_is_a_selection_or_an_error_of_ours(index: object) -> None:
    for item in (index, [{"array": index}], [{"slice": index}]):
        try:
            selection = Selection.from_json(item, (3, 2))
        except AqdataError:
            continue
        read(numbered((3, 2)), selection)


@given(st.text("0123456789:,.-+ NoneA", max_size=40))
def test_any_text_is_a_selection_or_an_error_of_ours(text: str) -> None:
    try:
        selection = Selection.parse(text, (3, 2, 4))
    except InvalidIndex:
        return
    read(numbered((3, 2, 4)), selection)


def test_a_huge_result_costs_nothing_until_it_is_read() -> None:
    wide, tall = np.zeros((1, 100_000), int), np.zeros((100_000, 1), int)
    selection = Selection.of((wide, tall), (10, 10))
    assert selection.size == 10**10
    assert selection.axes == (range(1), range(1))


def test_evenly_spaced_positions_are_read_as_a_range() -> None:
    selection = Selection.of(([4, 2, 6, 2], slice(9, 2, -3)), (10, 10))
    assert selection.axes == (range(2, 7, 2), range(3, 10, 3))
    array = numbered((10, 10))
    assert_same(read(array, selection), array[[4, 2, 6, 2], 9:2:-3])


def test_scalars_keep_the_dtype_of_texts() -> None:
    array = np.array(["a", "bc"], np.dtypes.StringDType())
    assert read(array, Selection.of(1, (2,))).dtype == np.dtypes.StringDType()


def test_integers_may_come_as_other_classes() -> None:
    class Three:
        def __index__(self) -> int:
            return 3

    assert Selection.of(Three(), (5,)).axes == (range(3, 4),)


@pytest.mark.parametrize("index", [..., (), slice(None), np.s_[:, :], np.s_[0:3], np.s_[..., 0:9]])
def test_whole_is_the_array_as_it_is(index: Any) -> None:
    assert Selection.of(index, (3, 4)).whole


@pytest.mark.parametrize("index", [0, None, np.s_[::-1], np.s_[1:], [[0, 1, 2]], np.s_[0, ...]])
def test_other_selections_are_not_whole(index: Any) -> None:
    assert not Selection.of(index, (3, 4)).whole
