"""Arrays as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from aqdata.errors import Invalid
from aqdata.wire.text import to_csv, to_json


@pytest.mark.parametrize(
    ("array", "dtype", "data"),
    [
        (np.array([[True, False]]), "bool", [[True, False]]),
        (np.array([-0.0, np.inf]), "float64", [-0.0, {"__float__": "Infinity"}]),
        (np.array(2**64 - 1, dtype="u8"), "uint64", {"__int__": "18446744073709551615"}),
        (np.array([1 + 2j]), "complex128", [{"__complex__": {"re": 1.0, "im": 2.0}}]),
        (np.array(["ä", ""], dtype=np.dtypes.StringDType()), "str", ["ä", ""]),
        (np.array([b"\xff"]), "S1", ["ÿ"]),
        (np.array(["2026-11-22T10:07:00"], dtype="M8[s]"), "datetime64[s]", ["2026-11-22T10:07:00"]),
        (np.array([90], dtype="m8[ms]"), "timedelta64[ms]", [90]),
        (np.empty((0, 3)), "float64", []),
    ],
)
def test_json_says_dtype_shape_and_values(array: np.ndarray, dtype: str, data: Any) -> None:
    found = json.loads(to_json(array, "V"))
    assert found == {"dtype": dtype, "shape": list(array.shape), "units": "V", "data": data}


def rows(array: np.ndarray, name: str = "x") -> list[list[str]]:
    return list(csv.reader(io.StringIO(to_csv(array, name).decode())))


def test_csv_has_a_title_for_each_column() -> None:
    assert rows(np.arange(3)) == [["x"], ["0"], ["1"], ["2"]]
    assert rows(np.arange(4).reshape(2, 2)) == [["x[0]", "x[1]"], ["0", "1"], ["2", "3"]]
    assert rows(np.array([1 + 2j])) == [["re(x)", "im(x)"], ["1.0", "2.0"]]
    assert rows(np.array(0.5)) == [["x"], ["0.5"]]
    assert rows(np.empty((0, 3))) == [["x"]]


def test_numbers_in_csv_read_back_as_they_were() -> None:
    values = np.random.default_rng(seed=1).normal(size=100).astype("f4")
    back = np.array([row[0] for row in rows(values)[1:]], dtype="f4")
    assert back.tobytes() == values.tobytes()


def test_csv_refuses_what_is_no_table() -> None:
    with pytest.raises(Invalid, match="slice down to two"):
        to_csv(np.zeros((2, 2, 2)), "x")
