"""MetaData and its parts: strict, with the path of what is wrong, and the same after a round trip."""

from __future__ import annotations

import copy
import math
import pickle
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqdata.errors import Invalid
from aqdata.models.canonical import encode
from aqdata.models.device import Device
from aqdata.models.environment import Environment
from aqdata.models.instrument import Instrument
from aqdata.models.metadata import Flag, MetaData
from aqdata.models.program import Program
from aqdata.models.setting import Setting

PARENT = "0193479b-7e5c-7c2e-8f3a-5b2d9c1e9f3a"

texts = st.text(max_size=20)
floats = st.floats()
setting_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    floats,
    texts,
    st.builds(complex, floats, floats),
    st.lists(floats, max_size=3),
    st.lists(st.integers() | floats | texts, max_size=3),
    st.lists(st.lists(st.booleans(), max_size=2)),
)
free = st.dictionaries(
    texts, st.recursive(setting_values, lambda inner: st.dictionaries(texts, inner, max_size=3), max_leaves=6)
)
settings = st.dictionaries(texts, st.builds(Setting, setting_values, st.none() | texts), max_size=4)
maybe = st.none() | texts
metadata = st.builds(
    MetaData,
    kind=st.sampled_from(["measurement", "simulation", "mask", "analysis"]),
    name=st.text(min_size=1, max_size=30).filter(str.strip),
    user=maybe,
    tags=st.lists(st.text(min_size=1, max_size=20).filter(str.strip), max_size=4),
    flag=st.sampled_from([None, "red", "gray"]),
    comment=maybe,
    date=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),
    device=st.none() | st.builds(Device, mask=maybe, wafer=maybe, designer=maybe),
    instruments=st.dictionaries(texts, st.builds(Instrument, model=maybe, settings=settings, custom=free), max_size=3),
    program=st.none()
    | st.builds(
        Program, source=maybe, compiler=maybe, setup=free, cores=st.lists(st.builds(dict, code=texts), max_size=2)
    ),
    parents=st.lists(st.uuids().map(str), max_size=2),
    environment=st.none() | st.builds(Environment, commit=maybe, dirty=st.none() | st.booleans()),
    custom=free,
)


@given(metadata)
def test_metadata_come_back_as_they_went_in(given_metadata: MetaData) -> None:
    data = given_metadata.to_json()
    back = MetaData.from_json(data)
    assert back == given_metadata
    assert back.to_json() == data
    assert MetaData.from_document(given_metadata.to_document()) == given_metadata


@given(metadata)
def test_nothing_empty_is_written(given_metadata: MetaData) -> None:
    document = given_metadata.to_document()
    assert None not in document.values()
    assert {} not in document.values()
    assert [] not in document.values()


def test_the_example_of_the_readme_can_be_written_with_plain_dicts() -> None:
    metadata = MetaData(
        name="qubit spectroscopy",
        user="ana",
        station="cryo2",
        tags=["q1", "golden", "q1"],
        instruments={"vna": {"model": "ZNB20", "settings": {"power": {"value": -30.0, "unit": "dBm"}, "points": 401}}},
        program={"source": "// bell\nOPENQASM 2.0; qreg q[2];", "compiler": "aq_compiler", "version": "2.1"},
    )
    power = metadata.instruments["vna"].settings["power"]
    assert (power.value, power.unit, power.dtype) == (-30.0, "dBm", "float")
    assert metadata.instruments["vna"].settings["points"].dtype == "int"
    assert metadata.tags == ["q1", "golden"]
    assert metadata.program is not None
    assert metadata.program.language == "OPENQASM 2"
    assert metadata.to_document()["instruments"]["vna"]["settings"]["power"]["value"] == -30.0


def test_nan_infinity_and_complex_survive_in_settings() -> None:
    metadata = MetaData(
        name="x", instruments={"a": {"settings": {"b": math.nan, "c": -math.inf, "d": complex(1, math.nan)}}}
    )
    back = MetaData.from_json(metadata.to_json()).instruments["a"].settings
    assert math.isnan(back["b"].value)
    assert back["c"].value == -math.inf
    assert back["d"].value.real == 1
    assert math.isnan(back["d"].value.imag)


