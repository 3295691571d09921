"""A DataFile: a measurement, with its MetaData, DataSets and attached files; nothing of saving it is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from aqdata.errors import Invalid
from aqdata.models.attachment import FileSource, file_sources
from aqdata.models.canonical import utc_text
from aqdata.models.dataset import DataSet, LazyArray
from aqdata.models.ids import check_id, new_id
from aqdata.models.metadata import MetaData, read_date
from aqdata.models.names import check_distinct, check_name
from aqdata.models.spec import DataSetSpec

if TYPE_CHECKING:
    import xarray

__all__ = ["DataFile", "DataSet", "DataSetSpec", "FileSource", "LazyArray", "check_data_sets"]

_SYSTEM = ("id", "state", "revision", "saved_at", "datasets", "files")


class DataFile:
    """A measurement: MetaData (or a dict of it), DataSets (or arrays) by name, and attached files.

    `files` is a list of paths, or a dict of names and paths or bytes. The id is made here, so that saving again what
    failed half-way is the same save. `state`, `revision` and `saved_at` are None until it is saved or loaded.

    Raises:
        Invalid: a wrong value; its `field` is the path of it.
    """

    def __init__(
        self,
        metadata: MetaData | Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes | str | PathLike[str] | FileSource] | list[str | PathLike[str]] | None = None,
        id: str | None = None,  # noqa: A002 - the word that users read everywhere
    ) -> None:
        self.metadata = metadata if isinstance(metadata, MetaData) else MetaData.from_document(metadata)
        self.data: Mapping[str, DataSet] = MappingProxyType(_data_sets(data))
        self.files: Mapping[str, FileSource] = MappingProxyType(file_sources(files or {}))
        self.id = new_id() if id is None else check_id(id)
        self.state: str | None = None
        self.revision: int | None = None
        self.saved_at: datetime | None = None

    @classmethod
    def from_document(
        cls, document: Mapping[str, Any], data: Mapping[str, Any], files: Mapping[str, FileSource] | None = None
    ) -> Self:
        """A DataFile as it is stored, of its document and of the arrays that the document describes, lazy or not.

        Raises:
            Invalid: a wrong value, or an array that does not fit its description.
        """
        metadata = MetaData.from_document({key: value for key, value in document.items() if key not in _SYSTEM})
        specs = {
            name: DataSetSpec.from_document(spec, f"datasets.{name}")
            for name, spec in document.get("datasets", {}).items()
        }
        if specs.keys() != data.keys():
            raise Invalid(f"the document describes {sorted(specs)}, but there are {sorted(data)}", field="datasets")
        described = {name: _described(name, spec, data[name]) for name, spec in specs.items()}
        datafile = cls(metadata, described, dict(files or {}), document.get("id"))
        datafile.state = document.get("state")
        datafile.revision = document.get("revision")
        saved_at = document.get("saved_at")
        datafile.saved_at = None if saved_at is None else read_date(saved_at)
        return datafile

    def to_document(self) -> dict[str, Any]:
        """The whole document: id and, once saved, state, revision and saved_at; MetaData; datasets and files."""
        document: dict[str, Any] = {"id": self.id}
        if self.state is not None:
            document["state"] = self.state
        if self.revision is not None:
            document["revision"] = self.revision
        if self.saved_at is not None:
            document["saved_at"] = utc_text(self.saved_at)
        document |= self.metadata.to_document()
        if self.data:
            document["datasets"] = {name: dataset.spec(name).to_document() for name, dataset in self.data.items()}
        if self.files:
            document["files"] = {
                name: {"size": source.size, "media_type": source.media_type} for name, source in self.files.items()
            }
        return document

    @classmethod
    def from_xarray(cls, dataset: xarray.Dataset, metadata: MetaData | Mapping[str, Any]) -> Self:
        """A DataFile of an xarray Dataset: variables and coordinates with their attributes.

        The Dataset's own attributes go to `metadata.custom`, unless they are there already.
        """
        # here, because it imports xarray's parts
        from aqdata.models.convert import from_xarray

        metadata, data = from_xarray(dataset, metadata)
        return cls(metadata, data)

    def to_xarray(self) -> xarray.Dataset:
        """The DataSets as an xarray Dataset; lazy arrays stay lazy, others are shared.

        Raises:
            ImportError: xarray is not installed.
        """
        from aqdata.models.convert import to_xarray

        return to_xarray(self)

    def __getitem__(self, name: str) -> DataSet:
        """The DataSet of this name."""
        try:
            return self.data[name]
        except KeyError:
            raise KeyError(f"no DataSet {name!r}; there are {', '.join(self.data) or 'none'}") from None

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return "\n".join([f"<DataFile {self.id}> {self.metadata.name}", *_facts(self), *_table(self)])


def check_data_sets(specs: Mapping[str, DataSetSpec], field: str = "datasets") -> None:
    """Whether these may lie in one DataFile: names, dims shared in the same length, coordinates that are there.

    Raises:
        Invalid: they may not.
    """
    for name in specs:
        check_name(name, "DataSet", field)
    check_distinct(specs, field)
    lengths: dict[str, tuple[str, int]] = {}
    for name, spec in specs.items():
        for dim, length in zip(spec.dims, spec.shape, strict=True):
            first, known = lengths.setdefault(dim, (name, length))
            if known != length:
                message = f"dim {dim!r} has length {length} here and {known} in {first!r}: rename one of the dims"
                raise Invalid(message, field=f"{field}.{name}.dims")
    for name, spec in specs.items():
        if not spec.dims and name in lengths:
            message = f"{name!r} is a dim of {lengths[name][0]!r}: a DataSet of that name lies along it, or rename one"
            raise Invalid(message, field=f"{field}.{name}.dims")
        for coordinate in spec.coordinates:
            if coordinate not in specs or coordinate == name:
                message = f"{coordinate!r} is no other DataSet of this DataFile"
                raise Invalid(message, field=f"{field}.{name}.coordinates")


def _data_sets(data: Mapping[str, Any] | None) -> dict[str, DataSet]:
    if not isinstance(data, Mapping | None):
        raise Invalid(f"a dict of names and arrays, not {type(data).__name__}", field="data")
    data_sets = {}
    for name, value in (data or {}).items():
        check_name(name, "DataSet", "datasets")
        try:
            data_sets[str(name)] = (value if isinstance(value, DataSet) else DataSet(value)).named(name)
        except Invalid as error:
            raise Invalid(error.detail, field=f"datasets.{name}.{error.field}") from None
    check_data_sets({name: dataset.spec() for name, dataset in data_sets.items()})
    return data_sets


def _described(name: str, spec: DataSetSpec, array: Any) -> DataSet:
    if isinstance(array, DataSet):
        array = array.array
    found = DataSet(array, spec.dims, spec.units, spec.long_name, spec.attributes, spec.coordinates)
    if (found.spec().dtype, found.shape) != (spec.dtype, spec.shape):
        message = f"the array is {found.spec().dtype} {found.shape}, described as {spec.dtype} {spec.shape}"
        raise Invalid(message, field=f"datasets.{name}")
    return found


def _facts(datafile: DataFile) -> list[str]:
    metadata = datafile.metadata
    facts = [metadata.kind, f"{metadata.date.astimezone():%Y-%m-%d %H:%M}", metadata.user, metadata.station]
    facts += [f"tags: {', '.join(metadata.tags)}" if metadata.tags else None, metadata.flag, datafile.state]
    return ["  " + " · ".join(fact for fact in facts if fact)]


def _table(datafile: DataFile) -> list[str]:
    rows = []
    for name, dataset in datafile.data.items():
        sizes = ", ".join(f"{dim}: {length}" for dim, length in zip(dataset.dims, dataset.shape, strict=True))
        rows.append([name, f"({sizes})", dataset.spec().dtype, dataset.units or ""])
    rows += [[name, _size(source.size), source.media_type, ""] for name, source in datafile.files.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["    " + "  ".join(row).rstrip() for row in cells]


def _size(size: float) -> str:
    for unit in ("B", "kB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} MB"
