"""What routes ask for, as annotated types; no routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from aqdata.body import Body
from aqdata.config import Config
from aqdata.service import Service


# async, or else FastAPI hands each of these to a thread
async def _service(request: Request) -> Service:
    service: Service = request.state.service
    return service


async def _config(request: Request) -> Config:
    config: Config = request.state.config
    return config


async def _body(request: Request) -> Body:
    server = request.state.config.server
    return Body(request.stream(), server.max_body, request.headers.get("content-length"), server.read_timeout)


ServiceDep = Annotated[Service, Depends(_service)]
BodyDep = Annotated[Body, Depends(_body)]

FileId = Annotated[
    str,
    Path(
        description="the id of the DataFile, a UUID",
        examples=["019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42"],
    ),
]
Name = Annotated[str, Path(description="the name of the DataSet or file", examples=["s21"])]
Limit = Annotated[int, Query(description="how many to give at most, 1 to 1,000")]
