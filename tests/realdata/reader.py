"""Measurements of other software as DataFiles: quantify-core's folders, and labcore's (plottr's ddh5); for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
from scipy.io import netcdf_file

from aqdata import DataFile, DataSet, Instrument, Invalid, MetaData, Setting

# how HDF5 says which dims an array has
_PLUMBING = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates")
_TUID = re.compile(r"(\d{8}-\d{6}-\d{3})-\w{6}")


@dataclass(frozen=True)
class Measurement:
    """The DataFiles of a measurement's folder, and the files that they were made of."""

    datafiles: list[DataFile]
    sources: list[Path]


Content = tuple[dict[str, DataSet], dict[str, Any]]


def read_quantify(folder: Path) -> Measurement:
    """A folder `YYYYMMDD/TUID-name`: the measurement, and its analysis as a DataFile of its own."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    analysis = [path for path in paths if path.parent != folder]
    own = [path for path in paths if path.parent == folder]
    datafiles = [_quantify(folder, own, "measurement", [])]
    if analysis:
        datafiles.append(_quantify(folder, analysis, "analysis", [datafiles[0].id]))
    return Measurement(datafiles, paths)


def _quantify(folder: Path, paths: list[Path], kind: Any, parents: list[str]) -> DataFile:
    data: dict[str, DataSet] = {}
    custom: dict[str, Any] = {}
    instruments: dict[str, Instrument] = {}
    files = []
    for path in paths:
        if path.suffix == ".hdf5":
            data, custom = read_netcdf(path)
        elif path.name == "snapshot.json":
            snapshot = json.loads(path.read_text())
            instruments = {name: instrument(given) for name, given in snapshot.pop("instruments").items()}
            custom |= {"snapshot": snapshot} if snapshot else {}
        else:
            files.append(path)
    found = _TUID.match(folder.name)
    assert found
    date = datetime.strptime(found[1], "%Y%m%d-%H%M%S-%f")
    name = folder.name[found.end() + 1 :] or folder.name
    metadata = MetaData(name=name, kind=kind, parents=parents, date=date, instruments=instruments, custom=custom)
    return DataFile(metadata, data, files)


def read_labcore(folder: Path) -> Measurement:
    """A folder of `data.ddh5` with what lies beside it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    data: dict[str, DataSet] = {}
    custom: dict[str, Any] = {}
    instruments: dict[str, Instrument] = {}
    files = []
    for path in paths:
        if path.suffix == ".ddh5":
            data, attributes = read_ddh5(path)
            custom |= attributes
        elif path.name == "instruments.json":
            components = json.loads(path.read_text())["components"]
            instruments |= {name: instrument(given) for name, given in components.items()}
        elif path.name == "parameters.json":
            settings = {name: Setting(**given) for name, given in json.loads(path.read_text()).items()}
            instruments["parameters"] = Instrument(settings=settings)
        elif path.suffix == ".json":
            custom[path.stem] = json.loads(path.read_text())
        elif path.suffix == ".tag":
            custom[path.stem] = True
        else:
            files.append(path)
    date = datetime.strptime(folder.name[:17], "%Y-%m-%dT%H%M%S")
    return Measurement(
        [DataFile(MetaData(name=folder.name[18:], date=date, instruments=instruments, custom=custom), data, files)],
        paths,
    )


def read_netcdf(path: Path) -> Content:
    """The variables and attributes of a netCDF file, which may be netCDF-4 or classic netCDF under one suffix."""
    if path.read_bytes()[:3] == b"CDF":
        classic = netcdf_file(path, mmap=False)
        raw = {
            name: (np.array(variable.data), variable.dimensions, dict(variable._attributes))
            for name, variable in classic.variables.items()
        }
        return _data_sets(raw), free(classic._attributes)
    with h5netcdf.File(path, "r") as file:
        raw = {
            name: (np.asarray(variable[...]), variable.dimensions, dict(variable.attrs))
            for name, variable in file.variables.items()
        }
        return _data_sets(raw), free(dict(file.attrs))


def read_ddh5(path: Path) -> Content:
    """The datasets of a ddh5 file, whose `axes` are their coordinates."""
    with h5py.File(path) as file:
        group = file["data"]
        raw = {}
        for name, dataset in group.items():
            attributes = dict(dataset.attrs)
            axes = [str(axis) for axis in attributes.pop("axes", [])]
            attributes |= {"coordinates": " ".join(axes)} if axes else {}
            attributes["units"] = attributes.pop("unit", "")
            raw[name] = (dataset[()], [f"dim_{axis}" for axis in range(dataset.ndim)], attributes)
        return _data_sets(raw), {"file": free(dict(file.attrs)), "group": free(dict(group.attrs))}


def _data_sets(raw: Mapping[str, tuple[Any, Any, dict[str, Any]]]) -> dict[str, DataSet]:
    made = {}
    for name, (array, dims, given) in raw.items():
        attributes = free(given)
        coordinates = attributes.get("coordinates", "").split()
        if set(coordinates) <= raw.keys() - {name}:
            attributes.pop("coordinates", None)
        else:
            coordinates = []
        units, long_name = attributes.pop("units", None), attributes.pop("long_name", None)
        made[name] = DataSet(array, dims, units, long_name, attributes, coordinates)
    return made


def free(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of HDF5 or netCDF as JSON can hold them; what only links datasets is left out."""
    return {name: _value(value) for name, value in attributes.items() if name not in _PLUMBING}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray | np.generic):
        return _value(value.tolist())
    return [_value(item) for item in value] if isinstance(value, list | tuple) else value


def instrument(snapshot: dict[str, Any]) -> Instrument:
    """An instrument of a QCoDeS snapshot: values that fit are settings, the rest is kept in `custom`."""
    settings: dict[str, Setting] = {}
    custom: dict[str, Any] = {key: value for key, value in snapshot.items() if key not in ("parameters", "submodules")}
    for name, parameter in _parameters(snapshot, ""):
        rest = dict(parameter)
        try:
            settings[name] = Setting(rest["value"], unit=rest.get("unit") or None)
            del rest["value"]
        except (KeyError, Invalid):
            # IDN is a dict; some parameters have no value
            pass
        custom.setdefault("parameters", {})[name] = rest
    return Instrument(settings=settings, custom=custom)


def _parameters(snapshot: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, parameter in snapshot.get("parameters", {}).items():
        yield f"{prefix}{name}", parameter
    for name, submodule in snapshot.get("submodules", {}).items():
        yield from _parameters(submodule, f"{prefix}{name}.")
