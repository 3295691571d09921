"""A server for the fault tests, in a process of its own: `python server.py '{"folder": …, "port": …}'`.

It starts one server for each line on its standard input (a fork, so that a restart takes no second), and says when
that one is ready and when it has ended. With `"fork": false` the process itself is the server, at once. `POST /faults`
arms a fault in the stores of the server that runs; `GET /faults` tells what the stores were asked to do since.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from aqdata.api.app import create_app
from aqdata.config import Config, embedded
from aqdata.errors import StoreFull, StoreUnavailable
from aqdata.service import Service
from aqdata.stores.blobs import LocalBlobs
from aqdata.stores.sqlite import SqliteStore

CHANGES = ("write", "commit", "delete", "insert", "replace")
ERRORS = {"unavailable": StoreUnavailable, "full": StoreFull}


@dataclass
class Plan:
    """Which change of the stores fails: the n-th one since it was made, before or after it takes effect.

    `onwards`: all later ones fail too, before they take effect.
    """

    at: int = -1
    action: str = "kill"
    after: bool = False
    onwards: bool = False
    done: list[str] = field(default_factory=list)

    def strike(self, number: int, after: bool) -> None:
        later = self.onwards and 0 <= self.at < number and not after
        if not later and (number != self.at or after != self.after):
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ERRORS[self.action]()


class Faulty:
    """A store whose changes go by the plan; everything else is passed through."""

    def __init__(self, store: Any, kind: str, plan: Plan) -> None:
        self._store = store
        self._kind = kind
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in CHANGES:
            return method
        return self._change(method, f"{self._kind}.{name}")

    def _change(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **options: Any) -> Any:
            plan = self._plan
            number = len(plan.done)
            plan.done.append(f"{name} {arguments[0] if isinstance(arguments[0], str) else ''}".strip())
            plan.strike(number, after=False)
            result = await method(*arguments, **options)
            plan.strike(number, after=True)
            return result

        return call


def build(folder: Path) -> FastAPI:
    """The application over stores that can be made to fail."""
    plan = Plan()

    @asynccontextmanager
    async def open_stores(config: Config) -> AsyncIterator[Service]:
        blobs = await LocalBlobs.open(Path(config.data_backend.path))
        metadata = await SqliteStore.open(config.metadata_backend.sqlite or "")
        service = Service(Faulty(metadata, "records", plan), Faulty(blobs, "blobs", plan))
        try:
            yield service
        finally:
            await service.close()

    app = create_app(embedded(folder), open_stores=open_stores)

    @app.post("/faults")
    async def arm(request: Request) -> None:
        plan.__init__(**await request.json())  # type: ignore[misc]

    @app.get("/faults")
    async def done() -> list[str]:
        return plan.done

    return app


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"ready {os.getpid()}", flush=True)


def serve(folder: Path, port: int, faults: bool) -> None:
    app = build(folder) if faults else create_app(embedded(folder))
    settings = uvicorn.Config(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False
    )
    Server(settings).run()


def main(folder: str, port: int, fork: bool = True, faults: bool = True) -> None:
    if not fork:
        serve(Path(folder), port, faults)
        return
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            serve(Path(folder), port, faults)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