def test_equality_is_that_of_the_documents() -> None:
    date = datetime.now(UTC)
    assert MetaData(name="x", date=date, custom={"a": math.nan}) == MetaData(
        name="x", date=date, custom={"a": math.nan}
    )
    assert MetaData(name="x", date=date, custom={"a": 1}) != MetaData(name="x", date=date, custom={"a": 1.0})
    assert Setting(1) != "Setting"


def test_dates_are_utc_inside() -> None:
    abroad = timezone(timedelta(hours=9))
    assert MetaData(name="x", date=datetime(2026, 1, 1, 9, tzinfo=abroad)).date == datetime(2026, 1, 1, tzinfo=UTC)
    assert MetaData(name="x", date="2026-01-01T09:00:00+09:00").to_document()["date"] == "2026-01-01T00:00:00.000000Z"
    naive = datetime(2026, 7, 1, 12)
    assert MetaData(name="x", date=naive).date == naive.astimezone(UTC)
    assert MetaData(name="x").date.tzinfo is UTC
    assert abs(MetaData(name="x").date - datetime.now(UTC)) < timedelta(seconds=5)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "empty"),
    ({"name": "x" * 1001}, "name", "1000"),
    ({"name": 3}, "name", "string"),
    ({"kind": "movie"}, "kind", "measurement"),
    ({"flag": "pink"}, "flag", "red"),
    ({"tags": "q1"}, "tags", "list"),
    ({"tags": ["a", " "]}, "tags.1", "characters"),
    ({"tags": ["a", 1]}, "tags.1", "string"),
    ({"date": "yesterday"}, "date", "ISO 8601"),
    ({"date": 1700000000}, "date", "ISO 8601"),
    ({"parents": [PARENT, "abc"]}, "parents.1", "UUID"),
    ({"schema_version": 2}, "schema_version", "written by a newer aqdata"),
    ({"schema_version": "1"}, "schema_version", "should be 1"),
    ({"userr": "ana"}, "userr", "no such field"),
    ({"custom": {"a": {"b.c": {1}}}}, "custom.a.b%2Ec", "set"),
    ({"environment": {"dirty": "yes"}}, "environment.dirty", "boolean"),
    ({"environment": {"dirty": 1}}, "environment.dirty", "boolean"),
    ({"device": {"waffle": "w"}}, "device.waffle", "no such field"),
    ({"device": {"mask": "M", "wafer": "W", "chip": "C", "die": "D", "serial": "X"}}, "device.serial", "M-W-C-D"),
    (
        {"instruments": {"vna": {"settings": {"power": {"value": {"a": 1}}}}}},
        "instruments.vna.settings.power.value",
        "dict",
    ),
    ({"instruments": {"vna": {"settings": {"power": {"vlue": 1}}}}}, "instruments.vna.settings.power", "vlue"),
    (
        {"instruments": {"vna": {"settings": {"power": {"value": 1, "units": "V"}}}}},
        "instruments.vna.settings.power.units",
        "no such",
    ),
    (
        {"instruments": {"a.b": {"settings": {"c": {"value": "x", "dtype": "float"}}}}},
        "instruments.a%2Eb.settings.c.value",
        "fit",
    ),
    ({"instruments": {"vna": {"modell": "Z"}}}, "instruments.vna.modell", "no such field"),
    ({"instruments": ["vna"]}, "instruments", "dict"),
    ({"program": {"cores": {"0": {"settings": {"x": {}}}}}}, "program.cores.0.settings.x", "nothing"),
]


@pytest.mark.parametrize(("wrong", "field", "says"), WRONG)
def test_a_wrong_value_is_refused_with_its_path(wrong: dict[str, Any], field: str, says: str) -> None:
    fields = {"name": "x", **wrong}
    ways = [lambda: MetaData(**fields), lambda: MetaData.from_document(fields), lambda: MetaData.model_validate(fields)]
    if "custom" not in wrong:
        ways.append(lambda: MetaData.from_json(encode(fields)))
    for way in ways:
        with pytest.raises(Invalid) as caught:
            way()
        assert caught.value.field == field
        assert says in caught.value.detail


@pytest.mark.parametrize(("wrong", "field", "says"), WRONG)
def test_an_assignment_is_checked_alike_and_changes_nothing(wrong: dict[str, Any], field: str, says: str) -> None:
    metadata = MetaData(name="x")
    before = metadata.to_json()
    ((name, value),) = wrong.items()
    with pytest.raises(Invalid) as caught:
        setattr(metadata, name, value)
    assert caught.value.field == field
    assert says in caught.value.detail or name == "schema_version"
    assert metadata.to_json() == before


