"""Every measurement of a lab, saved and found again: connect to a server, or open a folder; see `Lab`."""

from __future__ import annotations

# type checkers know this name; typing alone would take longer to import than all of this module
TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from aqdata import aio
    from aqdata.errors import (
        AqdataError,
        ConfigError,
        Conflict,
        Corrupt,
        Deleted,
        Forbidden,
        Invalid,
        InvalidIndex,
        NotFound,
        ServerError,
        StoreFull,
        StoreUnavailable,
        TooLarge,
        Unreachable,
    )
    from aqdata.lab import Hit, Lab
    from aqdata.models.datafile import DataFile
    from aqdata.models.dataset import DataSet
    from aqdata.models.device import Device
    from aqdata.models.environment import Environment
    from aqdata.models.instrument import Instrument
    from aqdata.models.metadata import MetaData
    from aqdata.models.program import Program
    from aqdata.models.setting import Setting

__all__ = [
    "AqdataError",
    "ConfigError",
    "Conflict",
    "Corrupt",
    "DataFile",
    "DataSet",
    "Deleted",
    "Device",
    "Environment",
    "Forbidden",
    "Hit",
    "Instrument",
    "Invalid",
    "InvalidIndex",
    "Lab",
    "MetaData",
    "NotFound",
    "Program",
    "ServerError",
    "Setting",
    "StoreFull",
    "StoreUnavailable",
    "TooLarge",
    "Unreachable",
    "__version__",
    "aio",
    "connect",
    "open",
]

_HOMES = {
    "DataFile": "models.datafile",
    "DataSet": "models.dataset",
    "Device": "models.device",
    "Environment": "models.environment",
    "Hit": "lab",
    "Instrument": "models.instrument",
    "Lab": "lab",
    "MetaData": "models.metadata",
    "Program": "models.program",
    "Setting": "models.setting",
}


def connect(url: str | None = None, *, connect_timeout: float = 5.0, read_timeout: float = 60.0) -> Lab:
    """A Lab on a server, such as http://cryo2.lab:5000; None: AQDATA_URL, or the server of the configuration.

    Time-outs in seconds; `read_timeout` is the longest silence, not the time for all of a transfer. Nothing is sent
    before the Lab is used.

    Raises:
        Invalid: the URL is none, or a folder.
        ConfigError: the configuration is wrong.
    """
    from aqdata.addresses import check_url
    from aqdata.client import HttpTransport
    from aqdata.lab import Lab

    if url is None:
        from aqdata.config import server_url

        url = server_url()
    check_url(url)
    return Lab(HttpTransport(url, connect_timeout=connect_timeout, read_timeout=read_timeout))


def open(folder: str | PathLike[str]) -> Lab:  # noqa: A001 - the word that users read everywhere
    """A Lab on a folder, without a server; the folder is made if there is none. Several processes may open it.

    Raises:
        Invalid: it is the URL of a server.
        ImportError: the server's packages are not installed.
    """
    from aqdata.addresses import check_folder
    from aqdata.lab import Lab

    check_folder(folder)
    try:
        from aqdata.embedded import open_transport
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("aqdata."):
            raise
        message = f"aqdata.open needs the server's packages ({error.name} is missing): pip install 'aqdata[server]'"
        raise ModuleNotFoundError(message, name=error.name) from error
    return Lab(open_transport(folder))


def __getattr__(name: str) -> Any:
    # light to import: numpy and pydantic come with the first name that needs them
    from importlib import import_module

    if name == "__version__":
        return import_module("importlib.metadata").version("aqdata")
    if name == "aio":
        return import_module("aqdata.aio")
    if name in __all__:
        return getattr(import_module(f"aqdata.{_HOMES.get(name, 'errors')}"), name)
    raise AttributeError(f"module 'aqdata' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
