"""A DataFile as multipart/form-data: a part `metadata`, and arrays as `.npy` and files in the others; no packs.

`metadata` is JSON: the metadata, and beside it an `id` (else the server makes one), `datasets.<part>` with dims,
units, long_name, coordinates and attributes, and `files`, the list of parts that are attached files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from aqdata.attempt import Attempt
from aqdata.body import Body
from aqdata.documents import Draft
from aqdata.errors import Invalid, TooLarge
from aqdata.models import canonical
from aqdata.models.dataset import default_dims
from aqdata.models.ids import check_id, new_id
from aqdata.models.names import check_name
from aqdata.models.spec import DataSetSpec
from aqdata.service import Saved, Service
from aqdata.stores.arrays import inline_or_thread
from aqdata.wire.layout import Layout, Run
from aqdata.wire.npy import MAGIC, NpyCutter

METADATA = "metadata"
_MAX_SEGMENTS = 2_100


async def save_form(service: Service, body: Body, boundary: str) -> Saved:
    """Save what a form holds.

    Raises:
        Invalid: the form, its metadata or an array is wrong; the field names the part.
    """
    form = _Form(service)
    try:
        async with form:
            async for event in _events(body, boundary):
                await form.take(event)
            return await form.save()
    except MultipartError as error:
        raise Invalid(f"the form is broken: {error}", field="body") from error


async def _events(body: Body, boundary: str) -> AsyncIterator[MultipartSegment | bytes | None]:
    with PushMultipartParser(boundary, max_segment_count=_MAX_SEGMENTS) as parser:
        async for piece in body.pieces():
            for event in parser.parse(piece):
                yield event


class _Form:
    """The parts as they come, in any order."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._attempt: Attempt | None = None
        self._metadata: dict[str, Any] | None = None
        self._size = 0
        self._name = ""
        self._names: set[str] = set()
        self._text: bytearray | None = None
        self._cutter: NpyCutter | None = None
        self._arrays: dict[str, Layout] = {}

    async def __aenter__(self) -> _Form:
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self._attempt is not None:
            await self._attempt.__aexit__(*error)

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        """Take the beginning of a part, some of its bytes, or (None) its end."""
        if isinstance(event, MultipartSegment):
            self._begin(event.name)
        elif event is None:
            await self._end()
        elif self._cutter is not None:
            await self._array(event)
        else:
            await self._bytes(event)

    async def save(self) -> Saved:
        """Save the DataFile that the parts make."""
        if self._metadata is None:
            raise Invalid("a form needs a part 'metadata' with JSON", field=METADATA)
        described = self._metadata.pop("datasets", {})
        listed = self._metadata.pop("files", [])
        attempt = self._open()
        for name in described:
            if name not in self._arrays:
                raise Invalid("there is no part of this name with an .npy", field=f"datasets.{name}")
        for name in attempt.files:
            if name not in listed:
                raise Invalid("neither an .npy nor listed in the metadata's files", field=name)
        for name in listed:
            if name not in attempt.files:
                raise Invalid(
                    "there is no part of this name with a file; metadata go before files", field=f"files.{name}"
                )
        specs = {name: _spec(name, layout, described.get(name, {})) for name, layout in self._arrays.items()}
        document = {"id": self._file_id} | self._metadata
        draft = await inline_or_thread(self._size, lambda: Draft.of(document))
        return await self._service.commit(attempt, draft, specs)

    def _open(self) -> Attempt:
        """The attempt; made late, since its path has the id if that is known by then."""
        if self._attempt is None:
            given = (self._metadata or {}).get("id")
            self._file_id = new_id() if given is None else check_id(given)
            self._attempt = self._service.attempt(self._file_id)
        return self._attempt

    def _begin(self, name: str) -> None:
        if name != METADATA:
            check_name(name, "DataSet or file", name[:200] or "part")
        if name in self._names:
            raise Invalid(f"there are two parts {name!r}", field=name)
        self._names.add(name)
        self._name, self._text, self._cutter = name, bytearray(), None

    async def _bytes(self, data: bytes) -> None:
        assert self._text is not None
        self._text += data
        if self._name == METADATA:
            limit = self._service.limits.json
        elif self._is_array():
            first, self._text = self._text, None
            self._cutter = NpyCutter(self._name)
            await self._array(bytes(first))
            return
        else:
            limit = self._service.limits.file
        if len(self._text) > limit:
            raise TooLarge(f"more than {limit} bytes", field=self._name)

    def _is_array(self) -> bool:
        is_file = self._name in (self._metadata or {}).get("files", [])
        return not is_file and self._text is not None and self._text.startswith(MAGIC)

    async def _array(self, data: bytes) -> None:
        assert self._cutter is not None
        for run, piece in self._cutter.feed(data):
            await self._chunk(self._cutter, run, piece)

    async def _chunk(self, cutter: NpyCutter, run: Run, piece: np.ndarray) -> None:
        self._declare(cutter)
        chunk = await inline_or_thread(piece.nbytes, lambda: cutter.encode(run, piece))
        await self._open().chunk(self._name, run.key, chunk)

    def _declare(self, cutter: NpyCutter) -> None:
        if self._name not in self._arrays and cutter.layout is not None:
            self._arrays[self._name] = cutter.layout
            self._open().declare(self._name, cutter.layout)

    async def _end(self) -> None:
        if self._cutter is not None:
            self._cutter.end()
            self._declare(self._cutter)
        elif self._name == METADATA:
            text = bytes(self._text or b"")
            self._metadata = await inline_or_thread(len(text), lambda: _read_metadata(text))
            self._size = len(text)
        else:
            await self._open().file(self._name, self._text or b"")
        self._text = self._cutter = None


def _read_metadata(text: bytes) -> dict[str, Any]:
    try:
        tree = canonical.decode(text)
    except Invalid as error:
        raise Invalid(error.detail, field=error.field or METADATA) from None
    if not isinstance(tree, dict):
        raise Invalid("the metadata are a JSON object", field=METADATA)
    if not isinstance(tree.get("datasets", {}), dict):
        raise Invalid("an object: for each array what describes it", field="datasets")
    files = tree.get("files", [])
    if not isinstance(files, list):
        raise Invalid("a list of the names of the parts that are files", field="files")
    for at, name in enumerate(files):
        if not isinstance(name, str):
            raise Invalid(f"the name of a part is a text, not {type(name).__name__}", field=f"files.{at}")
    if len(set(files)) < len(files):
        raise Invalid("a name is there twice", field="files")
    return tree


def _spec(name: str, layout: Layout, described: Any) -> DataSetSpec:
    """The description of an array: what the form says of it, and what its `.npy` says."""
    field = f"datasets.{name}"
    if not isinstance(described, dict):
        raise Invalid("an object with dims, units, long_name, coordinates, attributes", field=field)
    given: dict[str, Any] = {"dims": default_dims(name, layout.ndim)} | described
    for key, own in (("dtype", layout.dtype), ("shape", list(layout.shape))):
        if given.setdefault(key, own) != own:
            raise Invalid(f"{given[key]!r:.100} here, but {own!r} in the .npy: leave it out", field=f"{field}.{key}")
    return DataSetSpec.from_document(given, field)