def test_several_wrong_values_are_counted() -> None:
    with pytest.raises(Invalid, match="and 1 more wrong value"):
        MetaData(name="x", flag="pink", userr="ana")
    with pytest.raises(Invalid, match="name: it is required"):
        MetaData()  # type: ignore[call-arg]


def test_no_way_of_writing_makes_nan_null() -> None:
    assert "NaN" in Setting(math.nan).model_dump_json()


def test_metadata_of_something_else_are_refused() -> None:
    for data in (b"[]", b"3", b"{", b""):
        with pytest.raises(Invalid):
            MetaData.from_json(data)


def test_what_is_put_into_dicts_and_lists_later_is_checked_when_it_is_written() -> None:
    metadata = MetaData(name="x", instruments={"vna": {"settings": {"power": 1.0}}})
    metadata.instruments["vna"].settings["power"] = -30.0  # type: ignore[assignment]
    metadata.instruments["awg"] = {"settings": {"gain": 2}}  # type: ignore[assignment]
    metadata.tags.extend(["a", "a"])
    document = metadata.to_document()
    assert document["instruments"]["vna"]["settings"]["power"] == {"value": -30.0, "dtype": "float"}
    assert document["instruments"]["awg"]["settings"]["gain"] == {"value": 2, "dtype": "int"}
    assert document["tags"] == ["a"]
    metadata.instruments["vna"].settings["power"] = {"vlue": 1}  # type: ignore[assignment]
    with pytest.raises(Invalid) as caught:
        metadata.to_json()
    assert caught.value.field == "instruments.vna.settings.power"


def test_free_content_is_at_once_what_it_will_be_after_loading() -> None:
    custom = MetaData(
        name="x", custom={"array": np.arange(2), "f": np.float64(1.5), "d": datetime(2026, 1, 1, tzinfo=UTC)}
    ).custom
    assert custom == {"array": [0, 1], "f": 1.5, "d": datetime(2026, 1, 1, tzinfo=UTC)}
    assert type(custom["f"]) is float


def test_the_serial_number_is_made_of_where_the_device_comes_from() -> None:
    device = Device(mask="M1", wafer="W2", chip="C3", die="D4")
    assert device.serial == "M1-W2-C3-D4"
    device.wafer = "W9"
    assert device.serial == "M1-W9-C3-D4"
    with pytest.raises(Invalid, match="contradicts"):
        device.serial = "SN1"
    assert Device(serial="SN1", mask="M1").serial == "SN1"
    assert Device(mask="M1").serial is None


def test_the_language_of_a_program() -> None:
    assert Program(source="OPENQASM 3.0;").language == "OPENQASM 3"
    assert Program(source="/* a */ qubit q;").language == "OPENQASM 3"
    assert Program(source="x", language="QUIL").language == "QUIL"
    assert Program().language is None


def test_cores_may_be_a_list() -> None:
    program = Program(cores=[{"code": "nop"}, {"settings": {"delay": 4}}])
    assert program.cores["0"].code == "nop"
    assert program.cores["1"].settings["delay"].value == 4


def test_copies_and_pickles_are_equal() -> None:
    metadata = MetaData(name="x", instruments={"vna": {"settings": {"power": math.nan}}})
    assert copy.deepcopy(metadata) == metadata
    assert pickle.loads(pickle.dumps(metadata)) == metadata


def test_a_thousand_settings_are_read_and_written_fast() -> None:
    instruments = {
        f"i{i}": {"settings": {f"parameter_{j}": {"value": j / 7, "unit": "dBm"} for j in range(100)}}
        for i in range(10)
    }
    metadata = MetaData(name="x", instruments=instruments)
    data = metadata.to_json()
    # 3 ms each when measured; room for a busy machine
    assert _best(lambda: MetaData.from_json(data)) < 0.02
    assert _best(metadata.to_json) < 0.02


def _best(work: Any) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def test_the_flags_are_the_colours_of_a_file_browser() -> None:
    for flag in Flag.__args__:  # type: ignore[attr-defined]
        assert MetaData(name="x", flag=flag).flag == flag
