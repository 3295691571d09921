"""Settings: the dtype that is inferred, what fits it, and what is refused."""

from __future__ import annotations

import math
from enum import Enum, Flag, auto
from typing import Any

import numpy as np
import pytest

from aqdata.errors import Invalid
from aqdata.models.setting import Setting


class Mode(Enum):
    CW = 1
    PULSED = 2


class Bits(Flag):
    A = auto()
    B = auto()


@pytest.mark.parametrize(
    ("value", "stored", "dtype"),
    [
        (1.5, 1.5, "float"),
        (1, 1, "int"),
        (True, True, "bool"),
        ("on", "on", "str"),
        (1j, 1j, "complex"),
        (None, None, "none"),
        (Mode.CW, "CW", "enum"),
        ([Mode.CW, Mode.PULSED], ["CW", "PULSED"], "list[enum]"),
        ([1.5, 2.0], [1.5, 2.0], "list[float]"),
        ([1, 2.5], [1.0, 2.5], "list[float]"),
        ([1, 2.5, 1j], [1 + 0j, 2.5 + 0j, 1j], "list[complex]"),
        ([[1, 2], [3]], [[1, 2], [3]], "list[int]"),
        ((1, 2), [1, 2], "list[int]"),
        ([], [], "list"),
        ([1, "a"], [1, "a"], "list"),
        ([True, 1], [True, 1], "list"),
        ([None], [None], "list[none]"),
        ([2**53 + 1, 0.5], [2**53 + 1, 0.5], "list"),
        (np.float32(0.5), 0.5, "float"),
        (np.int8(3), 3, "int"),
        (np.bool_(True), True, "bool"),
        (np.str_("a"), "a", "str"),
        (np.complex64(1j), 1j, "complex"),
        (np.array([1, 2]), [1, 2], "list[int]"),
        (np.array(1.5), 1.5, "float"),
        (2**70, 2**70, "int"),
    ],
)
def test_the_dtype_is_inferred(value: Any, stored: Any, dtype: str) -> None:
    setting = Setting(value)
    assert setting.value == stored
    assert type(setting.value) is type(stored)
    assert setting.dtype == dtype
    assert Setting.from_document(setting.to_document()) == setting


def test_an_enum_keeps_all_its_names() -> None:
    assert Setting(Mode.CW).options == ["CW", "PULSED"]
    assert Setting("CW", options=["CW", "PULSED"]) == Setting("CW", options=Mode) == Setting(Mode.CW)


@pytest.mark.parametrize(
    ("value", "dtype", "stored"),
    [
        (1, "float", 1.0),
        (1, "complex", 1 + 0j),
        (0.5, "complex", 0.5 + 0j),
        ([1, 2], "list[float]", [1.0, 2.0]),
        ([], "list[str]", []),
        ([1, "a"], "list", [1, "a"]),
        (None, "float", None),
        (math.inf, "float", math.inf),
        ("CW", "enum", "CW"),
    ],
)
def test_a_given_dtype_widens(value: Any, dtype: str, stored: Any) -> None:
    setting = Setting(value, dtype=dtype)
    assert setting.value == stored
    assert type(setting.value) is type(stored)
    assert setting.dtype == dtype


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"value": 1.0, "dtype": "int"}, "value"),
        ({"value": "1", "dtype": "float"}, "value"),
        ({"value": True, "dtype": "int"}, "value"),
        ({"value": [1], "dtype": "int"}, "value"),
        ({"value": 1, "dtype": "list[int]"}, "value"),
        ({"value": 1, "dtype": "list"}, "value"),
        ({"value": 2**60 + 1, "dtype": "float"}, "value"),
        ({"value": 10**400, "dtype": "float"}, "value"),
        ({"value": 1, "dtype": "int64"}, "dtype"),
        ({"value": 1, "dtype": "list[list]"}, "dtype"),
        ({"value": 1, "dtype": 3}, "dtype"),
        ({"value": {"a": 1}}, "value"),
        ({"value": b"x"}, "value"),
        ({"value": object()}, "value"),
        ({"value": [{1}]}, "value"),
        ({"value": np.longdouble(1)}, "value"),
        ({"value": np.datetime64("2026-11-22")}, "value"),
        ({"value": Bits.A | Bits.B}, "value"),
        ({"value": "X", "options": ["CW"]}, "value"),
        ({"value": 1, "options": ["CW"]}, "value"),
        ({"value": 1, "dtype": "int", "options": ["CW"]}, "options"),
        ({"value": "CW", "options": "CW"}, "options"),
        ({"value": "CW", "options": ["CW", "CW"]}, "options"),
        ({"value": Mode.CW, "options": ["CW"]}, "options"),
        ({"value": 1, "unit": 3}, "unit"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        Setting(**arguments)
    assert caught.value.field == field


def test_a_new_value_has_to_fit() -> None:
    setting = Setting(-30.0, "dBm")
    setting.value = -20
    assert (setting.value, setting.dtype, setting.unit) == (-20.0, "float", "dBm")
    with pytest.raises(Invalid, match="value: 'off' does not fit dtype float"):
        setting.value = "off"
    with pytest.raises(Invalid):
        setting.dtype = "str"
    with pytest.raises(Invalid):
        setting.color = "red"  # type: ignore[attr-defined]
    assert (setting.value, setting.dtype, setting.unit) == (-20.0, "float", "dBm")


def test_a_setting_without_value_takes_any() -> None:
    setting = Setting(None)
    setting.value = 3.5
    assert setting.dtype == "float"
    setting.value = Mode.PULSED
    assert (setting.value, setting.dtype, setting.options) == ("PULSED", "enum", ["CW", "PULSED"])
    setting.value = "CW"
    with pytest.raises(Invalid, match="none of the options"):
        setting.value = "X"


def test_no_value_is_written_too() -> None:
    assert Setting(None).to_document() == {"value": None, "dtype": "none"}
    assert Setting([]).to_document() == {"value": [], "dtype": "list"}
