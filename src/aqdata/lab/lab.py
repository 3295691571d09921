"""`Lab`: what users do with DataFiles, wherever these are kept; HTTP and stores are behind its `Transport`."""

from __future__ import annotations

import os
import re
import secrets
import time
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aqdata.errors import Conflict, Invalid, NotFound, TooLarge
from aqdata.lab.hit import Hit
from aqdata.lab.progress import Progress
from aqdata.lab.remote import RemoteArray, RemoteFile
from aqdata.lab.transport import Body, Buffer, BytesBody, FileBody, Transport
from aqdata.models import canonical
from aqdata.models.attachment import MAX_FILE, BytesFile, FileSource, media_type_of
from aqdata.models.datafile import DataFile, DataSetSpec
from aqdata.models.environment import Environment
from aqdata.models.metadata import MetaData, read_date
from aqdata.models.names import check_name
from aqdata.wire.pack import Pack, read_pack

STATES = ("open", "complete", "interrupted", "deleted")

_PAGE = 200
# seconds
_FRESH = 10.0
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENDING = re.compile(r"[0-9a-f-]{1,36}")
# what a document has besides MetaData
_OTHERS = ("id", "state", "revision", "saved_at", "was", "datasets", "files")

FileId = str
"""The id of a DataFile, or any ending of it that no other one has."""


