"""Documents of every version load for ever. The golden files are never edited; a new version adds one."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from aqdata.models.attachment import BytesFile
from aqdata.models.canonical import decode, encode, read_tree, write_tree
from aqdata.models.datafile import DataFile, DataSetSpec
from aqdata.models.dtypes import parse_dtype
from aqdata.models.metadata import MetaData

V1 = (Path(__file__).parent.parent / "golden" / "v1.json").read_bytes()


def load() -> DataFile:
    document = decode(V1)
    arrays = {name: np.zeros(spec["shape"], parse_dtype(spec["dtype"])) for name, spec in document["datasets"].items()}
    files = {name: BytesFile(bytes(file["size"]), file["media_type"]) for name, file in document["files"].items()}
    return DataFile.from_document(document, arrays, files)


def test_version_1_is_written_as_it_was() -> None:
    assert encode(decode(V1)) == V1
    assert write_tree(read_tree(V1)) == V1
    assert encode(load().to_document()) == V1


def test_version_1_fills_every_field() -> None:
    metadata = load().metadata
    assert all(value not in (None, [], {}) for value in metadata.__dict__.values())
    for part in (metadata.device, metadata.program, metadata.environment, metadata.instruments["vna"]):
        assert part is not None
        assert all(value not in (None, [], {}) for value in part.__dict__.values())
    assert MetaData.from_json(metadata.to_json()) == metadata


def test_version_1_says_what_it_said() -> None:
    datafile = load()
    metadata = datafile.metadata
    assert (datafile.id, datafile.state, datafile.revision) == ("019347a2-5c1e-7d3b-9a4f-2b6c8d0e1f3a", "complete", 3)
    assert datafile.saved_at == datetime(2026, 11, 22, 10, 7, 1, 42, UTC)
    assert metadata.date == datetime(2026, 11, 22, 10, 7, 0, 123456, UTC)
    assert (metadata.kind, metadata.flag, metadata.schema_version) == ("analysis", "green", 1)
    assert metadata.device is not None
    assert metadata.device.serial == "M7-W3-C12-D4"
    assert metadata.program is not None
    assert metadata.program.cores["awg0"].settings["gain"].value == 0.25
    assert metadata.custom["a.b"] == {"$c": {"": None}}
    assert metadata.custom["__date__"] == {"__int__": "text"}
    assert metadata.custom["when"] == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert metadata.custom["big"] == 2**80
    assert math.copysign(1, metadata.custom["complex"].real) == -1


def test_version_1_settings() -> None:
    settings = load().metadata.instruments["vna"].settings
    expected = {
        "power": (-30.0, "float"),
        "points": (401, "int"),
        "rf on": (True, "bool"),
        "detector": ("PULSED", "enum"),
        "segments": ([1.0, 2.5], "list[float]"),
        "mixed": ([1, "a", None], "list"),
        "unset": (None, "none"),
        "unknown": (None, "float"),
        "limit": (math.inf, "float"),
        "mask": (2**64 - 1, "int"),
        "ch1.power": (1.5, "float"),
        "": (3, "int"),
        "__float__": ("a name", "str"),
        'a\\b"c': (4, "int"),
    }
    assert {name: (settings[name].value, settings[name].dtype) for name in expected} == expected
    assert struct.pack(">d", settings["payload"].value).hex() == "7ff8000000000001"
    assert math.isnan(settings["overload"].value)
    assert settings["detector"].options == ["CW", "PULSED"]
    assert settings["power"].unit == "dBm"


def test_version_1_datasets() -> None:
    specs = {name: dataset.spec() for name, dataset in load().data.items()}
    assert specs["temperature"] == DataSetSpec("float32", (21,), ("flux",), "K since cooldown")
    assert specs["s21"].coordinates == ("temperature",)
    assert math.isnan(specs["s21"].attributes["_FillValue"])
    assert specs["started at"].shape == ()
