"""Opens the stores that a configuration names; what is done with them is in `service.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aqdata.config import Config
from aqdata.service import Service
from aqdata.stores.base import Blobs, MetadataStore
from aqdata.stores.blobs import LocalBlobs, MemoryBlobs
from aqdata.stores.sqlite import SqliteStore
from aqdata.wire.pack import Limits


@asynccontextmanager
async def open_service(config: Config, *, mapped: bool = False) -> AsyncIterator[Service]:
    """A service over the stores of a configuration, closed at the end; `mapped` as in `Service`.

    Raises:
        ConfigError: a store can't be opened.
    """
    config.check_available()
    blobs = await _open_blobs(config)
    try:
        metadata = await _open_metadata(config)
    except BaseException:
        await blobs.close()
        raise
    limits = Limits(document=config.server.max_document, file=config.server.max_file)
    service = Service(metadata, blobs, limits, mapped=mapped)
    try:
        yield service
    finally:
        await service.close()


async def _open_blobs(config: Config) -> Blobs:
    backend = config.data_backend
    if backend.protocol == "memory":
        return MemoryBlobs()
    return await LocalBlobs.open(Path(backend.path), durable=backend.durable)


async def _open_metadata(config: Config) -> MetadataStore:
    path = config.metadata_backend.sqlite
    assert path is not None  # check_available refused the others
    return await SqliteStore.open(path, durable=config.data_backend.durable)
