"""`aqdata put` and `aqdata get`: files to DataFiles and back."""

from __future__ import annotations

import sys
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aqdata.cli.place import open_lab
from aqdata.environment import login
from aqdata.errors import ConfigError, Conflict, Invalid
from aqdata.models import canonical
from aqdata.models.datafile import DataFile, DataSet
from aqdata.models.selection import Selection
from aqdata.wire.text import to_csv, to_json

if TYPE_CHECKING:
    from aqdata import Lab

STDOUT = "-"
_FORMS = ("npy", "csv", "json")


def put(arguments: Namespace) -> int:
    """Save each path as a DataFile and print its id."""
    kinds = {path: _kind(Path(path)) for path in arguments.paths}
    if (arguments.name or arguments.metadata) and _put_pack in kinds.values():
        raise ConfigError("a .zarr.zip has its metadata inside: leave --name and --metadata out")
    for path in kinds:
        if not Path(path).expanduser().is_file():
            raise Invalid(f"there is no file {path}", field="path")
    with open_lab(arguments, make=True) as lab:
        for path, save in kinds.items():
            print(save(lab, Path(path).expanduser(), arguments), flush=True)
    return 0


def get(arguments: Namespace) -> int:
    """Download a DataFile, or a part of one DataSet."""
    if arguments.dataset is not None:
        return _get_data_set(arguments)
    if arguments.slice is not None or arguments.format is not None:
        raise ConfigError("--slice and --format are for one DataSet: name it with --dataset")
    if arguments.output == STDOUT:
        raise ConfigError("a whole DataFile can't go to stdout: name a file, or a DataSet with --dataset")
    output = Path(arguments.output).expanduser() if arguments.output else None
    if output is not None and not output.is_dir() and not output.name.lower().endswith(".zip"):
        raise ConfigError(f"{output}: a whole DataFile is a .zarr.zip; for one array name it with --dataset")
    with open_lab(arguments) as lab:
        file_id = lab.resolve(arguments.id)
        target = output or Path(f"{file_id}.zarr.zip")
        if target.is_dir():
            target /= f"{file_id}.zarr.zip"
        _check_free(target, arguments.force)
        print(lab.download(file_id, target))
    return 0


Save = Callable[["Lab", Path, Namespace], str]


def _kind(path: Path) -> Save:
    """How to save a file, by its ending."""
    for ending, save in ((".zip", _put_pack), (".npy", _put_arrays), (".npz", _put_arrays)):
        if path.name.lower().endswith(ending):
            return save
    raise ConfigError(f"{path}: what ends so can't be saved; .zarr.zip, .npy and .npz can")


def _put_pack(lab: Lab, path: Path, _: Namespace) -> str:
    return lab.put(path)


def _put_arrays(lab: Lab, path: Path, arguments: Namespace) -> str:
    arrays = _arrays(path)
    try:
        df = _data_file(path, arrays, arguments)
    except Invalid as error:
        if arguments.metadata is None:
            raise
        raise Invalid(f"{error.detail} (in {arguments.metadata})", field=error.field) from error
    return lab.save(df, environment=False)


def _data_file(path: Path, arrays: dict[str, np.ndarray], arguments: Namespace) -> DataFile:
    metadata = _metadata(arguments.metadata) if arguments.metadata else {}
    described = metadata.pop("datasets", {})
    if not isinstance(described, dict) or not all(isinstance(one, dict) for one in described.values()):
        raise Invalid("an object that has an object for each DataSet", field="datasets")
    metadata["name"] = arguments.name or metadata.get("name") or path.stem
    if metadata.get("user") is None:
        metadata["user"] = login()
    unknown = described.keys() - arrays.keys()
    if unknown:
        raise Invalid(f"{path.name} has no such array; it has {', '.join(arrays)}", field=f"datasets.{min(unknown)}")
    data = {name: _data_set(name, array, described.get(name, {})) for name, array in arrays.items()}
    return DataFile(metadata, data)


def _data_set(name: str, array: np.ndarray, described: dict[str, Any]) -> DataSet:
    try:
        return DataSet(array, **described)
    except TypeError as error:
        raise Invalid(
            f"has dims, units, long_name, attributes and coordinates, not {', '.join(described)}",
            field=f"datasets.{name}",
        ) from error
    except Invalid as error:
        raise Invalid(error.detail, field=".".join(filter(None, ("datasets", name, error.field)))) from error


def _metadata(file: str) -> dict[str, Any]:
    """The object in a JSON file."""
    content = canonical.decode(Path(file).expanduser().read_bytes().removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(content, dict):
        raise Invalid("must be one object, {…}", field="metadata")
    return content


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npy (named after the file, not read yet) or .npz."""
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {path.stem: loaded}
        with loaded:
            return dict(loaded)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Invalid(f"{path}: holds no arrays that can be saved: {error}") from error


def _get_data_set(arguments: Namespace) -> int:
    target = arguments.output
    form = arguments.format or _form(target)
    path = Path(target or f"{_file_name(arguments.dataset)}.{form}").expanduser()
    with open_lab(arguments) as lab:
        df = lab.load(arguments.id)
        if arguments.dataset not in df:
            raise Invalid(f"there is no DataSet {arguments.dataset!r}; there are {', '.join(df.data)}", field="dataset")
        dataset = df[arguments.dataset]
        selection = Selection.parse(arguments.slice or "", dataset.shape)
        if target != STDOUT:
            _check_free(path, arguments.force)
        array = np.asarray(dataset[selection.index])
    if target == STDOUT:
        _write(sys.stdout.buffer, form, array, arguments.dataset, dataset.units)
        return 0
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as out:
            _write(out, form, array, arguments.dataset, dataset.units)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    print(path)
    return 0


def _form(target: str | None) -> str:
    if target == STDOUT:
        return "csv"
    ending = Path(target).suffix.lower().removeprefix(".") if target else "npy"
    if ending not in _FORMS:
        raise ConfigError(f"{target}: what format is that? Write .npy, .csv or .json, or give --format")
    return ending


def _file_name(name: str) -> str:
    return "".join(character if character.isalnum() or character in " ._-" else "_" for character in name)


def _check_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise Conflict(f"{path} exists: --force overwrites it")


def _write(out: BinaryIO, form: str, array: np.ndarray, name: str, units: str | None) -> None:
    if form == "csv":
        out.write(to_csv(array, name, "--slice"))
    elif form == "json":
        out.write(to_json(array, units) + b"\n")
    elif isinstance(array.dtype, np.dtypes.StringDType):
        if any(text.endswith("\0") for text in array.flat):
            raise Invalid("a text ends with NUL, which an .npy can't hold: use --format json", field="dataset")
        # the format has no texts of any length
        np.save(out, array.astype(f"U{max(1, *map(len, array.flat))}" if array.size else "U1"))
    else:
        np.save(out, array, allow_pickle=False)