class Lab:
    """Where DataFiles are saved, found and loaded: a server (`aqdata.connect`) or a folder (`aqdata.open`).

    Several threads may use one Lab. Use it in a `with` statement, or close it. All methods raise `Unreachable` if the
    server does not answer, and `StoreUnavailable` or `StoreFull` if its stores can't; a `file_id` may be any ending of
    an id that is unique, else `NotFound` or `Conflict` says so. `progress`: True shows a bar, False none, None
    (default) one on a terminal for what takes long.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._captured: tuple[float, Environment] | None = None

    def save(self, df: DataFile, *, environment: bool = True, progress: bool | None = None) -> str:
        """Save a DataFile and return its id; when this returns, it is on disk.

        Whatever fails, save the same object again: it is stored once. With `environment`, a DataFile that was never
        saved and has no `metadata.environment` gets the one of this process (git commit, script, packages …), looked up
        at most every 10 s. Lazy arrays are read piece by piece while they are sent, so large ones can be copied from
        one Lab to another.

        Raises:
            Invalid: the server refuses it; `field` is the path of the wrong value.
            Conflict: a DataFile with this id and other content is stored.
            Deleted: it was saved before, and is in the bin.
        """
        if not isinstance(df, DataFile):
            raise Invalid(f"save takes an aqdata.DataFile, not {type(df).__name__}", field="df")
        if environment and df.revision is None and df.metadata.environment is None:
            df.metadata.environment = self._environment()
        document = canonical.encode({"id": df.id, **df.metadata.to_document()})
        arrays = {name: (dataset.spec(name), dataset.array) for name, dataset in df.data.items()}
        return self._send(Pack(document, arrays, df.files), df, progress)

    def load(self, file_id: FileId) -> DataFile:
        """A DataFile: metadata now, arrays when they are indexed. Small arrays come along and are in memory.

        Raises:
            NotFound: no such DataFile; `Deleted` if it is in the bin.
        """
        file_id = self.resolve(file_id)
        loaded = self._transport.load(file_id)
        return _unpack(loaded.content) if loaded.is_pack else self._lazy(_decode(loaded.content))

    def metadata(self, file_id: FileId) -> MetaData:
        """The MetaData alone, also of a DataFile in the bin.

        Raises:
            NotFound: no such DataFile.
        """
        document = _decode(self._transport.document(self.resolve(file_id)))
        return MetaData.from_document({key: value for key, value in document.items() if key not in _OTHERS})

    def find(self, *, limit: int | None = 50, state: str | None = None) -> list[Hit]:
        """DataFiles, newest first: at most `limit`, or all with None.

        `state`: `open`, `complete`, `interrupted` or `deleted` (the bin); None: all but the bin.
        """
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise Invalid("at least 1, or None for all", field="limit")
        if state is not None and state not in STATES:
            raise Invalid(f"{state!r} is none of {', '.join(STATES)}", field="state")
        hits: list[Hit] = []
        cursor = None
        while limit is None or len(hits) < limit:
            size = _PAGE if limit is None else min(limit - len(hits), _PAGE)
            page = _decode(self._transport.page(limit=size, cursor=cursor, state=state))
            hits += map(Hit.from_document, page["datafiles"])
            cursor = page["cursor"]
            if cursor is None or not page["datafiles"]:
                break
        return hits

    def resolve(self, file_id: FileId) -> str:
        """The whole id of an ending; a whole id passes through.

        Raises:
            NotFound: no id ends so.
            Conflict: several do.
        """
        ending = file_id.strip().lower() if isinstance(file_id, str) else ""
        if _ID.fullmatch(ending):
            return ending
        if not _ENDING.fullmatch(ending):
            raise Invalid(f"{file_id!r} is no id of a DataFile, and no ending of one", field="id")
        found = [document["id"] for document in _decode(self._transport.page(limit=2, ending=ending))["datafiles"]]
        if not found:
            raise NotFound(f"no DataFile's id ends with {ending}", field="id")
        if len(found) > 1:
            raise Conflict(f"more than one id ends with {ending}: {', '.join(found)}", field="id")
        return str(found[0])

    def delete(self, file_id: FileId) -> None:
        """Put a DataFile into the bin; it may be there already."""
        self._transport.delete(self.resolve(file_id))

    def restore(self, file_id: FileId) -> None:
        """Take a DataFile out of the bin."""
        self._transport.restore(self.resolve(file_id))

    def purge(self, file_id: FileId) -> None:
        """Remove a DataFile from the bin, for ever.

        Raises:
            Conflict: it is not in the bin.
        """
        self._transport.purge(self.resolve(file_id))

    def put_file(
        self, file_id: FileId, name: str, source: Buffer | str | PathLike[str], *, progress: bool | None = None
    ) -> None:
        """Attach a file, in place of one of this name if there is one; `source` is a path, or bytes up to 64 MiB."""
        check_name(name, "file", "name")
        body: Body = FileBody(_existing(source)) if isinstance(source, str | PathLike) else BytesBody(source)
        if body.size > MAX_FILE:
            raise TooLarge(f"{body.size} bytes; an attached file has at most {MAX_FILE}: use a DataSet", field="source")
        with Progress(f"send {name}", progress) as bar:
            self._transport.put_file(self.resolve(file_id), name, body, bar)

    def get_file(self, file_id: FileId, name: str, *, progress: bool | None = None) -> bytes:
        """The bytes of an attached file."""
        check_name(name, "file", "name")
        with Progress(f"load {name}", progress) as bar:
            return bytes(self._transport.get_file(self.resolve(file_id), name, bar))

    def put(self, path: str | PathLike[str], *, progress: bool | None = None) -> str:
        """Save a pack that `download` made and return its DataFile's id.

        Raises:
            Invalid: no such file, or it is no pack.
            Conflict: another DataFile with this id is stored.
        """
        return self._send(FileBody(_existing(path)), None, progress)

    def download(
        self, file_id: FileId, path: str | PathLike[str] | None = None, *, progress: bool | None = None
    ) -> Path:
        """Write the whole DataFile as a pack, a ZIP that xarray and zarr-python open, and return its path.

        `path` is a file or an existing folder (default: the current one), where it is called <id>.zarr.zip. The file
        appears when it is complete.
        """
        file_id = self.resolve(file_id)
        target = Path(path or ".").expanduser()
        if target.is_dir():
            target /= f"{file_id}.zarr.zip"
        elif not target.parent.is_dir():
            raise Invalid(f"there is no folder {target.parent}", field="path")
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            with partial.open("wb") as out, Progress(f"load {target.name}", progress) as bar:
                self._transport.write_pack(file_id, out, bar)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def close(self) -> None:
        """End the connections; arrays that are not loaded yet can't be read any more."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lab over {self._transport!r}>"

    def _environment(self) -> Environment:
        """The environment of this process; git is not asked for each of many small saves."""
        if self._captured is None or time.monotonic() - self._captured[0] > _FRESH:
            # only who saves pays for the import
            from aqdata.environment import capture

            self._captured = (time.monotonic(), capture())
        return self._captured[1].model_copy()

    def _send(self, pack: Body, df: DataFile | None, progress: bool | None) -> str:
        with Progress("save", progress) as bar:
            receipt = _decode(self._transport.save(pack, bar))
        if df is not None:
            df.state, df.revision = receipt["state"], receipt["revision"]
            df.saved_at = read_date(receipt["saved_at"])
        return str(receipt["id"])

    def _lazy(self, document: dict[str, Any]) -> DataFile:
        file_id = document["id"]
        arrays = {
            name: RemoteArray(self._transport, file_id, name, DataSetSpec.from_document(spec, f"datasets.{name}"))
            for name, spec in document.get("datasets", {}).items()
        }
        files = {
            name: RemoteFile(self._transport, file_id, name, file["size"], file["media_type"])
            for name, file in document.get("files", {}).items()
        }
        return DataFile.from_document(_without_was(document), arrays, files)


def _decode(content: Buffer) -> dict[str, Any]:
    document: dict[str, Any] = canonical.decode(content)
    return document


def _without_was(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "was"}


def _unpack(content: Buffer) -> DataFile:
    """A DataFile whose arrays and files are in memory."""
    pack = read_pack(content)
    document = _without_was(pack.document)
    document["datasets"] = {name: spec.to_document() for name, (spec, _) in pack.arrays.items()}
    files: dict[str, FileSource] = {
        name: BytesFile(bytes(data), media_type_of(name)) for name, data in pack.files.items()
    }
    return DataFile.from_document(document, {name: array for name, (_, array) in pack.arrays.items()}, files)


def _existing(path: str | PathLike[str]) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise Invalid(f"there is no file {file}", field="path")
    return file
