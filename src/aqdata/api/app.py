"""The application: opens the stores of a configuration, puts the routes together; no route of its own but `/docs`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from aqdata.api import data, datafiles, errors, health
from aqdata.api.guard import Guard
from aqdata.backends import open_service
from aqdata.config import Config
from aqdata.service import Service

DESCRIPTION = """
Keeps every measurement of a quantum-hardware lab. One measurement is a **DataFile**: named N-D arrays and attached
files, and one document of metadata that says everything about them.

Errors are `application/problem+json` with `type`, `title`, `status`, `detail` and `field`.
"""


class State(TypedDict):
    """What requests find in `request.state`."""

    service: Service
    config: Config


def create_app(
    config: Config,
    open_stores: Callable[[Config], AbstractAsyncContextManager[Service]] | None = None,
) -> FastAPI:
    """The server as an ASGI application. The stores open when it starts and close when it stops.

    Raises:
        ConfigError: at start, if a store can't be opened.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        # mapped: answers go to sockets as they are
        async with open_stores(config) if open_stores else open_service(config, mapped=True) as service:
            yield {"service": service, "config": config}

    app = FastAPI(
        title="aqdata – Atlantic Quantum Data",
        version=version("aqdata"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    for router in (datafiles.router, data.router, health.router):
        app.include_router(router)
    errors.add_handlers(app)
    app.add_middleware(Guard, allowed_hosts=config.server.allowed_hosts)
    _add_docs(app)
    return app


def _add_docs(app: FastAPI) -> None:
    """`/docs` with its scripts from this server: labs' networks often reach no other."""
    assets = Path(str(files("fastapi_offline").joinpath("static")))
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")
