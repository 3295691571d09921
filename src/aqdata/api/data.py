"""Routes of arrays in part, and of DataFiles as Zarr stores; whole DataFiles are in `datafiles.py`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from aqdata.api import examples
from aqdata.api.deps import BodyDep, FileId, Name, ServiceDep
from aqdata.api.errors import problem
from aqdata.errors import Invalid, TooLarge
from aqdata.models import canonical
from aqdata.models.selection import Selection
from aqdata.opened import Opened
from aqdata.stores.arrays import inline_or_thread
from aqdata.stores.base import Buffer
from aqdata.wire.npy import npy_header
from aqdata.wire.text import to_csv, to_json

RAW, NPY, JSON, CSV = "application/octet-stream", "application/x-npy", "application/json", "text/csv"
MAX_TEXT_ELEMENTS = 1_000_000
MAX_INDEX = 16 << 20
# writing an element as text takes as long as handling so many bytes
_TEXT_WORK = 128
_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)

router = APIRouter(tags=["Arrays"])

Key = Annotated[str, Path(description="a key of the store", examples=["zarr.json", "s21/zarr.json", "s21/c.0.0"])]
Accept = Annotated[str, Header(description=f"{RAW} (default), {NPY}, {JSON} or {CSV}")]


@router.get(
    "/api/v1/datafiles/{file_id}/data/{name}",
    summary="Read a DataSet or a slice of it",
    responses=examples.DATA | examples.problems(404, 410, 413, 422),
    response_class=Response,
)
async def read(
    service: ServiceDep,
    file_id: FileId,
    name: Name,
    part: Annotated[
        str, Query(alias="slice", description="numpy's notation: `10:20,::2`", examples=["10:20,::2"])
    ] = "",
    order: Annotated[
        Literal["C", "K"], Query(description="K: a whole array comes as it is stored; see X-Aqdata-Order")
    ] = "C",
    accept: Accept = RAW,
) -> Response:
    """A DataSet or a part of it."""
    opened = await service.open(file_id)
    selection = opened.select(name, lambda shape: Selection.parse(part, shape))
    return await _answer(opened, name, selection, accept, order)


@router.post(
    "/api/v1/datafiles/{file_id}/data/{name}/read",
    summary="Read part of a DataSet by index arrays",
    openapi_extra=examples.READ,
    responses=examples.DATA | examples.problems(404, 410, 413, 422),
    response_class=Response,
)
async def read_index(service: ServiceDep, body: BodyDep, file_id: FileId, name: Name, accept: Accept = RAW) -> Response:
    """A part of a DataSet, by index arrays as well."""
    text = await body.all(MAX_INDEX, "body")
    opened = await service.open(file_id)

    def make(shape: tuple[int, ...]) -> Selection:
        try:
            given = canonical.decode(text)
        except Invalid as error:
            raise Invalid(error.detail, field="index") from None
        if not isinstance(given, dict) or "index" not in given:
            raise Invalid('the body is {"index": […]}', field="index")
        return Selection.from_json(given["index"], shape)

    selection = await inline_or_thread(len(text), lambda: opened.select(name, make))
    return await _answer(opened, name, selection, accept, "C")


async def _answer(opened: Opened, name: str, selection: Selection, accept: str, order: str) -> Response:
    layout = opened.placement.arrays[name].layout
    media_type = next((kind for kind in (RAW, NPY, JSON, CSV) if kind in accept), RAW)
    headers = {
        "X-Aqdata-Dtype": layout.dtype,
        "X-Aqdata-Shape": ",".join(map(str, selection.shape)),
        "X-Aqdata-Order": "C",
        "Vary": "Accept",
    }
    if media_type in (JSON, CSV):
        return await _text(opened, name, selection, media_type, headers)
    as_stored = order == "K" and selection.whole and layout.order == "F" and not layout.is_text
    stream = opened.stored(name) if as_stored else opened.part(name, selection)
    head = b""
    if as_stored:
        headers["X-Aqdata-Order"] = "F"
    if media_type == NPY:
        head = npy_header(layout.dtype, selection.shape, "F" if as_stored else "C", "Accept")
    if layout.dtype != "str":
        headers["Content-Length"] = str(len(head) + selection.size * layout.numpy_dtype.itemsize)
    # before the headers go out, so that what fails at once has its own status
    first = memoryview(await anext(stream, b""))
    if headers.get("Content-Length") == str(len(head) + len(first)):
        return Response(b"".join((head, first)) if head else first, 200, headers, media_type)
    return StreamingResponse(_stream(head, first, stream), 200, headers, media_type)


async def _stream(head: bytes, first: memoryview, rest: AsyncIterator[Buffer]) -> AsyncIterator[memoryview]:
    if head:
        yield memoryview(head)
    if first:
        yield first
    async for piece in rest:
        yield memoryview(piece)


async def _text(opened: Opened, name: str, selection: Selection, media_type: str, headers: dict[str, str]) -> Response:
    if selection.size > MAX_TEXT_ELEMENTS:
        raise TooLarge(f"{media_type} has at most {MAX_TEXT_ELEMENTS} elements: slice, or ask for {RAW}", field="slice")
    array = await opened.array(name, selection)
    if media_type == CSV:
        content = await inline_or_thread(array.size * _TEXT_WORK, lambda: to_csv(array, name))
    else:
        spec, _ = opened.arrays(await opened.tree())[name]
        content = await inline_or_thread(array.size * _TEXT_WORK, lambda: to_json(array, spec.units))
    return Response(content, 200, headers, media_type)


@router.head("/zarr/{file_id}/{key:path}", include_in_schema=False)
@router.get(
    "/zarr/{file_id}/{key:path}",
    summary="Read a key of a DataFile's Zarr store",
    responses=examples.ZARR | examples.problems(404, 410, 422),
    response_class=Response,
)
async def zarr(request: Request, service: ServiceDep, file_id: FileId, key: Key) -> Response:
    """A DataFile as a read-only Zarr v3 store: `xarray.open_zarr("http://127.0.0.1:5000/zarr/<id>")`."""
    opened = await service.open(file_id)
    data = memoryview(await opened.zarr(key))
    media_type = JSON if key.endswith("zarr.json") else RAW
    headers = {"Accept-Ranges": "bytes"}
    span = _range(request.headers.get("range", ""), len(data))
    if span is None:
        return Response(bytes(data), 200, headers, media_type)
    start, stop = span
    if start >= stop:
        unsatisfied = problem(416, "Range", f"there are {len(data)} bytes", "Range")
        unsatisfied.headers["Content-Range"] = f"bytes */{len(data)}"
        return unsatisfied
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(bytes(data[start:stop]), 206, headers, media_type)


def _range(text: str, size: int) -> tuple[int, int] | None:
    """The one range of a Range header; None if it is to be ignored (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(text)
    if found is None or found["first"] == found["last"] == "":
        return None
    if not found["first"]:
        return max(size - int(found["last"]), 0), size
    first = int(found["first"])
    last = int(found["last"] or size)
    return None if last < first and found["last"] else (first, min(last + 1, size))
