"""Data that are gone from the disk, by damage or while they are read, are an error, never zeros."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aqdata
from aqdata.backends import open_service
from aqdata.body import Body
from aqdata.config import embedded
from aqdata.errors import Corrupt, NotFound
from aqdata.models import canonical
from aqdata.models.selection import Selection
from aqdata.service import Service
from aqdata.wire.pack import Pack, parse_pack

SELECTIONS: list[Any] = [..., np.s_[::2, ::3], np.s_[:, 5], np.s_[0:3], ([0, 700], [1, 2])]
ARRAY = np.random.default_rng(0).normal(size=(800, 2000)) + 1.0


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with open_service(embedded(tmp_path)) as service:
        yield service


async def save(service: Service, **files: bytes) -> str:
    df = aqdata.DataFile({"name": "x"}, {"x": ARRAY}, files=files)
    document = canonical.encode({"id": df.id, **df.metadata.to_document()})
    pack = Pack(document, {"x": (df.data["x"].spec("x"), ARRAY)}, df.files)

    async def pieces() -> AsyncIterator[bytes]:
        for piece in pack:
            yield bytes(piece)

    await service.save(Body(pieces(), 1 << 40, None, None).parts(parse_pack(service.limits)))
    return df.id


@pytest.mark.parametrize("index", SELECTIONS)
async def test_a_lost_chunk_is_no_zeros(service: Service, tmp_path: Path, index: Any) -> None:
    file_id = await save(service)
    opened = await service.open(file_id)
    await asyncio.to_thread((tmp_path / "data" / opened.placement.group / "x" / "c.0.0").unlink)
    selection = Selection.of(index, ARRAY.shape)
    with pytest.raises(Corrupt, match="missing"):
        await opened.array("x", selection)
    with pytest.raises(Corrupt, match="missing"):
        [piece async for piece in opened.part("x", selection)]


@pytest.mark.parametrize("index", SELECTIONS)
async def test_what_is_purged_while_it_is_read_is_not_found(service: Service, index: Any) -> None:
    file_id = await save(service)
    opened = await service.open(file_id)
    await service.delete(file_id)
    await service.purge(file_id)
    with pytest.raises(NotFound):
        [piece async for piece in opened.part("x", Selection.of(index, ARRAY.shape))]


async def test_a_pack_under_way_outlives_a_new_version_of_a_file(service: Service) -> None:
    file_id = await save(service, notes=b"first")
    size, stream = await (await service.open(file_id)).pack()
    begun = bytes(await anext(stream))
    await service.put_file(file_id, "notes", b"second")
    whole = begun + b"".join([bytes(piece) async for piece in stream])
    assert len(whole) == size
    assert b"first" in whole


async def test_a_pack_asked_for_before_a_new_version_of_a_file_has_the_new_one(service: Service) -> None:
    file_id = await save(service, notes=b"first")
    opened = await service.open(file_id)
    await service.put_file(file_id, "notes", b"second")
    assert bytes((await opened.file("notes"))[0]) == b"second"
    size, stream = await opened.pack()
    whole = b"".join([bytes(piece) async for piece in stream])
    assert len(whole) == size
    assert b"second" in whole


async def test_purging_leaves_nothing(service: Service, tmp_path: Path) -> None:
    file_id = await save(service, notes=b"first", fit=b"stays")
    for version in range(3):
        await service.put_file(file_id, "notes", b"%d" % version)
    await service.delete(file_id)
    await service.purge(file_id)
    left = await asyncio.to_thread(lambda: list((tmp_path / "data").rglob("*")))
    assert left == []
