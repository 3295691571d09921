"""Routes of whole DataFiles: save, load, list, bin, attached files; arrays in part are in `data.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic_core
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from multipart import parse_options_header

from aqdata.api import examples
from aqdata.api.deps import BodyDep, FileId, Limit, Name, ServiceDep
from aqdata.api.forms import save_form
from aqdata.body import Body
from aqdata.errors import AqdataError, Invalid
from aqdata.models.names import check_name
from aqdata.service import Saved, Service
from aqdata.stores.base import Record
from aqdata.wire.pack import MEDIA_TYPE, parse_pack

FORM = "multipart/form-data"
JSON = "application/json"

Accept = Annotated[str, Header(description=f"{JSON} (default); with {MEDIA_TYPE} small DataFiles come as a pack")]

router = APIRouter(prefix="/api/v1/datafiles", tags=["DataFiles"])


@router.post(
    "",
    summary="Save a DataFile",
    status_code=201,
    openapi_extra=examples.SAVE,
    responses=examples.SAVED | examples.problems(409, 410, 413, 422, 507),
    response_class=Response,
)
async def save(request: Request, service: ServiceDep, body: BodyDep) -> Response:
    """Save a whole DataFile in one request.

    Answers 201 once it is durable, and 200 if the same DataFile was saved under this id before: a request that got no
    answer can be sent again. The id is in the pack, or in the form's `metadata`; without one the server makes one.
    """
    try:
        saved = await _save(request.headers.get("content-type", ""), service, body)
    except AqdataError:
        await body.drain()
        raise
    record = saved.record
    headers = {"Location": f"/api/v1/datafiles/{record.id}", "ETag": _etag(record)}
    return Response(saved.receipt(), 201 if saved.created else 200, headers, JSON)


async def _save(content_type: str, service: Service, body: Body) -> Saved:
    kind, options = parse_options_header(content_type)
    if kind.lower() == MEDIA_TYPE:
        return await service.save(body.parts(parse_pack(service.limits)))
    if kind.lower() == FORM:
        boundary = options.get("boundary", "")
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise Invalid("multipart/form-data needs a boundary of 1 to 70 characters", field="Content-Type")
        return await save_form(service, body, boundary)
    raise Invalid(f"send {MEDIA_TYPE} (a pack) or {FORM}, not {kind!r:.100}", field="Content-Type")


@router.get("", summary="List DataFiles", responses=examples.PAGE | examples.problems(422), response_class=Response)
async def find(
    service: ServiceDep,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(description="from the page before", max_length=1_000)] = None,
    state: Annotated[
        Literal["open", "complete", "interrupted", "deleted"] | None,
        Query(description="only these; `deleted` lists the bin; default: all that are not in it"),
    ] = None,
    ending: Annotated[
        str | None, Query(description="only those whose id ends so, of any state, two at most", max_length=36)
    ] = None,
) -> Response:
    """List DataFiles, newest first."""
    if ending is not None:
        found, following = await service.resolve(ending), None
    else:
        found, following = await service.find(limit, cursor, None if state is None else [state])
    return Response(pydantic_core.to_json({"datafiles": found, "cursor": following}), media_type=JSON)


@router.get(
    "/{file_id}.zarr.zip",
    summary="Download a DataFile as a ZIP",
    responses=examples.PACK | examples.problems(404, 410, 422),
    response_class=Response,
)
async def pack(service: ServiceDep, file_id: FileId) -> Response:
    """The whole DataFile as a pack: a Zarr v3 group in a ZIP, attached files under `__files__/`."""
    opened = await service.open(file_id)
    size, stream = await opened.pack()
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{opened.record.id}.zarr.zip"',
        "ETag": _etag(opened.record),
    }
    return StreamingResponse((memoryview(piece) async for piece in stream), 200, headers, MEDIA_TYPE)


@router.get(
    "/{file_id}",
    summary="Load a DataFile's document",
    responses=examples.DOCUMENT | examples.problems(404, 410, 422),
    response_class=Response,
)
async def load(service: ServiceDep, file_id: FileId, accept: Accept = JSON) -> Response:
    """The document: metadata, DataSets, files, state.

    Who accepts `application/zip` too gets a small DataFile whole, as a pack: one request loads it.
    """
    headers = {"Vary": "Accept"}
    if MEDIA_TYPE in accept:
        opened = await service.open(file_id)
        whole = await opened.whole()
        if whole is not None:
            return Response(bytes(whole), 200, headers | {"ETag": _etag(opened.record)}, MEDIA_TYPE)
        record = opened.record
    else:
        record = await service.record(file_id)
    return _document(record, headers)


@router.delete(
    "/{file_id}",
    summary="Put a DataFile into the bin, or purge it",
    status_code=204,
    responses=examples.problems(404, 409, 413, 422, 507, conflict="only what is in the bin can be purged"),
)
async def delete(
    service: ServiceDep,
    file_id: FileId,
    purge: Annotated[bool, Query(description="remove it from the bin, for ever")] = False,
) -> None:
    """Move a DataFile to the bin, or remove it from there for ever."""
    await (service.purge(file_id) if purge else service.delete(file_id))


@router.post(
    "/{file_id}/restore",
    summary="Restore a DataFile from the bin",
    responses=examples.DOCUMENT | examples.problems(404, 409, 413, 422, 507, conflict=examples.BUSY),
    response_class=Response,
)
async def restore(service: ServiceDep, file_id: FileId) -> Response:
    """Take a DataFile out of the bin."""
    return _document(await service.restore(file_id))


@router.get(
    "/{file_id}/files/{name}",
    summary="Load an attached file",
    responses=examples.FILE | examples.problems(404, 410, 422),
    response_class=Response,
)
async def get_file(service: ServiceDep, file_id: FileId, name: Name) -> Response:
    """An attached file."""
    data, media_type = await (await service.open(file_id)).file(name)
    # what somebody attached must not run as a page of this server
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox",
    }
    return Response(bytes(data), 200, headers, media_type)


@router.put(
    "/{file_id}/files/{name}",
    summary="Attach a file",
    openapi_extra=examples.PUT_FILE,
    responses=examples.DOCUMENT | examples.problems(404, 409, 410, 413, 422, 507, conflict=examples.BUSY),
    response_class=Response,
)
async def put_file(service: ServiceDep, body: BodyDep, file_id: FileId, name: Name) -> Response:
    """Attach a file (the raw body), in place of one of the same name if there is one."""
    try:
        check_name(name, "file", "name")
        data = await body.all(service.limits.file, "body")
        return _document(await service.put_file(file_id, name, data))
    except AqdataError:
        await body.drain()
        raise


def _document(record: Record, headers: dict[str, Any] | None = None) -> Response:
    return Response(record.document, 200, (headers or {}) | {"ETag": _etag(record)}, JSON)


def _etag(record: Record) -> str:
    return f'"{record.revision}"'
