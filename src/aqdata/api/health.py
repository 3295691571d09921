"""Routes for those who look after the server: is it alive, are its stores; nothing of DataFiles."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter

from aqdata.api import examples
from aqdata.api.deps import ServiceDep

VERSION = version("aqdata")

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="Is the server alive", responses=examples.ALIVE)
async def alive() -> dict[str, str]:
    """Answers as long as the server runs."""
    return {"status": "ok", "version": VERSION}


@router.get("/readyz", summary="Do the stores answer", responses=examples.READY | examples.problems(507))
async def ready(service: ServiceDep) -> dict[str, str]:
    """Answers 200 if both stores take requests, else 503 or 507 with the reason."""
    await service.check()
    return {"status": "ready"}
